"""Every key of a scenario file, from the models that read it.

- ``page()``; ``untold()``.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from swapfast.kernel.control_files import FILES
from swapfast.scenario.tables import LAYOUT
from swapfast.scenario.tables.base import Duration, Memory, Size
from swapfast.units import format_ns, format_size
from tools.reference.table import cell, code, table

__all__ = ["page", "untold"]

HEAD = """# Keys of a scenario file

What a scenario may say, from the models that read it. [Scenario files](../scenarios.md) explains
the whole; `swapfast scenario schema` prints the same as a JSON schema, `swapfast scenario init` a
file to begin with. A key without a default is needed.

- **size**: `"64MiB"`, or a number of bytes. **time**: `"20us"`, or a number of ns.
- `count = 8` makes eight copies of a table, and `{i}` in a name is the number of the copy.

"""
_SIZE, _MEMORY, _TIME = (get_args(one)[1] for one in (Size, Memory, Duration))


def _tables() -> Iterator[tuple[str, type[BaseModel]]]:
    yield "the whole file", LAYOUT.whole
    yield from LAYOUT.tables.items()


def untold() -> Iterator[str]:
    """Tables and keys without a text."""
    for name, model in _tables():
        if not model.__doc__:
            yield name
        for key, field in model.model_fields.items():
            if not (field.description or _is_table(field)):
                yield f"{name}.{field.alias or key}"


def _is_table(field: FieldInfo) -> bool:
    """A table within the file, which has a text of its own."""
    return any(inspect.isclass(t) and issubclass(t, BaseModel) for t in _flat(field.annotation))


def _flat(kind: Any) -> Iterator[Any]:
    if get_args(kind) and get_origin(kind) is not Literal:
        for one in get_args(kind):
            yield from _flat(one)
    else:
        yield kind


def _kind(kind: Any) -> str:
    """A type in words."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Literal:
        return " or ".join(f"`{one!r}`".replace("'", '"') for one in inner)
    if origin in (types.UnionType, getattr(types, "UnionType", None)) or "Union" in str(origin):
        return " or ".join(_kind(one) for one in inner if one is not type(None))
    if origin is tuple:
        kind = _kind(inner[0])
        return "list of tables" if kind == "table" else f"list of {kind}s"
    if origin is dict:
        return f"table of {_kind(inner[1])}"
    if inspect.isclass(kind) and issubclass(kind, BaseModel):
        return "table"
    return {str: "text", bool: "true or false", int: "number", float: "number"}.get(kind, "table")


def _value(field: FieldInfo) -> str:
    marks = {id(mark) for mark in field.metadata}
    text = str(field.annotation)
    if marks & {id(_SIZE), id(_MEMORY)} or "parse_size" in text or "_size" in text:
        return "size"
    if id(_TIME) in marks or "_duration" in text:
        return "time or number" if "dict" in text else "time"
    bounds = {
        name: getattr(mark, name)
        for mark in field.metadata
        for name in ("ge", "gt", "le", "lt")
        if getattr(mark, name, None) is not None
    }
    words = {"ge": "from", "gt": "above", "le": "to", "lt": "below"}
    if 1 << 32 in bounds.values():
        bounds = {name: value for name, value in bounds.items() if value != 1 << 32}
    told = " ".join(f"{words[name]} {value:,}" for name, value in bounds.items())
    return f"{_kind(field.annotation)}{f', {told}' if told else ''}"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "needed"
    value = field.get_default(call_default_factory=True)
    if value is None or value in ((), {}, ""):
        return ""
    if isinstance(value, BaseModel):
        return ""
    kind = _value(field)
    if isinstance(value, int) and kind in ("size", "time"):
        shown = format_size(value) if kind == "size" else format_ns(value)
        return code(f'"{shown.replace(" ", "")}"')
    return code(str(value).lower() if isinstance(value, bool) else f"{value!r}".replace("'", '"'))


def _rows(model: type[BaseModel]) -> Iterator[tuple[str, str, str, str]]:
    for key, field in model.model_fields.items():
        shown = field.alias or key
        name = key if key in LAYOUT.tables else shown
        told = cell(field.description or "")
        if name in LAYOUT.tables and _is_table(field):
            told += f"{': ' if told else ''}[its keys](#{name})"
        elif key == "program":
            kinds = ", ".join(f"[{kind}](#{kind})" for kind in sorted(LAYOUT.kinds))
            told += f", by its kind: {kinds}"
        yield code(shown), _value(field), _default(field), told


def page() -> str:
    """The page."""
    parts = [HEAD]
    for name, model in _tables():
        what = cell(inspect.cleandoc(model.__doc__ or "").split("\n\n")[0])
        parts.append(f"## {name}\n\n{what}\n\n")
        parts.append(table(("key", "value", "default", "what"), _rows(model)))
        if name == "cgroup":
            files = ", ".join(code(f) for f, file in FILES.items() if file.write is not None)
            parts.append(f"Files that can be written: {files}. [Cgroups](../cgroups.md)\n\n")
        if name == "device":
            parts.append("Settings of a device: [Devices](devices.md).\n\n")
    return "".join(parts)
