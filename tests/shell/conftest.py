"""Where shells are possible; programs of our own, compiled once; swapfiles."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.shells import compiled, passable, shell
from tests.support.swapfiles import swapfile


@pytest.fixture(scope="session", autouse=True)
def _able() -> None:
    """Skip where the kernel or a sandbox does not allow a shell, with its own sentence."""
    try:
        shell("true")
    except AssertionError as error:
        code, _, said = error.args[0]
        if code != 3:
            raise
        pytest.skip(said)


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """``program("calls", "-static")``: compiled; skipped without a compiler or static libraries."""
    folder = tmp_path_factory.mktemp("programs")
    passable(folder)
    made: dict[tuple[str, ...], Path | None] = {}

    def make(name: str, *flags: str) -> Path:
        key = (name, *flags)
        if key not in made:
            made[key] = compiled(name, folder, *flags)
        found = made[key]
        if found is None:
            pytest.skip(f"{name}.c cannot be compiled here with {' '.join(flags) or 'cc'}")
        return found

    return make


@pytest.fixture
def s1(tmp_path: Path) -> Path:
    return swapfile(tmp_path / "s1", 100)


@pytest.fixture
def s2(tmp_path: Path) -> Path:
    return swapfile(tmp_path / "s2", 100)
