"""Files that no person wrote: refused at once, with a line that a terminal shows as it is."""

from __future__ import annotations

import pytest

from swapfast.errors import Interrupted
from swapfast.scenario import ScenarioError, execute, load
from swapfast.scenario.load import MOST_BYTES, parse

LOGIN = "[[login]]\nname = 'a'\n"
KILLED = """\
[machine]
memory = "8MiB"
overcommit = 1
[[swapfile]]
name = "s1"
size = "64KiB"
[[login]]
name = "a"
swapon = ["s1"]
[[login.program]]
kind = "generator"
pattern = "uniform"
pages = 4000
refs = 50000
write_ratio = 1.0
"""
HOSTILE = {
    "a key of many parts": (".".join(["a"] * 30000) + " = 1", "a key of more than 32 parts"),
    "a table of many parts": ("[" + ".".join(["a"] * 30000) + "]", "more than 32 parts"),
    "quoted parts": ("x = {" + '"a.b" . ' * 6000 + "c = 1}", "more than 32 parts"),
    "many logins": ("".join(f"[[login]]\nname='a{i}'\n" for i in range(2500)), "1000"),
    "many empty logins": ("[[login]]\n" * 6000, "mistakes more"),
    "many programs": (LOGIN + "[[login.program]]\n" * 3500, "mistakes more"),
    "many tables": ("".join(f"[a{i}]\n" for i in range(7000)), "mistakes more"),
    "open lists": ("x = " + "[" * 30000, "too deep"),
    "open tables": ("x = " + "{a=" * 15000, "too deep"),
    "a long number": ("[machine]\nmemory = " + "9" * 5000, "digits"),
    "a long hex number": (f"[machine]\nswappiness = 0x{'f' * 50000}\n{LOGIN}", "digits"),
    "a long rule": ("[machine.rules]\n" + "".join(f"k{i}='a'\n" for i in range(5000)), "no rule"),
    "a long key": ("k" * 60000 + " = 1", "no such key"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_refused_at_once(name):
    text, words = HOSTILE[name]
    assert len(text) <= MOST_BYTES
    with pytest.raises(ScenarioError) as caught:
        parse(text, "x.toml")
    assert any(words in problem for problem in caught.value.problems), caught.value.problems[:3]
    assert len(caught.value.problems) <= 33
    assert all(len(problem) < 500 for problem in caught.value.problems)


def test_a_large_file(tmp_path):
    (tmp_path / "x.toml").write_text("#" * (MOST_BYTES + 1))
    with pytest.raises(ScenarioError, match="larger than"):
        load(tmp_path / "x.toml")


def test_dots_in_texts_are_no_keys():
    dots = "." * 60
    assert parse(f'title = "{dots}" # {dots}\n{LOGIN}', "x").title == dots


def test_a_killed_program_is_not_ok(tmp_path):
    report = execute(parse(KILLED, "x"), tmp_path)
    assert report.programs[0].killed and not report.ok
    assert report.problems[0].startswith("a: generator was killed: out of memory: Killed process")
    assert report.as_dict()["problems"] == report.problems


def test_a_kill_that_is_expected(tmp_path):
    (tmp_path / "d").mkdir()
    report = execute(parse(KILLED + 'expect = "killed"\n', "x"), tmp_path)
    assert report.programs[0].killed and report.ok
    enough = KILLED.replace("64KiB", "32MiB") + 'expect = "killed"\n'
    report = execute(parse(enough, "x"), tmp_path / "d")
    assert report.problems == ["a: generator was not killed, as the scenario has it"]


def test_an_interrupt_keeps_what_was_there(tmp_path):
    text = KILLED.replace("64KiB", "32MiB")
    twice = text + text[text.index("[[login.program]]") :]
    traces = 0

    def progress(what, done, of):
        nonlocal traces
        traces += what.startswith("trace")
        if traces == 2:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted) as caught:
        execute(parse(twice, "x"), tmp_path, progress)
    report = caught.value.result
    assert report.interrupted and not report.ok
    first, second = report.programs
    assert first.replay.pages_wrong == 0 and second.replay is None
    assert second.reason == "interrupted" and report.vmstat["pswpout"] > 0
