"""One run of a scenario of programs side by side.

- ``play(scenario, scope, seed, progress)``: an ``Outcome``.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from swapfast import __version__
from swapfast.devices import PRESETS, DeviceConfig
from swapfast.scenario import sentence
from swapfast.scenario.plan import Plan, plan
from swapfast.scenario.side.acts import Acts
from swapfast.scenario.side.alone import rates_alone
from swapfast.scenario.side.cast import Cast, draws_references
from swapfast.scenario.side.measures import measure
from swapfast.scenario.side.outcome import Outcome
from swapfast.scenario.side.samples import Samples
from swapfast.scenario.side.stage import Stage, set_stage
from swapfast.scenario.tables import Scenario
from swapfast.swapfile import own_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["play"]

MOST_HISTOGRAMS = 4096  # programs
SAMPLES = 200  # of a run
LEAST_SAMPLE = 1_000_000  # ns

#: (what is being done, steps done, steps in all)
Progress = Callable[[str, int, int], None]


def play(
    scenario: Scenario,
    scope: str | None = None,
    seed: int | None = None,
    progress: Progress | None = None,
) -> Outcome:
    """Run a scenario side by side.

    Parameters
    ----------
    scenario : Scenario
        With a ``[run]`` table.
    scope : str, optional
        By name; that of ``[run]``, or the first, by default.
    seed : int, optional
        That of ``[run]`` by default.
    progress : callable, optional

    Returns
    -------
    Outcome
        The same for the same scenario, scope and seed, but for ``wall_s``. A KeyboardInterrupt ends
        the run, and the outcome is ``interrupted``.

    Raises
    ------
    ValueError
        It runs in turn, or has no such scope; or what it asks for cannot be.
    OSError
        Whatever a system call of the scenario said, before it began.
    """
    if scenario.run is None:
        raise ValueError(f"{scenario.title!r} has no [run] table: its programs run in turn")
    table = scenario.scope_named(scope or scenario.run.scope or scenario.scopes[0])
    number = scenario.run.seed if seed is None else seed
    with _folder(scenario.run.contents) as folder:
        whole = plan(scenario)
        stage = set_stage(scenario, whole, table, number, folder)
        try:
            return _Played(stage, progress or (lambda what, done, of: None)).outcome()
        finally:
            stage.machine.close()


@contextmanager
def _folder(wanted: bool) -> Iterator[Path | None]:
    if not wanted:
        yield None
        return
    temporary = Path(tempfile.mkdtemp(prefix="swapfast-"))
    try:
        with own_folder(temporary):
            yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


class _Played:
    """A run on a stage."""

    def __init__(self, stage: Stage, tell: Progress) -> None:
        self.stage, self.tell = stage, tell
        assert stage.scenario.run is not None
        self.table = stage.scenario.run
        sample = self.table.sample or max(self.table.stop // SAMPLES, LEAST_SAMPLE)
        self.run = stage.machine.together(
            seed=stage.seed,
            quantum=self.table.quantum,
            cpus=stage.scenario.machine.cpus,
            slice=stage.scenario.machine.slice,
            sample=sample,
            jitter=self.table.jitter,
            area_latency=bool(stage.scenario.tier),
        )
        few = len(stage.plan.runners) <= MOST_HISTOGRAMS
        self.cast = Cast(stage, self.run, watched=few)
        self.samples = Samples(stage, self.cast, self.run)
        self.acts = Acts(stage, self.cast, self.run)
        self.run.on_sample(lambda since: self._tell(since))

    def _tell(self, since: int) -> None:
        self.tell(f"{self.stage.scope.name}, seed {self.stage.seed}", since, self.table.stop)

    def outcome(self) -> Outcome:
        """Run to the end, and look."""
        began, interrupted = time.perf_counter(), False
        try:
            self.cast.begin()
            self.run.until(self.table.stop)
        except KeyboardInterrupt:
            interrupted = True
        spent = time.perf_counter() - began
        stage, scenario = self.stage, self.stage.scenario
        metrics = measure(stage, self.cast, self.run, self.acts.events)
        if self.table.alone and not interrupted:
            metrics = dict(sorted((metrics | self._slowdowns(metrics)).items()))
        return Outcome(
            title=scenario.title,
            scope=stage.scope.name,
            seed=stage.seed,
            simulated_ns=self.run.now - self.run.begin,
            wall_s=spent,
            metrics=metrics,
            series=self.samples.series,
            kills=[self._kill(record) for record in stage.machine.oom_records],
            devices=_devices(stage),
            expectations=list(_expectations(scenario, stage.scope.name, metrics)),
            events=self.acts.events,
            sentence=sentence.one(self.table.sentence, metrics),
            drawn=_drawn(scenario, stage.plan),
            interrupted=interrupted,
            core=__version__,
        )

    def _slowdowns(self, metrics: Mapping[str, float]) -> dict[str, float]:
        """How many times longer a reference takes than where the program is alone."""
        rates = rates_alone(self.stage)
        told = {}
        for part in self.cast.parts:
            together = metrics.get(f"programs.{part.name}.references_per_s")
            alone = rates.get(part.runner.place)
            if together and alone:
                told[f"programs.{part.name}.slowdown"] = alone / together
        return told

    def _kill(self, record: Any) -> dict[str, Any]:
        told = asdict(record)
        told["time_s"] = (told.pop("time_ns") - self.run.begin) / 1e9
        for old, new in (("rss", "rss_pages"), ("swap", "swap_pages"), ("free", "free_pages")):
            told[new] = told.pop(old)
        told["victim"], told["trigger"] = told.pop("victim_name"), told.pop("trigger_name")
        del told["victim_pid"], told["trigger_pid"]
        return told


def _devices(stage: Stage) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "preset": device.config.preset,
            "calibrated": device.config.calibrated,
            "about": PRESETS[device.config.preset].about,
        }
        for name, device in stage.devices.items()
    ]


def _expectations(
    scenario: Scenario, scope: str, metrics: Mapping[str, float]
) -> Iterable[dict[str, Any]]:
    for one in scenario.expect:
        if one.scope not in (None, scope):
            continue
        rule, held = "order", None
        value = metrics.get(one.metric)
        for name in ("below", "above", "equal"):
            bound = getattr(one, name)
            if bound is None:
                continue
            rule = f"{name} {bound:g}"
            fits = (
                value is not None
                and {
                    "below": value < bound,
                    "above": value > bound,
                    "equal": value == bound,
                }[name]
            )
            held = fits and held is not False
        if one.order is not None:
            rule = "least first: " + ", ".join(one.order)
        yield {"metric": one.metric, "rule": rule, "why": one.why, "held": held, "value": value}


def _drawn(scenario: Scenario, whole: Plan) -> bool:
    """Whether the seed changes anything."""
    assert scenario.run is not None
    if scenario.run.jitter or any(one.start[1] > one.start[0] for one in whole.runners):
        return True
    if any(draws_references(one.table) for one in whole.runners):
        return True
    if any(getattr(one.table, "phase", None) == "random" for one in whole.runners):
        return True
    if scenario.machine.statistics == "stale":
        return True
    return any(DeviceConfig.of(d.preset, **d.settings).random for d in scenario.device)
