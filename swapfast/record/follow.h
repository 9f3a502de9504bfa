/* execve(2) of a recorded process: the program that comes next is recorded too.
 *
 * qemu-user would run it natively. So where it can be recorded, the process becomes this emulator
 * again, with the same plugin, for that program; otherwise qemu goes on as if nothing had been.
 *
 * - follow(path, argv, envp, options): no return, or the program cannot be recorded
 * - command_line(target, size): the program and its arguments, a 0 after each -> bytes
 *
 * Only where addresses of the program are those of this process, which the caller has seen.
 */
#ifndef SWAPFAST_FOLLOW
#define SWAPFAST_FOLLOW

#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#if defined(__x86_64__)
#define THIS_MACHINE EM_X86_64
#elif defined(__aarch64__)
#define THIS_MACHINE EM_AARCH64
#else
#define THIS_MACHINE EM_NONE
#endif

enum {
    FOLLOW_WORDS = 1 << 16, /* arguments at most */
    FOLLOW_SCRIPTS = 5,
    FOLLOW_HEAD = 256,      /* bytes of a file that the kernel looks at */
    FOLLOW_OURS = 5,        /* qemu -plugin OPTION -0 NAME, before the program */
};

/* Memory of the program, which may be no memory. */
static int follow_peek(void *target, uint64_t address, size_t size) {
    struct iovec here = {target, size}, there = {(void *)(uintptr_t)address, size};
    return process_vm_readv(getpid(), &here, 1, &there, 1, 0) == (ssize_t)size;
}

static int follow_text(char *target, uint64_t address, size_t size) {
    for (size_t i = 0; i < size; i++) {
        if (!follow_peek(target + i, address + i, 1))
            return 0;
        if (target[i] == 0)
            return 1;
    }
    return 0;
}

/* First bytes of a file that this process may run, and that keeps the rights as they are. */
static int follow_head(const char *path, char head[FOLLOW_HEAD + 1]) {
    struct stat is;
    if (stat(path, &is) != 0 || !S_ISREG(is.st_mode) || access(path, X_OK) != 0
        || (is.st_mode & S_ISUID && is.st_uid != geteuid())
        || (is.st_mode & S_ISGID && is.st_gid != getegid()))
        return 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    memset(head, 0, FOLLOW_HEAD + 1);
    ssize_t size = read(fd, head, FOLLOW_HEAD);
    close(fd);
    return size > 0;
}

static int follow_is_ours(const char *head) {
    Elf64_Ehdr elf;
    memcpy(&elf, head, sizeof elf);
    return memcmp(head, ELFMAG, SELFMAG) == 0 && elf.e_ident[EI_CLASS] == ELFCLASS64
           && elf.e_machine == THIS_MACHINE;
}

/* "#! interpreter argument" of a script: before its other arguments. False: it names none. */
static int follow_script(char *head, char **words, int *at, char *script) {
    char *end = head + strcspn(head, "\n");
    while (end > head + 2 && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    *end = 0;
    char *name = head + 2 + strspn(head + 2, " \t"), *rest = name + strcspn(name, " \t");
    if (*name == 0 || end - head >= FOLLOW_HEAD)
        return 0;
    words[*at] = script; /* in the place of its own name */
    if (*rest) {
        *rest++ = 0;
        words[--*at] = rest + strspn(rest, " \t");
    }
    words[--*at] = name;
    return 1;
}

static int follow_option(char *target, size_t size, const char *options) {
    Dl_info us;
    if (dladdr((void *)follow_option, &us) == 0 || us.dli_fname == NULL
        || faccessat(AT_FDCWD, us.dli_fname, R_OK, AT_EACCESS) != 0)
        return 0; /* another user may not read it, nor may who is in another root */
    size_t n = 0;
    for (const char *c = us.dli_fname; *c && n + 2 < size; c++) {
        target[n++] = *c;
        if (*c == ',')
            target[n++] = ',';
    }
    return snprintf(target + n, size - n, ",%s", options) < (int)(size - n);
}

static void follow(uint64_t path_at, uint64_t argv_at, uint64_t envp, const char *options) {
    enum { BEFORE = FOLLOW_OURS + 2 * FOLLOW_SCRIPTS + 2 };
    static char heads[FOLLOW_SCRIPTS][FOLLOW_HEAD + 1], scripts[FOLLOW_SCRIPTS][PATH_MAX];
    static char path[PATH_MAX], qemu[PATH_MAX], option[2 * PATH_MAX];
    static char *words[BEFORE + FOLLOW_WORDS + 1];
    int count = 0, at = BEFORE, turn = 0;
    if (!follow_text(path, path_at, sizeof path))
        return;
    for (; count < FOLLOW_WORDS; count++) {
        uint64_t word;
        if (!follow_peek(&word, argv_at + 8 * count, 8))
            return;
        words[BEFORE + count] = (char *)(uintptr_t)word;
        if (word == 0)
            break;
    }
    if (count == 0 || count == FOLLOW_WORDS)
        return;
    for (;; turn++) {
        if (turn == FOLLOW_SCRIPTS || !follow_head(path, heads[turn]))
            return;
        if (memcmp(heads[turn], "#!", 2) != 0)
            break;
        strcpy(scripts[turn], path);
        if (!follow_script(heads[turn], words, &at, scripts[turn])
            || strlen(words[at]) >= sizeof path)
            return;
        strcpy(path, words[at]);
    }
    ssize_t length = readlink("/proc/self/exe", qemu, sizeof qemu - 1);
    if (!follow_is_ours(heads[turn]) || length <= 0)
        return;
    qemu[length] = 0;
    char *name = words[at];
    if (!follow_option(option, sizeof option, options)
        || faccessat(AT_FDCWD, qemu, X_OK, AT_EACCESS) != 0)
        return;
    words[at] = path;
    words[--at] = name;
    words[--at] = "-0";
    words[--at] = option;
    words[--at] = "-plugin";
    words[--at] = qemu;
    execve(qemu, words + at, (char **)(uintptr_t)envp);
}

static uint32_t command_line(char *target, uint32_t size) {
    static char all[1 << 14];
    int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? 0 : read(fd, all, sizeof all);
    close(fd);
    char *at = all, *end = all + (length > 0 ? length : 0);
    for (int word = 0; word < FOLLOW_OURS && at < end; word++)
        at += strnlen(at, end - at) + 1;
    if (at >= end)
        return 0;
    size = end - at < (ssize_t)size ? (uint32_t)(end - at) : size;
    memcpy(target, at, size);
    return size;
}

#endif
