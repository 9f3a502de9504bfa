/* A plugin of qemu-user that says which pages a program touches.
 *
 * - Built by swapfast.record.plugin on first use, with the system's compiler and -DAPI=N.
 * - Arguments: to=NAME: socket of the recorder; recorder=N: its process; window=PAGES, see arena.h;
 *   instructions=0|1. Or probe=1: the process ends, with 0 if the plugin can work.
 * - Each process has an arena (arena.h), a memfd that it sends to the recorder.
 * - put(page, write): what one access becomes. Programs that follow: follow.h.
 */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "arena.h"
#include "emulator.h"
#include "follow.h"

EXPORT int qemu_plugin_version = API;

/* ---------------------------------------------------------------- a process and its arena */

enum {
    PAGE_SHIFT = 12,
    PAGE = 1 << PAGE_SHIFT,
    WIDEST = 64,           /* bytes of the widest access */
    AHEAD = 64,            /* buffers that the recorder may be behind, and one more a thread */
    LATE = 1 << 14,        /* references of a thread before it hands over, if it is not alone */
};

static struct arena *arena;
static struct buffer nowhere;           /* for threads that are not recorded */
static struct buffer unborn = {.here = ARENA_NOWHERE}; /* of those that have not touched anything */
static int recorder = -1;               /* its process */
static char door[80];                   /* of its socket, without the 0 before it */
static uint32_t window;                 /* of a round, see arena.h; 0: everything is an entry */
static uint32_t store_bit;              /* of what qemu says about an access */
static int with_instructions;
static int same_addresses;              /* of the program and of this process */
static char options[200];               /* for the plugin of the next program */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static __thread struct buffer *mine __attribute__((tls_model("initial-exec"))) = &unborn;

/* A connection to the recorder: only for a moment, for file numbers are the program's. */
static int connected(void) {
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    size_t length = strlen(door);
    memcpy(name.sun_path + 1, door, length); /* its first byte is 0: no file */
    socklen_t size = offsetof(struct sockaddr_un, sun_path) + 1 + length;
    if (fd >= 0 && connect(fd, (struct sockaddr *)&name, size) == 0)
        return fd;
    close(fd);
    return -1;
}

static int send_arena(int fd) {
    char note[CMSG_SPACE(sizeof fd)] = {0}, byte = 0;
    struct iovec body = {&byte, 1};
    struct msghdr message = {.msg_iov = &body, .msg_iovlen = 1, .msg_control = note,
                             .msg_controllen = sizeof note};
    struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(rights), &fd, sizeof fd);
    int to = connected();
    ssize_t sent = -1;
    if (to >= 0) {
        do
            sent = sendmsg(to, &message, MSG_NOSIGNAL);
        while (sent < 0 && errno == EINTR);
        close(to);
    }
    return sent == 1;
}

static struct arena *new_arena(void) {
    int fd = memfd_create("swapfast-record", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return NULL;
    struct arena *a = MAP_FAILED;
    if (ftruncate(fd, sizeof *a) == 0)
        a = mmap(NULL, sizeof *a, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (a != MAP_FAILED) {
        memcpy(a->magic, ARENA_MAGIC, sizeof a->magic);
        a->pid = getpid();
        a->parent = getppid();
        a->command_bytes = command_line(a->command, sizeof a->command);
        if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0
            || !send_arena(fd)) {
            munmap(a, sizeof *a);
            a = MAP_FAILED;
        }
    }
    close(fd);
    return a == MAP_FAILED ? NULL : a;
}

/* ---------------------------------------------------------------- buffers */

/* Wait for the recorder. False: it is gone, or wants no more. */
static int recorder_reads(struct arena *a, int turn) {
    struct timespec nap = {0, 200000};
    if (arena_load(&a->closed))
        return 0;
    if (turn % 500 == 499 && kill(recorder, 0) != 0 && errno == ESRCH)
        return 0;
    nanosleep(&nap, NULL);
    return 1;
}

/* A buffer to fill. The caller holds the lock. */
static struct buffer *take_buffer(struct arena *a) {
    uint32_t number = ARENA_BUFFERS;
    for (int turn = 0; number >= ARENA_BUFFERS; turn++) {
        if (arena_load(&a->freed) > a->reused)
            number = a->free[a->reused++ % ARENA_BUFFERS];
        else if (a->fresh < ARENA_BUFFERS && a->fresh < AHEAD + a->threads)
            number = a->fresh++;
        else if (!recorder_reads(a, turn))
            return &nowhere;
    }
    struct buffer *b = &a->buffer[number];
    b->began = ++a->began;
    b->here = ARENA_NOWHERE;
    b->look_round = LATE;
    b->filling = 1;
    return b;
}

/* Hand over what a thread has. The caller holds the lock. */
static void hand_over(struct arena *a, struct buffer *b) {
    a->queue[a->queued % ARENA_BUFFERS] = (uint32_t)(b - a->buffer);
    arena_store(&a->queued, a->queued + 1);
}

static __attribute__((noinline)) struct buffer *begin_thread(void) {
    pthread_mutex_lock(&lock);
    mine = &nowhere;
    if (arena != NULL && arena->threads >= ARENA_BUFFERS - AHEAD) {
        arena_add(&arena->lost_threads, 1);
    } else if (arena != NULL && !arena_load(&arena->closed)) {
        arena_add(&arena->threads, 1);
        mine = take_buffer(arena);
    }
    pthread_mutex_unlock(&lock);
    return mine;
}

static __attribute__((noinline)) struct buffer *next_buffer(struct buffer *b) {
    if (b == &nowhere) {
        memset(b, 0, sizeof *b);
        return b;
    }
    pthread_mutex_lock(&lock);
    hand_over(arena, b);
    mine = take_buffer(arena);
    pthread_mutex_unlock(&lock);
    return mine;
}

static void end_thread(plugin_id id, unsigned cpu) {
    struct buffer *b = mine;
    if (b == &unborn || b == &nowhere)
        return;
    round_end(b);
    pthread_mutex_lock(&lock);
    hand_over(arena, b);
    arena_add(&arena->threads, -1);
    mine = &unborn;
    pthread_mutex_unlock(&lock);
}

/* ---------------------------------------------------------------- references */

/* The buffer goes to the recorder, and the round with it. */
static struct buffer *hand_over_all(struct buffer *b) {
    round_end(b);
    return next_buffer(b);
}

/* A thread that begins; or now and then, for what threads do is to be about in order of time. */
static __attribute__((noinline)) struct buffer *look_round(struct buffer *b) {
    if (b == &unborn)
        return begin_thread();
    b->look_round = b->seen + LATE;
    return arena != NULL && arena->threads > 1 ? hand_over_all(b) : b;
}

static __attribute__((noinline)) void add_to_round(struct buffer *b, uint64_t page,
                                                   uint32_t write) {
    if (b->open + 1 >= window) {
        round_end(b);
        if (b->n > ARENA_REFS - 2 * ARENA_WINDOW)
            b = next_buffer(b);
    }
    round_add(b, round_page(b, page), page, write);
    b->here = page << 1 | write;
}

/* Without a window every one is an entry. */
static __attribute__((noinline)) void add_entry(struct buffer *b, uint64_t page, uint32_t write) {
    if (b->n && b->refs[b->n - 1] == page << 1) {
        b->refs[b->n - 1] |= write;
    } else {
        if (b->n == ARENA_REFS)
            b = next_buffer(b);
        b->refs[b->n] = page << 1 | write;
        __atomic_signal_fence(__ATOMIC_RELEASE);
        b->n++;
    }
    b->here = page << 1 | write;
}

/* Half of all references are to the page of the one before, and say nothing. */
static inline int goes_without_saying(uint64_t page, uint32_t write) {
    uint64_t unlike = mine->here ^ page << 1;
    return unlike == 1 || (unlike | write) == 0;
}

static __attribute__((noinline)) void put(uint64_t page, uint32_t write) {
    struct buffer *b = mine;
    if (__builtin_expect(b->seen >= b->look_round, 0))
        b = look_round(b);
    b->seen++;
    if (!window) {
        add_entry(b, page, write);
        return;
    }
    struct slot *s = round_page(b, page);
    if (b->here == page << 1) { /* the one before, but writing */
        *(s->first == s->last ? &s->first_writes : &s->rest_writes) = 1;
        b->here |= 1;
        return;
    }
    if (__builtin_expect(s->page == 0, 0)) {
        add_to_round(b, page, write);
        return;
    }
    s->last = b->seen;
    s->rest_writes |= write;
    b->here = page << 1 | write;
}

static __attribute__((noinline)) void put_near_border(uint64_t address, uint32_t info,
                                                      uint32_t write) {
    uint64_t page = address >> PAGE_SHIFT;
    uint64_t last = address + ((uint64_t)1 << qemu_plugin_mem_size_shift(info)) - 1;
    for (; page <= last >> PAGE_SHIFT; page++)
        if (!goes_without_saying(page, write))
            put(page, write);
}

static void memory(unsigned cpu, uint32_t info, uint64_t address, void *data) {
    uint32_t write = info >> store_bit & 1;
    if (__builtin_expect((address & (PAGE - 1)) > PAGE - WIDEST, 0))
        put_near_border(address, info, write);
    else if (!goes_without_saying(address >> PAGE_SHIFT, write))
        put(address >> PAGE_SHIFT, write);
}

static void fetch(unsigned cpu, void *data) {
    if (!goes_without_saying((uintptr_t)data, 0))
        put((uintptr_t)data, 0);
}

static void translate(plugin_id id, struct block *block) {
    size_t count = qemu_plugin_tb_n_insns(block);
    struct instruction *first_one = qemu_plugin_tb_get_insn(block, 0);
    same_addresses = (uint64_t)(uintptr_t)qemu_plugin_insn_haddr(first_one)
                     == qemu_plugin_insn_vaddr(first_one);
    for (size_t i = 0; i < count; i++) {
        struct instruction *one = qemu_plugin_tb_get_insn(block, i);
        if (with_instructions) {
            uint64_t first = qemu_plugin_insn_vaddr(one);
            uint64_t last = first + qemu_plugin_insn_size(one) - 1;
            for (uint64_t page = first >> PAGE_SHIFT; page <= last >> PAGE_SHIFT; page++)
                qemu_plugin_register_vcpu_insn_exec_cb(one, fetch, NO_REGISTERS,
                                                       (void *)(uintptr_t)page);
        }
        qemu_plugin_register_vcpu_mem_cb(one, memory, NO_REGISTERS, READ_AND_WRITE, NULL);
    }
}

/* ---------------------------------------------------------------- system calls, fork */

static int is_exec(int64_t number) {
    return number == SYS_execve || number == SYS_execveat;
}

/* Who waits for another thread hands over first: it is before what the other does then. */
static void call(plugin_id id, unsigned cpu, int64_t number, uint64_t a1, uint64_t a2, uint64_t a3,
                 uint64_t a4, uint64_t a5, uint64_t a6, uint64_t a7, uint64_t a8) {
    if (arena == NULL)
        return;
    if (is_exec(number)) {
        arena_store(&arena->executing, 1);
        if (number == SYS_execve && same_addresses && !arena_load(&arena->closed)) {
            pthread_mutex_lock(&lock);
            follow(a1, a2, a3, options);
            pthread_mutex_unlock(&lock);
        }
    } else if (number == SYS_futex && mine != NULL && arena->threads > 1)
        hand_over_all(mine);
}

static void call_done(plugin_id id, unsigned cpu, int64_t number, int64_t result) {
    if (arena != NULL && is_exec(number))
        arena_store(&arena->executing, 0);
}

static void before_fork(void) {
    pthread_mutex_lock(&lock);
}

static void in_parent(void) {
    pthread_mutex_unlock(&lock);
}

static void in_child(void) {
    struct arena *parents = arena;
    pthread_mutex_unlock(&lock);
    arena = NULL;
    mine = &unborn;
    memset(&nowhere, 0, sizeof nowhere);
    if (parents == NULL)
        return;
    if (!arena_load(&parents->closed)) {
        arena = new_arena();
        if (arena == NULL)
            arena_add(&parents->lost_children, 1);
    }
    munmap(parents, sizeof *parents);
}

/* ---------------------------------------------------------------- begin */

static const char *text_option(int count, char **given, const char *name) {
    size_t length = strlen(name);
    for (int i = 0; i < count; i++)
        if (strncmp(given[i], name, length) == 0 && given[i][length] == '=')
            return given[i] + length + 1;
    return NULL;
}

static int option(int count, char **given, const char *name) {
    const char *value = text_option(count, given, name);
    return value == NULL ? -1 : atoi(value);
}

/* The one bit that qemu_plugin_mem_is_store() looks at: it need not be called for each access.
 * False: it looks at more. */
static int find_store_bit(void) {
    for (store_bit = 0; store_bit < 32; store_bit++)
        if (qemu_plugin_mem_is_store((uint32_t)1 << store_bit))
            return !qemu_plugin_mem_is_store(~((uint32_t)1 << store_bit));
    return 0;
}

EXPORT int qemu_plugin_install(plugin_id id, const void *info, int count, char **given) {
    if (option(count, given, "probe") == 1)
        _exit(find_store_bit() ? 0 : 1);
    int wanted = option(count, given, "window");
    window = wanted < 3 ? 0 : wanted < ARENA_WINDOW ? wanted : ARENA_WINDOW;
    with_instructions = option(count, given, "instructions") == 1;
    recorder = option(count, given, "recorder");
    const char *to = text_option(count, given, "to");
    if (to == NULL || strlen(to) >= sizeof door || !find_store_bit())
        return 1;
    strcpy(door, to);
    snprintf(options, sizeof options, "to=%s,recorder=%d,window=%d,instructions=%d", door,
             recorder, wanted, with_instructions);
    arena = new_arena();
    if (arena == NULL)
        return 0; /* nobody reads: the program runs all the same */
    if (pthread_atfork(before_fork, in_parent, in_child) != 0)
        return 1;
    qemu_plugin_register_vcpu_tb_trans_cb(id, translate);
    qemu_plugin_register_vcpu_exit_cb(id, end_thread);
    qemu_plugin_register_vcpu_syscall_cb(id, call);
    qemu_plugin_register_vcpu_syscall_ret_cb(id, call_done);
    return 0;
}
