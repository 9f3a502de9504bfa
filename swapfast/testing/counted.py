"""A program that runs benchmarks once each, and tells callgrind when one begins and ends.

    python -P counted.py ORDER.json

It runs in the environment of the project that is measured, and imports nothing of swapfast, which
may be that project, in an older version. The order says what to run and where the answer goes:
``library`` (the switches), ``tree``, ``paths`` (for imports), ``targets``, ``warmup``,
``repeat``, ``pytest`` (more arguments) and ``answer``. The answer names the parts of the profile,
what failed and why, and packages of the tree that were imported from elsewhere.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import importlib.util
import json
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

Work = Callable[[], Any]


class Meter:
    """Counts calls, each a part of the profile; the parts are numbered from 1."""

    def __init__(self, library: str, warmup: int, repeat: int) -> None:
        self._switches = ctypes.CDLL(library)
        self._warmup, self._repeat = warmup, repeat
        self.test = ""  # the one that runs
        self.names: list[str] = []
        self.failed: dict[str, str] = {}

    def call(self, name: str, prepare: Callable[[], Work]) -> Any:
        """Do a piece of work: first uncounted, then counted, without the garbage collector.

        Each time the heap is another one, and the least count is what the work needs: where free
        memory happens to lie makes 1 to 2 % of Python that allocates.
        """
        for _ in range(self._warmup):
            prepare()()
        heap = []
        for number in range(self._repeat):
            heap.append([bytes(size) for size in range(8, 512, 8) for _ in range(number * 7)])
            work = prepare()
            gc.collect()
            gc.disable()
            self._switches.begin()
            try:
                result = work()
            finally:
                self._switches.end(str(len(self.names) + 1).encode())
                gc.enable()
            self.names.append(name)
        return result


class Benchmark:
    """The ``benchmark`` of pytest-benchmark, whose call is counted, not timed.

    Where that is installed, its class gets these methods; otherwise this is the fixture.
    """

    enabled, disabled = True, False
    stats = None
    meter: Meter
    counted = False

    def __init__(self, name: str, meter: Meter) -> None:
        self.name = self.fullname = name
        self.group: str | None = None
        self.extra_info: dict[str, Any] = {}
        self.meter = meter

    def once(self, prepare: Callable[[], Work]) -> Any:
        """Count one call, the only one of a test."""
        if self.counted:
            raise RuntimeError("a test calls `benchmark` once")
        self.counted = True
        self._mode = "counted"  # pytest-benchmark warns if it was not used
        return self.meter.call(self.meter.test, prepare)

    def __call__(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Count ``function(*args, **kwargs)``."""
        return self.once(lambda: lambda: function(*args, **kwargs))

    def pedantic(
        self,
        target: Callable[..., Any],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
        setup: Callable[[], Any] | None = None,
        teardown: Callable[..., Any] | None = None,
        **_: Any,
    ) -> Any:
        """Count one call; rounds and iterations are pytest-benchmark's own."""
        after: list[tuple[tuple[Any, ...], dict[str, Any]]] = []

        def prepare() -> Work:
            if teardown is not None and after:
                teardown(*after[-1][0], **after[-1][1])
            made = setup() if setup is not None else None
            given = (args, kwargs or {}) if made is None else made
            after.append(given)
            return lambda: target(*given[0], **given[1])

        try:
            return self.once(prepare)
        finally:
            if teardown is not None and after:
                teardown(*after[-1][0], **after[-1][1])

    def weave(self, *_: Any, **__: Any) -> None:
        """Not counted: nothing says where the call is."""
        raise RuntimeError("benchmark.weave cannot be counted: call benchmark(function) instead")

    patch = weave


class Plugin:
    """Of pytest: tests that use ``benchmark`` get the one that counts, others are left out."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter

    def pytest_configure(self, config: Any) -> None:
        """The mark is known, with or without pytest-benchmark."""
        config.addinivalue_line("markers", "benchmark: options of pytest-benchmark")

    def pytest_collection_modifyitems(self, config: Any, items: list[Any]) -> None:
        """Leave out tests that do not use the fixture."""
        others = [i for i in items if "benchmark" not in getattr(i, "fixturenames", ())]
        if others:
            config.hook.pytest_deselected(items=others)
            items[:] = [item for item in items if item not in others]

    def pytest_runtest_setup(self, item: Any) -> None:
        """The name of the test that runs."""
        self._meter.test = item.nodeid

    def pytest_collectreport(self, report: Any) -> None:
        """A file that cannot be imported has failed."""
        if report.failed:
            self._meter.failed[report.nodeid] = str(report.longrepr)

    def pytest_runtest_logreport(self, report: Any) -> None:
        """What failed or was skipped, and why."""
        if report.failed:
            self._meter.failed[report.nodeid] = report.longreprtext
        elif report.skipped:
            self._meter.failed[report.nodeid] = f"skipped: {report.longrepr[-1]}"


def plugins(meter: Meter) -> list[Any]:
    """The hooks, and the fixture: pytest-benchmark's with other methods, or one of our own."""
    import pytest

    if importlib.util.find_spec("pytest_benchmark") is not None:
        from pytest_benchmark.fixture import BenchmarkFixture

        for name in ("once", "__call__", "pedantic", "weave", "patch", "counted"):
            setattr(BenchmarkFixture, name, vars(Benchmark)[name])
        setattr(BenchmarkFixture, "meter", meter)  # noqa: B010 - it has none for a type checker
        return [Plugin(meter)]

    class Fixture:
        @pytest.fixture
        def benchmark(self, request: Any) -> Benchmark:
            return Benchmark(request.node.name, meter)

    return [Plugin(meter), Fixture()]


def collected(meter: Meter, targets: list[str], more: list[str]) -> None:
    """Count the tests of files that use ``benchmark``."""
    import pytest

    alone = ["-n0"] if importlib.util.find_spec("xdist") else []
    uncovered = ["--no-cov"] if importlib.util.find_spec("pytest_cov") else []
    command = ["-q", "-p", "no:cacheprovider", *alone, *uncovered, *more, *targets]
    code = int(pytest.main(command, plugins=plugins(meter)))
    if code > 1 and not meter.failed:
        meter.failed[" ".join(targets)] = ""  # what pytest printed says why


def called(meter: Meter, target: str) -> None:
    """Count a function without arguments, ``package.module:function`` or ``file.py:function``."""
    where, _, name = target.rpartition(":")
    try:
        if where.endswith(".py"):
            spec = importlib.util.spec_from_file_location(Path(where).stem, where)
            assert spec is not None and spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
        else:
            module = importlib.import_module(where)
        function = getattr(module, name)
        meter.call(target, lambda: function)
    except Exception:
        meter.failed[target] = traceback.format_exc(limit=-3)


def strangers(paths: list[str]) -> dict[str, str]:
    """Packages that the tree has, and that were imported from somewhere else."""
    found = {}
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if file is None or "." in name:
            continue
        for path in paths:
            own = any((Path(path) / f"{name}{end}").exists() for end in ("/__init__.py", ".py"))
            if own and not Path(file).resolve().is_relative_to(Path(path).resolve()):
                found[name] = file
    return found


def main(order: dict[str, Any]) -> None:
    """Run all targets, those of pytest first and in one go."""
    sys.path[:0] = order["paths"]
    os.chdir(order["tree"])
    meter = Meter(order["library"], order["warmup"], order["repeat"])
    functions = [t for t in order["targets"] if "::" not in t and ":" in t]
    files = [t for t in order["targets"] if t not in functions]
    if files:
        collected(meter, files, order["pytest"])
    for target in functions:
        called(meter, target)
    answer = {
        "names": meter.names,
        "failed": meter.failed,
        "strangers": strangers(order["paths"]),
    }
    Path(order["answer"]).write_text(json.dumps(answer))


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()))
