/* Touches pages of one mapping in a way that depends on nothing outside, and nothing else that is
 * anonymous: no library, no heap. The test has the same steps. */
enum { PAGES = 300, PAGE = 4096, STEPS = 20000 };

static long call(long number, long a, long b, long c, long d) {
    long result;
    register long r10 __asm__("r10") = d, r8 __asm__("r8") = -1, r9 __asm__("r9") = 0;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}

__attribute__((used, noreturn)) void work(void) {
    volatile unsigned char *heap = (unsigned char *)call(9, 0, PAGES * PAGE, 3, 0x22); /* mmap */
    unsigned long state = 12345, sum = 0;
    for (int i = 0; i < STEPS; i++) {
        state = state * 6364136223846793005UL + 1442695040888963407UL;
        unsigned long page = (state >> 33) % (i % 8 ? 60 : PAGES);
        if (i % 3)
            sum += heap[page * PAGE];
        else
            heap[page * PAGE + i % PAGE] = 1 + i / PAGE; /* not what was there */
    }
    call(231, (long)(sum % 7), 0, 0, 0);
    for (;;)
        ;
}

__asm__(".globl _start\n_start: and $-16, %rsp\n call work\n");
