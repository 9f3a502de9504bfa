"""The reference is written from the code, and everything in it has a text.

Every command, option, key, counter, metric, format and public name. What a machine and a run tell
is compared with the table of counters: no number is without a meaning, no meaning without a number.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path

import pytest

import swapfast as sf
from swapfast.cli.commands import swapfast
from swapfast.core import memcg_table, world
from swapfast.kernel.choices import TIMES
from swapfast.scenario import load, metric_unit, open_scenario, play
from swapfast.scenario.tables import LAYOUT
from swapfast.traces import FORMATS
from swapfast.validate import Cell
from tools import reference
from tools.reference import commands, counters, keys, library

HERE = Path(__file__).parent
PAGES = reference.pages()


def names(table: str) -> set[str]:
    return set(counters.TABLES[table]["names"])


# ---------------------------------------------------------------- texts


@pytest.mark.parametrize("module", [*reference.MODULES.values(), library], ids=lambda m: m.__name__)
def test_everything_has_a_text(module: object) -> None:
    assert list(module.untold()) == []  # type: ignore[attr-defined]


def test_what_has_none_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(swapfast.commands["mrc"], "help", None)
    monkeypatch.setattr(swapfast.commands["replay"].params[-1], "help", None)
    monkeypatch.setattr(LAYOUT.tables["run"].model_fields["seed"], "description", None)
    monkeypatch.setattr(Cell, "__doc__", "Cell(trace: str)")
    monkeypatch.setitem(counters.TABLES["clock"]["names"], "now", ["ns", ""])
    last = swapfast.commands["replay"].params[-1].opts[0]
    told = f"swapfast replay {last}, swapfast mrc, run.seed, clock.now"
    with pytest.raises(reference.Undocumented, match=rf"{told}, swapfast.validate.Cell"):
        reference.pages()


def test_every_command_and_option_is_on_its_page() -> None:
    page = PAGES["reference/commands.md"]
    found = dict(commands.every())
    assert len(found) > 25 and "swapfast scenario show" in found
    for name, command in found.items():
        section = page.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
        for parameter in command.params:
            told = max(parameter.opts, key=len) if parameter.opts[0][0] == "-" else ""
            assert section and told in section, (name, parameter.name)


def test_every_key_is_on_its_page() -> None:
    page = PAGES["reference/scenario.md"]
    for name, model in LAYOUT.tables.items():
        section = page.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
        for key, field in model.model_fields.items():
            assert f"| `{field.alias or key}` |" in section, (name, key)
    assert "`16MiB`" not in page and '| `memory` | size | `"256MiB"` |' in page
    assert '| `quantum` | time | `"20us"` |' in page


def test_every_format_is_on_its_page() -> None:
    assert all(f"| `{name}` |" in PAGES["reference/formats.md"] for name in FORMATS)


def test_the_library_has_what_people_import() -> None:
    shown = {name for name, _ in library.public("swapfast")}
    assert {"Machine", "Task", "Rules", "Cgroup"} <= shown
    assert "::: swapfast.Machine\n" in PAGES["reference/api/machine.md"]
    assert "::: swapfast.mrc.Distances\n" in PAGES["reference/api/replay.md"]  # compiled


def test_texts_are_no_marks() -> None:
    assert keys.cell("a <b> | `c|d` *e*") == r"a &lt;b> \| `c\|d` \*e\*"


# ---------------------------------------------------------------- counters


def test_counters_of_a_machine() -> None:
    shown: set[str] = set()
    for profile in ("2.6.25", "6.18"):
        machine = sf.Machine("4MiB", profile=profile, contents=False)
        core = machine.core
        assert set(core.counters()) == names("machine")
        assert set(core.clock()) == names("clock")
        assert set(core.memory()) == names("memory")
        shown |= set(machine.vmstat())
    assert shown == names("vmstat")
    assert set(TIMES) == names("costs")


def test_counters_of_its_parts() -> None:
    machine = sf.Machine("4MiB", contents=False, swap_scope="tiers")
    machine.swap_tiers.write("+quick:5 +rest:-1")
    quick = machine.add_swap("1MiB", device=machine.device("z", "zram"), priority=5)
    slow = machine.add_swap("1MiB", device=machine.device("d", "nvme"), priority=1)
    cgroup = machine.cgroup("/a")
    events = memcg_table.info(machine.core, cgroup.number)["events"]
    assert {line.split()[0] for line in cgroup["memory.stat"].splitlines()} == names("stat")
    assert set(events) == names("events")
    assert set(machine.kernel.areas[0].info) == names("area")
    assert set(machine.slot_counters()) == names("slots")
    assert set(machine.swap_tiers.counters()["quick"]) == names("tier")
    moved = machine.demote("on-full", source=[quick], target=[slow])
    assert set(moved.counters()) == names("moved")
    assert set(world.PROGRAM_COLUMNS) == names("program")
    assert set(machine.device("y", "zram").counters()) == names("device")


def test_metrics_of_runs() -> None:
    """Each that is told has one meaning, and its unit; each meaning is of one that is told."""
    runs = [
        (load(HERE / "told.toml"), "tiers"),
        (open_scenario("two-containers").scenario({"run.stop": "1200ms"}), "shared"),
        (_checkpoint(), "swap_ns"),
    ]
    meanings, told = counters.TABLES["metrics"]["names"], set()
    for scenario, scope in runs:
        told |= set(play(scenario, scope=scope, seed=0).metrics)
    found: set[str] = set()
    for name in told:
        mine = [m for m in meanings if fnmatchcase(_as_program(name), m)]
        assert len(mine) == 1, (name, mine)
        found.update(mine)
        unit, own = metric_unit(name), meanings[mine[0]][0]
        assert unit == own or (unit == "count" and own not in ("us", "ms", "s", "share")), name
    assert found == set(meanings)


def _as_program(name: str) -> str:
    """Copies of a login together have what each has, and some more."""
    own = name.endswith((".programs", ".alive_share"))
    return name if own else name.replace("logins.", "programs.", 1)


def _checkpoint() -> object:
    sets = {"login.job.program.pages": 600, "login.job.program.refs": 20_000}
    return open_scenario("checkpoint-cost").scenario(sets)
