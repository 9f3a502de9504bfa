"""Errors of the system calls: which errno, which check comes first, and that nothing changed.

One test a row of the tables of swapon(2), swapoff(2), clone(2), unshare(2), mmap(2), shmget(2) and
their kin, under both kernels. Sources: mm/swapfile.c, kernel/fork.c, kernel/nsproxy.c, ipc/shm.c.
"""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import swapfast as sf
from swapfast.errors import KernelPanic
from tests.machine.support import (
    NEWSWAP,
    PAGE,
    PROFILES,
    SwapfileMaker,
    check,
    fill,
    locked,
    refused,
    snapshot,
)

modern_only = pytest.mark.parametrize("profile", ["6.18"])
old_only = pytest.mark.parametrize("profile", ["2.6.25"])


@pytest.fixture
def machine(profile: str) -> sf.Machine:
    return sf.Machine("4MiB", profile)


@pytest.fixture
def nobody(machine: sf.Machine) -> sf.Task:
    task = machine.init.fork("nobody")
    task.setuid(65534)
    return task


def set_word(path: Path, at: int, value: int) -> None:
    with open(path, "r+b") as file:
        file.seek(at)
        file.write(struct.pack("=I", value))


# ---------------------------------------------------------------- swapon


def test_swapon_eperm_no_cap_sys_admin(
    machine: sf.Machine, nobody: sf.Task, make_swap: SwapfileMaker
) -> None:
    path = make_swap("s")
    with refused(errno.EPERM, machine, path):
        nobody.swapon(path)
    with refused(errno.EPERM, machine):  # before the path is looked at
        nobody.swapon(path.with_name("none"))


@modern_only
def test_swapon_einval_bad_flags_come_first(
    machine: sf.Machine, nobody: sf.Task, make_swap: SwapfileMaker
) -> None:
    path = make_swap("s")
    for flags in (1 << 19, sf.SWAP_FLAG_PREFER | 1 << 20, -1):
        with refused(errno.EINVAL, machine, path):
            machine.init.swapon(path, flags)
    with refused(errno.EINVAL, machine, path):
        nobody.swapon(path, 1 << 19)
    discard = sf.SWAP_FLAG_DISCARD | sf.SWAP_FLAG_DISCARD_ONCE | sf.SWAP_FLAG_DISCARD_PAGES
    machine.init.swapon(path, discard)


@old_only
def test_swapon_flags_are_not_validated(
    machine: sf.Machine, nobody: sf.Task, make_swap: SwapfileMaker
) -> None:
    path = make_swap("s")
    with refused(errno.EPERM, machine, path):
        nobody.swapon(path, 1 << 19)
    machine.init.swapon(path, 1 << 19)
    assert [a.priority for a in machine.areas.values()] == [-1]


@pytest.mark.parametrize(("profile", "most"), [("2.6.25", 30), ("6.18", 24)])
def test_swapon_eperm_max_swapfiles_areas_in_use(
    machine: sf.Machine, most: int, make_swap: SwapfileMaker
) -> None:
    for number in range(most):
        machine.init.swapon(make_swap(f"s{number}", 10))
    one_more = make_swap("more", 10)
    with refused(errno.EPERM, machine, one_more):
        machine.init.swapon(one_more)
    with refused(errno.EPERM, machine):  # before the path, and before EBUSY
        machine.init.swapon(one_more.with_name("none"))
    with refused(errno.EPERM, machine):
        machine.init.swapon(one_more.with_name("s0"))
    machine.init.swapoff(one_more.with_name("s7"))
    machine.init.swapon(one_more)
    assert machine.areas[7].path == str(one_more)  # the lowest free number


def test_max_swapfiles_is_one_limit_for_all_namespaces(
    profile: str, make_swap: SwapfileMaker
) -> None:
    machine = sf.Machine("4MiB", profile, max_swapfiles=2)
    logins = [machine.init.clone(NEWSWAP) for _ in range(3)]
    for login, name in zip(logins, "ab", strict=False):
        login.swapon(make_swap(name))
    third = make_swap("c")
    with refused(errno.EPERM, machine, third):
        logins[2].swapon(third)


def test_swapon_enoent_no_such_path(machine: sf.Machine, tmp_path: Path) -> None:
    with refused(errno.ENOENT, machine):
        machine.init.swapon(tmp_path / "none")


@pytest.mark.parametrize("code", [errno.EACCES, errno.ENFILE, errno.EMFILE, errno.EROFS])
def test_swapon_errors_of_open(
    machine: sf.Machine, make_swap: SwapfileMaker, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    path = make_swap("s")
    really = os.open

    def refuse(name: object, flags: int, *rest: object, **more: object) -> int:
        if flags & os.O_RDWR:
            raise OSError(code, os.strerror(code))
        return really(name, flags, *rest, **more)  # type: ignore[arg-type]

    with refused(code, machine, path):
        monkeypatch.setattr(os, "open", refuse)
        try:
            machine.init.swapon(path)
        finally:
            monkeypatch.undo()
    machine.init.swapon(path)


def test_swapon_ebusy_path_is_a_swap_area(machine: sf.Machine, make_swap: SwapfileMaker) -> None:
    path = make_swap("s")
    machine.init.swapon(path)
    with refused(errno.EBUSY, machine, path):
        machine.init.swapon(path)
    with refused(errno.EBUSY, machine, path):
        machine.init.swapon(path.parent / "." / path.name)
    set_word(path, 1024, 7)
    with refused(errno.EBUSY, machine, path):  # before the header is read
        machine.init.swapon(path)


def test_swapon_ebusy_in_whatever_namespace(machine: sf.Machine, make_swap: SwapfileMaker) -> None:
    path = make_swap("s")
    first, second = machine.init.clone(NEWSWAP), machine.init.clone(NEWSWAP)
    first.swapon(path)
    for other in (machine.init, second):
        with refused(errno.EBUSY, machine, path):
            other.swapon(path)


def test_swapon_ebusy_in_another_machine(
    machine: sf.Machine, profile: str, make_swap: SwapfileMaker
) -> None:
    path = make_swap("s")
    with sf.Machine("4MiB", profile) as other:
        other.init.swapon(path)
        with refused(errno.EBUSY, machine, path):
            machine.init.swapon(path)
    machine.init.swapon(path)


def sparse(path: Path) -> None:
    size = path.stat().st_size
    with open(path, "r+b") as file:
        file.truncate(PAGE)
        file.truncate(size)


BAD_FILES: dict[str, Callable[[Path], None]] = {
    "no signature": lambda p: p.write_bytes(bytes(20 * PAGE)) and None,
    "old signature": lambda p: set_word(p, PAGE - 10, 0) or set_word(p, PAGE - 4, 0),
    "version 0": lambda p: set_word(p, 1024, 0),
    "version 2": lambda p: set_word(p, 1024, 2),
    "last_page 0": lambda p: set_word(p, 1028, 0),
    "shorter than last_page": lambda p: os.truncate(p, 10 * PAGE),
    "bad pages in a file": lambda p: set_word(p, 1032, 1),
    "too many bad pages": lambda p: set_word(p, 1032, 638),
    "holes": sparse,
    "empty": lambda p: os.truncate(p, 0),
}


@pytest.mark.parametrize("fault", BAD_FILES)
def test_swapon_einval_bad_signature_header_holes(
    machine: sf.Machine, make_swap: SwapfileMaker, fault: str
) -> None:
    good, bad = make_swap("good"), make_swap("bad")
    BAD_FILES[fault](bad)
    with refused(errno.EINVAL, machine, bad):
        machine.init.swapon(bad)
    machine.init.swapon(good)  # a default priority is given back by the call that failed
    (area,) = machine.areas.values()
    assert area.priority == machine.profile.default_priority


@pytest.mark.parametrize(("profile", "least"), [("2.6.25", 2), ("6.18", 1)])
def test_swapon_einval_no_good_page(
    machine: sf.Machine, make_swap: SwapfileMaker, least: int
) -> None:
    """2.6.25 loses page last_page, so that 1 leaves none; for 6.18 it is the one page."""
    path = make_swap("s")
    set_word(path, 1028, least - 1)
    with refused(errno.EINVAL, machine, path):
        machine.init.swapon(path)
    set_word(path, 1028, least)
    machine.init.swapon(path)
    assert machine.areas[0].size == PAGE


def test_swapon_einval_not_a_regular_file(machine: sf.Machine, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "fifo", tmp_path / "folder", Path("/dev/null")):
        with refused(errno.EINVAL, machine):
            machine.init.swapon(path)


def test_swapon_enomem_no_memory_for_maps(
    machine: sf.Machine, make_swap: SwapfileMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_left(n: int) -> int:
        raise MemoryError(f"no run of {n} slots is left")

    path = make_swap("s")
    with refused(errno.ENOMEM, machine, path):
        monkeypatch.setattr(machine.kernel.slot_space, "take", none_left)
        try:
            machine.init.swapon(path)
        finally:
            monkeypatch.undo()
    machine.init.swapon(path)


# ---------------------------------------------------------------- swapoff


def test_swapoff_eperm_no_cap_sys_admin(
    machine: sf.Machine, nobody: sf.Task, make_swap: SwapfileMaker
) -> None:
    path = make_swap("s")
    machine.init.swapon(path)
    for name in (path, path.with_name("none")):
        with refused(errno.EPERM, machine, path):
            nobody.swapoff(name)


def test_swapoff_enoent_no_such_path(machine: sf.Machine, tmp_path: Path) -> None:
    with refused(errno.ENOENT, machine):
        machine.init.swapoff(tmp_path / "none")


def test_swapoff_einval_not_an_active_area(machine: sf.Machine, make_swap: SwapfileMaker) -> None:
    on, off = make_swap("on"), make_swap("off")
    machine.init.swapon(on)
    with refused(errno.EINVAL, machine, on, off):
        machine.init.swapoff(off)
    machine.init.swapoff(on)
    with refused(errno.EINVAL, machine, on):
        machine.init.swapoff(on)


def test_swapoff_einval_area_of_another_namespace(
    machine: sf.Machine, make_swap: SwapfileMaker
) -> None:
    mine, host = make_swap("mine"), make_swap("host")
    login, other = machine.init.clone(NEWSWAP), machine.init.clone(NEWSWAP)
    login.swapon(mine)
    machine.init.swapon(host)
    for task, path in ((machine.init, mine), (other, mine), (login, host), (other, host)):
        with refused(errno.EINVAL, machine, mine, host):
            task.swapoff(path)


@pytest.mark.parametrize(("profile", "overcommit"), [("2.6.25", 0), ("6.18", 2), ("2.6.25", 2)])
def test_swapoff_enomem_memory_could_not_hold_the_area(
    profile: str, overcommit: int, make_swap: SwapfileMaker
) -> None:
    """1024 pages of RAM.

    2.6.25, guessing: with 700 pages taken, what is free and in the cache is less than the area's
    1998 pages. Never overcommit: 1400 committed + 1998 are more than 512 + 1998.
    """
    machine = sf.Machine("4MiB", profile, overcommit=overcommit)
    area, off = make_swap("s", 2000), make_swap("off")
    machine.init.swapon(area)
    heap = machine.init.fork().mmap(1400 * PAGE)
    heap.touch(write=True)
    assert machine.areas[0].used > 0
    with refused(errno.ENOMEM, machine, area):
        machine.init.swapoff(area)
    with refused(errno.EINVAL, machine, area, off):  # is it an area at all? comes before
        machine.init.swapoff(off)
    heap.munmap()
    machine.init.swapoff(area)


def crowded(profile: str, area: Path) -> tuple[sf.Machine, sf.Task]:
    """Twice as many pages as there is memory for, half of them out; nobody may be killed."""
    machine = sf.Machine("1MiB", profile, overcommit=1, cache=0)
    machine.init.swapon(area, sf.SWAP_FLAG_PREFER | 7)
    task = machine.init.fork("database")
    task.oom_adj, task.oom_score_adj = -17, -1000
    fill(task.mmap(400 * PAGE), "database")
    return machine, task


def test_swapoff_enomem_read_in_fails(profile: str, make_swap: SwapfileMaker) -> None:
    area = make_swap("s", 1000)
    machine, task = crowded(profile, area)
    with pytest.raises(OSError) as caught:
        machine.init.swapoff(area)
    assert caught.value.errno == errno.ENOMEM
    still_on(machine, area)
    check(task.mappings[0], "database")
    assert task.alive


def test_swapoff_eintr_killed_while_reading_in(profile: str, make_swap: SwapfileMaker) -> None:
    """The caller is the first whom the OOM killer takes: oom_origin, PF_SWAPOFF."""
    area = make_swap("s", 1000)
    machine, task = crowded(profile, area)
    caller = machine.init.fork("swapoff")
    with pytest.raises(OSError) as caught:
        caller.swapoff(area)
    assert caught.value.errno == errno.EINTR
    assert not caller.alive and caller.term_signal == sf.SIGKILL
    still_on(machine, area)
    check(task.mappings[0], "database")
    assert task.alive


def still_on(machine: sf.Machine, path: Path) -> None:
    (area,) = machine.areas.values()
    info = area.info
    assert (area.path, area.priority, info["writeok"]) == (str(path), 7, True)
    assert locked(path)
    memory = machine.core.memory()
    assert memory["total_swap"] == info["pages"]
    assert memory["free_swap"] == info["pages"] - info["inuse"]
    machine.verify()


# ---------------------------------------------------------------- clone

EXCLUDING_FLAGS = {
    "NEWNS with FS": sf.CLONE_NEWNS | sf.CLONE_FS,
    "THREAD without SIGHAND": sf.CLONE_THREAD | sf.CLONE_VM,
    "SIGHAND without VM": sf.CLONE_SIGHAND,
    "NEWSWAP without NEWIPC": sf.CLONE_NEWSWAP,
    "NEWSWAP with VM": NEWSWAP | sf.CLONE_VM,
    "bit 33": 1 << 33,
    "negative": -1,
}


@pytest.mark.parametrize("flags", EXCLUDING_FLAGS)
def test_clone_einval_flags_that_exclude_each_other(
    machine: sf.Machine, nobody: sf.Task, flags: str
) -> None:
    for task in (machine.init, nobody):  # before EPERM
        with refused(errno.EINVAL, machine):
            task.clone(EXCLUDING_FLAGS[flags])


@modern_only
def test_clone_einval_flags_that_exclude_each_other_today(machine: sf.Machine) -> None:
    thread = sf.CLONE_THREAD | sf.CLONE_SIGHAND | sf.CLONE_VM
    for flags in (
        sf.CLONE_NEWUSER | sf.CLONE_FS,
        thread | sf.CLONE_NEWPID,
        thread | sf.CLONE_NEWUSER,
        sf.CLONE_NEWIPC | sf.CLONE_SYSVSEM,
        NEWSWAP | sf.CLONE_SYSVSEM,
    ):
        with refused(errno.EINVAL, machine):
            machine.init.clone(flags)


@old_only
def test_clone_flags_that_excluded_nothing_then(machine: sf.Machine) -> None:
    """CLONE_NEWIPC|CLONE_SYSVSEM is EINVAL from 2.6.26-rc1 on."""
    machine.init.clone(NEWSWAP | sf.CLONE_SYSVSEM)
    machine.init.clone(sf.CLONE_NEWUSER | sf.CLONE_FS)


@pytest.mark.parametrize(
    "flags",
    [
        NEWSWAP,
        sf.CLONE_NEWIPC,
        sf.CLONE_NEWNS,
        sf.CLONE_NEWUTS,
        sf.CLONE_NEWPID,
        sf.CLONE_NEWNET,
    ],
)
def test_clone_eperm_new_namespace_without_cap_sys_admin(
    machine: sf.Machine, nobody: sf.Task, flags: int
) -> None:
    with refused(errno.EPERM, machine):
        nobody.clone(flags)
    machine.init.clone(flags)


@modern_only
def test_clone_eperm_comes_before_einval_of_sysvsem(machine: sf.Machine, nobody: sf.Task) -> None:
    with refused(errno.EPERM, machine):
        nobody.clone(sf.CLONE_NEWIPC | sf.CLONE_SYSVSEM)


def test_clone_eagain_too_many_tasks(profile: str) -> None:
    machine = sf.Machine("1MiB", profile)  # 256 pages / 16 are fewer than the least, 20
    nobody = machine.init.fork()
    while len(machine.tasks) < 20:
        machine.init.fork()
    nobody.setuid(1)
    with refused(errno.EAGAIN, machine):
        machine.init.fork()
    with refused(errno.EAGAIN, machine):  # before EPERM
        nobody.clone(NEWSWAP)
    with refused(errno.EINVAL, machine):  # after EINVAL
        machine.init.clone(sf.CLONE_NEWSWAP)
    machine.tasks[7].exit()
    machine.init.fork()


def test_clone_eagain_rlimit_nproc(profile: str) -> None:
    machine = sf.Machine("1MiB", profile)
    user = machine.init.fork()
    user.setuid(1000)
    for _ in range(9):
        user.fork()
    with refused(errno.EAGAIN, machine):
        user.fork()
    machine.init.fork()


def test_clone_enomem_no_memory_for_structures(
    machine: sf.Machine, make_swap: SwapfileMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second of three mappings cannot be copied: the first copy is undone."""
    init = machine.init
    init.swapon(make_swap("s"))
    segment = init.shmat(init.shmget(1, PAGE, sf.IPC_CREAT | 0o600))
    fill(init.mmap(8 * PAGE), "private")
    fill(segment, "segment")
    take, calls = machine.kernel.page_space.take, 0

    def once(n: int) -> int:
        nonlocal calls
        calls += 1
        if calls > 1:
            raise MemoryError(f"no run of {n} pages is left")
        return take(n)

    for flags in (sf.SIGCHLD, NEWSWAP):
        calls = 0
        with refused(errno.ENOMEM, machine):
            monkeypatch.setattr(machine.kernel.page_space, "take", once)
            try:
                init.clone(flags)
            finally:
                monkeypatch.undo()
    check(init.mappings[1], "private")
    child = init.clone(NEWSWAP)
    assert (child.pid, child.swap_ns.tasks) == (2, 1)


# ---------------------------------------------------------------- unshare


def test_unshare_einval_newswap_is_made_by_clone_only(machine: sf.Machine, nobody: sf.Task) -> None:
    for task in (machine.init, nobody):
        for flags in (sf.CLONE_NEWSWAP, NEWSWAP):
            with refused(errno.EINVAL, machine):
                task.unshare(flags)


def test_unshare_einval_unknown_bits(machine: sf.Machine, nobody: sf.Task) -> None:
    for flags in (1, sf.CLONE_VFORK, sf.CLONE_IO, 1 << 40, -1):
        with refused(errno.EINVAL, machine):
            machine.init.unshare(flags)
    with refused(errno.EINVAL, machine):  # before EPERM
        nobody.unshare(sf.CLONE_NEWIPC | sf.CLONE_IO)


@old_only
def test_unshare_einval_newpid_and_sysvsem_came_later(machine: sf.Machine) -> None:
    for flags in (sf.CLONE_NEWPID, sf.CLONE_SYSVSEM):
        with refused(errno.EINVAL, machine):
            machine.init.unshare(flags)


def test_unshare_einval_vm_of_a_shared_mm(machine: sf.Machine) -> None:
    machine.init.unshare(sf.CLONE_VM | sf.CLONE_SIGHAND)  # nobody shares it
    machine.init.clone(sf.CLONE_VM)
    for flags in (sf.CLONE_VM, sf.CLONE_SIGHAND, sf.CLONE_THREAD):
        with refused(errno.EINVAL, machine):
            machine.init.unshare(flags)


def test_unshare_eperm_no_cap_sys_admin(machine: sf.Machine, nobody: sf.Task) -> None:
    for flags in (sf.CLONE_NEWIPC, sf.CLONE_NEWNS, sf.CLONE_NEWUTS, sf.CLONE_NEWNET):
        with refused(errno.EPERM, machine):
            nobody.unshare(flags)
    nobody.unshare(sf.CLONE_FS | sf.CLONE_FILES)


# ---------------------------------------------------------------- mmap, munmap, memory


def test_mmap_einval_length_zero(machine: sf.Machine) -> None:
    for shared in (False, True):
        with refused(errno.EINVAL, machine):
            machine.init.mmap(0, shared=shared)


def test_mmap_enomem_more_than_the_address_space(profile: str) -> None:
    machine = sf.Machine("4MiB", profile, overcommit=1)
    for shared in (False, True):
        with refused(errno.ENOMEM, machine):
            machine.init.mmap(1 << 43, shared=shared)


@pytest.mark.parametrize("overcommit", [0, 2])
@pytest.mark.parametrize("shared", [False, True])
def test_mmap_enomem_overcommit(profile: str, overcommit: int, shared: bool) -> None:
    machine = sf.Machine("4MiB", profile, overcommit=overcommit)
    with refused(errno.ENOMEM, machine):
        machine.init.mmap("5MiB", shared=shared)
    machine.init.mmap("1MiB", shared=shared)
    sf.Machine("4MiB", profile, overcommit=1).init.mmap("5MiB", shared=shared)


@pytest.mark.parametrize(
    ("profile", "overcommit", "most"),
    [("6.18", 0, 1024 + 98), ("6.18", 2, 512 + 98), ("2.6.25", 2, 512 + 97)],
)
def test_mmap_enomem_to_the_page(
    profile: str, overcommit: int, most: int, make_swap: SwapfileMaker
) -> None:
    """RAM and swap, or half of the RAM and swap: exactly so many pages, and not one more."""
    machine = sf.Machine("4MiB", profile, overcommit=overcommit)
    machine.init.swapon(make_swap("s", 99))
    with refused(errno.ENOMEM, machine):
        machine.init.mmap((most + 1) * PAGE)
    machine.init.mmap(most * PAGE)


@old_only
def test_mmap_enomem_of_2_6_25_keeps_reserves(machine: sf.Machine) -> None:
    """Cache 32, free 992; of these the high mark, 64 + 32, is reserved: less than 928 pages."""
    with refused(errno.ENOMEM, machine):
        machine.init.mmap(928 * PAGE)
    machine.init.mmap(927 * PAGE)


def test_munmap_einval(machine: sf.Machine) -> None:
    heap = machine.init.mmap(4 * PAGE)
    for offset, length in ((1, PAGE), (-PAGE, PAGE), (0, 0), (0, -1), (0, 5 * PAGE), (4 * PAGE, 1)):
        with refused(errno.EINVAL, machine):
            heap.munmap(offset, length)
    heap.munmap(PAGE, 1)  # rounded up to a page
    assert heap.ranges == ((0, 1), (2, 4))


def test_efault_not_mapped(machine: sf.Machine) -> None:
    heap = machine.init.mmap(4 * PAGE)
    heap.munmap(PAGE, PAGE)
    calls: list[Callable[[], object]] = [
        lambda: heap.read(PAGE, 1),
        lambda: heap.read(0, PAGE + 1),
        lambda: heap.write(2 * PAGE - 1, b"xy"),
        lambda: heap.write(4 * PAGE - 1, b"xy"),
        lambda: heap.touch(),
        lambda: heap.touch([0, 1]),
        lambda: machine.init.mapping_at(heap.addr + 4 * PAGE),
    ]
    for call in calls:
        with refused(errno.EFAULT, machine):
            call()
    heap.munmap()
    with refused(errno.EFAULT, machine):
        heap.read(0, 1)
    with refused(errno.EFAULT, machine):
        heap.touch([0])


def test_efault_write_to_read_only_memory(machine: sf.Machine) -> None:
    text = machine.init.mmap(PAGE, readonly=True)
    assert text.read(0, 2) == bytes(2)
    with refused(errno.EFAULT, machine):
        text.write(0, b"x")
    with refused(errno.EFAULT, machine):
        text.touch([0], write=True)
    with refused(errno.EFAULT, machine):
        text.touch([0, 0], write=[False, True])


def test_einval_bytes_of_a_machine_without_contents(profile: str) -> None:
    machine = sf.Machine("4MiB", profile, contents=False)
    heap = machine.init.mmap(PAGE)
    with refused(errno.EINVAL, machine):
        heap.write(0, b"x")
    with refused(errno.EINVAL, machine):
        heap.read(0, 1)


def test_eio_and_estale_swapfile_is_gone(profile: str, make_swap: SwapfileMaker) -> None:
    for code, harm in ((errno.EIO, lambda p: os.truncate(p, PAGE)), (errno.ESTALE, Path.unlink)):
        machine = sf.Machine("1MiB", profile, overcommit=1)
        path = make_swap(errno.errorcode[code], 400)
        machine.init.swapon(path)
        heap = machine.init.mmap(300 * PAGE)
        heap.touch(write=True)
        harm(path)
        calls: list[Callable[[], object]] = [
            lambda h=heap: h.touch(),  # type: ignore[misc]
            lambda h=heap: h.read(0, 300 * PAGE),  # type: ignore[misc]
            lambda m=machine, p=path: m.init.swapoff(p),  # type: ignore[misc]
        ]
        for call in calls[: 2 if code == errno.ESTALE else 3]:
            # Not before the page is needed: what was reclaimed on the way stays so.
            with pytest.raises(OSError, match=path.name) as caught:
                call()
            assert caught.value.errno == code
            machine.verify()
            assert machine.init.alive
        machine.close()


# ---------------------------------------------------------------- System V shared memory


def test_shmget_enoent_no_such_key(machine: sf.Machine) -> None:
    with refused(errno.ENOENT, machine):
        machine.init.shmget(5, PAGE, 0o600)
    with refused(errno.ENOENT, machine):  # before the size is looked at
        machine.init.shmget(5, 0, 0)


def test_shmget_eexist(machine: sf.Machine) -> None:
    machine.init.shmget(5, PAGE, sf.IPC_CREAT | 0o600)
    for size in (PAGE, 9 * PAGE):  # before EINVAL
        with refused(errno.EEXIST, machine):
            machine.init.shmget(5, size, sf.IPC_CREAT | sf.IPC_EXCL)


def test_shmget_einval_size(machine: sf.Machine, nobody: sf.Task) -> None:
    with refused(errno.EINVAL, machine):
        machine.init.shmget(sf.IPC_PRIVATE, 0, 0o600)
    with refused(errno.EINVAL, machine):
        machine.init.shmget(5, 0, sf.IPC_CREAT)
    shmid = machine.init.shmget(5, 100, sf.IPC_CREAT | 0o600)
    with refused(errno.EINVAL, machine):
        machine.init.shmget(5, 101, 0)
    with refused(errno.EINVAL, machine):  # before EACCES
        nobody.shmget(5, 101, 0o400)
    assert machine.init.shmget(5, 0, 0) == machine.init.shmget(5, 100, sf.IPC_CREAT) == shmid


def test_shmget_eacces(machine: sf.Machine, nobody: sf.Task) -> None:
    machine.init.shmget(5, PAGE, sf.IPC_CREAT | 0o604)
    with refused(errno.EACCES, machine):
        nobody.shmget(5, PAGE, 0o600)
    nobody.shmget(5, PAGE, 0o400)


def test_shmget_enospc_shmmni(machine: sf.Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("swapfast.kernel.shm.SHMMNI", 3)
    for _ in range(3):
        machine.init.shmget(sf.IPC_PRIVATE, PAGE, 0o600)
    with refused(errno.ENOSPC, machine):
        machine.init.shmget(sf.IPC_PRIVATE, PAGE, 0o600)
    machine.init.unshare(sf.CLONE_NEWIPC)  # the limit is one namespace's
    machine.init.shmget(sf.IPC_PRIVATE, PAGE, 0o600)


def test_shmget_enomem_overcommit(machine: sf.Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    with refused(errno.ENOMEM, machine):
        machine.init.shmget(sf.IPC_PRIVATE, 5 << 20, 0o600)
    monkeypatch.setattr("swapfast.kernel.shm.SHMMNI", 0)
    with refused(errno.ENOMEM, machine):  # the file is made before its id
        machine.init.shmget(sf.IPC_PRIVATE, 5 << 20, 0o600)


def test_shmat_einval_no_such_id(machine: sf.Machine) -> None:
    shmid = machine.init.shmget(5, PAGE, sf.IPC_CREAT | 0o600)
    with refused(errno.EINVAL, machine):
        machine.init.shmat(shmid + 1)
    other = machine.init.clone(sf.CLONE_NEWIPC)
    with refused(errno.EINVAL, machine):
        other.shmat(shmid)


def test_shmat_shmctl_einval_or_eidrm_removed(machine: sf.Machine) -> None:
    """An id that was removed is EINVAL; EIDRM once another segment has its place in the table."""
    init = machine.init
    shmid = init.shmget(5, PAGE, sf.IPC_CREAT | 0o600)
    init.shmctl(shmid, sf.IPC_RMID)
    calls: list[Callable[[], object]] = [
        lambda: init.shmat(shmid),
        lambda: init.shmctl(shmid, sf.IPC_STAT),
        lambda: init.shmctl(shmid, sf.IPC_RMID),
    ]
    for call in calls:
        with refused(errno.EINVAL, machine):
            call()
    assert init.shmget(5, PAGE, sf.IPC_CREAT | 0o600) != shmid
    for call in calls:
        with refused(errno.EIDRM, machine):
            call()


def test_shmat_eacces(machine: sf.Machine, nobody: sf.Task) -> None:
    shmid = machine.init.shmget(5, PAGE, sf.IPC_CREAT | 0o604)
    with refused(errno.EACCES, machine):
        nobody.shmat(shmid)
    nobody.shmat(shmid, readonly=True)


def test_shmat_enomem(machine: sf.Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(n: int) -> int:
        raise MemoryError(f"no run of {n} pages is left")

    shmid = machine.init.shmget(5, PAGE, sf.IPC_CREAT | 0o600)
    with refused(errno.ENOMEM, machine):
        monkeypatch.setattr(machine.kernel.page_space, "take", none_left)
        try:
            machine.init.shmat(shmid)
        finally:
            monkeypatch.undo()


def test_shmdt_einval(machine: sf.Machine) -> None:
    init = machine.init
    segment = init.shmat(init.shmget(5, PAGE, sf.IPC_CREAT | 0o600))
    private, child = init.mmap(PAGE), init.fork()
    with refused(errno.EINVAL, machine):
        init.shmdt(private)
    with refused(errno.EINVAL, machine):  # attached, but not by this process
        child.shmdt(segment)
    init.shmdt(segment)
    with refused(errno.EINVAL, machine):
        init.shmdt(segment)


def test_shmctl_errors(machine: sf.Machine, nobody: sf.Task) -> None:
    shmid = machine.init.shmget(5, PAGE, sf.IPC_CREAT | 0o600)
    with refused(errno.EINVAL, machine):
        machine.init.shmctl(shmid, 99)
    with refused(errno.EACCES, machine):
        nobody.shmctl(shmid, sf.IPC_STAT)
    with refused(errno.EPERM, machine):
        nobody.shmctl(shmid, sf.IPC_RMID)
    with refused(errno.EINVAL, machine):  # no such id comes before
        nobody.shmctl(shmid + 1, sf.IPC_RMID)


# ---------------------------------------------------------------- processes


def test_exit_eperm_init(machine: sf.Machine) -> None:
    with refused(errno.EPERM, machine):
        machine.init.exit()


def test_wait_echild(machine: sf.Machine) -> None:
    parent, other = machine.init.fork(), machine.init.fork()
    child = parent.fork()
    for pid in (other.pid, 99):
        with refused(errno.ECHILD, machine):
            parent.wait(pid)
    with refused(errno.ECHILD, machine):
        other.wait()
    assert parent.wait() == (0, 0, 0)
    child.exit(3)
    assert parent.wait() == (child.pid, 3, 0)
    with refused(errno.ECHILD, machine):
        parent.wait()


def test_kill_errors(machine: sf.Machine, nobody: sf.Task) -> None:
    target = machine.init.fork()
    with refused(errno.ESRCH, machine):
        machine.init.kill(99)
    with refused(errno.ESRCH, machine):  # no process comes before no signal
        machine.init.kill(99, 65)
    with refused(errno.EINVAL, machine):  # no signal comes before no right
        nobody.kill(target.pid, 65)
    with refused(errno.EPERM, machine):
        nobody.kill(target.pid)
    with refused(errno.EPERM, machine):
        nobody.kill(target.pid, 0)
    machine.init.kill(target.pid, 0)
    assert target.alive


def test_setuid_errors(machine: sf.Machine, nobody: sf.Task) -> None:
    with refused(errno.EINVAL, machine):
        machine.init.setuid(-1)
    with refused(errno.EPERM, machine):
        nobody.setuid(0)
    nobody.setuid(65534)


def test_esrch_a_dead_task_calls_nothing(machine: sf.Machine, make_swap: SwapfileMaker) -> None:
    path = make_swap("s")
    parent = machine.init.fork()
    zombie, dead = parent.fork(), machine.init.fork()
    mapping = dead.mmap(PAGE)
    zombie.exit()
    dead.exit()
    assert (zombie.state, dead.state) == ("zombie", "dead")
    for task in (zombie, dead):
        calls: list[Callable[[], object]] = [
            task.fork,
            task.exit,
            task.wait,
            task.sysinfo,
            task.read_proc_swaps,
            lambda t=task: t.clone(NEWSWAP),  # type: ignore[misc]
            lambda t=task: t.unshare(sf.CLONE_NEWIPC),  # type: ignore[misc]
            lambda t=task: t.swapon(path),  # type: ignore[misc]
            lambda t=task: t.swapoff(path),  # type: ignore[misc]
            lambda t=task: t.mmap(PAGE),  # type: ignore[misc]
            lambda t=task: t.kill(1),  # type: ignore[misc]
            lambda t=task: t.setuid(1),  # type: ignore[misc]
            lambda t=task: t.shmget(5, PAGE, sf.IPC_CREAT),  # type: ignore[misc]
            lambda t=task: t.shmat(0),  # type: ignore[misc]
            lambda t=task: t.shmctl(0, sf.IPC_STAT),  # type: ignore[misc]
            lambda t=task: t.shmdt(mapping),  # type: ignore[misc]
        ]
        for call in calls:
            with refused(errno.ESRCH, machine, path):
                call()
    with refused(errno.ESRCH, machine):
        machine.run(mapping, np.zeros(1, dtype=np.uint32))


def test_out_of_memory_with_nobody_to_kill_is_a_panic(profile: str) -> None:
    machine = sf.Machine("1MiB", profile, overcommit=1, cache=0)
    heap = machine.init.mmap(300 * PAGE)
    with pytest.raises(KernelPanic):
        heap.touch(write=True)
    assert machine.log == ["Kernel panic - not syncing: Out of memory and no killable processes..."]
    machine.verify()


def test_the_snapshot_sees_what_changes(make_swap: SwapfileMaker) -> None:
    """The yardstick itself: two states that differ compare unequal."""
    machine = sf.Machine("4MiB", PROFILES[0])
    path = make_swap("s")
    changes: list[Callable[[], object]] = [
        lambda: machine.init.swapon(path),
        machine.init.fork,
        lambda: machine.init.mmap(PAGE),
        lambda: machine.init.mappings[0].touch(),
        lambda: machine.init.shmget(5, PAGE, sf.IPC_CREAT),
        lambda: machine.init.shmctl(0, sf.IPC_RMID),
        lambda: path.chmod(0o640),
        lambda: machine.init.swapoff(path),
    ]
    for change in changes:
        before = snapshot(machine, (path,))
        change()
        assert snapshot(machine, (path,)) != before
