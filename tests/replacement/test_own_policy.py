"""A policy in a file of the user's, by its name."""

import numpy as np
import pytest
from click.testing import CliRunner

from swapfast.cli.commands import swapfast
from swapfast.mrc import miss_ratio_curve
from swapfast.replacement import simulate
from swapfast.replay import replay
from swapfast.traces import generate, save_npz

FIFO = """from collections import deque

class Fifo:
    def __init__(self):
        self.order = deque()
    def hit(self, page):
        pass
    def enter(self, page):
        self.order.append(page)
    def victim(self):
        return self.order.popleft()

class Wrong(Fifo):
    def victim(self):
        return 10**9

class Broken(Fifo):
    def victim(self):
        raise KeyError("lost")

class Half:
    def hit(self, page):
        pass
"""


@pytest.fixture
def trace():
    return generate("zipf", pages=200, refs=5000, seed=4)


@pytest.fixture
def mine(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(FIFO)
    return tmp_path / "mine.py"


def test_a_policy_of_a_file_counts_as_the_compiled_one(trace, mine):
    theirs, ours = simulate(trace, 40, "fifo"), simulate(trace, 40, f"{mine}:Fifo")
    assert (ours.misses, ours.written) == (theirs.misses, theirs.written)
    assert ours.policy == "Fifo" and ours.misses > 200
    assert replay(trace, "20%", policy="mine.py:Fifo").pgmajfault == theirs.misses - theirs.first
    sizes = [20, 40, 100]
    curves = [miss_ratio_curve(trace, p, sizes=sizes).faults for p in ("mine.py:Fifo", "fifo")]
    assert np.array_equal(*curves)


def test_by_the_name_of_a_module(trace, mine, monkeypatch):
    mine.rename(mine.with_name("my_own_policies.py"))
    monkeypatch.setattr("sys.path", [*__import__("sys").path])
    assert simulate(trace, 40, "my_own_policies:Fifo").policy == "Fifo"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("none.py:Fifo", "none.py: no such file"),
        ("no_such_module:Fifo", "there is no module no_such_module"),
        ("mine.py:Lifo", "mine.py has no Lifo"),
        ("mine.py:Half", "it has no method enter, victim"),
        ("mine.py:", "it is like module:Class or file.py:Class"),
        ("mine.py:Wrong", "mine.py:14: Wrong at reference "),
        ("mine.py:Wrong", "named page 1000000000, which is not in memory"),
        ("mine.py:Broken", "mine.py:19: Broken at reference "),
        ("mine.py:Broken", "KeyError: 'lost'"),
        ("torn.py:Torn", "torn.py:2: "),
        ("bad.py:Bad", "bad.py:1: ZeroDivisionError"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(trace, mine, name, says):
    mine.with_name("torn.py").write_text("x = 1\nclass\n")
    mine.with_name("bad.py").write_text("1 / 0\n")
    save_npz("t.npz", trace)
    for args in (["replay", "t.npz", "-m", "20%"], ["mrc", "t.npz", "--sizes", "20%"]):
        done = CliRunner().invoke(swapfast, [*args, "-p", name])
        assert done.exit_code == 2 and says in done.stderr, done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_the_position_is_the_first_eviction(trace, mine):
    _, firsts = np.unique(trace.refs & 0x7FFFFFFF, return_index=True)
    position = np.sort(firsts)[40]  # the first touch of one page more than there are frames
    with pytest.raises(ValueError, match=f"at reference {position} of the trace, with 40 frames"):
        simulate(trace, 40, "mine.py:Broken")


def test_the_commands_say_the_rate(trace, mine):
    save_npz("t.npz", trace)
    done = CliRunner().invoke(swapfast, ["mrc", "t.npz", "-p", "lru,mine.py:Fifo"])
    assert done.exit_code == 0 and "M references/s in Python" in done.stdout
    done = CliRunner().invoke(swapfast, ["replay", "t.npz", "-m", "20%", "-p", "mine.py:Fifo"])
    assert "Fifo alone" in done.stdout and "M references/s" in done.stdout


def test_it_takes_no_machine(trace, mine):
    with pytest.raises(ValueError, match="stands alone"):
        replay(trace, "20%", policy="mine.py:Fifo", page_cluster=0)
