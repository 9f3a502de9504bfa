/* clone3 with the kernel's own bit 32, CLONE_CLEAR_SIGHAND, as posix_spawn has it. */
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef __x86_64__
#error "the child uses no stack of its own: written for one processor"
#endif

static long bare(long number, long a, const void *b, long c) {
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "0"(number), "D"(a), "S"(b), "d"(c)
                     : "rcx", "r11", "memory");
    return result;
}

int main(void) {
    /* CLONE_VM, CLONE_VFORK, SIGCHLD */
    static const uint64_t args[8] = { 0x100000000ull | 0x4000 | 0x100, 0, 0, 0, 17 };
    long result;
    int status;
    __asm__ volatile("syscall\n\t"
                     "test %%rax, %%rax\n\t"
                     "jnz 1f\n\t"
                     "mov $1, %%eax\n\t" /* write */
                     "mov $1, %%edi\n\t"
                     "lea text(%%rip), %%rsi\n\t"
                     "mov $8, %%edx\n\t"
                     "syscall\n\t"
                     "mov $60, %%eax\n\t" /* exit */
                     "xor %%edi, %%edi\n\t"
                     "syscall\n"
                     ".section .rodata\ntext: .ascii \"spawned\\n\"\n.previous\n"
                     "1:"
                     : "=a"(result)
                     : "0"(435L), "D"(args), "S"(sizeof args)
                     : "rcx", "r11", "rdx", "memory");
    if (result < 0) return 1;
    waitpid(result, &status, 0);
    return bare(1, 1, "parent\n", 7) != 7;
}
