"""Scenario files with a [run] table: what they may say, and what does not fit together."""

from __future__ import annotations

import textwrap

import pytest
from click.testing import CliRunner

from swapfast.cli.commands import swapfast
from swapfast.scenario import ScenarioError, bundled_names, open_scenario
from swapfast.scenario.load import parse
from swapfast.scenario.plan import plan
from swapfast.scenario.tables.login import parse_start

BASE = """\
[run]
stop = "1s"
[machine]
memory = "16MiB"
[[device]]
name = "d0"
preset = "nvme"
[[swapfile]]
name = "s1"
size = "4MiB"
device = "d0"
[[cgroup]]
path = "/a"
"memory.max" = "2MiB"
[[login]]
name = "a"
cgroup = "/a"
swapon = ["s1"]
[[login.program]]
kind = "generator"
pattern = "zipf"
pages = 1000
refs = 2000
"""


def problems(text):
    with pytest.raises(ScenarioError) as caught:
        parse(textwrap.dedent(text), "my.toml")
    return "\n".join(caught.value.problems)


def test_the_kernel_of_programs_side_by_side_is_todays():
    assert parse(BASE, "x").machine.profile == "6.18"
    assert parse(BASE.replace("[machine]", '[machine]\nprofile = "6.18-mglru"'), "x").side_by_side


@pytest.mark.parametrize("name", bundled_names())
def test_every_bundled_scenario_is_valid_and_its_questions_are_named(name):
    scenario = open_scenario(name).scenario()
    assert scenario.title
    if scenario.run is not None:
        assert scenario.run.sentence and scenario.run.answer and scenario.run.metrics
        assert len(scenario.scopes) >= 1 and scenario.plot


def test_copies_are_counted_out():
    text = (
        BASE.replace('path = "/a"', 'path = "/p{i}"\ncount = 3')
        .replace('name = "a"\ncgroup = "/a"', 'name = "a{i}"\ncount = 3\ncgroup = "/p{i}"')
        .replace('name = "s1"\nsize', 'name = "s{i}"\ncount = 3\nsize')
        .replace('["s1"]', '["s{i}"]')
    )
    whole = plan(parse(text, "x"))
    assert [one.name for one in whole.areas] == ["s0", "s1", "s2"]
    assert [(one.name, one.cgroup, one.swapon) for one in whole.members] == [
        (f"a{i}", f"/p{i}", (f"s{i}",)) for i in range(3)
    ]
    assert [one.name for one in whole.runners] == ["a0", "a1", "a2"]
    assert len({one.place for one in whole.runners}) == 1, "copies share their references"


def test_a_login_of_two_programs_numbers_them_and_a_limit_makes_a_group():
    text = BASE + '[[login.program]]\nkind = "launch"\npages = 10\nmemory = "50%"\n'
    first, second = plan(parse(text.replace('cgroup = "/a"\n', ""), "x")).runners
    assert (first.name, second.name) == ("a.0", "a.1")
    assert (first.cgroup, second.cgroup) == (None, "/a.1")


@pytest.mark.parametrize(
    ("text", "span"),
    [("2s", (2 * 10**9,) * 2), ("random", (0, 10**9)), ("random 1s..3s", (10**9, 3 * 10**9))],
)
def test_a_start_is_a_time_or_drawn(text, span):
    assert parse_start(text) == span


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('stop = "1s"', "", "my.toml:1: run.stop: is missing"),
        ('device = "d0"', 'device = "d9"', "my.toml:11: swapfile.0.device: no device 'd9'; did"),
        ('cgroup = "/a"', 'cgroup = "/b"', "no cgroup '/b'; did you mean '/a'?"),
        ('"memory.max"', '"memory.maxx"', "no file 'memory.maxx'; did you mean 'memory.max'?"),
        ('"2MiB"', '"two"', "cgroup.0: "),
        ('preset = "nvme"', 'preset = "floppy"', "device.0: "),
        ('preset = "nvme"', 'preset = "nvme"\nunits = 0', "units"),
        ("refs = 2000", 'refs = 2000\nstart = "5s"', "program a starts after its end"),
        ("refs = 2000", 'refs = 2000\nafter = "b"', "no program 'b'"),
        ("refs = 2000", "refs = 2000\nloops = 0", "loops is a number from 1 on, or 'forever'"),
        ("refs = 2000", "refs = 2000\nthink = 0", "think"),
        ("refs = 2000", "refs = 2000\nphase = 1.5", "phase is from 0 to less than 1"),
        ('name = "a"', 'name = "a"\ncount = 2', "2 copies of a need '{i}' in their name"),
        ('name = "s1"\nsize', 'name = "s{i}"\nsize', "and there is no count"),
        ('[run]\nstop = "1s"', "", "add a [run] table with stop"),
        ('size = "4MiB"', 'size = "4MiB"\nlabel = "x"', "means nothing to programs side by side"),
        ('swapon = ["s1"]', 'swapon = ["s1"]\npriority = 3', "it is a key of [[swapfile]]"),
        ("refs = 2000", 'refs = 2000\nexpect = "killed"', "side by side there is [[expect]]"),
        ("[machine]", '[machine]\nprofile = "2.6.25"', "Linux 2.6.25 has no cgroup v2"),
        ('stop = "1s"', 'stop = "1s"\nscope = "x"', "no scope 'x'"),
        ('stop = "1s"', 'stop = "1s"\nanswer = "{x|a}"', "run.answer: no scope 'x'"),
    ],
)
def test_a_mistake_is_named_with_its_place(old, new, said):
    assert old in BASE
    assert said in problems(BASE.replace(old, new))


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('[[scope]]\nname = "s"\nkind = "shared"\nmap = {a = ["s1"]}', "shared has no map"),
        ('[[scope]]\nname = "s"\nkind = "swap_ns"\nmap = {b = ["s1"]}', "no login 'b'"),
        ('[[scope]]\nname = "s"\nkind = "swap_ns"\nmap = {a = ["s9"]}', "no swapfile 's9'"),
        ('[[scope]]\nname = "s"\nkind = "private"', "says whose swapfile is whose: map"),
        ('[[scope]]\nname = "s"\nkind = "tiers"', "there is no [[tier]]"),
        ('[[tier]]\nname = "t"\npriority = 5', "the lowest tier begins at -1, not at 5"),
        (
            '[[scope]]\nname = "s"\nkind = "priority"\norder = {"/a" = "s9:3"}',
            "no swapfile 's9'",
        ),
        (
            '[[scope]]\nname = "s"\nkind = "shared"\nset = {"/b" = {"memory.low" = 1}}',
            "cgroup '/b'",
        ),
        ('[[action]]\nat = "2s"\nswapoff = "s1"', "it comes after the end of the run"),
        ('[[action]]\nat = "0s"', "an action is one of set, reclaim"),
        ('[[action]]\nat = "0s"\nkill = "b"', "no program 'b'"),
        ('[[action]]\nat = "0s"\ncheckpoint = {login = "a"}', "say contents = true in [run]"),
        ('[[expect]]\nmetric = "m"', "an expectation has below, above or equal"),
        ('[[expect]]\nmetric = "m"\norder = ["a", "b"]', "no scope 'a'"),
        ('[[plot]]\nkind = "bars"\nx = "m"', "a plot of bars has metric, and no other such key"),
        ('[[login]]\nname = "b"\n[[login.program]]\nkind = "ltp"', "LTP runs alone"),
        (
            '[[login]]\nname = "b"\ncgroup = "/a"\n[[login.program]]\nkind = "launch"\npages = 9\n'
            'memory = "50%"',
            "which has cgroups below it",
        ),
        (
            '[[login]]\nname = "b"\n[[login.program]]\nkind = "phases"\npages = 9\n'
            '[[login.program.phase]]\nidle = "1s"',
            "touches pages",
        ),
    ],
)
def test_tables_that_do_not_fit_are_refused(table, said):
    assert said in problems(BASE + table)


def test_all_mistakes_are_told_at_once():
    found = problems(BASE.replace('"zipf"', '"zap"').replace('"4MiB"', '"4 parsecs"'))
    assert "no pattern 'zap'" in found and "parsecs" in found


def test_programs_that_wait_for_each_other_are_refused():
    ring = "".join(
        f'[[login]]\nname = "{n}"\n[[login.program]]\nkind = "launch"\npages = 9\nafter = "{o}"\n'
        for n, o in (("x", "y"), ("y", "x"))
    )
    assert "would begin after itself" in problems(BASE + ring)


@pytest.mark.parametrize(
    ("key", "value", "where", "now"),
    [
        ("machine.memory", "8MiB", lambda s: s.machine.memory, 8 << 20),
        ("machine.cpus", "2", lambda s: s.machine.cpus, 2),
        ("cgroup./a.memory.max", "1MiB", lambda s: s.cgroup[0].files["memory.max"], "1MiB"),
        ("cgroup.memory.max", "1MiB", lambda s: s.cgroup[0].files["memory.max"], "1MiB"),
        ("device.d0.preset", "hdd", lambda s: s.device[0].preset, "hdd"),
        ("device.d0.read", '{dist = "constant", at = "9us"}', lambda s: s.device[0].preset, "nvme"),
        ("login.a.program.0.pages", "77", lambda s: s.login[0].program[0].pages, 77),
        ("login.a.program.pages", "77", lambda s: s.login[0].program[0].pages, 77),
        ("run.stop", "2s", lambda s: s.run.stop, 2 * 10**9),
    ],
)
def test_a_key_is_replaced_by_hand(tmp_path, key, value, where, now):
    file = tmp_path / "x.toml"
    file.write_text(BASE)
    assert where(open_scenario(file).scenario({key: value})) == now
    assert where(open_scenario(file).scenario()) is not None or key == "machine.cpus"


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("nothing.x", "begins with no table; there are run, machine"),
        ("machine", "begins with no table"),
        ("count", "count: nothing in the scenario has one"),
        ("machine.memry", "did you mean 'memory'?"),
        ("run.stop.x.y", "run.stop.x.y"),
    ],
)
def test_a_key_that_leads_nowhere_says_so(tmp_path, key, said):
    file = tmp_path / "x.toml"
    file.write_text(BASE)
    with pytest.raises(ScenarioError, match=r"."):
        open_scenario(file).scenario({key: "1"})
    try:
        open_scenario(file).scenario({key: "1"})
    except ScenarioError as error:
        assert said in "\n".join(error.problems)


def test_count_alone_is_every_count(tmp_path):
    assert len(plan(open_scenario("winners").scenario({"count": "7"})).runners) == 7


def test_a_name_that_is_neither_file_nor_bundled_lists_the_bundled():
    with pytest.raises(FileNotFoundError, match="isolation"):
        open_scenario("isolatoin")


@pytest.mark.parametrize("name", bundled_names())
def test_what_is_shown_in_full_is_the_same_scenario(name, tmp_path):
    shown = CliRunner().invoke(swapfast, ["scenario", "show", name])
    file = tmp_path / "shown.toml"
    file.write_text(shown.output)
    assert open_scenario(file).scenario() == open_scenario(name).scenario()
