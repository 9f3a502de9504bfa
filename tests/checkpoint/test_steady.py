"""An image is looked at while its job goes on and replaces it."""

from __future__ import annotations

import errno
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from swapfast.checkpoint import chain, compact, export, inspect, release, verify
from swapfast.checkpoint.steady import MOST_LOOKS, steady
from swapfast.kernel.records import Kind
from swapfast.machine import restart
from tests.support.seen import contents
from tests.support.small_job import AREA, JOB, namespace_of, scribble, small_job

KINDS: tuple[Kind, ...] = ("pinned", "snapshot", "incremental")

JOB_THAT_GOES_ON = """
import sys
from pathlib import Path
sys.path.insert(0, {root!r})
from tests.support.small_job import JOB, namespace_of, scribble, small_job
folder, kind = Path(sys.argv[1]), sys.argv[2]
machine = small_job(folder)
count = 0
while not (folder / "stop").exists():
    scribble(machine, f"{{count}}", count)
    namespace_of(machine).checkpoint(folder / JOB, kind=kind)
    count += 1
print(count)
"""


@pytest.mark.parametrize("looks", [60, pytest.param(2000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", KINDS)
def test_a_good_job_is_never_accused(tmp_path: Path, kind: Kind, looks: int) -> None:
    code = JOB_THAT_GOES_ON.format(root=str(Path(__file__).parents[2]))
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path), kind],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    found: Counter[str] = Counter()
    try:
        while not (tmp_path / JOB).exists():
            assert child.poll() is None
        for number in range(looks):
            assert verify(tmp_path / JOB) == []
            found[str(inspect(tmp_path / JOB)["kind"])] += 1
            if number % 20 == 0:
                export(tmp_path / JOB, tmp_path / f"{number}.json")
                if kind != "pinned":
                    compact(tmp_path / JOB, tmp_path / "one")
                    assert verify(tmp_path / "one") == []
    finally:
        (tmp_path / "stop").touch()
        count = int(child.communicate()[0])
    print(f"{kind}: {count} checkpoints, {looks} looks, all right")
    assert child.returncode == 0 and count > 1
    assert found == {"snapshot" if kind == "incremental" else kind: looks}


@pytest.mark.parametrize("kind", KINDS)
def test_replaced_between_the_image_and_its_pages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: Kind
) -> None:
    machine = small_job(tmp_path)
    namespace = namespace_of(machine)
    namespace.checkpoint(tmp_path / JOB, kind=kind)
    read, turns = chain._files, [0]

    def late(path: str) -> Any:
        files = read(path)
        if turns[0] < 3:
            turns[0] += 1
            scribble(machine, f"turn {turns[0]}", turns[0])
            namespace.checkpoint(tmp_path / JOB, kind=kind)
            scribble(machine, f"after {turns[0]}", turns[0])
        return files

    monkeypatch.setattr(chain, "_files", late)
    assert verify(tmp_path / JOB) == [] and turns == [3]
    turns[0] = 0
    assert inspect(tmp_path / JOB)["kind"] and turns == [3]
    if kind != "pinned":
        turns[0] = 0
        with restart(tmp_path / JOB) as again:
            assert turns == [3] and contents(again)
        turns[0] = 0
        compact(tmp_path / JOB, tmp_path / "one")
        assert verify(tmp_path / "one") == []
    machine.close()


def test_what_is_wrong_stays_wrong(tmp_path: Path) -> None:
    """Given up, used since, or damaged: the image is the same, so it is said."""
    machine = small_job(tmp_path)
    namespace = namespace_of(machine)
    namespace.checkpoint(tmp_path / JOB, kind="pinned")
    older = (tmp_path / JOB).read_bytes()
    namespace.checkpoint(tmp_path / JOB, kind="pinned")
    (tmp_path / "older").write_bytes(older)
    with pytest.raises(ValueError, match="use the newer image"):
        verify(tmp_path / "older", tmp_path / AREA)
    release(machine.kernel, namespace)
    with pytest.raises(ValueError, match="holds no checkpoint"):
        verify(tmp_path / JOB)
    machine.close()
    with pytest.raises(FileNotFoundError):
        verify(tmp_path / "none")


def test_one_that_never_stands_still(tmp_path: Path) -> None:
    image = tmp_path / JOB
    image.write_bytes(b"0")
    looks = []

    def look() -> None:
        looks.append(1)
        image.rename(tmp_path / "aside")
        image.write_bytes(b"0" * len(looks))
        raise ValueError("as it seems")

    with pytest.raises(OSError, match="was replaced each of the 50 times") as caught:
        steady(image, look)
    assert caught.value.errno == errno.EBUSY and len(looks) == MOST_LOOKS
    with pytest.raises(ValueError, match="as it is"):
        steady(image, lambda: (_ for _ in ()).throw(ValueError("as it is")))
