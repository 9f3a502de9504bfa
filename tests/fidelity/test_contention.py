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
from swapfast.contention.judge import GOALS, Row
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


def rows(name: str, start: str, *counts: str) -> list[Row]:
    return [r for r in judged(name).rows if r.scenario.startswith(start) and r.count in counts]


@needs_truth
@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_every_kill_happens_at_some_phase(name: str) -> None:
    kills = judged(name).kills
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


def shown(name: str, count: str) -> list[str]:
    """Two cells of the table: errors in %, median and 90th percentile; share in range."""
    found = [r for r in judged(name).rows if r.count == count]
    if not found:
        return ["", ""]
    errors = [100 * abs(r.error) for r in found]
    within = sum(r.within for r in found) / len(found)
    return [f"{np.median(errors):.2f} / {np.percentile(errors, 90):.2f}", f"{100 * within:.0f} %"]


@needs_truth
@pytest.mark.slow
def test_the_page_says_what_comes_out() -> None:
    page = (HERE.parents[1] / "docs" / "side-by-side.md").read_text("utf-8")
    table = re.findall(r"^\| ([a-z0-9 ,]+) \|(.*)\|[^|]*\|$", page, re.M)
    cells = {LABELS[label]: [c.strip() for c in rest.split("|")] for label, rest in table}
    assert cells == {
        count: [cell for name in NAMES for cell in shown(name, count)] for count in cells
    }
    assert len(cells) == len(LABELS)


@needs_truth
@pytest.mark.slow
def test_all_goals_are_met_under_the_multi_generational_lru(tmp_path: Path) -> None:
    """The same scenarios, of which a kernel with that LRU was asked as well."""
    text = (HERE / "contention.toml").read_text("utf-8")
    text = text.replace("[machine]\n", '[machine]\npolicy = "linux-6.18-mglru"\n')
    (tmp_path / "setup.toml").write_text(text.replace("phases = 20", "phases = 1"))
    found = validate(SHARED / "truth/contention.csv", tmp_path / "setup.toml", SHARED / "traces")
    told = found.summary()
    for count in told:
        goal = GOALS[count]
        assert goal.median is None or told[count]["median"] <= goal.median, count
        assert goal.p90 is None or told[count]["p90"] <= goal.p90, count
    assert sum(one.right for one in found.kills) >= len(found.kills) - 2


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
    assert "lines: of the mglru LRU, not of linux-6.18" in text
    assert "other is not described" in text
    assert "2 of 2 programs ended" in text
    for count in ("majflt", "pswpout", "wall", "refs", "disk pages written"):
        assert count in text


def test_as_json(tmp_path: Path) -> None:
    code, text = command(tmp_path, "--scenarios", str(tmp_path / "setup.toml"), "--json")
    told = json.loads(text)
    assert code == 0 and told["phases"] == 2
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
    truth = read_truth(path)
    assert [(r.scenario, r.repeat, list(r.programs)) for r in truth.runs] == [
        ("s", "r1", ["a", "b"]),
        ("s", "r0", ["a"]),
    ]
