"""Ctrl-C while the command line starts: exit code 130, and no word of what was being imported."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

# Ctrl-C comes when the import of a module begins.
STRIKE = """
import os, signal, sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == os.environ["STRUCK"]:
            signal.raise_signal(signal.SIGINT)
sys.meta_path.insert(0, Finder())
"""
MODULES = [
    *("swapfast.build", "numpy", "swapfast._core", "swapfast.machine", "swapfast.cli"),
    *("swapfast.cli.commands", "click", "pydantic", "swapfast.cli.validate"),
]
SCRIPT = "import sys; sys.argv[0] = {!r}; from swapfast.cli import main; main()"


def heard() -> None:
    """A shell that starts the tests in the background has Ctrl-C ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def struck(at: str, arguments: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
    (folder / "sitecustomize.py").write_text(STRIKE)
    path = os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "STRUCK": at, "PYTHONPATH": path},
        preexec_fn=heard,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize("at", MODULES)
@pytest.mark.parametrize("command", [["-m", "swapfast"], ["-c", SCRIPT.format("/bin/swapfast")]])
def test_an_interrupt_while_it_starts(tmp_path: Path, command: list[str], at: str) -> None:
    done = struck(at, [*command, "swaps", os.devnull], tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


@pytest.mark.parametrize("at", ["numpy", "swapfast.machine"])
def test_a_program_that_imports_the_package_is_interrupted_as_ever(tmp_path: Path, at: str) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "try:\n    import swapfast\nexcept KeyboardInterrupt:\n    print('cleans up')\n"
    )
    for arguments in ([str(program)], ["-c", program.read_text()], ["-m", "timeit", "-n1", "-r1",
                      "try:", "  import swapfast", "except KeyboardInterrupt:",
                      "  print('cleans up')"]):  # fmt: skip
        done = struck(at, arguments, tmp_path)
        assert done.returncode == 0 and done.stdout.startswith("cleans up"), done.stderr


def test_the_command_answers_for_itself_in_the_end(tmp_path: Path) -> None:
    """Within a command it is said, as tests/cli/test_output.py has it."""
    code = (
        "import signal, sys; sys.argv = ['swapfast', '--version']\n"
        "from swapfast.cli import main\n"
        "assert signal.getsignal(signal.SIGINT) is not signal.default_int_handler\n"
        "try:\n    main()\n"
        "finally:\n    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler\n"
    )
    done = struck("", ["-c", code], tmp_path)
    assert done.returncode == 0 and "swapfast, version" in done.stdout, done.stderr
