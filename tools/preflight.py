"""What must be on the machine before anything is installed: the first thing missing, in one line.

- ``python tools/preflight.py``: prints nothing and exits with 0, or prints one line that names the
  package to install and exits with 2.
- ``first_problem()``: the same line, or None.

Standard library only, and no syntax newer than Python 3.8: it must run on an interpreter that is
too old in order to say so.
"""

from __future__ import annotations

import importlib
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile

PYTHON_MIN = (3, 11)
HELLO = "#include <stdlib.h>\nint main(void) { return EXIT_SUCCESS; }\n"


def python_problem(version=sys.version_info):
    """The interpreter is too old."""
    if tuple(version[:2]) >= PYTHON_MIN:
        return None
    return (
        f"Python {version[0]}.{version[1]} is too old, 3.11 or newer is needed: install python3.11 "
        "(Debian/Ubuntu: apt-get install python3.11 python3.11-venv python3.11-dev; "
        "Fedora: dnf install python3.11-devel), or name one: make PYTHON=/path/to/python3"
    )


def venv_problem(version=sys.version_info):
    """The modules that make a virtual environment with pip in it; Debian packs them apart."""
    for module in ("venv", "ensurepip"):
        try:
            importlib.import_module(module)
        except ImportError:
            package = f"python{version[0]}.{version[1]}-venv"
            return (
                f"this Python has no {module} module: install {package} "
                f"(Debian/Ubuntu: apt-get install {package}; Fedora: dnf install python3)"
            )
    return None


def compiler_problem(environ=os.environ):
    """The C compiler that setuptools would call: absent, or without the C library's headers."""
    command = shlex.split(environ.get("CC") or sysconfig.get_config_var("CC") or "cc")
    if shutil.which(command[0], path=environ.get("PATH", os.defpath)) is None:
        return (
            f"no C compiler found ({command[0]!r}): install gcc "
            "(Debian/Ubuntu: apt-get install gcc libc6-dev; Fedora: dnf install gcc), "
            "or name another: make CC=clang"
        )
    with tempfile.TemporaryDirectory() as folder:
        source = os.path.join(folder, "hello.c")
        with open(source, "w", encoding="ascii") as file:
            file.write(HELLO)
        build = subprocess.run(
            [*command, source, "-o", os.path.join(folder, "hello")],
            env=dict(environ),
            capture_output=True,
            check=False,
        )
    if build.returncode == 0:
        return None
    return (
        f"the C compiler {command[0]!r} cannot build a program: install the C library's headers "
        "(Debian/Ubuntu: apt-get install libc6-dev; Fedora: dnf install glibc-devel)"
    )


def headers_problem(include=None, version=sys.version_info):
    """Python.h of this very interpreter."""
    include = include or sysconfig.get_path("include")
    if os.path.isfile(os.path.join(include, "Python.h")):
        return None
    package = f"python{version[0]}.{version[1]}-dev"
    return (
        f"no Python.h in {include}: install {package} "
        f"(Debian/Ubuntu: apt-get install {package}; Fedora: dnf install python3-devel)"
    )


def first_problem():
    """One line about the first thing missing, or None."""
    for check in (python_problem, venv_problem, compiler_problem, headers_problem):
        problem = check()
        if problem:
            return "swapfast: " + problem
    return None


if __name__ == "__main__":
    line = first_problem()
    if line:
        print(line)
        sys.exit(2)
