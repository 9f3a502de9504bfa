/* slotio.h: many pages to their slots with few system calls.
 *
 * - slots_write(fd, slots, pages, n) -> 0, or an errno: page i goes to slot slots[i]
 * - slots_zero(fd, first, n) -> 0, or an errno: n slots hold zeroes; a file that is shorter stays so
 *
 * Neighbouring slots go out together, and the disk begins with them at once: what is left for the
 * final sync is little. Through a mapping every page would cost a fault.
 */
#ifndef SWAPFAST_SLOTIO_H
#define SWAPFAST_SLOTIO_H
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/uio.h>

enum { SLOTS_AT_ONCE = 1024 }; /* IOV_MAX */

static int slots_write_run(int fd, off_t at, struct iovec *v, int n) {
    off_t end = at;
    for (int i = 0; i < n; i++) end += (off_t)v[i].iov_len;
    off_t begin = at;
    while (at < end) {
        ssize_t done = pwritev(fd, v, n, at);
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) return done < 0 ? errno : EIO;
        at += done;
        while (n > 0 && (size_t)done >= v->iov_len) {
            done -= (ssize_t)v->iov_len;
            v++, n--;
        }
        if (n > 0 && done > 0) {
            v->iov_base = (char *)v->iov_base + done;
            v->iov_len -= (size_t)done;
        }
    }
    sync_file_range(fd, begin, end - begin, SYNC_FILE_RANGE_WRITE); /* only a hint */
    return 0;
}

static int slots_write(int fd, const uint32_t *slots, uint8_t *const *pages, uint32_t n) {
    struct iovec v[SLOTS_AT_ONCE];
    for (uint32_t i = 0; i < n;) {
        int k = 0;
        do {
            v[k].iov_base = pages[i + (uint32_t)k];
            v[k].iov_len = 4096;
            k++;
        } while (i + (uint32_t)k < n && k < SLOTS_AT_ONCE
                 && slots[i + (uint32_t)k] == slots[i] + (uint32_t)k);
        int failed = slots_write_run(fd, (off_t)slots[i] * 4096, v, k);
        if (failed) return failed;
        i += (uint32_t)k;
    }
    return 0;
}

static int slots_zero(int fd, uint32_t first, uint32_t n) {
    static uint8_t zeroes[1 << 16];
    struct iovec v[64];
    struct stat status;
    off_t at = (off_t)first * 4096, end = at + (off_t)n * 4096;
    if (fstat(fd, &status) != 0) return errno;
    if (end > status.st_size) end = status.st_size; /* it was cut off: nothing to wipe there */
    while (at < end) {
        off_t left = end - at;
        int k = 0, failed;
        while (left > 0 && k < 64) {
            v[k].iov_base = zeroes;
            v[k].iov_len = left < (off_t)sizeof(zeroes) ? (size_t)left : sizeof(zeroes);
            left -= (off_t)v[k++].iov_len;
        }
        failed = slots_write_run(fd, at, v, k);
        if (failed) return failed;
        at = end - left;
    }
    return 0;
}
#endif
