"""Swapfiles that break while they are on: what the state machine found, one test each."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

import swapfast as sf
from swapfast.swapfile import SwapBacking
from tests.support.broken_files import bad_sectors
from tests.support.swapfiles import NEWSWAP, PAGE, SwapfileMaker


def break_all(machine: sf.Machine) -> None:
    """No slot of any area can be used any more, and it has been tried."""
    for area in machine.areas.values():
        assert isinstance(area.backing, SwapBacking)
        bad_sectors(area.backing, 1, area.backing.end)
    pressure = machine.init.clone().mmap(300 * PAGE)
    with suppress(sf.TaskKilled):
        for page in range(pressure.pages):
            pressure.write(page * PAGE, b"x")
    assert not any(area.info["writeok"] for area in machine.areas.values())


def test_a_checkpoint_names_its_own_area(make_swap: SwapfileMaker, tmp_path: Path) -> None:
    """Not the one in which an error was met last, which may be off by now."""
    machine = sf.Machine(200 * PAGE, overcommit=1)
    logins = []
    for name in ("a", "b"):
        login = machine.init.clone(NEWSWAP, name)
        login.swapon(make_swap(name, 200))
        logins.append(login)
    a, b = logins
    for login in logins:
        login.mmap(30 * PAGE).touch(write=True, tag=login.name)
    break_all(machine)
    b.exit()
    with pytest.raises(OSError, match="slot") as caught:
        a.swap_ns.checkpoint(tmp_path / "image")
    assert caught.value.filename == str(tmp_path / "a")
    assert "not used any more" in caught.value.strerror
    machine.verify()
