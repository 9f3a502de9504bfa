"""What shells complete, and pages of the manual."""

from __future__ import annotations

import os
import pty
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete

from swapfast.cli.commands import swapfast
from swapfast.cli.completion import SHELLS, VARIABLE
from swapfast.cli.manual import pages
from swapfast.replay import policies
from swapfast.scenario import bundled_names

ROOT = Path(__file__).parents[2]


def completed(*words: str) -> list[str]:
    """What fits a command line whose last word is not finished."""
    *args, incomplete = words
    found = ShellComplete(swapfast, {}, "swapfast", VARIABLE).get_completions(args, incomplete)
    return [one.value for one in found if one.type == "plain"]


def commands(group: click.Group = swapfast, *names: str):
    for name, command in group.commands.items():
        yield (*names, name), command
        if isinstance(command, click.Group):
            yield from commands(command, *names, name)


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("compl",), ["completion"]),
        (("run", "iso"), ["isolation"]),
        (("compare", ""), list(bundled_names())),
        (("scenario", "show", "winn"), ["winners"]),
        (("replay", "t.npz", "-p", ""), list(policies())),
        (("replay", "t.npz", "--policy", "siev"), ["sieve"]),
        (("mrc", "t.npz", "-p", "lru,si"), ["lru,sieve"]),
        (("replay", "t.npz", "--profile", "ho"), ["host"]),
        (("replay", "t.npz", "--device", "nv"), ["nvme"]),
        (("replay", "t.npz", "--format", "lack"), ["lackey"]),
        (("ltp", "-t", "swapon0"), ["swapon01", "swapon02", "swapon03"]),
        (("completion", "f"), ["fish"]),
    ],
)
def test_names_complete(words, found):
    assert completed(*words) == found


def test_files_are_offered_beside_scenarios():
    found = ShellComplete(swapfast, {}, "swapfast", VARIABLE).get_completions(["run"], "x")
    assert [one.type for one in found] == ["file"]


@pytest.fixture
def program(tmp_path):
    """An environment in which ``swapfast`` is this checkout's."""
    folder = tmp_path / "bin"
    folder.mkdir()
    script = folder / "swapfast"
    script.write_text(f"#!{sys.executable}\nfrom swapfast.cli import main\nmain()\n")
    script.chmod(0o755)
    path = f"{folder}:{os.environ['PATH']}"
    return {"PATH": path, "PYTHONPATH": str(ROOT), "HOME": str(tmp_path), "TERM": "dumb"}


def shell(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path


def typed(command: list[str], lines: list[str], env: dict[str, str], until: str) -> str:
    """What a terminal shows after some lines, until a text is there or nothing comes for long."""
    pid, fd = pty.fork()
    if pid == 0:
        os.execve(command[0], command, env)
    shown = ""
    try:
        for line in lines:
            os.write(fd, line.encode())
            time.sleep(0.2)
        end = time.monotonic() + 30
        while until not in shown and time.monotonic() < end:
            if select.select([fd], [], [], 0.5)[0]:
                shown += os.read(fd, 65536).decode(errors="replace")
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
        os.close(fd)
    return shown


BEGIN = {
    "bash": (["--norc", "--noprofile", "-i"], 'eval "$(swapfast completion bash)"; echo rea""dy\n'),
    "zsh": (
        ["-f", "-i"],
        'autoload -Uz compinit; compinit -u; eval "$(swapfast completion zsh)"; echo rea""dy\n',
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", BEGIN)
def test_a_shell_at_a_terminal_completes(name, program):
    options, begin = BEGIN[name]
    lines = [begin, "swapfast run isol\t"]
    assert "run isolation" in typed([shell(name), *options], lines, program, "run isolation")


@pytest.mark.slow
def test_fish_completes(program):
    code = "swapfast completion fish | source; complete -C 'swapfast replay t.npz -p siev'"
    done = subprocess.run(
        [shell("fish"), "-c", code], env=program, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.split() == ["sieve"], done.stderr


@pytest.mark.parametrize("name", SHELLS)
def test_the_text_for_each_shell(run, name):
    assert VARIABLE in run("completion", name).stdout


def test_every_command_has_examples_that_are_its_own():
    for names, command in commands():
        assert "Example" in command.help, names
        assert f"swapfast {' '.join(names)}" in command.help, names


def test_every_command_has_a_page(run, tmp_path):
    told = dict(pages(swapfast))
    assert len(told) == 1 + len(list(commands()))
    for names, _ in commands():
        text = told[f"swapfast-{'-'.join(names)}.1"]
        for part in ("NAME", "SYNOPSIS", "OPTIONS", "EXAMPLES", "SEE ALSO"):
            assert f".SH {part}\n" in text, names
        assert "\b" not in text
    run("man", "--write", tmp_path / "man1")
    assert {path.name for path in (tmp_path / "man1").iterdir()} == told.keys()
    assert run("man", "replay").stdout == told["swapfast-replay.1"]
    assert "has no command 'nothing'" in run("man", "nothing", code=2).stderr
    assert "does not go with" in run("man", "run", "--write", tmp_path, code=2).stderr


def test_man_takes_every_page_without_a_warning(tmp_path):
    viewer = shutil.which("groff")
    if viewer is None:
        pytest.skip("groff is not installed")
    files = []
    for name, text in pages(swapfast):
        (tmp_path / name).write_text(text)
        files.append(str(tmp_path / name))
    done = subprocess.run(
        [viewer, "-man", "-ww", "-Kutf8", "-Tutf8", *files], capture_output=True, text=True
    )
    assert done.returncode == 0 and done.stderr == ""
    assert "swapfast replay sort.npz -m 25%,50%,75%" in done.stdout
