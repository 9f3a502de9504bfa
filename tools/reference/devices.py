"""Presets of devices, from their table.

- ``page()``; ``untold()``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from swapfast.devices import PRESETS
from tools.reference.table import cell, code, table

__all__ = ["page", "untold"]

HEAD = """# Devices

What a swap area may lie on: `machine.device("d0", "nvme")`, `preset` of a `[[device]]`,
`--device`. **Only those that are measured say something about a device**; the others are guesses
within a factor of two. [How to add a device](../add-a-device.md) says what each setting means.

"""


def untold() -> Iterator[str]:
    """Presets without a text."""
    yield from (name for name, preset in PRESETS.items() if not preset.about)


def _settings(keys: Mapping[str, Any]) -> str:
    def told(value: Any) -> str:
        if isinstance(value, Mapping):
            return "{" + ", ".join(f"{k} = {told(v)}" for k, v in value.items()) + "}"
        return str(value).lower() if isinstance(value, bool) else f"{value}"

    return ", ".join(code(f"{key} = {told(value)}") for key, value in keys.items())


def page() -> str:
    """The page."""
    rows = [
        (
            code(name),
            cell(preset.about),
            "measured" if preset.calibrated else "a guess",
            _settings(preset.keys),
        )
        for name, preset in PRESETS.items()
    ]
    return HEAD + table(("preset", "what it stands for", "times", "settings"), rows)
