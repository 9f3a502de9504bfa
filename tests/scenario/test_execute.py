"""Scenarios run: real files, real bytes, and the facts that come out."""

import errno
import shutil
import subprocess

import pytest

from swapfast.scenario import execute
from swapfast.scenario.load import parse
from swapfast.swapfile import strings

TWO_LOGINS = """
title = "two logins"
[machine]
memory = "16MiB"
profile = "{profile}"
[[swapfile]]
name = "s1"
size = "8MiB"
[[swapfile]]
name = "s2"
size = "8MiB"
[[login]]
name = "one"
swapon = ["s1"]
[[login.program]]
kind = "generator"
pattern = "zipf"
pages = 1000
refs = 20000
memory = "25%"
[[login]]
name = "two"
swapon = ["s2"]
"""


@pytest.fixture(params=["2.6.25", "6.18"])
def report(request, tmp_path):
    """The report, and the folder in which its files are left."""
    scenario = parse(TWO_LOGINS.format(profile=request.param), "t.toml")
    return execute(scenario, tmp_path), tmp_path


def test_pages_went_through_the_file_and_came_back_right(report):
    facts = report[0].programs[0].replay
    assert facts.pswpout > 500 and facts.pswpin > 500
    assert facts.pages_checked == 1000 and facts.pages_wrong == 0
    assert report[0].ok


def test_the_neighbours_file_holds_nothing(report):
    facts, folder = report
    one, two = facts.isolation
    assert one.pages_nonzero > 500
    assert two.pages_nonzero == 0 and two.pages_written == 0 and two.clean
    assert not any("one/0" in text for _, text in strings(folder / "s2"))
    assert any("one/0" in text for _, text in strings(folder / "s1"))


@pytest.mark.skipif(shutil.which("strings") is None, reason="binutils are not installed")
def test_strings_of_binutils_agrees(report):
    _, folder = report
    out = subprocess.run(["strings", folder / "s2"], capture_output=True, text=True, check=True)
    # The random UUID may happen to look like text; the last string is the signature.
    assert out.stdout.split()[-1] == "SWAPSPACE2" and "one/0" not in out.stdout


def test_swaps_before_and_after(report):
    facts, _ = report
    assert len(facts.swaps_before.splitlines()) == 3
    assert len(facts.swaps_after.splitlines()) == 1


def test_a_leak_would_be_seen(tmp_path):
    """Both logins in the initial namespace share both files: the check must say so."""
    text = TWO_LOGINS.format(profile="2.6.25").replace('size = "8MiB"', 'size = "1MiB"', 1)
    text = text.replace('name = "one"', 'name = "one"\nnamespace = false')
    text = text.replace('name = "two"', 'name = "two"\nnamespace = false')
    report = execute(parse(text, "t.toml"), tmp_path)
    assert not report.ok
    two = report.isolation[1]
    assert not two.clean and two.foreign_tags["one"] > 0


def test_existing_swapfiles_are_not_overwritten(tmp_path):
    (tmp_path / "s1").write_bytes(b"precious")
    with pytest.raises(OSError) as caught:
        execute(parse(TWO_LOGINS.format(profile="6.18"), "t.toml"), tmp_path)
    assert caught.value.errno == errno.EEXIST
    assert (tmp_path / "s1").read_bytes() == b"precious"


def test_the_same_scenario_gives_the_same_counters(tmp_path):
    scenario = parse(TWO_LOGINS.format(profile="2.6.25"), "t.toml")
    first, second = execute(scenario), execute(scenario)
    assert first.vmstat == second.vmstat and first.simulated_ns == second.simulated_ns


def test_a_killed_program_is_a_fact(tmp_path):
    text = TWO_LOGINS.format(profile="6.18").replace('memory = "25%"', "")
    text = text.replace("pages = 1000", "pages = 8000").replace('swapon = ["s1"]', "")
    text = text.replace("[machine]", "[machine]\novercommit = 1")
    report = execute(parse(text, "t.toml"), tmp_path)
    assert report.programs[0].killed and report.programs[0].replay is None
    assert any("Killed process" in line for line in report.console)
