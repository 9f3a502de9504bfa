"""The capture tool: what it leaves out changes nothing, and a real program goes through it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections import OrderedDict
from importlib import util
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swapfast.traces import WRITE, generate, open_trace

TOOL = Path(__file__).parents[2] / "tools" / "capture_trace.py"
spec = util.spec_from_file_location("capture_trace", TOOL)
tool = util.module_from_spec(spec)
spec.loader.exec_module(tool)


def lru(refs, memory: int) -> list[tuple[str, int]]:
    """Every page in and every dirty page out, in order."""
    held: OrderedDict[int, bool] = OrderedDict()
    events = []
    for ref in refs.tolist():
        page, write = ref & 0x7FFFFFFF, ref >> 31 == 1
        if page not in held:
            events.append(("in", page))
        held[page] = held.get(page, False) or write
        held.move_to_end(page)
        if len(held) > memory:
            victim, dirty = held.popitem(last=False)
            if dirty:
                events.append(("out", victim))
    # What is left dirty is written when the program ends.
    return events + [("out", page) for page, dirty in held.items() if dirty]


references = st.builds(
    lambda page, write: page | (1 << 31 if write else 0), st.integers(0, 9), st.booleans()
)


@settings(max_examples=150)
@given(st.lists(references, min_size=1, max_size=80), st.integers(1, 8))
def test_reduced_traces_fault_as_the_whole_does(refs, pages):
    whole = np.array(refs, dtype=np.uint32)
    short = tool.reduced(whole, pages)
    assert len(short) <= len(whole)
    for memory in range(pages, 11):
        assert lru(short, memory) == lru(whole, memory)


def test_reducing_makes_traces_shorter():
    trace = generate("hotspot", pages=1000, refs=30_000, options={"width": 0.01})
    short = tool.reduced(trace.refs, 100)
    assert len(short) < len(trace) / 5
    for memory in (100, 300):
        assert lru(short, memory) == lru(trace.refs, memory)


def test_a_page_always_in_use_stays_in_use():
    # Page 0 between any two others. Of an LRU memory of 2 pages it is a hit each time.
    refs = np.array([p for other in range(1, 100) for p in (0, other)] + [1], dtype=np.uint32)
    short = tool.reduced(refs, 2)
    assert np.count_nonzero(short == 0) > 30
    assert lru(short, 10) == lru(refs, 10)


def test_first_references_write():
    refs = np.array([3, 1, 3, 1 | 1 << 31, 2], dtype=np.uint32)
    assert (tool.first_writes(refs) >> np.uint32(31)).tolist() == [1, 1, 0, 1, 1]
    assert refs[0] == 3


# --------------------------------------------------------------------- programs


def run(*arguments) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(TOOL), *map(str, arguments)],
        cwd=TOOL.parents[1],
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C", "PYTHONPATH": "."},
        capture_output=True,
        text=True,
    )


@pytest.fixture
def valgrind():
    if shutil.which("valgrind") is None:
        pytest.skip("valgrind is not installed on this system")


@pytest.mark.slow
def test_a_program_is_captured(tmp_path, valgrind):
    words = tmp_path / "words.txt"
    words.write_text("".join(f"{(i * 7919) % 101}\n" for i in range(101)))
    out = tmp_path / "sort.npz"
    done = run("-o", out, "--reduce", 16, "--", "sort", "-n", "--parallel=1", words)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "".join(f"{i}\n" for i in range(101))
    trace = open_trace(out)
    assert trace.origin == "sort, data references (lackey), for 16 pages or more"
    assert len(np.unique(trace.refs & ~WRITE)) == trace.pages == len(trace.addresses) > 50
    said = re.fullmatch(
        rf"capture_trace: {out}: (\d+) of (\d+) references to (\d+) pages\n", done.stderr
    )
    short, whole, pages = map(int, said.groups())
    assert (short, pages) == (len(trace), trace.pages)
    assert whole > 5 * short


@pytest.mark.slow
def test_a_program_that_fails_is_captured_too(tmp_path, valgrind):
    out = tmp_path / "false.npz"
    done = run("-o", out, "--instructions", "--keep-reads", "false")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.startswith("capture_trace: the program ended with status 1\n")
    trace = open_trace(out)
    first = np.unique(trace.refs & ~WRITE, return_index=True)[1]
    assert not (trace.refs[first] >> np.uint32(31)).all()


def test_no_program_no_trace(tmp_path, valgrind):
    done = run("-o", tmp_path / "t.npz", "--", tmp_path / "none")
    assert done.returncode == 2
    assert "no such program; is it installed?" in done.stderr
    assert "none" in done.stderr
    assert not (tmp_path / "t.npz").exists()


def test_no_valgrind_is_said(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert tool.main(["-o", str(tmp_path / "t.npz"), "true"]) == 2
    assert "no such program; is it installed?: 'valgrind'" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", ["", "-o x", "true", "-o x --reduce -1 true"])
def test_wrong_use_says_how(arguments, capsys):
    with pytest.raises(SystemExit) as exit_:
        tool.main(arguments.split())
    assert exit_.value.code == 2
    assert "usage:" in capsys.readouterr().err
