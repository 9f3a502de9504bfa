"""Which files have all their blocks, and to themselves."""

from __future__ import annotations

import errno
import fcntl
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from swapfast.swapfile import extents
from swapfast.swapfile.extents import unsupported_extent

MIB = 1 << 20


def phrase(path: Path, size: int = MIB) -> str | None:
    fd = os.open(path, os.O_RDONLY)
    try:
        return unsupported_extent(fd, size)
    finally:
        os.close(fd)


def test_whole_files(allocated: Callable[[str, int], Path], tmp_path: Path) -> None:
    assert phrase(allocated("allocated", MIB)) is None
    (tmp_path / "written").write_bytes(b"x" * MIB)
    assert phrase(tmp_path / "written") is None


def test_many_extents(
    allocated: Callable[[str, int], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Written and unwritten pages alternate; asked for one extent at a time, all are seen."""
    path = allocated("s", MIB)
    with open(path, "r+b") as file:
        for page in range(0, 256, 32):
            file.seek(page * 4096)
            file.write(b"x" * 4096)
        file.flush()
        os.fsync(file.fileno())
    monkeypatch.setattr(extents, "_ROOM", 1)
    assert phrase(path) is None


def test_hole(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with open(path, "wb") as file:
        file.truncate(MIB)
    assert phrase(path) == "has holes"


LAST, WHOLE = 0x1, (0, MIB, 0x1)


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ([[WHOLE]], None),
        ([[(0, 4096, 0)], [(4096, MIB, LAST)]], None),
        ([[(0, 2 * MIB, 0)]], None),
        ([[(4096, MIB, LAST)]], "has a hole at byte 0"),
        ([[(0, 4096, 0), (8192, MIB, LAST)]], "has a hole at byte 4096"),
        ([[(0, 4096, LAST)]], "has a hole at byte 4096"),
        ([[(0, 4096, 0)], []], "has a hole at byte 4096"),
        ([[(0, 4096, 0), (4096, MIB, 0x2000)]], "shares its blocks .* at byte 4096"),
        ([[(0, MIB, 0x8 | LAST)]], "compressed .* at byte 0"),
        ([[(0, MIB, 0x200 | LAST)]], "inline data.* at byte 0"),
        ([None], None),
    ],
)
def test_answers_of_a_file_system(
    answers: list[list[tuple[int, int, int]] | None],
    expected: str | None,
    allocated: Callable[[str, int], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    remaining = iter(answers)
    monkeypatch.setattr(extents, "_extents", lambda *_: next(remaining))
    found = phrase(allocated("s", MIB))
    assert (found is None) == (expected is None)
    assert expected is None or re.search(expected, str(found))


@pytest.mark.parametrize("code", [errno.EOPNOTSUPP, errno.ENOTTY])
def test_file_system_that_cannot_tell(
    code: int, allocated: Callable[[str, int], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(code, "injected")

    path = allocated("s", MIB)
    monkeypatch.setattr(fcntl, "ioctl", fail)
    assert phrase(path) is None
    code = errno.EIO
    with pytest.raises(OSError, match="injected"):
        phrase(path)


def test_shared_ranges_of_a_file_system_that_cannot_tell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "s").write_bytes(b"x" * MIB)
    with open(tmp_path / "s", "rb") as file:
        assert list(extents.shared_ranges(file.fileno(), MIB)) == []
        answers = iter([[(0, 4096, 0), (4096, 8192, 0x2000)], [(12288, 4096, 0)], None])
        monkeypatch.setattr(extents, "_extents", lambda *_: next(answers))
        assert list(extents.shared_ranges(file.fileno(), MIB)) == [(4096, 8192)]
