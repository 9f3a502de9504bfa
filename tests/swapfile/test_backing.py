"""A swapfile that is on: what may not become one, who may have it, what is left after failures."""

from __future__ import annotations

import errno
import gc
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from swapfast.swapfile import RULES_2_6_25, RULES_6_18, SwapBacking, files, mkswap
from swapfast.swapfile import backing as backing_module
from swapfast.swapfile.mapping import FileMapping

ROOT = Path(__file__).parents[2]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A swapfile of 1 MiB: 256 pages."""
    name = tmp_path / "s1"
    mkswap(name, size="1MiB", label="s1")
    return name


@pytest.fixture(autouse=True)
def nothing_leaks() -> Iterator[None]:
    """Every test ends with the descriptors it began with and no file on."""
    gc.collect()
    before = sorted(os.listdir("/proc/self/fd"))
    yield
    gc.collect()
    assert sorted(os.listdir("/proc/self/fd")) == before
    assert len(backing_module._open_backings) == 0


def refused(path: Path | str, code: int, message: str) -> None:
    """`path` cannot be opened, for that reason, and nothing is kept open."""
    before = sorted(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError, match=message) as caught:
        SwapBacking.open(path, RULES_6_18)
    assert caught.value.errno == code
    assert caught.value.filename is not None
    caught = None  # type: ignore[assignment]
    gc.collect()
    assert sorted(os.listdir("/proc/self/fd")) == before


def mapped(path: Path) -> bool:
    return str(path) in Path("/proc/self/maps").read_text()


def test_open(path: Path) -> None:
    with SwapBacking.open(path, RULES_2_6_25) as backing:
        assert (backing.pages, backing.end, backing.last_page) == (254, 255, 255)
        assert backing.array.shape == (255 * 4096,)
        assert backing.array[4086:4096].tobytes() == b"SWAPSPACE2"
        assert backing.path == str(path)
        assert backing.header.label == "s1"
        assert backing.bad_pages == ()
        assert backing.warnings == ()
        assert backing.identity == (path.stat().st_dev, path.stat().st_ino)
        assert backing.map.length == 255 * 4096
        assert backing.map.address == backing.array.ctypes.data
        backing.array[4096 * 200] = 77
        backing.verify()
        backing.sync()
    assert path.read_bytes()[4096 * 200] == 77
    with SwapBacking.open(path, RULES_6_18) as backing:
        assert (backing.pages, backing.end) == (255, 256)
        assert backing.array.shape == (256 * 4096,)


def test_written_through(path: Path) -> None:
    """The file shows a store at once, and the mapping shows a write to the file."""
    with SwapBacking.open(path, RULES_6_18) as backing:
        backing.array[4096:8192] = np.arange(4096, dtype=np.uint64).astype(np.uint8)
        assert path.read_bytes()[4096:8192] == bytes(range(256)) * 16
        with open(path, "r+b") as file:
            file.seek(8192)
            file.write(b"hello")
        assert backing.array[8192:8197].tobytes() == b"hello"


def test_relative_name_and_linked_folder(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "folder").symlink_to(tmp_path)
    monkeypatch.chdir(tmp_path)
    for name in ("s1", "folder/s1"):
        with SwapBacking.open(name, RULES_6_18) as backing:
            assert backing.path == str(path)
            monkeypatch.chdir("/")
            backing.verify()
            monkeypatch.chdir(tmp_path)


def test_permissions_are_warned_of(path: Path) -> None:
    path.chmod(0o640)
    with SwapBacking.open(path, RULES_6_18) as backing:
        assert backing.warnings == (f"{path}: insecure permissions 0640, 0600 suggested.",)


def test_foreign_owner_is_warned_of(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.geteuid() == 0:
        os.chown(path, 12345, -1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 0)
    owner = path.stat().st_uid
    with SwapBacking.open(path, RULES_6_18) as backing:
        assert backing.warnings == (f"{path}: insecure file owner {owner}, 0 (root) suggested.",)
    assert mkswap(path).warnings[0] == (
        f"{path}: insecure file owner {owner}, fix with: chown 0:0 {path}"
    )


def test_kinds_of_file(path: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(path)
    refused(tmp_path / "link", errno.EINVAL, "symbolic link")
    (tmp_path / "dangling").symlink_to(tmp_path / "none")
    refused(tmp_path / "dangling", errno.EINVAL, "symbolic link")
    refused(tmp_path, errno.EINVAL, "directory")
    os.mkfifo(tmp_path / "fifo")
    refused(tmp_path / "fifo", errno.EINVAL, "FIFO")
    refused("/dev/zero", errno.EINVAL, "character device")
    refused(tmp_path / "none", errno.ENOENT, "no such file")
    refused(path / "below", errno.ENOTDIR, "Not a directory")
    refused(tmp_path / ("x" * 300), errno.ENAMETOOLONG, "too long")
    (tmp_path / "empty").touch()
    refused(tmp_path / "empty", errno.EINVAL, "only 0 bytes")


def test_name_that_becomes_a_link_or_fifo_while_opening(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The look at the name proves nothing; the opened file is what counts."""
    regular = os.lstat(path)
    (tmp_path / "link").symlink_to(path)
    os.mkfifo(tmp_path / "fifo")
    monkeypatch.setattr(os, "lstat", lambda _: regular)
    refused(tmp_path / "link", errno.EINVAL, "not a regular file")
    refused(tmp_path / "fifo", errno.EINVAL, "FIFO")
    refused(tmp_path, errno.EINVAL, "not a regular file")


def test_file_replaced_while_opening(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flock = files.fcntl.flock

    def replace(fd: int, operation: int) -> None:
        flock(fd, operation)
        path.rename(path.with_name("old"))
        path.write_bytes(b"another")

    with monkeypatch.context() as patch:
        patch.setattr(files.fcntl, "flock", replace)
        refused(path, errno.ESTALE, "replaced")
    path.unlink()
    path.with_name("old").rename(path)

    def remove(fd: int, operation: int) -> None:
        flock(fd, operation)
        path.unlink()

    with monkeypatch.context() as patch:
        patch.setattr(files.fcntl, "flock", remove)
        refused(path, errno.ESTALE, "replaced")


def test_no_permission(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def deny(*_: object, **__: object) -> int:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "open", deny)
    with pytest.raises(PermissionError, match="check the owner and the mode"):
        SwapBacking.open(path, RULES_6_18)


def test_hard_link(path: Path) -> None:
    second = path.with_name("second")
    os.link(path, second)
    refused(path, errno.EINVAL, "several names")
    refused(second, errno.EINVAL, "several names")
    second.unlink()
    with SwapBacking.open(path, RULES_6_18):
        os.link(path, second)
        refused(second, errno.EBUSY, f"is on already, as {path}")
        second.unlink()


def test_holes(path: Path, tmp_path: Path) -> None:
    sparse = tmp_path / "sparse"
    with open(sparse, "wb") as file:
        file.write(path.read_bytes()[:4096])
        file.truncate(1 << 20)
    refused(sparse, errno.EINVAL, "hole")
    with open(path, "r+b") as file:
        file.truncate(1 << 19)
        file.truncate(1 << 20)
    refused(path, errno.EINVAL, "hole")


def test_hole_hidden_by_blocks_beyond_the_end(path: Path, tool: Callable[..., object]) -> None:
    """As many blocks as the size needs, but not where they are needed."""
    tool("fallocate", "--keep-size", "--offset", 1 << 20, "--length", 1 << 20, path)
    tool("fallocate", "--punch-hole", "--offset", 16384, "--length", 65536, path)
    if path.stat().st_blocks * 512 < 1 << 20:
        pytest.skip("this file system allocates nothing beyond the end")
    refused(path, errno.EINVAL, "hole at byte 16384")


def test_truncated_before(path: Path) -> None:
    os.truncate(path, 128 * 4096)
    refused(path, errno.EINVAL, "only 128 pages")


def test_truncated_punched_replaced_or_removed_while_on(path: Path) -> None:
    with SwapBacking.open(path, RULES_6_18) as backing:
        os.truncate(path, (1 << 20) - 1)
        with pytest.raises(OSError, match="truncated from 1048576 to 1048575") as caught:
            backing.verify()
        assert (caught.value.errno, caught.value.filename) == (errno.EIO, str(path))
        os.truncate(path, 4096)
        os.truncate(path, 1 << 20)
        with pytest.raises(OSError, match="lost blocks") as caught:
            backing.verify()
        assert caught.value.errno == errno.EIO
        os.posix_fallocate(backing.fileno(), 0, 1 << 20)
        backing.verify()
        path.rename(path.with_name("moved"))
        with pytest.raises(OSError, match="removed or replaced") as caught:
            backing.verify()
        assert caught.value.errno == errno.ESTALE
        path.write_bytes(bytes(1 << 20))
        with pytest.raises(OSError, match="removed or replaced"):
            backing.verify()


def test_twice_in_one_process(path: Path, tmp_path: Path) -> None:
    (tmp_path / "folder").symlink_to(tmp_path)
    with SwapBacking.open(path, RULES_6_18) as backing:
        refused(path, errno.EBUSY, "is on already")
        refused(tmp_path / "folder" / "s1", errno.EBUSY, "is on already")
        with pytest.raises(OSError, match="in use") as caught:
            mkswap(path)
        assert caught.value.errno == errno.EBUSY
        backing.verify()
    SwapBacking.open(path, RULES_6_18).close()


HOLDER = """
import sys
from swapfast.swapfile import RULES_6_18, SwapBacking
backing = SwapBacking.open(sys.argv[1], RULES_6_18)
print("on", flush=True)
sys.stdin.read()
"""


def start(script: str, path: Path) -> subprocess.Popen[str]:
    """Another process that has `path` on."""
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "on\n"
    return process


def stop(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.close()
    process.stdout.close()
    process.wait()


def test_other_process_and_its_death(path: Path) -> None:
    process = start(HOLDER, path)
    try:
        refused(path, errno.EBUSY, "another process")
        with pytest.raises(OSError, match="another process"):
            mkswap(path)
        process.kill()
        process.wait()
        SwapBacking.open(path, RULES_6_18).close()
    finally:
        process.kill()
        stop(process)


FORKING_HOLDER = """
import os, signal, sys
from swapfast.swapfile import RULES_6_18, SwapBacking
backing = SwapBacking.open(sys.argv[1], RULES_6_18)
child = os.fork()
if not child:
    signal.pause()
print("on", flush=True)
sys.stdin.readline()
print(child, flush=True)
sys.stdin.read()
"""


def test_lock_is_free_though_a_forked_child_lives_on(path: Path) -> None:
    process = start(FORKING_HOLDER, path)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    child = int(process.stdout.readline())
    try:
        refused(path, errno.EBUSY, "another process")
        process.kill()
        process.wait()
        os.kill(child, 0)
        SwapBacking.open(path, RULES_6_18).close()
    finally:
        os.kill(child, signal.SIGKILL)
        stop(process)


FORKING = """
import os, resource, sys
from swapfast.swapfile import RULES_6_18, SwapBacking
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
backing = SwapBacking.open(sys.argv[1], RULES_6_18)
view, fd = backing.array, backing.fileno()
view[4096] = 1

def in_child(action):
    child = os.fork()
    if not child:
        try:
            action()
        except OSError as error:
            os._exit(error.errno)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

def store():
    view[4096] = 2

def drop():
    global view, backing
    view = None
    backing.close()
    backing = None

print(in_child(lambda: backing.array), in_child(lambda: os.fstat(fd)),
      in_child(backing.verify), in_child(backing.sync), in_child(store),
      in_child(lambda: SwapBacking.open(sys.argv[1], RULES_6_18)), in_child(drop))
backing.verify()
try:
    with open(sys.argv[1]) as other:
        import fcntl
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    print("locked", backing.array[4096])
"""


def test_forked_child_has_neither_memory_nor_descriptor(path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORKING, str(path)], capture_output=True, text=True, cwd=ROOT
    )
    bad, busy = errno.EBADF, errno.EBUSY
    expected = f"{bad} {bad} {bad} {bad} {-signal.SIGSEGV} {busy} 0\nlocked 1\n"
    assert (done.stdout, done.stderr) == (expected, "")
    assert path.read_bytes()[4096] == 1


def test_mapping_that_fails(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        with pytest.raises(PermissionError):
            FileMapping(fd, 4096)
        with pytest.raises(OSError, match="Invalid argument"):
            FileMapping(fd, 0)
    finally:
        os.close(fd)
    with SwapBacking.open(path, RULES_6_18) as backing:
        with pytest.raises(OSError, match="Invalid argument"):
            backing.map.madvise(9999)
        backing.verify()


def test_closed(path: Path) -> None:
    backing = SwapBacking.open(path, RULES_6_18)
    assert mapped(path)
    backing.close()
    backing.close()
    assert backing.closed
    assert not mapped(path)
    for use in (
        lambda: backing.array,
        lambda: backing.map,
        backing.verify,
        backing.sync,
        backing.fileno,
    ):
        with pytest.raises(OSError, match="is closed") as caught:
            use()
        assert caught.value.errno == errno.EBADF
    assert "is closed" in repr(backing)


def test_close_unlocks_though_the_descriptor_lives_elsewhere(path: Path) -> None:
    """As in a child of another thread that has forked and not yet executed its program."""
    backing = SwapBacking.open(path, RULES_6_18)
    copy = os.dup(backing.fileno())
    backing.close()
    SwapBacking.open(path, RULES_6_18).close()
    os.close(copy)


def test_view_outlives_close(path: Path) -> None:
    """A view that somebody kept stays readable: memory goes with the last of them."""
    backing = SwapBacking.open(path, RULES_6_18)
    view = backing.array[4086:4096]
    backing.close()
    assert view.tobytes() == b"SWAPSPACE2"
    assert mapped(path)
    del view
    assert not mapped(path)


def test_forgotten_backing_lets_go(path: Path) -> None:
    SwapBacking.open(path, RULES_6_18)
    gc.collect()
    SwapBacking.open(path, RULES_6_18).close()


def test_failure_after_the_lock_lets_go(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open(path, "r+b") as file:
        file.seek(4086)
        file.write(b"SWAPSPACE3")
    refused(path, errno.EINVAL, "no swap signature")
    mkswap(path)
    for code, expected in ((errno.ENOMEM, errno.ENOMEM), (errno.ETXTBSY, errno.EBUSY)):

        def fail(*_: object, code: int = code) -> None:
            raise OSError(code, "injected")

        with monkeypatch.context() as patch:
            patch.setattr(backing_module, "FileMapping", fail)
            refused(path, expected, r"swapoff|cannot be mapped")
        assert not mapped(path)
    SwapBacking.open(path, RULES_6_18).close()


def test_failed_sync_is_not_retried(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: int) -> None:
        raise OSError(errno.ENOSPC, "injected")

    with SwapBacking.open(path, RULES_6_18) as backing:
        with monkeypatch.context() as patch:
            patch.setattr(os, "fdatasync", fail)
            with pytest.raises(OSError, match="No space left") as caught:
                backing.sync()
            assert caught.value.errno == errno.ENOSPC
        with pytest.raises(OSError, match="earlier sync failed") as caught:
            backing.sync()
        assert caught.value.errno == errno.EIO


def test_executed_file(tmp_path: Path, tool: Callable[..., object]) -> None:
    """A file that is executed, like one swapped to, cannot be written: ETXTBSY."""
    tool("sleep", 0)
    program = tmp_path / "program"
    shutil.copy(shutil.which("sleep") or "", program)
    process = subprocess.Popen([program, "60"])
    try:
        refused(program, errno.EBUSY, "or executes it")
    finally:
        process.kill()
        process.wait()


def test_one_winner_of_a_race(path: Path) -> None:
    def attempt(gate: threading.Barrier) -> SwapBacking | int | None:
        gate.wait()
        try:
            return SwapBacking.open(path, RULES_6_18)
        except OSError as error:
            return error.errno

    with ThreadPoolExecutor(4) as pool:
        for _ in range(50):
            gate = threading.Barrier(4)
            results = list(pool.map(attempt, [gate] * 4))
            won = [result for result in results if isinstance(result, SwapBacking)]
            assert len(won) == 1
            assert results.count(errno.EBUSY) == 3
            won[0].close()


def test_area_of_the_running_kernel(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = path.rename(tmp_path / "s 1\t\\")
    table = tmp_path / "swaps"
    escaped = str(odd).replace("\\", "\\134").replace(" ", "\\040").replace("\t", "\\011")
    table.write_text(
        "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"
        f"{tmp_path}/gone\\040(deleted)            file\t\t1020\t\t0\t\t-2\n"
        f"{escaped}                          file\t\t1020\t\t0\t\t-3\n"
    )
    monkeypatch.setattr(files, "_PROC_SWAPS", str(table))
    refused(odd, errno.EBUSY, "running kernel swaps to it")
    with pytest.raises(OSError, match="running kernel"):
        mkswap(odd)
    monkeypatch.setattr(files, "_PROC_SWAPS", str(tmp_path / "none"))
    SwapBacking.open(odd, RULES_6_18).close()
