"""Every public class and function, a page for each part of the library.

- ``PARTS``: what is public: page -> its modules; ``module:Name,Name`` are some of its names.
- ``pages()``: Markdown with a directive of mkdocstrings for each name; ``untold()``.
- ``public(module)``: names that a module gives away, those with a text of their own.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from importlib import import_module
from typing import Any

__all__ = ["PARTS", "pages", "public", "untold"]

PARTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "machine": ("The machine", ("swapfast", "swapfast.kernel.options:KernelOptions")),
    "together": ("Programs side by side", ("swapfast.together", "swapfast.latency")),
    "devices": (
        "Devices",
        ("swapfast.devices", "swapfast.distributions:Distribution,parse_distribution"),
    ),
    "traces": (
        "Traces",
        ("swapfast.traces", "swapfast.traces.format:Format,Head,Options", "swapfast.traces.kinds"),
    ),
    "replay": ("Replay, curves, sizes", ("swapfast.replay", "swapfast.mrc", "swapfast.capacity")),
    "replacement": ("Policies alone", ("swapfast.replacement",)),
    "scenario": ("Scenarios", ("swapfast.scenario",)),
    "compare": (
        "Many runs",
        ("swapfast.compare.comparison", "swapfast.compare.check", "swapfast.compare.statistics"),
    ),
    "validate": ("Against a kernel", ("swapfast.validate", "swapfast.contention")),
    "measure": (
        "Measure a kernel",
        ("swapfast.measure", "swapfast.measure.device", "swapfast.measure.several"),
    ),
    "record": ("Record a program", ("swapfast.record",)),
    "checkpoint": ("Checkpoints", ("swapfast.checkpoint",)),
    "swapfile": ("Swapfiles", ("swapfast.swapfile",)),
    "shell": ("Shells", ("swapfast.shell",)),
    "ltp": ("The simulated LTP", ("swapfast.ltp",)),
    "testing": ("Speed in CI", ("swapfast.testing",)),
    "other": ("Small tools", ("swapfast.publish", "swapfast.units", "swapfast.running")),
}


def public(part: str) -> Iterator[tuple[str, Any]]:
    """Classes and functions of ``__all__``, in its order, or those that a part names."""
    module, _, chosen = part.partition(":")
    loaded = import_module(module)
    for name in chosen.split(",") if chosen else loaded.__all__:
        value = getattr(loaded, name)
        if inspect.isclass(value) or inspect.isroutine(value):
            yield name, value


def _members(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if inspect.isclass(value) and value.__module__.startswith("swapfast"):
        for member, one in vars(value).items():
            routine = inspect.isroutine(one) or isinstance(one, property | classmethod)
            if routine and not member.startswith("_"):
                yield f"{name}.{member}", one


def untold() -> Iterator[str]:
    """Public names without a docstring."""
    for _, modules in PARTS.values():
        for part in modules:
            module = part.partition(":")[0]
            if not import_module(module).__doc__:
                yield module
            for name, value in public(part):
                if not value.__doc__ or value.__doc__.startswith(f"{name}("):  # dataclass's own
                    yield f"{module}.{name}"
                for member, thing in _members(name, value):
                    if not inspect.getdoc(thing):
                        yield f"{module}.{member}"


def _home(module: str, name: str, value: Any) -> str:
    """Where a name is defined: it is shown once, however many modules give it away."""
    return f"{getattr(value, '__module__', None) or module}.{name}"


def pages() -> dict[str, str]:
    """The pages by their paths, and one that lists them."""
    found, seen = {}, set()
    lines = ["# The library\n", "What Python programs may use. Other modules may change.\n"]
    for part, (title, modules) in PARTS.items():
        text = f"# {title}\n\n"
        names = []
        for piece in modules:
            module = piece.partition(":")[0]
            text += f"## {module}\n\n"
            text += f"::: {module}\n    options:\n      members: false\n      heading_level: 3\n"
            text += "      show_root_heading: false\n      show_root_toc_entry: false\n\n"
            for name, value in public(piece):
                home = _home(module, name, value)
                if home not in seen:
                    seen.add(home)
                    names.append(name)
                    # A function with the name of its module is hidden by it where it is given away.
                    path = home if home.endswith(f".{name}.{name}") else f"{module}.{name}"
                    text += f"::: {path}\n    options:\n      heading_level: 3\n\n"
        found[f"reference/api/{part}.md"] = text
        lines.append(f"- [{title}](api/{part}.md): {', '.join(f'`{name}`' for name in names)}")
    return {"reference/library.md": "\n".join(lines) + "\n", **found}
