"""One run of a scenario side by side: what comes out, and that it is what happened."""

from __future__ import annotations

import json

import pytest

from swapfast.scenario import Outcome, metric_unit, named, open_scenario, play, shown
from swapfast.scenario.load import parse
from swapfast.scenario.sentence import one, over

TWO = """\
title = "two"
[run]
stop = "300ms"
seeds = 2
jitter = "100us"
sentence = "web: {programs.web.majors} faults, {nothing}"
[machine]
memory = "16MiB"
page_cluster = 0
[[device]]
name = "d0"
preset = "nvme"
[[swapfile]]
name = "s1"
size = "8MiB"
device = "d0"
priority = 3
[[swapfile]]
name = "s2"
size = "8MiB"
device = "d0"
priority = 3
[[cgroup]]
path = "/web"
"memory.max" = "2MiB"
class = "same"
[[cgroup]]
path = "/batch"
"memory.max" = "2MiB"
class = "same"
[[login]]
name = "web"
cgroup = "/web"
[[login.program]]
kind = "generator"
pattern = "zipf"
pages = 900
refs = 5000
loops = "forever"
[[login]]
name = "batch"
cgroup = "/batch"
start = "50ms"
stop = "250ms"
[[login.program]]
kind = "generator"
pattern = "uniform"
pages = 900
refs = 5000
loops = "forever"
[[scope]]
name = "shared"
kind = "shared"
[[scope]]
name = "own"
kind = "swap_ns"
map = { web = ["s1"], batch = ["s2"] }
[[scope]]
name = "each"
kind = "swap_ns"
map = "each"
"""


@pytest.fixture(scope="module")
def two():
    return parse(TWO, "two.toml")


def same(a: Outcome, b: Outcome) -> bool:
    return {**a.as_dict(), "wall_s": 0} == {**b.as_dict(), "wall_s": 0}


def test_the_same_seed_gives_the_same_and_another_does_not(two):
    assert same(play(two, "shared", 1), play(two, "shared", 1))
    assert play(two, "shared", 1).metrics != play(two, "shared", 2).metrics


def test_an_outcome_is_json_there_and_back(two):
    outcome = play(two, "own")
    assert Outcome.of(json.loads(json.dumps(outcome.as_dict()))) == outcome
    with pytest.raises(ValueError, match="not the outcome of a run"):
        Outcome.of({"title": "x"})


def test_metrics_agree_with_each_other(two):
    m = play(two, "shared").metrics
    assert m["machine.majors"] == m["programs.web.majors"] + m["programs.batch.majors"] > 0
    assert m["devices.d0.pages_in"] == m["machine.pswpin"]
    assert m["areas.s1.pswpin"] + m["areas.s2.pswpin"] == m["machine.pswpin"]
    assert m["areas.s1.swapin_share"] + m["areas.s2.swapin_share"] == pytest.approx(1)
    assert m["devices.d0.bytes_written"] == 4096 * m["devices.d0.pages_out"]
    assert m["oom_kills.total"] == 0
    assert 0 < m["fairness.same.jain_references"] <= 1
    for program in ("web", "batch"):
        shares = [v for k, v in m.items() if k.startswith(f"programs.{program}.") and "share" in k]
        assert all(0 <= share <= 1 for share in shares)
    assert list(m) == sorted(m)


def test_series_add_up_to_the_metrics(two):
    outcome = play(two, "shared")
    series = outcome.series["programs.web"]
    assert sum(series["majors"]) == outcome.metrics["programs.web.majors"]
    assert sum(outcome.series["devices.d0"]["reads"]) == outcome.metrics["devices.d0.reads"]
    assert len(set(map(len, series.values()))) == 1
    assert series["t_s"][-1] == pytest.approx(0.3)
    assert max(outcome.series["cgroups./web"]["usage_pages"]) <= 512


def test_each_scope_puts_the_pages_where_it_says(two):
    own = play(two, "own").metrics
    assert own["areas.s1.pswpout"] > 0 and own["areas.s2.pswpout"] > 0
    each = play(two, "each").metrics
    assert each["areas.web-swap.pswpout"] > 0 and each["areas.batch-swap.pswpout"] > 0
    text = TWO.replace('{ web = ["s1"], batch = ["s2"] }', '{ web = ["s1"] }')
    rest = play(parse(text, "x"), "own").metrics
    assert rest["areas.s2.pswpout"] > 0, "what is not in the map uses the other files"


def test_a_program_lives_from_its_start_to_its_stop(two):
    m = play(two, "shared").metrics
    assert m["programs.web.wall_s"] == pytest.approx(0.3, abs=0.001)
    assert m["programs.batch.wall_s"] == pytest.approx(0.2, abs=0.001)


def test_sentences_are_filled_from_the_numbers(two):
    outcome = play(two, "shared")
    faults = shown("programs.web.majors", outcome.metrics["programs.web.majors"])
    assert outcome.sentence == f"web: {faults} faults, none"
    means = {"a": {"x_us": 200.0}, "b": {"x_us": 100.0}}
    assert over("{a|x_us}, {a/b|x_us}, {c|x_us}, {a/b|y}", means) == "200 us, x 2, none, none"
    assert one("{x_us}", {"x_us": 1.5}) == "1.5 us"


def test_phases_rest_repeat_and_are_told():
    text = TWO.replace(
        'kind = "generator"\npattern = "zipf"\npages = 900\nrefs = 5000\nloops = "forever"\n',
        'kind = "phases"\npages = 400\nrepeat = 2\n[[login.program.phase]]\nname = "ready"\n'
        'pattern = "loop"\nrefs = 1000\n[[login.program.phase]]\nidle = "50ms"\n',
        1,
    )
    m = play(parse(text, "x"), "shared").metrics
    assert m["phases.ready.finished_share"] == 1
    assert 0 < m["phases.ready.p50_s"] < 0.05
    assert m["programs.web.references"] == 400 + 2 * 1000
    assert m["programs.web.wall_s"] > 0.05


def test_one_begins_when_another_ends_and_comes_back_after_a_kill():
    text = TWO + (
        '[[login]]\nname = "late"\n[[login.program]]\nkind = "launch"\npages = 50\n'
        'after = "first"\n[[login]]\nname = "first"\nstart = "10ms"\n'
        '[[login.program]]\nkind = "launch"\npages = 60\n'
    )
    m = play(parse(text, "x"), "shared").metrics
    assert (m["programs.first.references"], m["programs.late.references"]) == (60, 50)
    text = TWO.replace('"memory.max" = "2MiB"', '"memory.max" = "2MiB"\n"memory.swap.max" = 0', 1)
    text = text.replace(
        'pages = 900\nrefs = 5000\nloops = "forever"',
        'pages = 900\nrefs = 5000\nloops = "forever"\nrestart_after_oom = "20ms"',
        1,
    )
    outcome = play(parse(text, "x"), "shared")
    assert len(outcome.kills) == outcome.metrics["oom_kills.web"] > 2
    gap = outcome.kills[1]["time_s"] - outcome.kills[0]["time_s"]
    assert gap > 0.02
    assert {one["victim"] for one in outcome.kills} == {"web"}


def test_actions_happen_at_their_times_and_say_what_came_of_them():
    text = TWO + (
        '[[action]]\nat = "100ms"\nset = {cgroup = "/web", file = "memory.max", value = "1MiB"}\n'
        '[[action]]\nat = "150ms"\nreclaim = {cgroup = "/batch", bytes = "64KiB"}\n'
        '[[action]]\nat = "200ms"\nkill = "web"\n'
        '[[action]]\nat = "220ms"\nswapoff = "s2"\n'
    )
    outcome = play(parse(text, "x"), "shared")
    assert [e["time_s"] for e in outcome.events] == pytest.approx([0.1, 0.15, 0.2, 0.22])
    assert outcome.events[1]["metrics"]["freed_bytes"] >= 64 << 10
    assert outcome.metrics["programs.web.wall_s"] == pytest.approx(0.2, abs=0.002)
    t, usage = (outcome.series["cgroups./web"][k] for k in ("t_s", "usage_pages"))
    assert max(u for when, u in zip(t, usage, strict=True) if when > 0.11) <= 256
    assert "areas.s2.pswpin" not in outcome.metrics


def test_a_refused_action_is_an_event_and_the_run_goes_on():
    text = TWO + '[[action]]\nat = "10ms"\nreclaim = {cgroup = "/batch", bytes = "1GiB"}\n'
    text = text.replace('reclaim = {cgroup = "/batch", bytes = "1GiB"}', 'swapoff = "s1"').replace(
        "16MiB", "4MiB"
    )
    outcome = play(parse(text, "x"), "shared")
    assert outcome.simulated_ns == 300_000_000


def test_a_checkpoint_in_a_run_tells_its_cost():
    text = TWO.replace('stop = "300ms"', 'stop = "300ms"\ncontents = true', 1).replace(
        'size = "8MiB"', 'size = "16MiB"'
    )
    text += "".join(
        f'[[action]]\nat = "{at}ms"\ncheckpoint = {{login = "web", kind = "{kind}"}}\n'
        for at, kind in ((100, "pinned"), (150, "incremental"), (200, "incremental"))
    )
    m = play(parse(text, "x"), "own").metrics
    at = "events.checkpoint-"
    assert m[f"{at}pinned.pushed_pages"] > 0 == m[f"{at}pinned.copied_bytes"]
    assert m[f"{at}copy.copied_bytes"] > m[f"{at}incremental.copied_bytes"] > 0
    assert m[f"{at}copy.freeze_s"] > m[f"{at}pinned.freeze_s"] > 0
    for kind in ("pinned", "copy", "incremental"):
        parts = ("copied_bytes", "image_bytes")
        whole = sum(m[f"{at}{kind}.{part}"] for part in parts)
        assert m[f"{at}{kind}.written_bytes"] == whole + 4096 * m[f"{at}{kind}.pushed_pages"]


def test_without_a_draw_it_says_so():
    text = TWO.replace('jitter = "100us"', 'jitter = "0s"').replace('preset = "nvme"', "")
    text = text.replace('pattern = "zipf"', 'pattern = "loop"\nwrite_ratio = 1.0')
    text = text.replace('pattern = "uniform"', 'pattern = "loop"\nwrite_ratio = 1.0')
    scenario = parse(text, "x")
    a, b = play(scenario, "shared", 1), play(scenario, "shared", 2)
    assert not a.drawn and a.metrics == b.metrics


@pytest.mark.parametrize(
    ("name", "unit", "text"),
    [
        ("programs.db.p99_us", "us", "1.5 us"),
        ("machine.first_kill_s", "s", "1.5 s"),
        ("devices.d.bytes_written", "B", "1 B"),
        ("devices.d.busy_share", "share", "150 %"),
        ("fairness.x.jain_majors", "share", "1.5"),
        ("programs.db.references_per_s", "1/s", "1.5/s"),
        ("oom_kills.total", "count", "1.5"),
    ],
)
def test_a_metric_has_a_unit_by_its_name(name, unit, text):
    assert metric_unit(name) == unit
    assert shown(name, 1.5) == text


def test_patterns_name_metrics():
    names = ["programs.a.p99_us", "programs.b.p99_us", "machine.pgscan"]
    assert named("programs.*.p99_us", names) == names[:2]
    assert named("machine.pgscan", names) == names[2:]


def test_a_thousand_areas_on_one_device_do_not_stop_the_clock():
    """Requests made apart and sent as one gave one tag back: in the end nobody got one."""
    scenario = open_scenario("area-limit").scenario({"count": "1000", "run.stop": "400ms"})
    outcome = play(scenario, "one file each")
    assert outcome.simulated_ns == 400_000_000
    assert outcome.metrics["machine.majors"] > 80_000


def test_a_slowdown_is_against_the_program_alone():
    text = TWO.replace('stop = "300ms"', 'stop = "300ms"\nalone = true', 1)
    m = play(parse(text, "x"), "shared").metrics
    assert 1 < m["programs.web.slowdown"] < 20
    lonely = TWO[: TWO.index('[[login]]\nname = "batch"')] + TWO[TWO.index("[[scope]]") :]
    lonely = lonely[: lonely.index('[[scope]]\nname = "own"')].replace(
        "[run]", "[run]\nalone = true"
    )
    m = play(parse(lonely, "x"), "shared").metrics
    assert m["programs.web.slowdown"] == pytest.approx(1, abs=0.02)  # but for the start jitter
