"""Windows of pages: what a FIFO memory misses, at a program's own speed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from swapfast.record import Unbound, record
from swapfast.record.windows import BATCH_MOST, PARTS
from swapfast.traces import WRITE, open_trace
from tests.support.emulators import compiled
from tests.support.own_memory import WHY_NOT, marked, program

pytestmark = pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT or "it is possible")

HERE = Path(__file__).parent
RECORD = (sys.executable, "-m", "swapfast", "record")


@pytest.fixture(scope="module")
def steps(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("steps")
    flags = ("-static", "-nostdlib", "-fno-pic", "-no-pie", "-fno-stack-protector", "-fno-builtin")
    return str(compiled(HERE / "steps.c", folder / "steps", *flags))


@pytest.fixture(scope="module")
def lives(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("lives")
    return str(compiled(HERE / "lives.c", folder / "lives", "-pthread"))


def stepped() -> list[tuple[int, bool]]:
    """The references of steps.c."""
    found, state = [], 12345
    for i in range(20_000):
        state = (state * 6364136223846793005 + 1442695040888963407) % (1 << 64)
        found.append(((state >> 33) % (60 if i % 8 else 300), i % 3 == 0))
    return found


def missed(refs: list[tuple[int, bool]], window: int) -> list[tuple[int, bool]]:
    """Misses of a FIFO memory of which the oldest pages go, some at once; which ones are writes."""
    batch = min(window // PARTS, BATCH_MOST)
    there: dict[int, int] = {}  # which miss brought it in; the oldest first
    changed: set[int] = set()  # misses whose page is another one than when it came
    found: list[tuple[int, bool]] = []
    for page, write in refs:
        if page not in there:
            if len(there) == window:
                for oldest in list(there)[:batch]:
                    brought = there.pop(oldest)
                    found[brought] = oldest, found[brought][1] or brought in changed
            there[page] = len(found)
            found.append((page, write))
        if write:
            changed.add(there[page])
    return found


@pytest.mark.parametrize("window", [pytest.param(16, marks=pytest.mark.slow), 64, 250])
def test_the_misses_of_a_fifo_memory(steps: str, window: int) -> None:
    """Every one of them, in order, and which page was written to while it was there."""
    found = record([steps], window=window, keep_reads=True)
    expected = missed(stepped(), window)
    trace = found.trace
    assert trace is not None
    assert len(expected) > 300
    assert len(trace.addresses) == 300
    first = trace.addresses.min()
    pages = trace.addresses[trace.refs & ~WRITE] - first
    assert pages.tolist() == [page for page, _ in expected]
    assert (trace.refs >> 31).tolist() == [int(write) for _, write in expected]
    assert (trace.kind, trace.window, found.seen) == ("window", window, len(expected))


def test_first_references_are_writes(steps: str) -> None:
    trace = record([steps], window=250).trace
    assert trace is not None
    first = np.unique(trace.refs & ~WRITE, return_index=True)[1]
    assert (trace.refs[first] >> 31).all()
    assert trace.writes < len(trace)


def test_what_the_kernel_touches_is_seen(tmp_path: Path) -> None:
    text = """
    #include <sys/mman.h>
    #include <unistd.h>
    int main(void) {
        char *at = mmap(0, 400 << 12, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        return read(0, at, 400 << 12) != 400 << 12 || write(1, at, 400 << 12) != 400 << 12;
    }"""
    reader = str(compiled(text, tmp_path / "reader"))
    given, out = tmp_path / "given", tmp_path / "t.npz"
    given.write_bytes(os.urandom(400 << 12))
    command = [*RECORD, "-o", out, "--window", "64KiB", "--keep-reads", "--", reader]
    with given.open("rb") as source:
        done = subprocess.run(command, stdin=source, capture_output=True, check=True)
    assert done.stdout == given.read_bytes()
    trace = open_trace(out)
    assert (trace.kind, trace.window) == ("window", 16)
    # Once by read(2), which writes, and once by write(2), which reads.
    counted = np.bincount(trace.refs & ~WRITE, minlength=trace.pages)
    assert (counted == 2).sum() >= 400
    assert 400 <= trace.writes < 450


def test_memory_is_what_it_is_without_us(tmp_path: Path) -> None:
    words, moves = program("words", tmp_path), program("random", tmp_path)
    assert record([str(words), "500", "2"], window=16).status == 0
    command = [str(moves), "2", "600"]  # mmap, munmap, mremap, madvise, mprotect, brk, fork
    native = subprocess.run(command, capture_output=True, check=True).stdout
    out = tmp_path / "t.npz"
    told = [*RECORD, "-q", "-o", out, "--window", "32", "--", *command]
    done = subprocess.run(told, capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, native, b"")


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "window"), [(3, 16), (4, 64), (5, 1000)])
def test_much_memory_is_what_it_is_without_us(tmp_path: Path, seed: int, window: int) -> None:
    command = [str(program("random", tmp_path)), str(seed), "20000"]
    native = subprocess.run(command, capture_output=True, check=True).stdout
    told = [*RECORD, "-q", "-o", tmp_path / "t.npz", "--window", str(window), "--", *command]
    done = subprocess.run(told, capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, native, b"")


@pytest.mark.parametrize("threads", [3, pytest.param(8, marks=pytest.mark.slow)])
def test_threads(tmp_path: Path, threads: int) -> None:
    """They count in the same pages, and no count is lost while pages come and go."""
    text = """
    #include <pthread.h>
    #include <stdlib.h>
    enum { PAGES = 200, EACH = 4000 };
    static int *all;
    static void *count(void *number) {
        unsigned state = 1 + (size_t)number;
        for (int i = 0; i < EACH; i++) {
            state = state * 1664525 + 1013904223;
            __sync_fetch_and_add(&all[(state >> 8) % PAGES * 1024 + 5 + (size_t)number], 1);
        }
        return 0;
    }
    int main(int n, char **given) {
        pthread_t threads[8];
        int sum = 0, many = atoi(given[1]);
        all = calloc(PAGES, 4096);
        for (size_t i = 0; i < many; i++) pthread_create(&threads[i], 0, count, (void *)i);
        for (int i = 0; i < many; i++) pthread_join(threads[i], 0);
        for (int i = 0; i < PAGES * 1024; i++) sum += all[i];
        return sum != many * EACH;
    }"""
    counter = str(compiled(text, tmp_path / "counter", "-pthread"))
    found = record([counter, str(threads)], window=32)
    assert found.status == 0
    assert found.trace is not None
    assert found.trace.pages >= 200
    assert len(found.trace) > 2000


def test_processors(tmp_path: Path) -> None:
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("there is one processor")
    seen = {}
    for unbound in (False, True):
        out = tmp_path / "out"
        line = f"import os; open('{out}', 'w').write(str(len(os.sched_getaffinity(0))))"
        found = record(
            [sys.executable, "-S", "-c", line], window=Unbound(1000) if unbound else 1000
        )
        assert found.status == 0
        seen[unbound] = int(out.read_text("utf-8"))
    assert seen == {False: 1, True: len(os.sched_getaffinity(0))}


@pytest.mark.parametrize(("end", "status"), [("crash", 139), ("kill", 137), ("plain", 5)])
def test_whatever_ends_it(lives: str, end: str, status: int) -> None:
    found = record([lives, end], window=64)
    assert found.status == status
    assert found.trace is not None
    assert found.trace.pages > 200
    assert found.trace.origin == (
        f"{lives} {end}; anonymous memory; FIFO misses of 64 pages by userfaultfd, the kernel's "
        "own too; first references made writes"
    )


def test_children(lives: str) -> None:
    found = record([lives, "fork"], window=64)
    assert (found.status, found.lost) == (5, 0)
    (child,) = found.children
    assert child.command == (lives, "fork")
    assert 100 < child.trace.pages < found.trace.pages
    assert child.trace.origin.endswith(f"; process {child.pid}")
    found = record([lives, "spawn"], window=64)
    (child,) = found.children
    assert child.command[1:] == ("-c", "true")
    assert (found.status, found.unrecorded, found.replaced) == (5, 0, False)
    found = record(["env", "A=1", lives, "plain"], window=64)
    assert found.status == 5
    assert found.trace.pages > 200
    assert found.trace.origin.startswith(f"{lives} plain; ")


def test_children_that_stay_run_on(tmp_path: Path) -> None:
    """The program is over, and so is the recording; its child finds its memory as it was."""
    late = tmp_path / "late"
    line = f"(x=$(seq 9000); read y < {tmp_path}/gate; echo $x$y > {late}) & exit 4"
    os.mkfifo(tmp_path / "gate")
    found = record(["sh", "-c", line], window=16)
    assert found.status == 4
    (tmp_path / "gate").write_text("!\n")
    end = time.monotonic() + 20
    while not late.exists() or not late.read_text().endswith("\n"):
        assert time.monotonic() < end
        time.sleep(0.02)
    assert late.read_text() == " ".join(map(str, range(1, 9001))) + "!\n"


def began(*command: str, mark: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*RECORD, *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "SWAPFAST_TEST_MARK": mark},
    )


def test_a_signal_to_the_recorder(lives: str, tmp_path: Path) -> None:
    out = tmp_path / "t.npz"
    process = began("-o", str(out), "--window", "64", "--", lives, "wait", mark=f"{os.getpid()}t")
    assert process.stdout is not None
    assert process.stdout.readline() == "waiting\n"
    process.terminate()
    said = process.communicate()[1]
    assert process.returncode == 128 + signal.SIGTERM
    assert "signal 15 ended the program; the trace goes until then" in said
    assert open_trace(out).pages > 200


@pytest.mark.parametrize("victim", [pytest.param("recorder", marks=pytest.mark.slow), "tracer"])
def test_without_its_recorder_a_program_ends(lives: str, tmp_path: Path, victim: str) -> None:
    out, mark = tmp_path / "t.npz", f"{os.getpid()}{victim}"
    process = began("-o", str(out), "--window", "64", "--", lives, "wait", mark=mark)
    assert process.stdout is not None
    assert process.stdout.readline() == "waiting\n"
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text("utf-8")
    (tracer,) = map(int, children.split())
    os.kill(process.pid if victim == "recorder" else tracer, signal.SIGKILL)
    said = process.communicate()[1]
    if victim == "tracer":
        assert process.returncode == 3
        assert said == (
            f"swapfast: {lives}: what kept the program's pages was killed, and the program with "
            "it\n"
        )
    end = time.monotonic() + 10
    while marked(mark) and time.monotonic() < end:
        time.sleep(0.02)
    assert marked(mark) == []
    assert not out.exists()


def test_who_may_not_is_told_what_helps(tmp_path: Path) -> None:
    setting = Path("/proc/sys/vm/unprivileged_userfaultfd")
    if os.geteuid() or not setting.exists() or setting.read_text("utf-8") != "0\n":
        pytest.skip("everybody may here, or this is no root that could have less rights")
    if shutil.which("setpriv") is None:
        pytest.skip("there is no setpriv")
    fewer = ("setpriv", "--bounding-set", "-sys_ptrace", "--inh-caps", "-sys_ptrace")
    command = [*fewer, *RECORD, "-o", tmp_path / "t.npz", "--window", "64", "--", "true"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 3
    assert done.stderr == (
        "swapfast: --window needs userfaultfd(2) for the kernel's own accesses, too, which is not "
        "allowed here; run it as root, or allow it with: sysctl vm.unprivileged_userfaultfd=1\n"
    )


def test_what_goes_with_a_window() -> None:
    for options in ({"reduce": 1}, {"by": "qemu"}, {"instructions": True}):
        with pytest.raises(ValueError, match="none of reduce, by and instructions"):
            record(["true"], window=64, **options)  # type: ignore[arg-type]
    for window in (1, 15, (1 << 24) + 1):
        with pytest.raises(ValueError, match="a window has 16 to 16777216 pages"):
            record(["true"], window=window)
    with pytest.raises(FileNotFoundError):
        record(["none-at-all"], window=64)
