"""What the machine lacks is said in one line that names the package, before pip says anything.

- the script alone, each check with the thing taken away
- the Makefile around it, under a path with blanks
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from importlib import util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "tools" / "preflight.py"


@pytest.fixture(scope="module")
def preflight() -> ModuleType:
    spec = util.spec_from_file_location("preflight", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def toolbox(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A PATH with make and a shell, without any compiler."""
    folder = tmp_path_factory.mktemp("toolbox")
    for name in ("make", "sh", "rm", "sed", "touch"):
        found = shutil.which(name)
        if found is None:
            pytest.skip(f"{name} is not installed")
        (folder / name).symlink_to(found)
    return folder


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The files that set-up reads, under a path with blanks."""
    folder = tmp_path / "my check out"
    (folder / "tools").mkdir(parents=True)
    for name in ("Makefile", "pyproject.toml", "setup.py", "tools/preflight.py"):
        shutil.copy(ROOT / name, folder / name)
    return folder


def make(folder: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    # Whatever an outer make passes down (flags, CC) is not part of the case.
    clean = {k: v for k, v in os.environ.items() if not k.startswith("MAKE") and k != "CC"}
    return subprocess.run(
        ["make", "--no-print-directory", *arguments],
        cwd=folder,
        env={**clean, **environ},
        capture_output=True,
        text=True,
    )


def assert_one_line(done: subprocess.CompletedProcess[str], *words: str) -> None:
    assert done.returncode == 2
    lines = (done.stdout + done.stderr).splitlines()
    assert len(lines) == 1, lines
    for word in ("swapfast: ", *words):
        assert word in lines[0]


def test_complete_machine_has_no_problem(preflight: ModuleType) -> None:
    if shutil.which((sysconfig.get_config_var("CC") or "cc").split()[0]) is None:
        pytest.skip("no C compiler here")
    assert preflight.first_problem() is None


def test_old_python(preflight: ModuleType) -> None:
    assert "Python 3.10 is too old" in preflight.python_problem((3, 10, 12))
    assert "apt-get install python3.11" in preflight.python_problem((3, 10, 12))
    assert preflight.python_problem((3, 11, 0)) is None


def test_no_compiler_on_path(preflight: ModuleType, tmp_path: Path) -> None:
    problem = preflight.compiler_problem({"PATH": str(tmp_path)})
    assert "no C compiler found" in problem
    assert "apt-get install gcc" in problem
    assert "dnf install gcc" in problem


def test_named_compiler_is_looked_for(preflight: ModuleType) -> None:
    assert "'no-such-cc'" in preflight.compiler_problem({**os.environ, "CC": "no-such-cc -m64"})


def test_compiler_that_cannot_compile(preflight: ModuleType, tmp_path: Path) -> None:
    broken = tmp_path / "broken-cc"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    problem = preflight.compiler_problem({**os.environ, "CC": str(broken)})
    assert "apt-get install libc6-dev" in problem


def test_no_python_headers(preflight: ModuleType, tmp_path: Path) -> None:
    problem = preflight.headers_problem(str(tmp_path), (3, 12, 1))
    assert "no Python.h" in problem
    assert "apt-get install python3.12-dev" in problem
    (tmp_path / "Python.h").touch()
    assert preflight.headers_problem(str(tmp_path)) is None


@pytest.mark.parametrize("module", ["venv", "ensurepip"])
def test_no_venv_module(module: str, tmp_path: Path) -> None:
    # Debian without python3-venv: the module exists in the standard library's name only.
    (tmp_path / f"{module}.py").write_text("raise ImportError('not packed here')\n")
    done = subprocess.run(
        [sys.executable, str(SCRIPT)],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    package = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
    assert_one_line(done, f"no {module} module", f"apt-get install {package}")


@pytest.mark.parametrize("target", ["setup", "run", "test", "bench"])
def test_make_without_compiler(target: str, checkout: Path, toolbox: Path) -> None:
    done = make(checkout, target, f"PYTHON={sys.executable}", PATH=str(toolbox))
    assert_one_line(done, "no C compiler found", "apt-get install gcc")
    assert not (checkout / ".venv").exists()


def test_make_without_python(checkout: Path, toolbox: Path) -> None:
    assert_one_line(
        make(checkout, "setup", PATH=str(toolbox)), "no Python found", "apt-get install python3"
    )


def test_make_with_absent_interpreter(checkout: Path) -> None:
    done = make(checkout, "setup", "PYTHON=/no such/python")
    assert_one_line(done, "/no such/python", "apt-get install python3")


def test_make_names_the_compiler_it_was_given(checkout: Path) -> None:
    done = make(checkout, "setup", f"PYTHON={sys.executable}", "CC=no-such-cc")
    assert_one_line(done, "'no-such-cc'")
