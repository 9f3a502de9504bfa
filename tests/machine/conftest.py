"""Fixtures of the machine's tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.swapfiles import PROFILES, SwapfileMaker, swapfile


@pytest.fixture(params=PROFILES)
def profile(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def make_swap(tmp_path: Path) -> SwapfileMaker:
    """A swapfile of that name and so many pages, header included."""

    def make(name: str, pages: int = 20) -> Path:
        return swapfile(tmp_path / name, pages)

    return make
