"""Processes that are traced: attached to, stopped, looked into, made to call.

- ``seize(pid)``: from now on its calls about memory, its children and its end are told here.
- ``wait_any()``: who has stopped or ended. ``next_stop(pid)``: wait for one.
- ``resume``, ``step_out``, ``listen``: let it go on.
- ``call_of``, ``set_call``: the system call that it is about to make, or has made.
- ``Pause``: registers and signals of a stopped process, while it is made to call other things.
- ``descriptor_of``: a descriptor of another process.
- ``adopt_orphans()``: become the parent of those who lose theirs. ``keep_rights()``: from now on
  exec gives no new ones.
- ``signals_of``: a descriptor for signals.
- ``user_faults()``, ``open_faults(fd)``, ``register``, ``protect``: a userfaultfd.

Every request comes from the thread that attached, as ptrace(2) wants it.
"""

from libc.errno cimport ECHILD, EINTR, errno
from libc.stdint cimport int64_t, uint64_t

import os

cdef extern from "swapfast/shell/memory/tracee.h" nogil:
    ctypedef struct registers_t:
        pass
    enum: SWAPFAST_TRACES
    enum: PTRACE_CONT, PTRACE_SYSCALL, PTRACE_GETEVENTMSG, PTRACE_PEEKTEXT, PTRACE_POKETEXT
    enum: WNOHANG, __WALL
    enum: SYS_userfaultfd
    int c_waitpid "waitpid"(int pid, int *status, int options)
    long c_syscall "syscall"(long nr, long a, long b, long c)
    long c_syscall5 "syscall"(long nr, long a, long b, long c, long d, long e)
    long swapfast_ptrace(int request, int pid, uint64_t address, uint64_t data)
    int swapfast_registers(int pid, registers_t *r)
    int swapfast_set_registers(int pid, const registers_t *r)
    int swapfast_mask(int pid, const uint64_t *blocked, uint64_t *old)
    int swapfast_next_stop(int pid, int *status)
    int swapfast_inject(int pid, uint64_t at, const registers_t *r, long nr, const uint64_t *args,
                        long *result, int *status)
    void swapfast_call(const registers_t *r, uint64_t *out)
    void swapfast_set_call(registers_t *r, const uint64_t *to)
    int swapfast_signals(int signal)
    int swapfast_api(int uffd)
    int swapfast_register(int uffd, uint64_t at, uint64_t size)
    int swapfast_protect(int uffd, uint64_t at, uint64_t size, int on)

cdef enum:
    PRCTL = 157
    SUBREAPER = 36
    NO_NEW_PRIVS = 38
    GETFD = 438          # pidfd_getfd
    SEIZE = 0x4206
    LISTEN = 0x4208
    OPTIONS = 0x1 | 0x2 | 0x4 | 0x8 | 0x10 | 0x80 | 0x100000
    # TRACESYSGOOD, FORK, VFORK, CLONE, EXEC, SECCOMP, EXITKILL
    SYSCALL = 0x050F     # the instruction

KNOWN = bool(SWAPFAST_TRACES)


class Died(Exception):
    """A process ended while it was looked at.

    Attributes
    ----------
    pid, status : int
        As of wait(2).
    """

    def __init__(self, pid, status):
        super().__init__(f"process {pid} ended")
        self.pid, self.status = pid, status


cdef int said(int result, int pid, int status, str what) except -1:
    if result == -2:
        raise Died(pid, status)
    if result < 0:
        raise OSError(errno, os.strerror(errno), what)
    return 0


cdef object told(int code, str what):
    if code:
        raise OSError(code, os.strerror(code), what)


def seize(int pid):
    """Attach to a process, which goes on; it is killed when this process ends.

    Raises
    ------
    OSError
        EPERM: it is not allowed, or somebody else traces it.
    """
    said(<int>swapfast_ptrace(SEIZE, pid, 0, OPTIONS), pid, 0, "ptrace")


def wait_any():
    """(pid, status) of a process that has stopped or ended; None: nobody has."""
    cdef int status = 0, pid
    while True:
        pid = c_waitpid(-1, &status, __WALL | WNOHANG)
        if pid >= 0 or errno != EINTR:
            break
    if pid < 0 and errno != ECHILD:
        raise OSError(errno, os.strerror(errno), "waitpid")
    return (pid, status) if pid > 0 else None


def look_at(int pid):
    """The status of this one, if it has stopped or ended; else None."""
    cdef int status = 0, got
    got = c_waitpid(pid, &status, __WALL | WNOHANG)
    if got < 0:
        raise OSError(errno, os.strerror(errno), "waitpid")
    return status if got == pid else None


def next_stop(int pid):
    """Wait until a process that runs has stopped; its status.

    Raises
    ------
    Died
        It has ended instead.
    OSError
        ECHILD: it is not traced.
    """
    cdef int status = 0, got
    with nogil:
        got = swapfast_next_stop(pid, &status)
    said(got, pid, status, "waitpid")
    return status


def resume(int pid, int signal=0):
    """Let it run, with a signal."""
    said(<int>swapfast_ptrace(PTRACE_CONT, pid, 0, signal), pid, 0, "ptrace")


def step_out(int pid):
    """Let it run to the end of the call that it is in."""
    said(<int>swapfast_ptrace(PTRACE_SYSCALL, pid, 0, 0), pid, 0, "ptrace")


def listen(int pid):
    """Let it stay stopped, as it would be without a tracer."""
    said(<int>swapfast_ptrace(LISTEN, pid, 0, 0), pid, 0, "ptrace")


def event_message(int pid):
    """Whom its event is about."""
    cdef uint64_t message = 0
    said(<int>swapfast_ptrace(PTRACE_GETEVENTMSG, pid, 0, <uint64_t>&message), pid, 0, "ptrace")
    return message


def call_of(int pid):
    """(number, result, arguments, 64 bit): the call of a stopped process."""
    cdef registers_t r
    cdef uint64_t v[10]
    said(swapfast_registers(pid, &r), pid, 0, "ptrace")
    swapfast_call(&r, v)
    return <int64_t>v[0], <int64_t>v[1], tuple(v[2 + i] for i in range(6)), v[9] == 0x33


def set_call(int pid, int64_t number, int64_t result, arguments):
    """Change the call that it is about to make; number -1: it makes none, and gets the result."""
    cdef registers_t r
    cdef uint64_t v[10]
    said(swapfast_registers(pid, &r), pid, 0, "ptrace")
    v[0], v[1] = <uint64_t>number, <uint64_t>result
    for i in range(6):
        v[2 + i] = arguments[i]
    swapfast_set_call(&r, v)
    said(swapfast_set_registers(pid, &r), pid, 0, "ptrace")


cdef class Pause:
    """A stopped process that is made to call things; afterwards it is as it was.

    Parameters
    ----------
    pid : int
    """

    cdef registers_t before
    cdef uint64_t mask
    cdef readonly int pid

    def __cinit__(self, int pid):
        cdef uint64_t all = ~<uint64_t>0
        self.pid = pid
        said(swapfast_registers(pid, &self.before), pid, 0, "ptrace")
        said(swapfast_mask(pid, &all, &self.mask), pid, 0, "ptrace")

    def call(self, uint64_t at, long number, *arguments):
        """Make a call by the instruction at an address; its result, -errno where it fails."""
        cdef uint64_t v[6]
        cdef long result = 0
        cdef int status = 0, got
        for i in range(6):
            v[i] = <uint64_t><int64_t>arguments[i] if i < len(arguments) else 0
        with nogil:
            got = swapfast_inject(self.pid, at, &self.before, number, v, &result, &status)
        said(got, self.pid, status, "ptrace")
        return result

    def call_here(self, long number, *arguments):
        """The same where it stands, while there is no place for the instruction."""
        cdef uint64_t v[10]
        cdef uint64_t at
        cdef long word
        swapfast_call(&self.before, v)
        at = v[8]
        word = swapfast_ptrace(PTRACE_PEEKTEXT, self.pid, at, 0)
        if word == -1 and errno:
            raise OSError(errno, os.strerror(errno), "ptrace")
        said(<int>swapfast_ptrace(PTRACE_POKETEXT, self.pid, at,
                                  (<uint64_t>word & ~<uint64_t>0xFFFF) | SYSCALL),
             self.pid, 0, "ptrace")
        result = self.call(at, number, *arguments)
        said(<int>swapfast_ptrace(PTRACE_POKETEXT, self.pid, at, <uint64_t>word),
             self.pid, 0, "ptrace")
        return result

    def end(self):
        """Give registers and signals back."""
        said(swapfast_set_registers(self.pid, &self.before), self.pid, 0, "ptrace")
        said(swapfast_mask(self.pid, &self.mask, NULL), self.pid, 0, "ptrace")


def descriptor_of(int process, int fd):
    """A copy of a descriptor of another process, by a descriptor of it.

    Raises
    ------
    OSError
        EPERM: it may not be traced; others as pidfd_getfd(2).
    """
    cdef long ours = c_syscall(GETFD, process, fd, 0)
    if ours < 0:
        raise OSError(errno, os.strerror(errno), "pidfd_getfd")
    return ours


def adopt_orphans():
    """Orphans among what this process starts become its children, so that none stays behind."""
    if c_syscall(PRCTL, SUBREAPER, 1, 0):
        raise OSError(errno, os.strerror(errno), "prctl")


def keep_rights():
    """No program that this process will run gets more rights than it has: filters ask for that."""
    if c_syscall5(PRCTL, NO_NEW_PRIVS, 1, 0, 0, 0):
        raise OSError(errno, os.strerror(errno), "prctl")


def signals_of(int signal):
    """A descriptor that tells a signal, which is blocked."""
    cdef int fd = swapfast_signals(signal)
    if fd < 0:
        raise OSError(errno, os.strerror(errno), "signalfd")
    return fd


def user_faults():
    """A userfaultfd of this process: whether it may have one.

    Raises
    ------
    OSError
        EPERM, ENOSYS.
    """
    cdef long fd = c_syscall(SYS_userfaultfd, os.O_CLOEXEC | os.O_NONBLOCK, 0, 0)
    if fd < 0:
        raise OSError(errno, os.strerror(errno), "userfaultfd")
    return fd


def open_faults(int fd):
    """Begin to use a userfaultfd.

    Raises
    ------
    OSError
        EINVAL: this kernel's cannot protect pages from writes.
    """
    told(swapfast_api(fd), "userfaultfd")


def register(int fd, uint64_t address, uint64_t size):
    """Faults of a range are told.

    Raises
    ------
    OSError
        EINVAL, EBUSY, ...: it is no memory of this kind.
    """
    told(swapfast_register(fd, address, size), "userfaultfd")


def protect(int fd, uint64_t address, uint64_t size):
    """The next write to each page of a range is told."""
    told(swapfast_protect(fd, address, size, 1), "userfaultfd")
