"""Reading a descriptor: a short read is no end."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from swapfast.swapfile.files import read_at


def test_read_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = os.urandom(10_000)
    (tmp_path / "f").write_bytes(data)
    whole = os.pread
    with open(tmp_path / "f", "rb") as file:
        for most in (1 << 20, 4096, 1000, 1):
            monkeypatch.setattr(
                os, "pread", lambda fd, size, at, most=most: whole(fd, min(size, most), at)
            )
            assert read_at(file.fileno(), 5000, 3000) == data[3000:8000]
            assert read_at(file.fileno(), 5000, 9000) == data[9000:]
            assert read_at(file.fileno(), 5000, 10_000) == b""
