/* An emulator that emulates nothing: it loads a plugin as qemu-user does and lets it see what the
 * arguments of the "program" say.
 *
 *   r PAGE, w PAGE        an access of 8 bytes to the beginning of a page
 *   across PAGE           a read of 8 bytes, of which 4 are in the next page
 *   walk SEED N PAGES     N accesses, a third of them writes: see walked() in the tests
 *   fork N                the rest in a child; the parent waits and makes N accesses to page 7000
 *   leave                 the rest in a child, when the parent has ended
 *   threads N             N threads, each with 50,000 accesses to 40 pages of its own
 *   close                 closes every file above 2, as daemons do
 *   limit                 no more files may be opened
 *   exec, failed          execve of another program, with broken arguments, and one that fails
 *   become FILE WORD...   execve of a program
 *   shifted               addresses of the program are others than ours
 *   signal N, exit N, say WORD, wait
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef OLDEST
#define OLDEST 0
#endif
#ifndef NEWEST
#define NEWEST 1
#endif
#define STORE (1 << 9)

typedef void on_memory(unsigned, uint32_t, uint64_t, void *);
typedef void on_call(uint64_t, unsigned, int64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t,
                     uint64_t, uint64_t, uint64_t);

static on_memory *memory;
static on_call *call;
static void (*call_done)(uint64_t, unsigned, int64_t, int64_t);
static void (*translate)(uint64_t, void *);
static void (*thread_ends)(uint64_t, unsigned);

void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id, void (*f)(uint64_t, void *)) { translate = f; }
void qemu_plugin_register_vcpu_exit_cb(uint64_t id, void (*f)(uint64_t, unsigned)) { thread_ends = f; }
void qemu_plugin_register_vcpu_syscall_cb(uint64_t id, on_call *f) { call = f; }
void qemu_plugin_register_vcpu_syscall_ret_cb(uint64_t id,
                                              void (*f)(uint64_t, unsigned, int64_t, int64_t)) {
    call_done = f;
}
void qemu_plugin_register_vcpu_mem_cb(void *i, on_memory *f, int flags, int kinds, void *d) { memory = f; }
void qemu_plugin_register_vcpu_insn_exec_cb(void *i, void (*f)(unsigned, void *), int flags, void *d) {}
size_t qemu_plugin_tb_n_insns(void *block) { return 1; }
void *qemu_plugin_tb_get_insn(void *block, size_t i) { return block; }
static uint64_t shift;
uint64_t qemu_plugin_insn_vaddr(void *i) { return (uint64_t)i + shift; }
void *qemu_plugin_insn_haddr(void *i) { return i; }
size_t qemu_plugin_insn_size(void *i) { return 4; }
_Bool qemu_plugin_mem_is_store(uint32_t info) { return info & STORE; }
unsigned qemu_plugin_mem_size_shift(uint32_t info) { return info & 7; }

static void touch(uint64_t page, uint64_t offset, int write) {
    memory(0, 3 | (write ? STORE : 0), page << 12 | offset, NULL);
}

static void make_call(int64_t number, const char *path, char **words) {
    call(1, 0, number, (uintptr_t)path, (uintptr_t)words, (uintptr_t)environ, 0, 0, 0, 0, 0);
}

static void walk(uint64_t state, long count, uint64_t pages) {
    for (long i = 0; i < count; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        uint64_t near = (state >> 40) % 4 ? 12 : pages;
        touch(0x7f0000000 + (state >> 33) % near, 0, (state >> 50) % 3 == 0);
    }
}

static void *one_thread(void *number) {
    for (int i = 0; i < 50000; i++)
        touch(1000 * (1 + (uintptr_t)number) + i % 40, 0, 0);
    thread_ends(1, 0);
    return NULL;
}

static void threads(int count) {
    pthread_t all[300];
    for (int i = 0; i < count; i++)
        pthread_create(&all[i], NULL, one_thread, (void *)(uintptr_t)i);
    for (int i = 0; i < count; i++)
        pthread_join(all[i], NULL);
}

static void run(char **a) {
    for (; *a; a++) {
        if (!strcmp(*a, "r") || !strcmp(*a, "w")) {
            touch(strtoull(a[1], NULL, 0), 0, **a == 'w');
            a++;
        } else if (!strcmp(*a, "across")) {
            touch(strtoull(*++a, NULL, 0), 4092, 0);
        } else if (!strcmp(*a, "walk")) {
            walk(strtoull(a[1], NULL, 0), atol(a[2]), strtoull(a[3], NULL, 0));
            a += 3;
        } else if (!strcmp(*a, "fork")) {
            int count = atoi(*++a);
            if (fork()) {
                wait(NULL);
                for (int i = 0; i < count; i++)
                    touch(7000, 0, 0);
                exit(0);
            }
        } else if (!strcmp(*a, "leave")) {
            if (fork())
                _exit(0);
            usleep(300000);
        } else if (!strcmp(*a, "threads")) {
            threads(atoi(*++a));
        } else if (!strcmp(*a, "close")) {
            for (int fd = 3; fd < 2000; fd++)
                close(fd);
        } else if (!strcmp(*a, "limit")) {
            struct rlimit none = {3, 3};
            setrlimit(RLIMIT_NOFILE, &none);
        } else if (!strcmp(*a, "exec")) {
            make_call(SYS_execve, NULL, NULL);
            execl("/bin/true", "true", NULL);
        } else if (!strcmp(*a, "failed")) {
            make_call(SYS_execve, "/none/at/all", a);
            call_done(1, 0, SYS_execve, -2);
        } else if (!strcmp(*a, "become")) {
            make_call(SYS_execve, a[1], a + 1);
            execv(a[1], a + 1);
        } else if (!strcmp(*a, "shifted")) {
            shift = 1;
            translate(1, "block");
        } else if (!strcmp(*a, "signal")) {
            kill(getpid(), atoi(*++a));
            pause();
        } else if (!strcmp(*a, "exit")) {
            _exit(atoi(*++a));
        } else if (!strcmp(*a, "say")) {
            puts(*++a);
            fflush(stdout);
        } else if (!strcmp(*a, "wait")) {
            puts("waiting");
            fflush(stdout);
            pause();
        }
    }
}

static void load(char *option) {
    char *words[9] = {0}, *end;
    int count = 0;
    for (char *word = strtok_r(option, ",", &end); word && count < 9; word = strtok_r(NULL, ",", &end))
        words[count++] = word;
    void *file = dlopen(words[0], RTLD_NOW);
    if (!file) {
        fprintf(stderr, "fake: %s\n", dlerror());
        exit(1);
    }
    int version = *(int *)dlsym(file, "qemu_plugin_version");
    if (version < OLDEST) {
        fprintf(stderr, "fake: plugin requires API version %d, but this QEMU supports only a "
                        "minimum version of %d\n", version, OLDEST);
        exit(1);
    }
    if (version > NEWEST) {
        fprintf(stderr, "fake: supports only up to version %d\n", NEWEST);
        exit(1);
    }
    int (*install)(uint64_t, const void *, int, char **) = dlsym(file, "qemu_plugin_install");
    if (install(1, NULL, count - 1, words + 1) != 0)
        exit(1);
}

int main(int count, char **given) {
    char **a = given + 1;
    if (count > 1 && !strcmp(*a, "--version")) {
        puts("qemu-fake version 7.0 (of tests)");
        return 0;
    }
    if (*a && !strcmp(*a, "-plugin")) {
        load(strdup(a[1]));
        a += 2;
    }
    if (*a && !strcmp(*a, "-0"))
        a += 2;
    if (translate) {
        translate(1, "block");
        run(a + 1);
    }
    return 0;
}
