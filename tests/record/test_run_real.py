"""Real programs under the real tools: the plugin says what lackey says, to the last reference."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from swapfast.record import record, reduced
from swapfast.traces import WRITE
from tests.reference import reduction as slow
from tests.support.emulators import compiled, need

BARE = Path(__file__).parent / "bare.c"
LIVES = Path(__file__).parent / "lives.c"


@pytest.fixture(scope="session")
def lives(tmp_path_factory):
    """A program that ends in the way that it is told, having touched 200 pages."""
    need("qemu")
    return str(compiled(LIVES, tmp_path_factory.mktemp("lives") / "lives", "-pthread"))


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def bare(tmp_path):
    if platform.machine() != "x86_64":
        pytest.skip("the program is written for x86-64")
    flags = ("-static", "-nostdlib", "-fno-pic", "-no-pie", "-fno-stack-protector", "-fno-builtin")
    return str(compiled(BARE, tmp_path / "bare", *flags))


def test_the_plugin_and_lackey_see_the_same(bare, cache):
    """A program without a library and a stack of the kernel's, which nothing else can change."""
    need("qemu", "lackey")
    by_qemu = record([bare], by="qemu", cache=cache)
    by_lackey = record([bare], by="lackey")
    assert by_qemu.status == by_lackey.status
    # To add to memory is one reference there, and a load and a store here.
    assert 50_000 < by_lackey.seen <= by_qemu.seen < 1.001 * by_lackey.seen
    assert by_qemu.trace.addresses.tolist() == by_lackey.trace.addresses.tolist()
    assert np.array_equal(by_qemu.trace.refs, by_lackey.trace.refs)
    short = record([bare], by="qemu", cache=cache, reduce=16).trace.refs
    for memory in (16, 17, 40, 250):
        # Which reference of several writes may differ, and what leaves memory and when does not.
        whole = slow.lru(by_lackey.trace.refs.tolist(), memory)
        assert slow.lru(short.tolist(), memory) == whole


@pytest.mark.parametrize("by", ["qemu", pytest.param("lackey", marks=pytest.mark.slow)])
def test_instructions(bare, cache, by):
    need(by)
    without = record([bare], by=by, cache=cache, keep_reads=True)
    found = record([bare], by=by, cache=cache, keep_reads=True, instructions=True)
    more = set(found.trace.addresses.tolist()) - set(without.trace.addresses.tolist())
    assert more == {0x401}  # the code: one page
    assert found.seen > without.seen
    first = np.unique(found.trace.refs & ~WRITE, return_index=True)[1]
    assert not (found.trace.refs[first] >> 31).all()


@pytest.mark.slow
def test_lackey_reduces_as_it_goes(bare, cache):
    need("qemu", "lackey")
    whole = record([bare], by="qemu", cache=cache).trace
    short = record([bare], by="lackey", reduce=16).trace
    assert np.array_equal(short.refs, reduced(whole.refs, 16))


@pytest.mark.slow
def test_instructions_are_the_same_too(bare, cache):
    need("qemu", "lackey")
    by_qemu, by_lackey = (
        record([bare], by=by, cache=cache, instructions=True) for by in ("qemu", "lackey")
    )
    assert np.array_equal(by_qemu.trace.refs, by_lackey.trace.refs)


@pytest.mark.parametrize(("end", "status"), [("crash", 139), ("kill", 137), ("plain", 5)])
def test_whatever_ends_it(lives, cache, end, status):
    found = record([lives, end], by="qemu", cache=cache, reduce=16)
    assert found.status == status
    assert found.trace.pages > 200
    assert found.trace.origin.startswith(f"{lives} {end}; data references by qemu-user ")
    assert found.trace.origin.endswith("for LRU memories of 16 pages or more")


def test_threads(lives, cache):
    found = record([lives, "threads"], by="qemu", cache=cache)
    assert (found.status, found.lost) == (5, 0)
    assert found.trace.pages > 600


def test_children(lives, cache):
    found = record([lives, "fork"], by="qemu", cache=cache)
    assert (found.status, found.unrecorded) == (5, 0)
    (child,) = found.children
    assert 100 < child.trace.pages < found.trace.pages
    found = record([lives, "spawn"], by="qemu", cache=cache)
    (child,) = found.children
    assert child.command[1:] == ("-c", "true")
    assert (found.status, found.unrecorded, found.replaced) == (5, 0, False)


def test_a_signal_to_the_recorder(lives, cache):
    program = "import sys; from swapfast.record import record; f = record(sys.argv[2:], by='qemu',"
    program += " cache=sys.argv[1]); print(f.status, f.trace.pages > 200)"
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(cache), lives, "wait"],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout.readline() == "waiting\n"
    process.terminate()
    assert process.communicate()[0] == "143 True\n"


def test_scripts(cache, tmp_path):
    need("qemu")
    script = tmp_path / "script"
    script.write_text('#!/usr/bin/env sh\necho "$0" "$1"\nexit 7\n')
    script.chmod(0o755)
    program = "import sys; from swapfast.record import record"
    program += "; sys.exit(record(sys.argv[2:], by='qemu', cache=sys.argv[1]).status)"
    done = subprocess.run(
        [sys.executable, "-c", program, str(cache), str(script), "a"],
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout, done.stderr) == (7, f"{script} a\n", "")


@pytest.mark.slow
@pytest.mark.parametrize("by", ["qemu", "lackey"])
def test_sort(tmp_path, cache, by):
    need(by)
    words, out = tmp_path / "words.txt", tmp_path / "out"
    words.write_text("".join(f"{(i * 7919) % 101}\n" for i in range(101)))
    command = [shutil.which("sort"), "-n", "--parallel=1", "-o", str(out), str(words)]
    found = record(command, by=by, cache=cache, reduce=16)
    assert found.status == 0
    assert out.read_text() == "".join(f"{i}\n" for i in range(101))
    assert len(np.unique(found.trace.refs & ~WRITE)) == found.trace.pages > 50
    assert found.seen > 5 * len(found.trace)


@pytest.mark.slow
@pytest.mark.skipif("LD_PRELOAD" in os.environ, reason="another program's libraries")
def test_a_program_of_thousands_of_functions(cache):
    need("qemu")
    found = record([sys.executable, "-c", "import json"], by="qemu", cache=cache, reduce=64)
    assert found.status == 0
    assert found.trace.pages > 500
