"""What kind a trace is: kept in an npz, and warned about where a use is not valid."""

from __future__ import annotations

import numpy as np
import pytest

from swapfast.traces import Trace, open_trace, save_npz
from swapfast.traces.kinds import KINDS, caution

REFS = np.array([0, 1 | 1 << 31, 0], dtype=np.uint32)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("hold", [100, 1])
def test_an_npz_keeps_the_kind(tmp_path, kind, hold):
    trace = Trace(REFS)
    trace.kind, trace.window = kind, 16 if kind == "window" else 0
    save_npz(tmp_path / "t.npz", trace)
    read = open_trace(tmp_path / "t.npz", hold=hold)
    assert read.kind == read.head(2).kind == read.describe()["kind"] == kind
    assert read.window == read.head(2).window == trace.window
    assert read.describe().get("window", 0) == trace.window
    save_npz(tmp_path / "again.npz", read)
    assert open_trace(tmp_path / "again.npz").kind == kind
    with np.load(tmp_path / "t.npz") as arrays:
        assert ("kind" in arrays) == (kind != "full")
        assert ("window" in arrays) == (kind == "window")


@pytest.mark.parametrize("window", [-1, 1 << 31, "many"])
def test_a_window_that_is_none(tmp_path, window):
    np.savez(tmp_path / "t.npz", refs=REFS, pages=2, kind=np.array("window"), window=window)
    with pytest.raises(ValueError, match=r"t.npz: window.npy: "):
        open_trace(tmp_path / "t.npz")


@pytest.mark.parametrize("kind", ["", "half", "full\0x", 7])
def test_a_kind_that_is_none(tmp_path, kind):
    np.savez(tmp_path / "t.npz", refs=REFS, pages=2, kind=np.array(kind))
    with pytest.raises(ValueError, match=r"t.npz: kind.npy: is"):
        open_trace(tmp_path / "t.npz")


def test_only_what_has_every_access_is_good_for_everything():
    uses = ("replay", "curve")
    sound = {kind: [use for use in uses if caution(kind, use) is None] for kind in KINDS}
    assert sound == {
        "full": ["replay", "curve"],
        "faults": [],
        "window": ["replay", "curve"],
        "sampled": [],
        "sectors": ["curve"],
        "objects": ["curve"],
    }
