"""``swapfast shell``: what its options make of a machine; what happens in one is in tests/shell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import swapfast.shell
from swapfast.shell import Ended, Wish


@pytest.fixture
def wished(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What would have been run or joined."""
    found: list[Any] = []

    def run(wish: Wish) -> int:
        found.append(wish)
        return 7

    def join(*words: object) -> int:
        found.append(words)
        return 8

    monkeypatch.setattr(swapfast.shell, "run", run)
    monkeypatch.setattr(swapfast.shell, "join", join)
    return found


def test_the_shell_of_the_user(run, wished, monkeypatch) -> None:
    monkeypatch.setenv("SHELL", "/bin/zsh")
    run("shell", code=7)
    (wish,) = wished
    assert wish.command == ("/bin/zsh",) and wish.name is None and not wish.newswap
    with wish.boot() as machine:
        assert machine.meminfo()["MemTotal"] == 65536 and machine.profile.name == "6.18"


def test_a_command_has_its_own_options(run, wished, tmp_path: Path) -> None:
    words = ["--newswap", "--memory", "8MiB", "--profile", "2.6.25", "--sysinfo", "namespaced"]
    words += ["--rule", "nested=deny", "--swap", "a", "--swap", "b", "--name", "x", "--trace"]
    words += ["--console", tmp_path / "c"]
    for dashes in ([], ["--"]):
        run("shell", *words, *dashes, "free", "-m", "--si", code=7)
        wish = wished.pop()
        assert wish.command == ("free", "-m", "--si") and wish.newswap and wish.trace
        assert list(map(str, wish.swaps)) == ["a", "b"] and wish.name == "x"
        assert wish.console == tmp_path / "c"
        with wish.boot() as machine:
            assert machine.rules.nested == "deny" and machine.rules.sysinfo == "namespaced"
            assert machine.profile.name == "2.6.25" and machine.meminfo()["MemTotal"] == 8192


def test_the_machine_of_a_scenario(run, wished) -> None:
    run("shell", "--scenario", "letter", "true", code=7)
    with wished[0].boot() as machine:
        assert machine.meminfo()["MemTotal"] == 262144 and machine.profile.name == "2.6.25"


def test_one_more_shell(run, wished) -> None:
    run("shell", "--join", "x", "--newswap", "--", "id", code=8)
    assert wished == [("x", ("id",), True)]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--join", "x", "--memory", "1GiB"], "--memory is of a new machine"),
        (["--join", "x", "--rule", "nested=deny"], "--rule is of a new machine"),
        (["--join", "x", "--name", "y"], "--name is of a new machine"),
        (["--scenario", "letter", "--profile", "6.18"], "does not go with --scenario"),
        (["--memory", "1KiB"], "64 to 2147483648 pages"),
        (["--profile", "7"], "there are 2.6.25"),
        (["--rule", "nested"], "it is NAME=VALUE"),
        (["--rule", "x=y"], "second_swapon"),
        (["--rule", "nested=perhaps"], "'allow', 'deny'"),
        (["--console", "-"], "not written to standard output"),
    ],
)
def test_wrong_usage(run, wished, words, said) -> None:
    assert said in run("shell", *words, "true", code=2).stderr
    assert wished == []


def test_a_machine_that_ends_has_its_exit_code(run, monkeypatch) -> None:
    def ended(wish: Wish) -> int:
        raise Ended("it was killed", 3)

    monkeypatch.setattr(swapfast.shell, "run", ended)
    assert run("shell", "true", code=3).stderr == "swapfast: it was killed\n"


def test_a_name_that_is_none(run) -> None:
    assert "a name has letters" in run("shell", "--join", "a b", "true", code=2).stderr
    assert "no machine of the name" in run("shell", "--join", "no-such", "true", code=3).stderr
