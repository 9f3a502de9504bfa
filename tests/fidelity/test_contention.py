"""Several programs at once against a kernel: what holds today, and nothing else.

The truths lie beside the checkout; docs/side-by-side.md has the table of all errors.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from swapfast.cli.commands import swapfast
from swapfast.contention import Contention, load, read_truth, validate
from swapfast.contention.judge import Row
from swapfast.scenario import ScenarioError

HERE = Path(__file__).parent
SHARED = HERE.parents[2] / "shared"
NAMES = ("contention", "contention_x86")
needs_truth = pytest.mark.skipif(
    not (SHARED / "truth" / "contention.csv").exists(), reason="the truths are not here"
)


@cache
def judged(name: str) -> Contention:
    return validate(SHARED / "truth" / f"{name}.csv", HERE / f"{name}.toml", SHARED / "traces")


def rows(name: str, start: str, *counts: str, lru: str = "classic") -> list[Row]:
    found = [r for r in judged(name).rows if r.lru == lru and r.count in counts]
    return [r for r in found if r.scenario.startswith(start)]


@needs_truth
@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_every_kill_happens_at_some_phase(name: str) -> None:
    kills = [k for k in judged(name).kills if k.lru == "classic"]
    assert any(k.measured for k in kills)
    assert [k for k in kills if not k.right] == []


@needs_truth
@pytest.mark.slow
def test_alone_the_faults_are_in_range() -> None:
    found = rows("contention", "solo-", "majflt") + rows("contention_x86", "alone-", "majflt")
    assert len(found) == 8 + 10
    assert [r for r in found if not r.within] == []


@needs_truth
@pytest.mark.slow
def test_alone_the_time_is_near() -> None:
    found = rows("contention", "solo-", "wall")
    assert len(found) == 8
    assert max(abs(r.error) for r in found) <= 0.035


@needs_truth
@pytest.mark.slow
def test_under_limits_of_their_own_faults_and_times_are_right() -> None:
    """Two programs that share a disk and nothing else: the device, the processor, the slots."""
    faults = rows("contention", "a-own", "majflt")
    times = rows("contention", "a-own", "wall")
    assert len(faults) == len(times) == 12
    assert max(abs(r.error) for r in faults) <= 0.015
    assert max(abs(r.error) for r in times) <= 0.07


LABELS = {
    "major faults": "majflt",
    "pages swapped out": "pswpout",
    "time it took": "wall",
    "references in a given time": "refs",
    "latency, median": "p50",
    "latency, 99th percentile": "p99",
    "memory pressure": "psi memory",
    "io pressure": "psi io",
    "reads of a disk": "disk reads",
    "writes of a disk": "disk writes",
    "pages written to a disk": "disk pages written",
}


def shown(name: str, count: str, lru: str) -> list[str]:
    """Two cells of the table: errors in %, median and 90th percentile; share in range."""
    found = [r for r in judged(name).rows if (r.count, r.lru) == (count, lru)]
    if not found:
        return ["", ""]
    errors = [100 * abs(r.error) for r in found]
    within = sum(r.within for r in found) / len(found)
    return [f"{np.median(errors):.2f} / {np.percentile(errors, 90):.2f}", f"{100 * within:.0f} %"]


def table(page: str, heading: str) -> dict[str, list[str]]:
    """Cells of the table of errors below a heading, by count, without the goal."""
    text = (HERE.parents[1] / "docs" / page).read_text("utf-8").split(heading)[1].split("\n## ")[0]
    found = re.findall(r"^\| ([a-z0-9 ,]+) \|(.*)\|[^|]*\|$", text, re.M)
    return {LABELS[label]: [c.strip() for c in rest.split("|")] for label, rest in found}


@needs_truth
@pytest.mark.slow
@pytest.mark.parametrize(
    ("page", "heading", "lru"),
    [
        ("side-by-side.md", "## Held against the kernel", "classic"),
        ("mglru.md", "## Several programs", "mglru"),
    ],
)
def test_the_page_says_what_comes_out(page: str, heading: str, lru: str) -> None:
    cells = table(page, heading)
    assert cells == {
        count: [cell for name in NAMES for cell in shown(name, count, lru)] for count in cells
    }
    assert len(cells) == len(LABELS)


@needs_truth
@pytest.mark.slow
def test_under_the_multi_generational_lru() -> None:
    """The same scenarios, of which a kernel with that LRU was asked as well."""
    found = judged("contention")
    assert [count for count in found.summary("mglru") if not found.met("mglru", count)] == []
    alone = rows("contention", "solo-", "majflt", lru="mglru")
    own = rows("contention", "a-own", "majflt", lru="mglru")
    assert (len(alone), len(own)) == (9, 18)
    assert max(abs(r.error) for r in alone + own) <= 0.05
    kills = [k for k in judged("contention").kills if k.lru == "mglru"]
    assert [(k.scenario, k.repeat) for k in kills if not k.right] == [
        ("e-swapmax-common-AB", "r1"),
        ("e-swapmax-common-AB", "r1"),
    ]
    assert all(k.right for k in judged("contention_x86").kills if k.lru == "mglru")


# ---------------------------------------------------------------- files

SETUP = """
swap = [{ disk = "d", priority = 1 }]
[machine]
memory = "64MiB"
statistics = "stale"
phases = 2
[[disk]]
name = "d"
size = "16MiB"
read = "100us"
write = "100us"
[[scenario]]
name = "two"
cgroup = [{ path = "/a", max = 200 }, { path = "/b", max = 300 }]
program = [
    { name = "a", trace = "real-gitlog", cgroup = "/a" },
    { name = "b", trace = "real-gitlog", cgroup = "/b", stop = "20ms" },
]
"""
TRUTH = """scenario,lru,rep,program,killed,start_s,wall_s,refs,majflt,pswpout,d_pages_written
two,classic,0,a,0,0.0,1.5,11266,9000,4000,7000
two,classic,0,b,0,0.001,0.02,900,200,100,7000
two,mglru,0,a,0,0.0,1.5,11266,9000,4000,7000
other,classic,0,a,0,0.0,1.5,11266,9000,4000,7000
"""


def command(folder: Path, *more: str, truth: str = TRUTH, setup: str = SETUP) -> tuple[int, str]:
    (folder / "truth.csv").write_text(truth)
    (folder / "setup.toml").write_text(setup)
    arguments = ["validate", str(folder / "truth.csv"), "--traces", str(HERE / "data"), *more]
    done = CliRunner().invoke(swapfast, arguments)
    return done.exit_code, done.output


def test_the_files_here_can_be_read() -> None:
    assert [len(load(HERE / f"{name}.toml").scenario) for name in NAMES] == [17, 18]


def test_a_table(tmp_path: Path) -> None:
    code, text = command(tmp_path, "--scenarios", str(tmp_path / "setup.toml"), "--each")
    assert code == 0, text
    assert "other is not described" in text
    assert "kills, classic: 2 of 2 programs ended at some phase" in text
    assert "kills, mglru: 0 of 1 programs ended under some rule" in text
    for count in ("majflt", "pswpout", "wall", "refs", "disk pages written"):
        assert count in text


def test_one_lru_alone(tmp_path: Path) -> None:
    """A policy in the file plays the lines of its kernel, and says which it left out."""
    for policy, lines, other in (("linux-6.18", 1, "mglru"), ("linux-6.18-mglru", 3, "classic")):
        setup = SETUP.replace("[machine]", f'[machine]\npolicy = "{policy}"')
        code, text = command(tmp_path, "--scenarios", str(tmp_path / "setup.toml"), setup=setup)
        assert code == 0, text
        assert f"{lines} lines: of the {other} LRU, not of {policy}" in text
        assert f"kills, {other}" not in text


def test_the_mask_of_a_truth_is_played(tmp_path: Path) -> None:
    truth = TRUTH.replace("program,", "program,lru_gen,", 1).replace(",a,", ",a,0x0001,")
    truth = truth.replace(",b,", ",b,,").replace("classic,0,a,0x0001", "classic,0,a,0x0000")
    code, text = command(
        tmp_path, "--scenarios", str(tmp_path / "setup.toml"), "--json", truth=truth
    )
    assert code == 0, text
    found = [r for r in json.loads(text)["rows"] if r["lru"] == "mglru"]
    assert found and all(r["least"] == r["most"] for r in found)  # without walks there is no rule
    truth = truth.replace("mglru,0,a,0x0001", "mglru,0,a,0x0004")
    code, text = command(tmp_path, "--scenarios", str(tmp_path / "setup.toml"), truth=truth)
    assert code == 2 and "truth.csv:4: lru is mglru, and lru_gen 0x0004 is classic" in text


def test_as_json(tmp_path: Path) -> None:
    code, text = command(tmp_path, "--scenarios", str(tmp_path / "setup.toml"), "--json")
    told = json.loads(text)
    assert code == 0 and told["phases"] == 2
    assert set(told["summary"]) == {"classic", "mglru"}
    assert {r["count"] for r in told["rows"] if r["who"] == "b"} == {"majflt", "pswpout", "refs"}
    assert {r["repeat"] for r in told["rows"]} == {"r0"}


def test_what_is_missing_or_too_much(tmp_path: Path) -> None:
    setup = str(tmp_path / "setup.toml")
    assert command(tmp_path)[0] == 2
    code, text = command(tmp_path, "--scenarios", setup, "--policy", "lru")
    assert code == 2 and "--policy is for a truth of one program" in text
    assert command(tmp_path, "--scenarios", str(tmp_path / "none.toml"))[0] == 3
    code, text = command(tmp_path, "--scenarios", setup, setup=SETUP.replace("gitlog", "nothing"))
    assert code == 3 and "no trace real-nothing" in text
    code, text = command(tmp_path, "--scenarios", setup, truth=TRUTH.replace(",b,0", ",x,0"))
    assert code == 2 and "has no program x" in text
    code, text = command(tmp_path, "--scenarios", setup, truth=TRUTH.replace("9000", "many", 1))
    assert code == 2 and "truth.csv:2: majflt is no number" in text
    one = "trace,frac,pages,refs,majflt,pswpin,pswpout\n"
    code, text = command(tmp_path, "--scenarios", setup, truth=one)
    assert code == 2 and "several programs" in text


def test_every_mistake_has_its_place(tmp_path: Path) -> None:
    broken = SETUP.replace("phases", "phase").replace("64MiB", "much")
    broken = broken.replace("max = 200", "mx = 2").replace('name = "d"', 'name = "d"\nunit = 4')
    path = tmp_path / "setup.toml"
    path.write_text(broken)
    with pytest.raises(ScenarioError) as caught:
        load(path)
    text = "\n".join(caught.value.problems)
    assert "setup.toml:4: machine.memory: size: 'much'" in text
    assert "setup.toml:6: machine.phase: no such key; did you mean 'phases'?" in text
    assert "setup.toml:7: disk.0: unit: 4 is not a key of a device" in text
    assert "setup.toml:15: scenario.0.cgroup.0.mx: no such key; did you mean 'max'?" in text
    path.write_text(SETUP.replace('"/b", stop', '"/c", stop'))
    with pytest.raises(ScenarioError, match="program b is in /c, which is no cgroup"):
        load(path)


def test_runs_by_their_names(tmp_path: Path) -> None:
    path = tmp_path / "truth.csv"
    path.write_text("scenario,program,majflt,pswpout\ns.r1,a,1,2\ns.r0,a,3,4\ns.r1,b,5,6\n")
    assert [(r.scenario, r.repeat, list(r.programs)) for r in read_truth(path)] == [
        ("s", "r1", ["a", "b"]),
        ("s", "r0", ["a"]),
    ]
