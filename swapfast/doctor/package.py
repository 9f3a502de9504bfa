"""Python, the compiled core, and the packages of the extras.

- ``core()``: what nothing works without.
- ``extras()``: one finding for each extra of the package that a user may want.
"""

from __future__ import annotations

import errno
import os
import platform
import tempfile
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import swapfast
from swapfast.doctor.finding import Finding, found_by
from swapfast.errors import said, system_error
from swapfast.machine import Machine
from swapfast.swapfile import mkswap
from swapfast.swapfile.file_system import ALLOWED, own_folder, stacked
from swapfast.units import PAGE_SIZE

__all__ = ["EXTRAS", "core", "extras"]

PART = "core"
#: Extra: the packages of it, and what it gives. A test holds them against pyproject.toml.
EXTRAS: dict[str, tuple[tuple[str, ...], str]] = {
    "cli": (("click", "rich", "pydantic", "tomli-w"), "the command line and scenarios"),
    "plot": (("matplotlib",), "--plot, report, pictures in notebooks"),
    "zstd": (("zstandard",), "traces that are packed by zstd"),
    "frame": (("pandas",), "to_frame() of results"),
    "dask": (("distributed",), "sweep on a cluster"),
}
PLACES = ("/dev/shm",)
PAGES = 1536  # of a machine with 1024


def core() -> Iterator[Finding]:
    """Python, numpy, swapfast itself, and folders for swapfiles."""
    python = f"{platform.python_version()}, {platform.machine()}"
    yield Finding(PART, "Python", "ok", python, "runs swapfast", needed=True)
    yield Finding(PART, "numpy", "ok", version("numpy"), "arrays", needed=True)
    try:
        found = _swap_pages()
        yield Finding(PART, "swapfast", "ok", found, "everything", needed=True)
    except Exception as error:  # whatever it is, nothing works
        cause = said(error) if isinstance(error, OSError) else f"{type(error).__name__}: {error}"
        remedy = "build it anew: make setup"
        yield Finding(PART, "swapfast", "missing", cause, "everything", remedy, needed=True)
    for folder in dict.fromkeys((tempfile.gettempdir(), *PLACES)):
        yield found_by(
            PART, f"swapfiles in {folder}", "swapon of your own swapfiles there", _taker(folder)
        )


def _swap_pages() -> str:
    """Pages go to a real swapfile and come back.

    Raises
    ------
    AssertionError
        None did, or one with other bytes.
    """
    texts = [b"page %d of the doctor" % number for number in range(PAGES)]
    with tempfile.TemporaryDirectory() as folder, own_folder(folder):
        path = os.path.join(folder, "swap")
        mkswap(path, size="8MiB")
        machine = Machine("4MiB")
        login = machine.init.clone(swapfast.NEWSWAP | swapfast.NEWIPC)
        login.swapon(path)
        heap = login.mmap(PAGES * PAGE_SIZE)
        for number, text in enumerate(texts):
            heap.write(number * PAGE_SIZE, text)
        back = [heap.read(number * PAGE_SIZE, len(text)) for number, text in enumerate(texts)]
        out = machine.vmstat()["pswpout"]
        machine.close()
    if not out:
        raise AssertionError("nothing was swapped out where memory was short")
    if back != texts:
        raise AssertionError("a page that was swapped out came back with other bytes")
    return f"{swapfast.__version__}, swapped {out} pages to a file and back"


def _taker(folder: str) -> Callable[[], str]:
    def look() -> str:
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            name = stacked(fd)
        finally:
            os.close(fd)
        if name is not None and os.environ.get(ALLOWED) != "1":
            raise system_error(
                errno.EOPNOTSUPP, f"is on {name}, which takes none; use another folder, or a volume"
            )
        if not os.access(folder, os.W_OK):
            raise system_error(errno.EACCES, "may not be written; use a folder of your own")
        return "taken"

    return look


def extras() -> Iterator[Finding]:
    """The packages of each extra."""
    for name, (packages, gives) in EXTRAS.items():
        there = {package: _version(package) for package in packages}
        missing = [package for package, number in there.items() if number is None]
        if missing:
            found = f"no {', '.join(missing)}"
            yield Finding("extras", name, "missing", found, gives, _install(name, name == "cli"))
        else:
            found = ", ".join(f"{package} {number}" for package, number in there.items())
            yield Finding("extras", name, "ok", found, gives)


def _install(extra: str, needed: bool) -> str:
    if (Path(swapfast.__file__).parents[1] / "pyproject.toml").exists():
        return "make setup" if needed else f"pip install '.[{extra}]' in the checkout"
    return f"pip install 'swapfast[{extra}]'"


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
