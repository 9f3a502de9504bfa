"""The command: without the long option it only talks."""

import os
import tomllib

import numpy as np
import pytest
from click.testing import CliRunner

import swapfast.cli.measure as command
from swapfast.cli import service
from swapfast.cli.commands import swapfast
from swapfast.contention import load
from swapfast.measure import Counts, Result, several
from swapfast.measure.device import Point, Service, Target
from swapfast.measure.device.target import Facts
from swapfast.measure.several.truth import RunResult, Seen


@pytest.fixture
def run(monkeypatch, host, trace, tmp_path):
    """``run(*options)`` on the fake machine; ``measure`` itself fails the test unless replaced."""

    def never(*args, **kwargs):
        raise AssertionError("the machine would have been changed")

    monkeypatch.setattr(command, "Host", lambda: host)
    monkeypatch.setattr(command, "run_measure", never)

    def invoke(*options, code=0):
        arguments = ["measure", str(trace), "--out", str(tmp_path / "truth.csv"), *options]
        result = CliRunner().invoke(swapfast, arguments, catch_exceptions=False)
        assert result.exit_code == code, result.output + result.stderr
        return result

    return invoke


@pytest.mark.parametrize(
    "options", [(), ("--dry-run",), ("--dry-run", "--yes-change-this-machine")]
)
def test_the_plan_and_no_more(run, plan, tmp_path, options):
    said = run("--frac", "0.5", *options).stdout.splitlines()
    last = "nothing was changed; --yes-change-this-machine carries the plan out"
    assert said == [*plan.lines(), last]
    assert not plan.out.exists() and not plan.swapfile.exists()


def test_refusals_are_part_of_a_dry_run_and_its_exit_code(run, tree):
    tree("proc/swaps", "Filename Type\n/dev/sda2 partition\n")
    said = run("--dry-run", code=1).stdout.splitlines()
    assert "refused   other swap is on; turn it off" in "\n".join(said)


def test_done_for_real_only_when_asked(run, plan, monkeypatch):
    runs = (None, Counts(1, 1, 1))
    monkeypatch.setattr(
        command, "run_measure", lambda plan, host, progress: [Result(plan.cells[0], runs)]
    )
    said = run("--frac", "0.5", "--yes-change-this-machine").stdout
    assert said == f"{plan.out}: 1 cell, 2 runs each, 1 killed\n"


def test_a_refused_measurement_says_every_reason_and_ends_with_3(run, tree, monkeypatch):
    from swapfast.measure import measure

    class Untouched:
        def __getattr__(self, name):
            raise AssertionError(f"{name} was called")

    tree("proc/swaps", "Filename Type\n/dev/sda2 partition\n")
    tree("sys/module/zswap/parameters/enabled", "Y\n")
    monkeypatch.setattr(
        command, "run_measure", lambda *a, **k: measure(*a, **k, system=Untouched())
    )
    lines = run("--yes-change-this-machine", code=3).stderr.splitlines()
    assert len(lines) == 2 and all(line.startswith("swapfast: ") for line in lines)


def test_wrong_options_are_exit_2(run):
    assert "is no limit" in run("--frac", "0", code=2).stderr


def test_help():
    text = CliRunner().invoke(swapfast, ["measure", "--help"]).stdout
    assert "Examples" in text and "--yes-change-this-machine" in text and "Exit code" in text


# ---------------------------------------------------------------- a device


@pytest.fixture
def ask():
    """``ask(*arguments)``: the command alone."""

    def invoke(*arguments, code=0):
        result = CliRunner().invoke(swapfast, ["measure", *map(str, arguments)])
        assert result.exit_code == code, result.output + result.stderr
        return result

    return invoke


@pytest.fixture
def device(monkeypatch, tmp_path):
    """A device that answers at once, and whose times are known."""
    fd = os.open(tmp_path, os.O_RDONLY)
    target = Target(tmp_path, fd, 1 << 20, True, Facts("vda", False, 64))
    points = tuple(
        Point(write, depth, np.full(10, 50_000, np.uint64), 20_000.0 * depth)
        for write in (False, True)
        for depth in (1, 4)
    )
    monkeypatch.setattr(service, "open_target", lambda path, size, host: target)
    monkeypatch.setattr(
        service, "measure_device", lambda *a, **k: Service(points, {False: 1e9, True: 1e9})
    )
    return tmp_path


def test_a_device_is_a_table_and_a_disk(ask, device):
    said = ask("--device", device).stdout
    lines = said.splitlines()
    assert lines[0].endswith("on /dev/vda, a file of its own there, which has no name")
    assert lines[1].split()[:3] == ["4", "KiB", "depth"]
    assert lines[2].split()[:3] == ["read", "1", "20,000"]
    assert "large writes: 1,000 MB/s" in lines
    (disk,) = tomllib.loads(said[said.index("# Measured") :])["disk"]
    assert disk["units"] == 4 and disk["tags"] == 64


def test_a_disk_is_written_with_its_samples_beside_it(ask, device):
    said = ask("--device", device, "-o", device / "d.toml").stdout
    assert said.endswith(f"its samples are in {device}/d.read.csv, {device}/d.write.csv\n")
    text = f'{(device / "d.toml").read_text()}[[scenario]]\nname = "s"\n'
    text += 'cgroup = [{ path = "/a" }]\nprogram = [{ name = "a", trace = "t", cgroup = "/a" }]\n'
    (device / "s.toml").write_text(text)
    assert load(device / "s.toml").disk[0].name == "measured"


def test_a_dry_run_sends_nothing(ask, device, monkeypatch):
    monkeypatch.setattr(service, "measure_device", None)
    assert "nothing was sent" in ask("--device", device, "--dry-run").stdout


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ((), "TRACES is missing"),
        (("t.npz",), "--out is missing"),
        (("t.npz", "-o", "t", "--seconds", "3"), "--seconds is for a device"),
        (("t.npz", "-o", "t", "--only", "x"), "--only is for programs side by side"),
        (("--scenarios", "s.toml", "-o", "t"), "--traces is missing"),
        (("--scenarios", "s.toml", "--frac", "1"), "--frac is for traces alone"),
        (("--device", ".", "--lru", "classic"), "--lru is for traces alone or programs"),
        (("--device", ".", "--scenarios", "s.toml"), "are measured one at a time"),
        (("--device", ".", "--size", "4096"), "--size 4096: such a file has 256 to"),
    ],
)
def test_options_that_mean_nothing_to_what_is_measured(ask, options, says):
    assert says in ask(*options, code=2).stderr


# ---------------------------------------------------------------- side by side


@pytest.fixture
def two(trace, tmp_path, monkeypatch, host):
    """A file of scenarios for the fake machine."""
    monkeypatch.setattr(command, "Host", lambda: host)
    path = tmp_path / "two.toml"
    path.write_text(
        'swap = [{ disk = "d", priority = 1 }]\n[[disk]]\nname = "d"\nsize = "1MiB"\n'
        '[[scenario]]\nname = "s"\ncgroup = [{ path = "/a", max = 50 }]\n'
        'program = [{ name = "A", trace = "zipf", cgroup = "/a" }]\n'
    )
    return ["--scenarios", path, "--traces", tmp_path, "-o", tmp_path / "two.csv"]


def test_the_plan_of_programs_side_by_side(ask, two, tmp_path):
    said = ask(*two, "--disk", f"d={tmp_path}/swap").stdout.splitlines()
    assert said[0] == f"swapfile  {tmp_path}/swap, 1 MiB, disk d"
    assert said[-1].startswith("nothing was changed")
    assert "--disk 'd' is not NAME=PATH" in ask(*two, "--disk", "d", code=2).stderr


def test_programs_side_by_side_for_real_only_when_asked(ask, two, monkeypatch, tmp_path):
    run = RunResult("s", 0, (Seen("A", 100, None, {}),), {})
    monkeypatch.setattr(several, "measure_several", lambda plan, host, progress: [run])
    said = ask(*two, "--runs", "1", "--yes-change-this-machine").stdout
    assert said == f"{tmp_path}/two.csv: 1 scenario, 1 run each, 1 program killed\n"
