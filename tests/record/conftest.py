"""Fixtures of recording: an emulator that emulates nothing, a folder for its plugin."""

from __future__ import annotations

import pytest

from swapfast.record import record
from tests.support.emulators import NAME, fake_qemu


@pytest.fixture(scope="session")
def compiled_fake(tmp_path_factory):
    """The emulator, and a cache where its plugin is compiled once."""
    folder = tmp_path_factory.mktemp("fake")
    fake_qemu(folder)
    return folder


@pytest.fixture
def fake(compiled_fake, monkeypatch):
    """``fake("w", 3, ...)``: record what the emulator that emulates nothing is told."""
    monkeypatch.setenv("PATH", str(compiled_fake), prepend=":")
    monkeypatch.setenv("XDG_CACHE_HOME", str(compiled_fake / "cache"))
    program = str(compiled_fake / NAME)

    def run(*told, **options):
        return record([program, *map(str, told)], **options)

    run.program = program
    return run
