"""System calls themselves, by static programs that know no C library: errnos, pointers, paths."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from swapfast.shell._notify import NUMBERS
from tests.support.shells import NOBODY, command_line, environment, passable, results, shell
from tests.support.swapfiles import swapfile

Program = Callable[..., Path]
ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="root may become others")


@pytest.fixture
def calls(program: Program) -> Path:
    return program("calls", "-static")


def codes(*words: object, **options: object) -> list[int]:
    return [code for _, code in results(shell(*words, **options).stdout)]  # type: ignore[arg-type]


def test_malformed_pointers_are_what_the_kernel_says(calls: Path) -> None:
    found = results(shell(calls, "bad").stdout)
    assert found == [
        *(("swapon", errno.EFAULT), ("swapoff", errno.EFAULT)),
        *(("sysinfo", errno.EFAULT), ("sysinfo", errno.EFAULT)),
        *(("openat", errno.EFAULT), ("openat2", errno.EFAULT)),
        *(("clone3", errno.EFAULT), ("clone3", errno.EINVAL)),
        *(("swapon", errno.EFAULT), ("swapon", errno.ENOENT), ("swapon", errno.ENAMETOOLONG)),
    ]


def test_errnos(calls: Path, s1: Path, s2: Path, tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_bytes(bytes(1 << 20))
    link = tmp_path / "link"
    link.symlink_to("s1")
    script = [
        *("swapon", tmp_path / "none", 0, ","),
        *("swapon", plain, 0, ","),
        *("swapon", tmp_path, 0, ","),
        *("swapon", "/dev/null", 0, ","),
        *("swapon", s1, 0x800000, ","),
        *("swapon", s1 / "below", 0, ","),
        *("swapoff", s1, ","),
        *("swapon", link, 0, ","),
        *("swapon", s1, 0, ","),
        *("swapoff", tmp_path / "none", ","),
        *("swapoff", s1, ","),
    ]
    assert codes(calls, *script) == [
        *(errno.ENOENT, errno.EINVAL, errno.EINVAL, errno.EINVAL, errno.EINVAL, errno.ENOTDIR),
        *(errno.EINVAL, 0, errno.EBUSY, errno.ENOENT, 0),
    ]


def test_relative_paths(calls: Path, s1: Path, tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    script = ["chdir", tmp_path / "below", ",", "swapon", "../s1", 0, ",", "swapoff", "./../s1"]
    assert codes(calls, *script) == [0, 0, 0]


def test_files_of_proc_by_every_way_to_open_them(calls: Path, s1: Path) -> None:
    script = [
        *("open", "/proc/swaps", ",", "openat", "/proc/swaps", ",", "openat2", "/proc/swaps", ","),
        *("openat", "//proc/./self/../swaps", ",", "dirfd", "/proc", ",", "openat", "swaps", ","),
        *("chdir", "/proc", ",", "open", "swaps"),
    ]
    done = shell(calls, *script, swap=s1)
    assert done.stdout.count(str(s1)) == 6


def test_other_files_of_these_names_are_the_kernels(calls: Path, tmp_path: Path) -> None:
    (tmp_path / "swaps").write_text("mine\n")
    script = ["openat", tmp_path / "swaps", ",", "open", "/none/swaps", ",", "chdir", tmp_path]
    done = shell(calls, *script, ",", "open", "swaps", ",", "write", "swaps")
    assert done.stdout.splitlines() == ["mine", "open 2", "chdir 0", "mine", "write 0"]


def test_sysinfo(calls: Path, s1: Path) -> None:
    done = shell(calls, "sysinfo", swap=s1, memory="8MiB")
    total, free, swap, left, unit = map(int, done.stdout.splitlines()[1].split())
    assert (total, swap, left, unit) == (8 << 20, 99 * 4096, 99 * 4096, 1)
    assert 0 < free < total


def test_another_root_directory(calls: Path, s1: Path, tmp_path: Path) -> None:
    """A path begins at the caller's root, and no link leads out of it."""
    if os.geteuid() != 0:
        pytest.skip("chroot needs root")
    jail = tmp_path / "jail"
    jail.mkdir()
    inside = swapfile(jail / "inside", 50)
    (jail / "out").symlink_to(f"/..{s1}")
    script = ["chroot", jail, ",", "swapon", "/out", 0, ",", "swapon", "/../inside", 0]
    done = shell("sh", "-c", f"{calls} {' '.join(map(str, script))}; cat /proc/swaps")
    assert [code for _, code in results(done.stdout)] == [0, errno.ENOENT, 0]
    assert str(inside) in done.stdout


def test_another_mount_namespace(calls: Path, tmp_path: Path) -> None:
    """The caller's file is meant, also where this machine has another one of that name."""
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    swapfile(tmp_path / "away", 70)
    (tmp_path / "at").mkdir()
    swapfile(tmp_path / "at" / "s", 60)
    at = tmp_path / "at"
    script = (
        f"unshare -m sh -c 'mount -t tmpfs none {at} && cp {tmp_path}/away {at}/s && "
        f"chmod 600 {at}/s && {calls} swapon {at}/s 0 && cat /proc/swaps && sleep 0.1 && "
        f"{calls} swapoff {at}/s && umount {at} && echo unmounted'"
    )
    done = shell("sh", "-c", script)
    assert [code for _, code in results(done.stdout)] == [0, 0]
    assert f"{at}/s" in done.stdout and "\t276\t" in done.stdout  # 69 pages, not 59
    assert "unmounted" in done.stdout, done.stderr


def test_nothing_is_held_once_it_is_off(calls: Path, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    at, file = tmp_path / "at", swapfile(tmp_path / "s", 60)
    at.mkdir()
    script = (
        f"mount -t tmpfs none {at} && cp -p {file} {at}/s && {calls} swapon {at}/s 0 && "
        f"! umount {at} 2>/dev/null && {calls} swapoff {at}/s && umount {at}"
    )
    shell("unshare", "-m", "sh", "-c", script)


def test_a_path_that_changes(program: Program, s1: Path, s2: Path) -> None:
    """Another thread writes into the path: one file or the other, or none; nothing else."""
    assert shell(program("moving"), s1, s2).stdout == "on 1 strange 0\n"


# ---------------------------------------------------------------- rights


@ROOT_ONLY
def test_rights_are_those_of_the_moment(calls: Path, s1: Path) -> None:
    script = ["swapon", s1, 0, ",", "seteuid", NOBODY, ",", "swapoff", s1, ",", "swapon", s1, 0]
    script += [",", "unshare", "0x8000000", ",", "seteuid", 0, ",", "swapoff", s1]
    eperm = errno.EPERM
    assert codes(calls, *script) == [0, 0, eperm, eperm, eperm, 0, 0]


@ROOT_ONLY
def test_nobody_gets_at_a_file_through_the_machine(calls: Path, s1: Path, tmp_path: Path) -> None:
    """A caller who keeps CAP_SYS_ADMIN, but is another user at files, meets EACCES."""
    drop = ["setpriv", "--inh-caps", "-all,+sys_admin", "--ambient-caps", "-all,+sys_admin"]
    drop += ["--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups"]
    if os.popen("setpriv --version").read().split()[-1] < "2.3":
        pytest.skip("setpriv of util-linux is needed")
    passable(tmp_path)
    assert codes(*drop, calls, "swapon", s1, 0) == [errno.EACCES]
    os.chown(s1, NOBODY, NOBODY)
    assert codes(*drop, calls, "swapon", s1, 0) == [0]
    closed = tmp_path / "closed"
    closed.mkdir(0o700)
    s1.rename(closed / "s1")
    assert codes(*drop, calls, "swapon", closed / "s1", 0) == [errno.EACCES]


@ROOT_ONLY
def test_an_ordinary_user(calls: Path, s1: Path, tmp_path: Path) -> None:
    """A user namespace makes it root of the simulated machine, and of nothing else."""
    passable(tmp_path)
    mine = swapfile(tmp_path / "mine", 30)
    os.chown(mine, NOBODY, NOBODY)
    script = f"id -u; {calls} swapon {mine} 0; cat /proc/swaps; {calls} swapon {s1} 0; exit 9"
    done = shell("sh", "-c", script, uid=NOBODY, status=9)
    lines = done.stdout.splitlines()
    assert lines[0] == "0" and done.stderr == ""
    assert lines[1] == "swapon 0" and str(mine) in lines[3]
    assert lines[4] == f"swapon {errno.EACCES}"


def test_root_of_a_user_namespace(calls: Path, s1: Path) -> None:
    """Where groups cannot be set, as in a container."""
    words = ["unshare", "-Ur", *command_line((calls, "swapon", s1, 0), {"newswap": True})]
    done = subprocess.run(words, capture_output=True, text=True, env=environment())
    if done.returncode == 1:
        pytest.skip(done.stderr)
    assert (done.returncode, done.stdout) == (0, "swapon 0\n"), done.stderr


@ROOT_ONLY
def test_without_user_namespaces(calls: Path, s1: Path, tmp_path: Path) -> None:
    """It is said, and the user is root of the simulated machine all the same."""
    passable(tmp_path)
    os.chown(s1, NOBODY, NOBODY)
    done = shell(calls, "swapon", s1, 0, uid=NOBODY, forbid=1)
    assert done.stdout == "swapon 0\n"
    assert "user namespaces are not allowed here: programs see uid 65534" in done.stderr
    done = shell(calls, "swapon", s1, 0, uid=NOBODY, forbid=1, newswap=True)
    assert done.stdout == "swapon 0\n"


def test_the_table_of_numbers() -> None:
    assert set(NUMBERS) >= {"openat", "sysinfo", "swapon", "swapoff", "unshare", "clone3"}
