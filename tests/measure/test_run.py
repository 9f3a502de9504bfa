"""Everything that a measurement changes is put back: at every step that can fail, in reverse.

The system is a fake that writes down what it is asked; no test turns a swap area on.
"""

import csv
import dataclasses
import errno
import os
import signal

import pytest

from swapfast.measure import Counts, make_plan, measure
from swapfast.measure.run import System
from swapfast.measure.truth import KERNEL_COLUMNS
from swapfast.measure.undo import Stop, Undo
from tests.support.measuring import Recorded


class Fake(Recorded, System):
    """Groups are a set of paths; nothing is touched."""

    def __init__(self, fail=(), runs=(), on_play=None, able=7):
        super().__init__(fail, on_play)
        self.runs, self.groups = list(runs), set()
        self.able = able  # bits of lru_gen that the processor has

    def mkswap(self, path, size):
        self._called("mkswap", path)
        self.files.add(path)

    def unlink(self, path):
        self._called("unlink", path)
        if path in self.on:
            raise OSError(errno.EPERM, "is a swap area", str(path))
        self.files.remove(path)

    def swapon(self, path):
        self._called("swapon", path)
        assert path in self.files and path not in self.on
        self.on.add(path)

    def mkdir(self, path):
        self._called("mkdir", path)
        assert path not in self.groups
        self.groups.add(path)

    def rmdir(self, path):
        self._called("rmdir", path)
        self.groups.remove(path)

    def write(self, path, text):
        self._called("write", path, f" {text}")
        self.settings[path.name] = text

    def read(self, path):
        text = self.settings[path.name]
        return f"{self.able if text == 'y' else int(text, 0) & self.able:#06x}"

    def play(self, cell, group, stop):
        self._called("play", group.path)
        assert self.on and group.path in self.groups
        if self.on_play is not None:
            self.on_play()
        stop.check()
        return self.runs.pop(0) if self.runs else Counts(100, 100, 90)

    def is_clean(self):
        left = {k: v for k, v in self.settings.items() if k != "memory.swappiness"}
        before = {"page-cluster": "3", "swappiness": "45", "enabled": "0x0000"}
        before["cgroup.subtree_control"] = "-memory"
        return not (self.files or self.on or self.groups) and all(
            before[k] == v for k, v in left.items()
        )


RUN = [
    "swapon truth.csv.swap",
    "mkdir swapfast-measure",
    "write memory.swappiness 60",
    "play swapfast-measure",
    "rmdir swapfast-measure",
    "swapoff truth.csv.swap",
]
ALL = [
    "mkswap truth.csv.swap",
    "write page-cluster 0",
    *RUN,
    *RUN,
    "write page-cluster 3",
    "unlink truth.csv.swap",
]


def test_the_order_of_everything(plan, host):
    system = Fake()
    (result,) = measure(plan, host, system=system)
    assert system.log == ALL and system.is_clean()
    assert result.runs == (Counts(100, 100, 90),) * 2 and plan.out.exists()


def test_cgroup_v2_sets_the_swappiness_of_the_machine_and_puts_it_back(trace, host, v2, tmp_path):
    system = Fake()
    plan = make_plan([trace], tmp_path / "truth.csv", fracs=["0.5"], runs=1, host=host)
    measure(plan, host, system=system)
    assert "write swappiness 60" in system.log and "write memory.swappiness 60" not in system.log
    assert system.log[-3:] == [
        "write swappiness 45",
        "write page-cluster 3",
        "unlink truth.csv.swap",
    ]
    assert system.is_clean()


def kernel_of(plan):
    with open(plan.out) as file:
        (row,) = csv.DictReader(file)
    return [row[name] for name in KERNEL_COLUMNS]


def test_the_truth_says_which_kernel_it_is_of(plan, host):
    measure(plan, host, system=Fake())
    assert kernel_of(plan) == ["classic", "0x0000", "v1", "6.18.15-test"]


@pytest.mark.parametrize(
    ("lru", "able", "mask"), [("mglru", 7, 7), ("mglru", 3, 3), ("1", 7, 1), ("6", 7, 6)]
)
def test_another_lru_is_set_named_and_put_back(trace, host, tmp_path, v2, lru, able, mask):
    system = Fake(able=able)
    plan = make_plan([trace], tmp_path / "t.csv", fracs=["0.5"], lru=lru, host=host)
    measure(plan, host, system=system)
    name = "mglru" if mask & 1 else "classic"
    assert kernel_of(plan) == [name, f"{mask:#06x}", "v2", "6.18.15-test"]
    assert system.log[-4] == "write enabled 0x0000" and system.is_clean()


@pytest.mark.parametrize(("lru", "able"), [("7", 3), ("mglru", 0)])
def test_what_the_processor_lacks_is_an_error_and_put_back(trace, host, tmp_path, lru, able):
    system = Fake(able=able)
    plan = make_plan([trace], tmp_path / "t.csv", fracs=["0.5"], lru=lru, host=host)
    with pytest.raises(OSError, match="this processor lacks the rest") as caught:
        measure(plan, host, system=system)
    assert caught.value.errno == errno.EOPNOTSUPP and system.is_clean()
    assert not any(line.startswith("swapon") for line in system.log)


def test_the_controller_of_cgroup_v2_is_taken_back_at_the_end(trace, host, v2, tree, tmp_path):
    tree("sys/fs/cgroup/cgroup.subtree_control", "cpu\n")
    system = Fake(on_play=lambda: os.kill(os.getpid(), signal.SIGTERM))
    plan = make_plan([trace], tmp_path / "t.csv", fracs=["0.5"], host=host)
    with pytest.raises(KeyboardInterrupt):
        measure(plan, host, system=system)
    assert system.log.index("write cgroup.subtree_control +memory") < system.log.index(
        "mkdir swapfast-measure"
    )
    assert system.is_clean()


FORWARD = ["mkswap 1", "write 1", *(f"{c} {n}" for n in (1, 2) for c in ("swapon", "mkdir"))]
FORWARD += ["write 2", "write 3", "play 1", "play 2"]


@pytest.mark.parametrize("step", FORWARD)
def test_a_step_that_fails_undoes_those_before_it_and_only_those(plan, host, step):
    system = Fake(fail=[step])
    with pytest.raises(OSError, match="no luck"):
        measure(plan, host, system=system)
    name, number = step.split()
    at = [i for i, line in enumerate(ALL) if line.split()[0] == name][int(number) - 1]
    assert system.log[: at + 1] == ALL[: at + 1]
    assert system.is_clean()
    reverses = {"rmdir", "swapoff", "unlink"}
    after = system.log[at + 1 :]
    assert all(line.split()[0] in reverses or line == "write page-cluster 3" for line in after)
    assert not plan.out.exists()


@pytest.mark.parametrize("reverse", ["rmdir", "swapoff", "write", "unlink"])
def test_a_reverse_that_fails_keeps_no_other_from_running(plan, host, reverse):
    # The fourth write is the one that puts page-cluster back.
    system = Fake(fail=[f"{reverse} {4 if reverse == 'write' else 1}"])
    with pytest.raises(OSError, match="left behind; undo by hand") as caught:
        measure(plan, host, system=system)
    said = {
        "rmdir": f"rmdir {plan.group.path} failed: no luck",
        "swapoff": f"swapoff {plan.swapfile} failed: no luck",
        "write": "sysctl vm.page-cluster=3 failed: no luck",
        "unlink": f"rm {plan.swapfile} failed: no luck",
    }
    assert said[reverse] in caught.value.strerror.splitlines()
    if reverse == "swapoff":
        assert f"rm {plan.swapfile} failed: is a swap area" in caught.value.strerror.splitlines()
    for name in {"rmdir", "unlink", "swapoff"} - {reverse}:
        assert any(line.startswith(name) for line in system.log)
    assert "write page-cluster 3" in system.log


def test_an_error_and_a_reverse_that_fails_are_both_told(plan, host):
    with pytest.raises(OSError, match="left behind") as caught:
        measure(plan, host, system=Fake(fail=["play 1", "rmdir 1"]))
    left, after = caught.value.strerror.splitlines()[1:]
    assert left.startswith("rmdir ") and after.startswith("after: ") and "no luck" in after


@pytest.mark.parametrize("number", Stop.SIGNALS)
def test_a_signal_in_the_middle_of_a_run_undoes_everything(plan, host, number):
    before = signal.getsignal(number)
    system = Fake(on_play=lambda: os.kill(os.getpid(), number))
    with pytest.raises(KeyboardInterrupt):
        measure(plan, host, system=system)
    assert system.log.count("play swapfast-measure") == 1
    assert system.is_clean() and signal.getsignal(number) == before


@pytest.mark.parametrize("step", ["mkswap", "write", "swapon", "mkdir"])
def test_a_signal_within_a_step_waits_until_the_step_is_noted(plan, host, step):
    class Signalled(Fake):
        def _called(self, name, path, text=""):
            super()._called(name, path, text)
            if name == step and self.counted[name] == 1:
                os.kill(os.getpid(), signal.SIGTERM)

    system = Signalled()
    with pytest.raises(KeyboardInterrupt):
        measure(plan, host, system=system)
    assert system.is_clean() and "play swapfast-measure" not in system.log


def test_a_second_signal_does_not_stop_the_undoing(plan, host):
    class Impatient(Fake):
        def rmdir(self, path):
            os.kill(os.getpid(), signal.SIGINT)
            super().rmdir(path)

    system = Impatient(on_play=lambda: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        measure(plan, host, system=system)
    assert system.is_clean()


def test_finished_cells_stay_when_a_later_one_is_interrupted(trace, host, tmp_path):
    plan = make_plan([trace], tmp_path / "t.csv", fracs=["0.5", "0.9"], runs=1, host=host)
    with pytest.raises(OSError, match="no luck"):
        measure(plan, host, system=Fake(fail=["play 2"]))
    assert len(plan.out.read_text().splitlines()) == 2


def test_what_speaks_against_it_is_asked_again_before_anything_is_changed(
    plan, host, tree, altered
):
    tree("proc/swaps", "Filename Type\n/dev/sda2 partition\n")
    system = Fake()
    with pytest.raises(PermissionError) as caught:
        measure(plan, altered(host, uid=1000), system=system)
    assert len(caught.value.strerror.splitlines()) == 2
    assert system.log == []


def test_progress(plan, host):
    seen = []
    measure(plan, host, system=Fake(), progress=lambda *step: seen.append(step))
    assert seen == [("zipf 0.5", 0, 2), ("zipf 0.5", 1, 2)]


def test_scopes_undo_their_own_steps_only():
    log = []
    with Undo() as undo:
        undo.do(lambda: log.append("a"), "a", lambda: log.append("-a"))
        with undo.scope():
            undo.do(lambda: log.append("b"), "b", lambda: log.append("-b"))
        undo.do(lambda: log.append("c"), "c", lambda: log.append("-c"))
    assert log == ["a", "b", "-b", "c", "-c", "-a"]


# ---------------------------------------------------------------- the calls that are safe to make


def test_a_group_that_is_busy_for_a_moment_is_removed(tmp_path, monkeypatch):
    tries = []

    def rmdir(path):
        tries.append(path)
        if len(tries) < 3:
            raise OSError(errno.EBUSY, "busy")

    monkeypatch.setattr(os, "rmdir", rmdir)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    System().rmdir(tmp_path)
    assert len(tries) == 3


@pytest.mark.parametrize("name", ["swapon", "swapoff"])
def test_errors_of_system_calls_are_theirs(tmp_path, name):
    # There is no such file: whoever asks, nothing can be turned on or off.
    with pytest.raises(OSError) as caught:
        getattr(System(), name)(tmp_path / "none")
    assert caught.value.errno in (errno.ENOENT, errno.EPERM, errno.ENOSYS)
    assert caught.value.strerror.startswith(f"{name}: ")


class Player:
    """Puts another program in place of the player."""

    def __init__(self, monkeypatch, tmp_path, code):
        (tmp_path / "fake").mkdir()
        script = tmp_path / "fake" / "python"
        script.write_text(f"#!/bin/sh\n{code}\n")
        script.chmod(0o755)
        monkeypatch.setattr("sys.executable", str(script))


def grouped(plan, tmp_path, events=""):
    """The plan's group as a folder of plain files."""
    folder = tmp_path / "group"
    folder.mkdir()
    (folder / "memory.oom_control").write_text(events)
    return dataclasses.replace(plan.group, path=folder)


def test_counts_come_from_the_player(plan, tmp_path, monkeypatch):
    Player(monkeypatch, tmp_path, """echo '{"majflt": 1, "pswpin": 2, "pswpout": 3}'""")
    counts = System().play(plan.cells[0], grouped(plan, tmp_path), Stop())
    assert counts == Counts(1, 2, 3)


def test_what_else_the_kernel_counts_comes_too(plan, tmp_path, monkeypatch):
    told = '{"majflt": 1, "pswpin": 2, "pswpout": 3, "pgscan": 4, "pgmajfault": 1}'
    Player(monkeypatch, tmp_path, f"echo '{told}'")
    counts = System().play(plan.cells[0], grouped(plan, tmp_path), Stop())
    assert counts.more == {"pgscan": 4}


def test_a_killed_player_is_an_oom_kill_if_the_group_says_so(plan, tmp_path, monkeypatch):
    Player(monkeypatch, tmp_path, "kill -9 $$")
    events = "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n"
    assert System().play(plan.cells[0], grouped(plan, tmp_path, events), Stop()) is None


def test_a_player_killed_by_another_is_an_error(plan, tmp_path, monkeypatch):
    Player(monkeypatch, tmp_path, "kill -9 $$")
    with pytest.raises(OSError, match="player of zipf failed"):
        System().play(plan.cells[0], grouped(plan, tmp_path, "oom_kill 0\n"), Stop())


def test_the_last_words_of_a_player_that_fails_are_told(plan, tmp_path, monkeypatch):
    Player(monkeypatch, tmp_path, "echo first >&2; echo mlockall: no >&2; exit 1")
    with pytest.raises(OSError, match="zipf failed: mlockall: no"):
        System().play(plan.cells[0], grouped(plan, tmp_path), Stop())


def test_a_signal_kills_the_player_at_once(plan, tmp_path, monkeypatch):
    Player(monkeypatch, tmp_path, f"kill -TERM {os.getpid()}; exec sleep 20")
    with Stop() as stop, pytest.raises(KeyboardInterrupt):
        System().play(plan.cells[0], grouped(plan, tmp_path), stop)


def test_a_signal_before_the_player_is_noted_kills_it_too(plan, tmp_path, monkeypatch):
    Player(monkeypatch, tmp_path, "exec sleep 20")
    stop = Stop()
    stop.seen = signal.SIGTERM
    with pytest.raises(KeyboardInterrupt):
        System().play(plan.cells[0], grouped(plan, tmp_path), stop)
