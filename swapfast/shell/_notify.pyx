"""Notifications of seccomp: received, looked into, answered. What is nobody's business is let
through here, without Python.

- ``install(program, listen)``: the filter of this process; the descriptor of its notifications.
- ``next_event(fds, listeners, every, wait)``: wait for a call that is ours, or for another
  descriptor.
- ``is_wanted(call)``: whether it is ours, where that was not looked at.
- ``answer``, ``pass_on``, ``give``: the call returns; the kernel does it; it returns a file.
- ``valid``: whether the caller still waits. ``peek``, ``peek_path``, ``poke``: its memory.
- ``open_beneath``: openat2(2) within the root of somebody else.
- ``act_as``: rights at files of this thread. ``leave``: unshare(2).
- ``NUMBERS``, ``ARCH``: system calls of this machine's processor, and its name for seccomp.

The system calls themselves are in notify.h.
"""

from cpython.exc cimport PyErr_CheckSignals
from libc.errno cimport EFAULT, EINTR, ENAMETOOLONG, ENOENT, errno
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t
from libc.string cimport memchr, memcmp, memset

import errno as errors
import os

cdef extern from "swapfast/shell/notify.h":
    ctypedef struct notice_t:
        uint64_t id
        uint32_t pid
        int32_t nr
        uint64_t args[6]
    ctypedef struct reply_t:
        uint64_t id
        int64_t val
        int32_t error
        uint32_t flags
    ctypedef struct gift_t:
        uint64_t id
        uint32_t flags
        uint32_t source
        uint32_t target
        uint32_t target_flags
    cdef struct pollfd:
        int fd
        short events
        short revents
    enum: SWAPFAST_ARCH, SWAPFAST_OPEN, SWAPFAST_OPENAT2, SWAPFAST_CLONE3
    enum: SYS_openat, SYS_sysinfo, SYS_swapon, SYS_swapoff, SYS_unshare
    enum: POLLIN, POLLHUP
    unsigned long SWAPFAST_RECV, SWAPFAST_SEND, SWAPFAST_VALID, SWAPFAST_GIVE
    int c_poll "poll"(pollfd *fds, unsigned long n, int timeout) nogil
    int c_ioctl "ioctl"(int fd, unsigned long request, void *data) nogil
    long swapfast_install(const void *code, size_t size, int listen) nogil
    ssize_t swapfast_copy(int pid, uint64_t there, void *here, size_t size, int out) nogil
    long swapfast_open_beneath(int dir, const char *path, uint64_t flags) nogil
    long swapfast_leave(uint64_t flags) nogil
    int swapfast_act_as(unsigned int uid, unsigned int gid, int keep) nogil


cdef enum:
    PATH = 4096
    PAGE = 4096
    MOST = 256  # descriptors that are waited for at once
    CONTINUE = 1  # SECCOMP_USER_NOTIF_FLAG_CONTINUE
    SEND = 2  # SECCOMP_ADDFD_FLAG_SEND
    PIECE = 256  # most paths are read with one call

cdef uint64_t NEWSWAP = <uint64_t>1 << 32
cdef uint64_t NEWIPC = 0x08000000
cdef uint64_t CLONE_VM = 0x100

ARCH = <uint32_t>SWAPFAST_ARCH
NUMBERS = {
    "open": SWAPFAST_OPEN,
    "openat": SYS_openat,
    "openat2": SWAPFAST_OPENAT2,
    "sysinfo": SYS_sysinfo,
    "swapon": SYS_swapon,
    "swapoff": SYS_swapoff,
    "unshare": SYS_unshare,
    "clone3": SWAPFAST_CLONE3,
}


cdef object failed(str what):
    return OSError(errno, os.strerror(errno), what)


def install(const unsigned char[::1] program not None, bint listen=True):
    """Put a filter on this process and all that it will start.

    Parameters
    ----------
    program : bytes
        Instructions of 8 bytes each.
    listen : bool
        With a descriptor for notifications.

    Returns
    -------
    int
        That descriptor, closed on exec; 0 without.

    Raises
    ------
    OSError
        EBUSY: a filter with notifications is there already; others: the system does not allow it.
    """
    cdef long fd = swapfast_install(&program[0], program.shape[0], listen)
    if fd < 0:
        raise failed("seccomp")
    return fd


cdef int path_of(uint32_t pid, uint64_t address, char *into) nogil:
    # The length of a path in somebody's memory, or -errno.
    cdef size_t at = 0, piece
    cdef ssize_t got
    cdef void *end
    while at < PATH:
        piece = min(PAGE - (address + at) % PAGE, min(PATH - at, PIECE if at == 0 else PATH))
        got = swapfast_copy(pid, address + at, into + at, piece, 0)
        if got <= 0:
            return -errno if got < 0 else -EFAULT
        end = memchr(into + at, 0, got)
        if end != NULL:
            return <int>(<char *>end - into)
        at += got
    return -ENAMETOOLONG


cdef bint concerns(const char *path, int length) nogil:
    # Whether the last component is a file of /proc that we answer for.
    cdef const char *name = path + length
    cdef int size
    while name > path and (name - 1)[0] != c"/":
        name -= 1
    size = <int>(path + length - name)
    return (
        (size == 5 and memcmp(name, b"swaps", 5) == 0)
        or (size == 7 and memcmp(name, b"meminfo", 7) == 0)
        or (size == 6 and memcmp(name, b"vmstat", 6) == 0)
    )


cdef bint is_ours(const notice_t *call) nogil:
    # False: the kernel may do it, and says itself what is wrong with it.
    cdef char path[PATH]
    cdef uint64_t flags
    cdef int at, length
    if call.nr == SYS_openat or call.nr == SWAPFAST_OPENAT2 or call.nr == SWAPFAST_OPEN:
        at = 0 if call.nr == SWAPFAST_OPEN else 1
        length = path_of(call.pid, call.args[at], path)
        return length > 0 and concerns(path, length)
    if call.nr == SWAPFAST_CLONE3:
        if swapfast_copy(call.pid, call.args[0], &flags, 8, 0) != 8:
            return False
        # The kernel's own bit 32 resets signal handlers, for those who share their memory.
        return flags & NEWSWAP and not (flags & CLONE_VM and not flags & NEWIPC)
    if call.nr == SYS_unshare:
        return call.args[0] & (NEWSWAP | NEWIPC) != 0
    return True


cdef int reply(int fd, uint64_t id, int64_t value, int error, uint32_t flags) nogil:
    cdef reply_t told
    told.id, told.val, told.error, told.flags = id, value, -error, flags
    return c_ioctl(fd, SWAPFAST_SEND, &told)


def next_event(const int[::1] fds not None, int listeners, bint every=False, bint wait=True):
    """Wait for a call that somebody has to decide on, or for another descriptor.

    Opens of files that are not of /proc, and clones and unshares without the flags of interest,
    are let through at once.

    Parameters
    ----------
    fds : array of int
        Listeners first, then any other, 256 at most.
    listeners : int
        How many.
    every : bool
        Those that could be let through are returned as well.
    wait : bool
        Until there is one. Else nothing of the caller's memory is looked into, and every call is
        returned; `is_wanted` says which are ours.

    Returns
    -------
    tuple
        (index, None) where a descriptor is ready, and for a listener that nobody is left behind
        it; (index, (id, pid, name's number, arguments, ours)) for a call; (-1, None): there is
        none, and it was not to be waited for.

    Raises
    ------
    OSError, KeyboardInterrupt
        As poll(2); what a handler of a signal raises.
    """
    cdef pollfd ready[MOST]
    cdef notice_t call
    cdef int i, n = <int>fds.shape[0], got
    cdef bint ours
    if n > MOST:
        raise ValueError(f"{n} descriptors; {MOST} at most")
    for i in range(n):
        ready[i].fd, ready[i].events = fds[i], POLLIN
    while True:
        with nogil:
            got = c_poll(ready, n, -1 if wait else 0)
        if got < 0:
            if errno != EINTR:
                raise failed("poll")
            PyErr_CheckSignals()
            continue
        if got == 0:
            return -1, None
        for i in range(n):
            if ready[i].revents == 0:
                continue
            if i >= listeners or not ready[i].revents & POLLIN:
                return i, None
            memset(&call, 0, sizeof(call))
            with nogil:
                got = c_ioctl(ready[i].fd, SWAPFAST_RECV, &call)
                ours = got == 0 and (not wait or is_ours(&call))
                if got == 0 and not ours and not every:
                    reply(ready[i].fd, call.id, 0, 0, CONTINUE)
            if got == 0 and (ours or every):
                return i, (call.id, call.pid, call.nr, tuple(call.args[j] for j in range(6)), ours)


def is_wanted(tuple call):
    """Whether a call is one that somebody has to decide on."""
    cdef notice_t notice
    notice.id, notice.pid, notice.nr = call[0], call[1], call[2]
    for i in range(6):
        notice.args[i] = call[3][i]
    return bool(is_ours(&notice))


def answer(int fd, uint64_t id, int64_t value=0, int error=0):
    """Let a call return a value, or fail with an errno; False: the caller is gone."""
    return reply(fd, id, value, error, 0) == 0


def pass_on(int fd, uint64_t id):
    """Let the kernel do a call; False: the caller is gone."""
    return reply(fd, id, 0, 0, CONTINUE) == 0


def valid(int fd, uint64_t id):
    """Whether the caller still waits, so that its number is no other process's."""
    return c_ioctl(fd, SWAPFAST_VALID, &id) == 0


def give(int fd, uint64_t id, int source, int flags):
    """Let a call return a copy of a descriptor; False: the caller is gone.

    Parameters
    ----------
    fd, id : int
    source : int
        Of this process.
    flags : int
        O_CLOEXEC or 0.

    Raises
    ------
    OSError
        EMFILE, ...: the caller can have no more.
    """
    cdef gift_t gift
    gift.id, gift.flags, gift.source = id, SEND, source
    gift.target, gift.target_flags = 0, flags
    if c_ioctl(fd, SWAPFAST_GIVE, &gift) >= 0:
        return True
    if errno == ENOENT:
        return False
    raise failed("descriptor")


def peek(int pid, uint64_t address, size_t size):
    """Bytes of a process's memory.

    Raises
    ------
    OSError
        EFAULT: not all of it is there; others: this process may not look.
    """
    if not 0 < size <= 1 << 16:
        raise ValueError(f"{size} bytes")
    cdef bytearray found = bytearray(size)
    cdef unsigned char[::1] view = found
    cdef ssize_t got = swapfast_copy(pid, address, &view[0], size, 0)
    if got < 0:
        raise failed("memory")
    if <size_t>got < size:
        raise OSError(EFAULT, os.strerror(EFAULT))
    return bytes(found)


def peek_path(int pid, uint64_t address):
    """A path in a process's memory.

    Raises
    ------
    OSError
        EFAULT; ENAMETOOLONG.
    """
    cdef char path[PATH]
    cdef int length = path_of(pid, address, path)
    if length < 0:
        raise OSError(-length, os.strerror(-length))
    return path[:length]


def poke(int pid, uint64_t address, const unsigned char[::1] data not None):
    """Write into a process's memory, where it could write itself.

    Raises
    ------
    OSError
        EFAULT.
    """
    cdef ssize_t got = swapfast_copy(pid, address, <void *>&data[0], data.shape[0], 1)
    if got < 0:
        raise failed("memory")
    if got < data.shape[0]:
        raise OSError(EFAULT, os.strerror(EFAULT))


def open_beneath(int root, bytes path, uint64_t flags):
    """Open a path as a process sees it whose root directory is given; links stay within.

    Raises
    ------
    OSError
        As openat2(2).
    """
    cdef const char *name = path
    cdef long fd = swapfast_open_beneath(root, name, flags)
    if fd < 0:
        raise failed(os.fsdecode(path))
    return fd


def act_as(unsigned int uid, unsigned int gid, bint override):
    """From now on this thread has the rights of a user at files, and no others.

    Parameters
    ----------
    uid, gid : int
        As setfsuid(2) and setfsgid(2).
    override : bool
        With CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH, as far as this process has them.

    Raises
    ------
    OSError
        EPERM: this process may not.
    """
    if swapfast_act_as(uid, gid, override):
        raise OSError(errors.EPERM, f"cannot act as uid {uid}")


def leave(uint64_t flags):
    """Leave shared parts; unshare(2).

    Raises
    ------
    OSError
        EPERM, ENOSPC, ...: not allowed here.
    """
    if swapfast_leave(flags):
        raise failed("unshare")
