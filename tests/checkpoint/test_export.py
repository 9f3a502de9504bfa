"""An image as other tools read it."""

from __future__ import annotations

import csv
import errno
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from swapfast.checkpoint import export, read_image
from swapfast.checkpoint.columns import numbers_of
from tests.support.jobs import PAGE, boot, family, work
from tests.support.seen import contents


@pytest.fixture
def job(tmp_path: Path) -> Path:
    """A family's checkpoint, whose text is in its swapfile."""
    machine, login = boot(tmp_path / "area")
    family(login)
    work(machine, 3, 1)
    login.swap_ns.checkpoint(tmp_path / "base", kind="pinned")
    login.mappings[0].touch(slice(0, 9), write=True, tag="login")
    login.swap_ns.checkpoint(tmp_path / "job", kind="incremental", parent=tmp_path / "base")
    (tmp_path / "right").write_bytes(b"".join(v or b"" for v in contents(machine).values()))
    machine.close()
    return tmp_path


def test_a_folder(job: Path) -> None:
    names = export(job / "job", job / "out")
    image = read_image(job / "job")
    assert sorted(names) == sorted(str(p) for p in (job / "out").iterdir())
    facts = json.loads((job / "out" / "facts.json").read_text())
    assert facts == image.facts
    columns = {
        n: np.load(job / "out" / f"{n}.npy") for n in ("page", "slot", "shadow", "zero", "sums")
    }
    assert np.array_equal(columns["slot"], image.slot.values())
    assert np.array_equal(columns["shadow"], image.shadow.values())
    assert np.array_equal(columns["sums"], image.sums)
    assert columns["zero"].sum() == image.zero.sum()
    with open(job / "out" / "runs.csv", newline="") as file:
        runs = [{k: int(v) for k, v in row.items()} for row in csv.DictReader(file)]
    pte = np.concatenate([np.full(r["pages"], r["byte"], dtype=np.uint8) for r in runs])
    assert np.array_equal(pte, np.repeat(image.pte.value, image.pte.length))
    assert (pte[columns["page"]] & 16 > 0).all() and columns["page"].size == image.slot.total
    with open(job / "out" / "mappings.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert sum(int(row["pages"]) for row in rows) == pte.size
    assert {row["name"] for row in rows} >= {"heap", "holes", "shared"}


def test_without_this_package_the_bytes_are_found(job: Path) -> None:
    """With the CSV file and the swapfile alone: what a task has at an address."""
    export(job / "job", job / "pages.csv")
    swap = (job / "area").read_bytes()
    with open(job / "pages.csv", newline="") as file:
        rows = [{k: int(v) for k, v in row.items()} for row in csv.DictReader(file)]
    assert len(rows) == read_image(job / "job").slot.total > 300
    heap = json.loads(json.dumps(read_image(job / "job").facts))["mms"][0]["mappings"][0]
    row = next(r for r in rows if r["pid"] == 2 and r["address"] == heap["addr"] + 3 * PAGE)
    assert swap[row["slot"] * PAGE :].startswith(b"login ")


def test_one_json_file(job: Path) -> None:
    export(job / "job", job / "all.json")
    found = json.loads((job / "all.json").read_text())
    image = read_image(job / "job")
    assert found["facts"] == image.facts and found["columns"][1] == "slot"
    assert [row[1] for row in found["pages"]] == image.slot.values().tolist()
    assert sum(pages for _, pages, _ in found["runs"]) == image.pte.total
    assert found["mappings"][0]["name"] == "heap"


def test_refusals(job: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("base", "area"):
        with pytest.raises(OSError, match="is there already") as caught:
            export(job / "job", job / name)
        assert caught.value.errno == errno.EEXIST
    before = sorted(os.listdir(job))

    def fail(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "as asked")

    monkeypatch.setattr(np.lib.format, "write_array_header_1_0", fail)
    monkeypatch.setattr(np, "savetxt", fail)
    for name in ("new", "new.csv"):
        with pytest.raises(OSError, match="as asked"):
            export(job / "job", job / name)
    (job / "base").write_bytes(b"damaged")
    with pytest.raises(ValueError, match=str(job / "base")):
        export(job / "job", job / "new")
    assert sorted(os.listdir(job)) == before


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_pieces_of_a_column(size: int) -> None:
    rng = np.random.default_rng(size)
    for _ in range(50):
        values = np.cumsum(rng.integers(1, 3, rng.integers(1, 40))).astype(np.uint32)
        pieces = list(numbers_of(values).pieces(size))
        assert [p.size for p in pieces[:-1]] == [size] * (len(pieces) - 1)
        assert np.array_equal(np.concatenate(pieces), values)
