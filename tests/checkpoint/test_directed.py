"""Images that name files of others: nothing is written, made, locked for long or waited for."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from swapfast.checkpoint import export, inspect, pages, read_image, verify
from swapfast.checkpoint.disk import Disk
from swapfast.checkpoint.stored import pack
from swapfast.machine import restart
from tests.support.chains import chain_of, edited, fact
from tests.support.jobs import PAGE, boot
from tests.support.members import canonical, members
from tests.support.seen import contents
from tests.support.small_job import AREA, JOB, namespace_of, scribble, small_job


class Untouched(Disk):
    """Nothing is to be changed."""

    def _never(self, *arguments: Any) -> Any:
        raise AssertionError(f"a change to a disk: {arguments}")

    create = write = clone = allocate = sync = sync_data = _never  # type: ignore[assignment]
    rename = sync_folder = remove = _never  # type: ignore[assignment]


@contextmanager
def shared(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every block of every file is shared with a copy, as after `cp --reflink`."""
    with monkeypatch.context() as patch:
        patch.setattr(pages, "shared_ranges", lambda fd, size: [(0, size)])
        yield


def image_that_names(folder: Path, path: str) -> Path:
    """A good image but for the place of its swapfile."""
    facts, columns = members(folder / JOB)
    facts["area"]["path"] = path
    whole = {"facts": np.frombuffer(canonical(facts), dtype=np.uint8), **columns}
    evil = folder / "evil"
    evil.write_bytes(b"".join(bytes(part) for part in pack(whole)))
    return evil


def test_a_restart_writes_to_its_own_swapfile_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = small_job(tmp_path)
    namespace_of(machine).checkpoint(tmp_path / JOB)
    right = contents_of(tmp_path / JOB)
    (tmp_path / "backup").write_bytes(os.urandom(40 * PAGE))
    (tmp_path / "short").write_bytes((tmp_path / AREA).read_bytes()[: 5 * PAGE])
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "backup")
    os.mkfifo(tmp_path / "fifo")
    other, login = boot(tmp_path / "other")
    login.mmap("40KiB").touch(write=True)
    login.swap_ns.checkpoint(tmp_path / "another")
    other.close()
    on, _ = boot(tmp_path / "on")
    victims = [tmp_path / n for n in ("backup", "other", "on", "short")]
    before = {p: (p.read_bytes(), p.stat().st_mtime_ns, p.stat().st_ctime_ns) for p in victims}
    with shared(monkeypatch):
        for name in ("backup", "other", "on", "short", "folder", "link", "fifo", "none"):
            evil = image_that_names(tmp_path, str(tmp_path / name))
            for arguments in ({}, {"keep": False}):
                with pytest.raises((OSError, ValueError)) as caught:
                    restart(evil, disk=Untouched(), **arguments)  # type: ignore[arg-type]
                assert name in str(caught.value)
            with pytest.raises((OSError, ValueError)):
                if verify(evil):
                    raise ValueError("pages are missing")
        for device in ("/dev/null", "/dev/zero", "/dev/stdin"):
            with pytest.raises((OSError, ValueError)):
                restart(image_that_names(tmp_path, device), disk=Untouched())
    after = {p: (p.read_bytes(), p.stat().st_mtime_ns, p.stat().st_ctime_ns) for p in victims}
    assert after == before
    on.close()
    # Its own is written over with the same bytes, which gives it blocks.
    with shared(monkeypatch), restart(tmp_path / JOB) as again:
        assert contents(again) == right


def contents_of(image: Path) -> Any:
    with restart(image) as machine:
        return contents(machine)


def test_a_swapfile_that_is_replaced_while_it_is_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file that is written to is the one that was judged."""
    machine = small_job(tmp_path)
    namespace_of(machine).checkpoint(tmp_path / JOB)
    (tmp_path / "victim").write_bytes(os.urandom(200 * PAGE))
    before = (tmp_path / "victim").read_bytes()

    def late(fd: int, size: int) -> list[tuple[int, int]]:
        (tmp_path / AREA).rename(tmp_path / "aside")
        (tmp_path / "victim").rename(tmp_path / AREA)
        return [(0, size)]

    monkeypatch.setattr(pages, "shared_ranges", late)
    with pytest.raises(ValueError, match="no signature"):
        restart(tmp_path / JOB)
    assert (tmp_path / AREA).read_bytes() == before


@pytest.mark.parametrize(
    "path", ["", "relative", "/nul\0/x", "/surrogate\ud800", "/ends/in/", "/ends/in/..", "/."]
)
def test_names_that_are_none(tmp_path: Path, path: str) -> None:
    machine = small_job(tmp_path)
    namespace_of(machine).checkpoint(tmp_path / JOB)
    evil = image_that_names(tmp_path, path)
    for look in (restart, verify, inspect, read_image):
        with pytest.raises(ValueError, match=r"facts\.area\.path") as caught:
            look(evil)
        assert str(caught.value).startswith(f"{evil}: ") and str(caught.value).isascii()
    with pytest.raises(ValueError, match=r"facts\.area\.path"):
        export(evil, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_chain_chooses_no_name_that_something_else_has(tmp_path: Path) -> None:
    """`restart` puts copies together in a file whose name the image says."""
    machine, last = chain_of(tmp_path, "incremental", 3)
    machine.close()
    facts, _ = members(last)
    identity = facts["area"]["identity"]
    (tmp_path / "precious.swap").write_bytes(b"precious")
    (tmp_path / "precious.pages").write_bytes(b"")
    for name in ("precious.pages", f"x.{'0' * 32}.pages", f"2.{identity}.swap", f"2.{identity}"):
        edited(tmp_path, "2", fact("area", "path", value=f"{tmp_path}/{name}"))
        for look in (restart, verify, inspect):
            with pytest.raises(ValueError, match="as a copy's name"):
                look(last)
    assert (tmp_path / "precious.swap").read_bytes() == b"precious"


def test_a_later_checkpoint_in_the_swapfile_of_a_chain_is_kept(tmp_path: Path) -> None:
    """A restart from an older image makes that swapfile anew only if nobody needs it."""
    machine, last = chain_of(tmp_path, "incremental", 3)
    old = contents(machine)
    machine.close()
    again = restart(last)
    scribble(again, "later", 1)
    new = contents(again)
    namespace_of(again).checkpoint(tmp_path / "later")
    again.close()
    with pytest.raises(ValueError, match="use the newer image"):
        restart(last)
    assert contents_of(tmp_path / "later") == new
    with restart(last, swapfile=tmp_path / "elsewhere") as third:
        assert contents(third) == old
    assert contents_of(tmp_path / "later") == new


def test_two_restarts_of_one_chain(tmp_path: Path) -> None:
    """The second one finds the file done, and on; it takes nothing away."""
    machine, last = chain_of(tmp_path, "incremental", 3)
    right = contents(machine)
    machine.close()
    running = []

    class Later(Disk):
        def create(self, path: str) -> int:
            if not running:
                running.append(None)
                running[0] = restart(last)
            return super().create(path)

    with pytest.raises(OSError) as caught:
        restart(last, disk=Later())
    assert caught.value.errno == errno.EBUSY
    assert contents(running[0]) == right
    running[0].verify()
    running[0].close()
    assert not list(tmp_path.glob("*.tmp"))
