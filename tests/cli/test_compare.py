"""compare, sweep, check, report and size: what they print, and their exit codes."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest

from swapfast.traces import generate, save_npz
from tests.support.tiny_scenario import TINY

ALONE = ("--jobs", "1")
SHORT = ("--set", "run.stop=50ms")


@pytest.fixture
def tiny(tmp_path):
    path = tmp_path / "tiny.toml"
    path.write_text(TINY)
    return path


@pytest.mark.parametrize("command", ["compare", "sweep", "check", "report", "size"])
def test_help_has_examples_and_exit_codes(run, command):
    text = run(command, "--help").stdout
    assert "Examples" in text and f"swapfast {command}" in text and "Exit code" in text


# ---------------------------------------------------------------- compare


def test_compare_puts_scopes_side_by_side(run, tiny):
    text = run("compare", tiny, *ALONE).stdout
    assert re.search(
        r"programs\.web\.p99_us +[\d.]+ ± [\d.]+ ms +[\d.]+ ± [\d.]+ ms\n +x 0\.\d+", text
    )
    assert re.search(r"oom_kills\.batch +0 of 3 +3 of 3\n", text)
    assert "baseline: shared" in text and "presets are not calibrated: sata-ssd" in text
    assert re.search(r"With a file each web waits x 0\.\d+ as long\.", text)


def test_compare_is_the_same_with_one_process_and_with_two(run, tiny):
    options = (tiny, *SHORT, "--csv")
    assert run("compare", *options, *ALONE).stdout == run("compare", *options, "-j", "2").stdout


def test_compare_csv_has_every_metric_of_every_run(run, tiny):
    rows = list(csv.DictReader(io.StringIO(run("compare", tiny, *SHORT, *ALONE, "--csv").stdout)))
    assert {(r["column"], r["seed"]) for r in rows} == {
        (scope, str(seed)) for scope in ("shared", "swap_ns") for seed in range(3)
    }
    assert {"programs.web.majors", "machine.pgscan"} <= {r["metric"] for r in rows}
    assert all(float(r["value"]) >= 0 for r in rows) and {r["unit"] for r in rows} > {"us", "pages"}


def test_compare_json_has_means_ratios_and_verdicts(run, tiny):
    facts = run("compare", tiny, *ALONE, "--seeds", "5", "--json").json
    (row,) = [r for r in facts["rows"] if r["metric"] == "programs.web.p99_us"]
    base, other = row["columns"]
    assert len(base["values"]) == 5 and base["mean"] > other["mean"] and "ratio" not in base
    assert other["ratio"]["low"] <= other["ratio"]["value"] <= other["ratio"]["high"]
    assert facts["not_calibrated"] == ["sata-ssd"] and len(facts["verdicts"]) == 2
    assert facts["columns"][1] == {
        "name": "swap_ns",
        "scope": "swap_ns",
        "params": {},
        "seeds": 5,
        "baseline": "shared",
    }


def test_compare_replaces_devices_as_columns(run, tiny):
    options = ("--device", "nvme,lab", "--scope", "shared", "--seeds", "1", "--json")
    facts = run("compare", tiny, *SHORT, *ALONE, *options).json
    assert [c["name"] for c in facts["columns"]] == ["shared nvme", "shared lab"]
    assert [c["params"]["device.d0.preset"] for c in facts["columns"]] == ["nvme", "lab"]
    assert facts["not_calibrated"] == ["nvme"]


def test_compare_replaces_kernels_as_columns(run, tiny):
    options = ("--profile", "6.18,6.18-mglru", "--scope", "shared", "--seeds", "1")
    text = run("compare", tiny, *SHORT, *ALONE, *options).stdout
    assert "shared 6.18-mglru" in text and "One seed" in text


def test_compare_out_is_what_report_reads(run, tiny, tmp_path):
    pytest.importorskip("matplotlib")
    runs, page, direct = tmp_path / "runs", tmp_path / "a.html", tmp_path / "b.html"
    run("compare", tiny, *SHORT, *ALONE, "--out", runs)
    run("report", runs, "-o", page)
    run("report", tiny, *SHORT, *ALONE, "-o", direct)
    assert page.read_text().count("<svg ") == direct.read_text().count("<svg ") > 3


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--scope", "sharde"], "no scope 'sharde'; did you mean 'shared'?"),
        (["--device", "nvm"], "no device 'nvm'; did you mean 'nvme'?"),
        (["--profile", "5.4"], "profile"),
        (["--baseline", "tiers"], "no baseline 'tiers'"),
        (["--metric", "tiers.*"], "no metric is called tiers.*"),
        (["--set", "machine"], "--set machine: it is like machine.memory=64MiB"),
        (["--set", "machine.memry=64MiB"], "did you mean 'memory'?"),
        (["--set", "machine.memory=1", "--set", "machine.memory=2"], "comes twice"),
        (["--json", "--csv"], "exclude each other"),
        (["--out", "-"], "name a file"),
    ],
)
def test_compare_says_what_is_wrong(run, tiny, options, says):
    result = run("compare", tiny, *SHORT, "--seeds", "1", *ALONE, *options, code=2)
    assert says in result.stderr


def test_a_scenario_that_is_not_there_names_those_that_are(run):
    stderr = run("compare", "isolatoin", code=3).stderr
    assert "no scenario of that name; there are" in stderr and "isolation" in stderr


def test_a_scenario_in_turn_cannot_be_compared(run):
    assert "has no [run] table" in run("compare", "letter", code=2).stderr


# ---------------------------------------------------------------- sweep


def test_sweep_goes_on_where_it_ended(run, tiny, tmp_path):
    out = tmp_path / "runs.jsonl"
    options = (tiny, *SHORT, *ALONE, "--seeds", "1", "-o", out)
    first = run("sweep", *options, "--set", "machine.memory=16MiB,32MiB", "--json").json
    assert first == {"cells": 4, "there": 0, "run": 4, "left": 0, "failed": []}
    more = run("sweep", *options, "--set", "machine.memory=16MiB,32MiB,64MiB", "--json").json
    assert (more["there"], more["run"]) == (4, 2)
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    runs = [line for line in lines if "key" in line]
    assert len(runs) == 6 and len({r["key"] for r in runs}) == 6
    assert {r["params"]["machine.memory"] for r in runs} == {"16MiB", "32MiB", "64MiB"}
    assert all(r["outcome"]["metrics"]["programs.web.majors"] >= 0 for r in runs)


def test_sweep_says_that_a_torn_line_is_gone(run, tiny, tmp_path):
    out = tmp_path / "runs.jsonl"
    options = (tiny, *SHORT, *ALONE, "--seeds", "1", "-o", out)
    run("sweep", *options)
    os.truncate(out, out.stat().st_size - 20)
    result = run("sweep", *options)
    assert "its last line was torn" in result.stderr and "1 were there, 1 were run" in result.stdout


def test_report_of_a_sweep_draws_metrics_against_the_value(run, tiny, tmp_path):
    pytest.importorskip("matplotlib")
    out, page = tmp_path / "runs.jsonl", tmp_path / "report.html"
    run(
        *("sweep", tiny, *SHORT, *ALONE, "--seeds", "2", "-o", out),
        *("--set", "cgroup./web.memory.max=1MiB:2MiB:512KiB"),
    )
    run("report", out, "-o", page)
    assert "against cgroup./web.memory.max, MiB" in page.read_text()


@pytest.mark.slow
def test_ctrl_c_ends_a_sweep_with_whole_lines_and_the_command_that_goes_on(tiny, tmp_path):
    out = tmp_path / "runs.jsonl"
    command = [
        sys.executable,
        "-m",
        "swapfast",
        "sweep",
        str(tiny),
        "--seeds",
        "300",
        "-o",
        str(out),
    ]
    for jobs in ("1", "2"):
        process = subprocess.Popen(
            [*command, "--jobs", jobs], stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        before = out.stat().st_size if out.exists() else 0
        while not out.exists() or out.stat().st_size <= before + 3000:
            assert process.poll() is None
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGINT)  # as the terminal does, to children too
        _, stderr = process.communicate(timeout=60)
        assert process.returncode == 130, stderr
        assert "cells are left; go on: swapfast sweep" in stderr
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    keys = [line["key"] for line in lines if "key" in line]
    assert len(keys) == len(set(keys)) and not any("error" in line for line in lines)


# ---------------------------------------------------------------- check


def test_check_says_what_held(run, tiny):
    text = run("check", tiny, *ALONE).stdout
    assert "held: oom_kills.batch: shared < swap_ns: shared 0, swap_ns 1" in text


def test_check_fails_with_the_reason(run, tiny, tmp_path):
    tiny.write_text(TINY.replace('["shared", "swap_ns"]', '["swap_ns", "shared"]'))
    out = tmp_path / "out.xml"
    text = run("check", tiny, *ALONE, "--junit", out, code=1).stdout
    assert "NOT held: oom_kills.batch" in text and "its file is too small" in text
    assert 'failures="1"' in out.read_text()


def test_check_against_a_baseline_holds_until_something_changes(run, tiny, tmp_path):
    base = tmp_path / "base.json"
    options = (tiny, *SHORT, *ALONE, "--seeds", "2", "--baseline", base)
    assert "no such file" in run("check", *options, code=3).stderr.lower()
    tiny.write_text(TINY[: TINY.index("[[expect]]")])
    run("check", *options, "--update")
    assert set(json.loads(base.read_text())["figures"]) == {"shared", "swap_ns"}
    said = run("check", *options).stdout  # hundreds of figures, which are counted
    assert " figures and expectations" in said and len(said.splitlines()) == 2
    tiny.write_text(tiny.read_text().replace("pages = 1000", "pages = 1010"))
    assert "NOT held: programs.web.majors" in run("check", *options, code=1).stdout
    run("check", *options, "--fail", "programs.web.majors>+50%", "--fail", "oom_kills.*>+0")
    before = base.read_text()
    run("check", *options, "--update", code=1)
    assert base.read_text() == before


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--fail", "m>2%"], "are for a --baseline"),
        (["--update"], "are for a --baseline"),
        (["--baseline", "x", "--fail", "m"], "is no bound"),
    ],
)
def test_check_says_what_is_wrong(run, tiny, options, says):
    assert says in run("check", tiny, *ALONE, *options, code=2).stderr


def test_a_baseline_that_is_none_says_so(run, tiny, tmp_path):
    (tmp_path / "b.json").write_text('{"figures": {"shared": 3}}')
    stderr = run("check", tiny, *ALONE, "--baseline", tmp_path / "b.json", code=2).stderr
    assert "no file of check --update" in stderr


# ---------------------------------------------------------------- report


def test_report_refuses_runs_of_several_scenarios(run, tiny, tmp_path):
    out = tmp_path / "runs.jsonl"
    run("sweep", tiny, *SHORT, *ALONE, "--seeds", "1", "-o", out)
    tiny.write_text(TINY.replace("Two in", "Both in"))
    run("sweep", tiny, *SHORT, *ALONE, "--seeds", "1", "-o", out)
    stderr = run("report", out, "-o", tmp_path / "x.html", code=2).stderr
    assert "runs of 2 scenarios" in stderr and not (tmp_path / "x.html").exists()


def test_report_of_no_runs_says_so(run, tmp_path):
    (tmp_path / "runs.jsonl").write_text("")
    stderr = run("report", tmp_path / "runs.jsonl", "-o", tmp_path / "x.html", code=2).stderr
    assert "has no run" in stderr


# ---------------------------------------------------------------- size


def test_size_says_how_much_memory_and_swap(run, tmp_path):
    pytest.importorskip("matplotlib")
    for name, seed in (("a", 1), ("b", 2)):
        trace = generate("hotspot", pages=800, refs=20000, seed=seed)
        save_npz(tmp_path / f"{name}.npz", trace)
    traces = (tmp_path / "a.npz", tmp_path / "b.npz")
    options = (*traces, "--slowdown", "20%", "--think", "2us", "--together")
    text = run("size", *options, "--plot", tmp_path / "p.png").stdout
    assert "at most 20 % slower" in text and "side by side: a machine of" in text
    assert re.search(r"^sum +6\.3 MiB", text, re.M) and (tmp_path / "p.png").stat().st_size > 1000
    facts = run("size", *options, "--json").json
    assert [p["pages"] for p in facts["programs"]] == [800, 800]
    assert all(0 < p["least"]["pages"] <= 800 for p in facts["programs"])
    assert facts["together"]["least"]["slowdown"] <= 0.2 and not facts["calibrated"]


@pytest.mark.parametrize("text", ["x", "-1%", "inf", "1%%"])
def test_size_refuses_a_slowdown_that_is_none(run, text):
    stderr = run("size", "bundled", "--slowdown", text, code=2).stderr
    assert f"--slowdown {text}: is not a share" in stderr
