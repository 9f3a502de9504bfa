/* Calls by int 0x80: those of 32 bit, also in a program of 64 bit. Prints nothing where there are none. */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#ifndef __x86_64__
#error "int 0x80"
#endif

static void none(int number) {
    (void)number;
    _exit(0);
}

static long call(long number) {
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "0"(number), "b"(0L), "c"(0L) : "r8", "r9", "r10", "r11", "memory");
    return (int)result;
}

int main(void) {
    signal(SIGSEGV, none);
    if (call(20) <= 0) return 0; /* getpid */
    printf("swapon %ld\nswapoff %ld\ngetpid 0\n", -call(87), -call(115));
    return 0;
}
