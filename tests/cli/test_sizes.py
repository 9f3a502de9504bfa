"""Sizes without a unit, and several at once."""

import re

import pytest

import swapfast as sf
from swapfast.replay import replay
from swapfast.scenario import Scenario
from swapfast.traces import generate, save_npz
from swapfast.units import parse_share, without_unit


@pytest.fixture
def trace(tmp_path):
    path = tmp_path / "zipf.npz"
    save_npz(path, generate("zipf", pages=500, refs=20500, seed=7))
    return path


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("50", "50 is 50 bytes, less than a page; did you mean 50% or 50MiB?"),
        (" 512 ", "512 is 512 bytes, less than a page; did you mean 512MiB?"),
        ("4095", "4095 is 4095 bytes, less than a page; did you mean 4095MiB?"),
        ("4096", None),
        ("0", None),
        ("50%", None),
        ("100B", None),
        ("99999", None),
        (50, None),
    ],
)
def test_a_number_that_is_meant_otherwise(text, says):
    assert without_unit(text) == says


def test_a_share_is_offered_only_where_it_is_understood():
    assert without_unit("50", share=False).endswith("did you mean 50MiB?")


@pytest.mark.parametrize(
    "args",
    [
        ["replay", "TRACE", "-m", "50"],
        ["replay", "TRACE", "-m", "25%,50"],
        ["replay", "TRACE", "-m", "50%", "--swap", "50"],
        ["mrc", "TRACE", "--sizes", "10%,50"],
        ["checkpoint", "TRACE", "s1", "image", "-m", "50"],
        ["shell", "--memory", "50", "--", "true"],
        ["ltp", "-t", "fork01", "--memory", "50"],
        ["mkswap", "s1", "50"],
    ],
)
def test_every_command_says_so(run, trace, tmp_path, monkeypatch, args):
    monkeypatch.chdir(tmp_path)
    error = run(*[str(trace) if a == "TRACE" else a for a in args], code=2).stderr
    assert "50 is 50 bytes, less than a page; did you mean 50" in error
    assert len(error.splitlines()) == 1


def test_so_do_the_library_and_scenarios():
    with pytest.raises(ValueError, match=r"memory: 50 is 50 bytes.*50MiB"):
        sf.Machine("50")
    with pytest.raises(ValueError, match=r"did you mean 50% or 50MiB"):
        parse_share("50", 1000)
    with pytest.raises(ValueError, match=r"64 is 64 bytes.*64MiB"):
        Scenario.model_validate({"machine": {"memory": "64"}})


def test_several_memories_are_a_row_each(run, trace):
    one = [run("replay", trace, "-m", m, "--json").json for m in ("25%", "50%", "75%")]
    told = run("replay", trace, "-m", "25%,50%, 75%,50%", "--json").json["replays"]
    kept = ("memory_pages", "pgmajfault", "pswpin", "pswpout", "simulated_s")
    assert [[r[k] for k in kept] for r in told] == [[r[k] for k in kept] for r in one]
    text = run("replay", trace, "-m", "25%,50%,75%").stdout
    rows = [re.split(" {2,}", line.strip()) for line in text.splitlines() if "%" in line]
    assert [row[1] for row in rows] == ["25%", "50%", "75%"]
    assert [row[3].replace("\u202f", "") for row in rows] == [str(r["pgmajfault"]) for r in one]


def test_several_memories_of_a_policy_alone(run, trace):
    text = run("replay", trace, "-m", "25%,50%", "-p", "lru").stdout
    assert "lru alone" in text and "simulated" not in text


def test_one_memory_is_what_it_was(run, trace):
    facts = run("replay", trace, "-m", "50%", "--json").json
    assert facts["memory_pages"] == 250 and "replays" not in facts
    assert (
        replay(generate("zipf", pages=500, refs=20500, seed=7), "50%").pgmajfault
        == (facts["pgmajfault"])
    )
