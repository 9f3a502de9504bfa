/* random SEED OPERATIONS: maps, unmaps, moves, empties, protects, writes, reads and forks at random,
 * and prints what it found, which does not depend on addresses. */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { RUNS = 24, MOST = 400, PAGE = 4096 };

static struct { uint64_t *p; long pages; } run[RUNS];
static uint64_t state, sum = 1;

static uint64_t drawn(uint64_t below) {
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    return state % below;
}
static void fail(const char *what) {
    perror(what);
    exit(1);
}
static void note(uint64_t value) { sum = (sum ^ value) * 0x100000001B3u + (sum >> 47); }

static void look(int i) {
    if (!run[i].pages) return;
    long first = (long)drawn((uint64_t)run[i].pages), n = 1 + (long)drawn(20), k;
    for (k = first; k < first + n && k < run[i].pages; k++) note(run[i].p[k * 512 + k % 512]), note(run[i].p[k * 512]);
}
static void put(int i) {
    if (!run[i].pages) return;
    long first = (long)drawn((uint64_t)run[i].pages), n = 1 + (long)drawn(40), k;
    uint64_t value = drawn(1u << 30);
    for (k = first; k < first + n && k < run[i].pages; k++) run[i].p[k * 512 + k % 512] = value + (uint64_t)k;
}
static void map(int i) {
    if (run[i].pages) return;
    run[i].pages = 1 + (long)drawn(MOST);
    run[i].p = mmap(NULL, (size_t)run[i].pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (run[i].p == MAP_FAILED) fail("mmap");
}
static void unmap(int i) {
    if (!run[i].pages) return;
    long keep = drawn(2) ? (long)drawn((uint64_t)run[i].pages) : 0;
    if (munmap(run[i].p + keep * 512, (size_t)(run[i].pages - keep) * PAGE)) fail("munmap");
    run[i].pages = keep;
}
static void move(int i) {
    if (!run[i].pages) return;
    long pages = 1 + (long)drawn(MOST);
    void *p = mremap(run[i].p, (size_t)run[i].pages * PAGE, (size_t)pages * PAGE, MREMAP_MAYMOVE);
    if (p == MAP_FAILED) fail("mremap");
    run[i].p = p, run[i].pages = pages;
}
static void move_onto(int i, int k) { /* a fixed place, where something else lies */
    if (!run[i].pages || !run[k].pages || i == k || run[i].pages > run[k].pages) return;
    long rest = run[k].pages - run[i].pages;
    if (mremap(run[i].p, (size_t)run[i].pages * PAGE, (size_t)run[i].pages * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
               run[k].p) != run[k].p) fail("mremap fixed");
    if (rest && munmap(run[k].p + run[i].pages * 512, (size_t)rest * PAGE)) fail("munmap");
    run[k].pages = run[i].pages, run[i].pages = 0;
}
static void empty(int i) {
    if (!run[i].pages) return;
    long first = (long)drawn((uint64_t)run[i].pages), n = 1 + (long)drawn((uint64_t)(run[i].pages - first));
    if (madvise(run[i].p + first * 512, (size_t)n * PAGE, MADV_DONTNEED)) fail("madvise");
}
static void hide(int i) { /* nobody may look, and others push it out */
    if (!run[i].pages || mprotect(run[i].p, (size_t)run[i].pages * PAGE, PROT_NONE)) return;
    for (int k = 0; k < RUNS; k++) if (k != i) put(k);
    if (mprotect(run[i].p, (size_t)run[i].pages * PAGE, PROT_READ | PROT_WRITE)) fail("mprotect");
    look(i);
}
static void heap(void) {
    char *p = sbrk((intptr_t)(drawn(2) ? 64 * PAGE : 0));
    if (p == (void *)-1) fail("sbrk");
    char *q = sbrk(0);
    if (q > p) memset(p, (int)drawn(255), (size_t)(q - p)), note((uint64_t)p[PAGE + 5]);
    if (q > p && sbrk(-(q - p)) == (void *)-1) fail("sbrk");
}
static void all(void) {
    for (int i = 0; i < RUNS; i++)
        for (long k = 0; k < run[i].pages; k++) note(run[i].p[k * 512 + k % 512]), note(run[i].p[k * 512]);
}
static void split(int depth);

static void one(int depth) {
    int i = (int)drawn(RUNS);
    uint64_t what = drawn(1000);
    if (what < 80) map(i);
    else if (what < 120) unmap(i);
    else if (what < 170) move(i);
    else if (what < 185) move_onto(i, (int)drawn(RUNS));
    else if (what < 220) empty(i);
    else if (what < 225) hide(i);
    else if (what < 235) heap();
    else if (what < 238 && depth < 2) split(depth);
    else if (what < 650) put(i);
    else look(i);
}
static void split(int depth) { /* both go on: what one writes the other does not see */
    int told[2], status;
    uint64_t theirs;
    if (pipe(told)) fail("pipe");
    fflush(stdout);
    pid_t pid = fork();
    if (pid < 0) fail("fork");
    if (pid == 0) {
        state ^= 0x1234567;
        for (int n = 0; n < 100; n++) one(depth + 1);
        all();
        if (write(told[1], &sum, sizeof sum) != sizeof sum) fail("write");
        _exit(7);
    }
    close(told[1]);
    for (int n = 0; n < 50; n++) put((int)drawn(RUNS));
    if (read(told[0], &theirs, sizeof theirs) != sizeof theirs) fail("read");
    close(told[0]);
    if (waitpid(pid, &status, 0) != pid || WEXITSTATUS(status) != 7) fail("waitpid");
    if (wait(&status) >= 0) fail("a child too many");
    note(theirs);
}
int main(int argc, char **argv) {
    (void)argc;
    state = strtoull(argv[1], NULL, 10) * 2654435761u + 88172645463325252u;
    long n = atol(argv[2]);
    for (long k = 1; k <= n; k++) {
        one(0);
        if (k % 1000 == 0) printf("%ld %016lx\n", k, sum);
    }
    all();
    printf("end %016lx\n", sum);
    return 0;
}
