/* Touches pages in a way that depends on nothing outside: no library, no stack of the kernel's. */
enum { PAGES = 300, PAGE = 4096, STEPS = 6000 };
static unsigned char heap[(PAGES + 1) * PAGE] __attribute__((aligned(4096)));
unsigned char own_stack[4 * PAGE] __attribute__((aligned(4096)));

static void leave(int code) {
    __asm__ volatile("syscall" : : "a"(231L), "D"((long)code) : "rcx", "r11", "memory");
}

__attribute__((used, noreturn)) void work(void) {
    unsigned long state = 12345, sum = 0;
    for (int i = 0; i < STEPS; i++) {
        state = state * 6364136223846793005UL + 1442695040888963407UL;
        unsigned long page = (state >> 33) % (i % 8 ? 40 : PAGES);
        unsigned char *at = heap + page * PAGE + (state >> 50) % (PAGE - 8);
        switch (i % 5) {
        case 0: *(volatile unsigned long *)at = i; break;
        case 1: sum += *(volatile unsigned long *)at; break;
        case 2: ++*(volatile unsigned char *)at; break;
        case 3: sum += *(volatile unsigned long *)(heap + page * PAGE + PAGE - 3); break; /* two pages */
        default: __asm__ volatile("lock incl %0" : "+m"(*(int *)at));
        }
    }
    for (int i = 0; i < 100; i++) {
        void *to = heap + i * PAGE, *from = heap + (i + 100) * PAGE;
        unsigned long n = 1000;
        __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
    }
    leave((int)(sum % 7));
    for (;;)
        ;
}

__asm__(".globl _start\n_start: lea own_stack+16384(%rip), %rsp\n call work\n");
