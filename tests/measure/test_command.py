"""The command: without the long option it only talks."""

import pytest
from click.testing import CliRunner

import swapfast.cli.measure as command
from swapfast.cli.commands import swapfast
from swapfast.measure import Counts, Result


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
