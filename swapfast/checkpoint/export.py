"""An image for other tools: JSON, CSV, npy.

- ``export(path, out)``: ``out`` is a new folder, or a file that ends in ``.json`` or ``.csv``.

======================  =========================================================================
in the folder
======================  =========================================================================
facts.json              the small structure, as `swapfast.checkpoint.facts` describes it
mappings.csv            mappings, then shared objects: first page, pages, task, address, name
runs.csv                page-table bytes: first page, pages, byte (bits as in Mapping.pte)
page.npy                pages with data, numbered through all mappings, ascending
slot, shadow, zero,     a value for each of them; ``sums.npy`` only where there are checksums
sums (.npy)
======================  =========================================================================

The CSV file has the last five as columns, and the task and address of each page; the JSON file has
everything but those. Columns are written a piece at a time: memory follows the size of the image.
"""

from __future__ import annotations

import contextlib
import errno
import io
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from swapfast.checkpoint.chain import read_image
from swapfast.checkpoint.check import OBJECT_OUT, OUT
from swapfast.checkpoint.columns import Numbers
from swapfast.checkpoint.image import Image
from swapfast.checkpoint.patience import breathe, held_back
from swapfast.checkpoint.steady import steady
from swapfast.errors import system_error
from swapfast.publish import publish, target
from swapfast.swapfile.files import named
from swapfast.units import PAGE_SIZE

__all__ = ["export"]

CHUNK = 1 << 16  # pages at a time
COLUMNS = ("page", "slot", "shadow", "zero", "sums")
Columns = dict[str, NDArray[Any]]


def export(path: str | os.PathLike[str], out: str | os.PathLike[str]) -> list[str]:
    """Write what an image holds as files that need nothing of this package.

    Parameters
    ----------
    path : path
    out : path
        A folder that is not there, or a file that ends in ``.json`` or ``.csv``.

    Returns
    -------
    list of str
        The files.

    Raises
    ------
    OSError
        EEXIST: ``out`` is there; ENOENT, EACCES, ENOSPC, ...: as the system says. Nothing is left
        then, nor after an interrupt.
    ValueError
        The image is damaged.
    """
    name = os.fspath(out)
    name = name.rstrip("/") or name
    image = steady(path, lambda: read_image(path))
    if os.path.lexists(name):
        raise system_error(errno.EEXIST, "is there already; remove it, or name another", name)
    with held_back():
        if name.endswith((".json", ".csv")):
            write = _all_as_json if name.endswith(".json") else _pages_as_csv
            with (
                publish(name, inputs=(path,)) as file,
                io.TextIOWrapper(file, encoding="ascii", newline="") as lines,
            ):
                write(image, lines)
            return [name]
        return [os.path.join(name, one) for one in _new_folder(image, name)]


def _new_folder(image: Image, name: str) -> list[str]:
    """A folder under another name, which is the right one when it is complete."""
    place = target(name)
    draft = os.path.join(os.path.dirname(place), f".swapfast-{secrets.token_hex(8)}.tmp")
    try:
        with named(name):
            os.mkdir(draft)
            names = _folder(image, draft)
            os.rename(draft, place)
    except BaseException as error:
        shutil.rmtree(draft, ignore_errors=True)
        if isinstance(error, OSError) and str(error.filename or "").startswith(draft):
            code = error.errno or errno.EIO
            raise system_error(code, os.strerror(code), name) from None
        raise
    return names


def _pieces(image: Image) -> Iterator[Columns]:
    """The columns, so many pages at a time."""
    out = np.isin(image.pte.value, (OUT, OBJECT_OUT))
    page = Numbers((image.pte.end - image.pte.length)[out], image.pte.length[out])
    start = 0
    columns = (page.pieces(CHUNK), image.slot.pieces(CHUNK), image.shadow.pieces(CHUNK))
    for pages, slots, shadows in zip(*columns, strict=True):
        breathe()
        end = start + pages.size
        zero = image.zero[start:end] if image.zero.size else np.zeros(pages.size, np.uint8)
        piece: Columns = {"page": pages, "slot": slots, "shadow": shadows, "zero": zero}
        if image.sums is not None and image.sums.size:
            piece["sums"] = image.sums[start:end]
        yield piece
        start = end


def _mappings(facts: dict[str, Any]) -> list[dict[str, Any]]:
    """Mappings, then shared objects, in the order in which their pages are numbered."""
    tasks: dict[int, dict[str, Any]] = {}
    for task in facts["tasks"]:
        tasks.setdefault(task["mm"], task)
    rows, first = [], 0
    for i, mm in enumerate(facts["mms"]):
        for m in mm["mappings"]:
            rows.append(
                {
                    "first_page": first,
                    "pages": m["pages"],
                    "pid": tasks[i]["pid"],
                    "task": tasks[i]["name"],
                    "address": m["addr"],
                    "name": m["name"],
                    "object": m["object"],
                }
            )
            first += m["pages"]
    for i, one in enumerate(facts["objects"]):
        where = {"pid": None, "task": None, "address": None, "name": "shared", "object": i}
        rows.append({"first_page": first, "pages": one["pages"], **where})
        first += one["pages"]
    return rows


def _folder(image: Image, folder: str) -> list[str]:
    names = ["facts.json", "mappings.csv", "runs.csv"]
    with _text(folder, names[0]) as file:
        json.dump(image.facts, file, indent=1)
        file.write("\n")
    with _text(folder, names[1]) as file:
        rows = _mappings(image.facts)
        file.write("first_page,pages,pid,task,address,name,object\n")
        for row in rows:
            file.write(",".join(_cell(value) for value in row.values()) + "\n")
    with _text(folder, names[2]) as file:
        file.write("first_page,pages,byte\n")
        for part in _runs(image):
            file.writelines(f"{a},{n},{b}\n" for a, n, b in part)
    columns = COLUMNS if image.sums is not None and image.sums.size else COLUMNS[:-1]
    files = {name: open(os.path.join(folder, f"{name}.npy"), "xb") for name in columns}  # noqa: SIM115
    with contextlib.ExitStack() as stack:
        for name, binary in files.items():
            stack.enter_context(binary)
            header = {
                "descr": "|u1" if name == "zero" else "<u4",
                "fortran_order": False,
                "shape": (image.slot.total,),
            }
            np.lib.format.write_array_header_1_0(binary, header)
        for piece in _pieces(image):
            for name in columns:
                kind = np.uint8 if name == "zero" else np.dtype("<u4")
                files[name].write(piece[name].astype(kind).tobytes())
    return names + [f"{name}.npy" for name in columns]


def _text(folder: str, name: str) -> IO[str]:
    return open(os.path.join(folder, name), "x", encoding="ascii", newline="")


def _cell(value: Any) -> str:
    """A cell of RFC 4180; what is not ASCII is written as in JSON."""
    if value is None:
        return ""
    text = str(value).encode("ascii", "backslashreplace").decode("ascii")
    return '"' + text.replace('"', '""') + '"' if set(text) & set(',"\r\n') else text


def _runs(image: Image) -> Iterator[list[tuple[int, int, int]]]:
    first, length = image.pte.end - image.pte.length, image.pte.length
    for at in range(0, first.size, CHUNK):
        breathe()
        part = slice(at, at + CHUNK)
        rows = (first[part].tolist(), length[part].tolist(), image.pte.value[part].tolist())
        yield list(zip(*rows, strict=True))


def _all_as_json(image: Image, file: IO[str]) -> None:
    file.write('{\n"facts": ')
    json.dump(image.facts, file)
    file.write(',\n"mappings": ')
    json.dump(_mappings(image.facts), file)
    file.write(',\n"runs": [')
    comma = ""
    for part in _runs(image):
        file.write(comma + json.dumps(part)[1:-1])
        comma = ",\n"
    names = COLUMNS if image.sums is not None and image.sums.size else COLUMNS[:-1]
    file.write(f'],\n"columns": {json.dumps(names)},\n"pages": [')
    comma = ""
    for piece in _pieces(image):
        rows = zip(*(piece[name].tolist() for name in names), strict=True)
        file.write(comma + ",\n".join(map(str, map(list, rows))))
        comma = ",\n"
    file.write("]\n}\n")


def _pages_as_csv(image: Image, file: IO[str]) -> None:
    rows = _mappings(image.facts)
    first = np.array([row["first_page"] for row in rows], dtype=np.int64)
    pid = np.array([row["pid"] or 0 for row in rows], dtype=np.int64)
    base = np.array([row["address"] or 0 for row in rows], dtype=np.int64)
    sums = image.sums is not None and image.sums.size > 0
    file.write("page,pid,address,slot,shadow,zero" + ",checksum" * sums + "\n")
    for piece in _pieces(image):
        page = piece["page"].astype(np.int64)
        which = np.searchsorted(first, page, side="right") - 1
        address = np.where(pid[which] > 0, base[which] + (page - first[which]) * PAGE_SIZE, 0)
        table = [page, pid[which], address, *(piece[name] for name in COLUMNS[1:4])]
        if sums:
            table.append(piece["sums"])
        text = io.StringIO()
        np.savetxt(text, np.stack(table, axis=1).astype(np.uint64), fmt="%d", delimiter=",")
        file.write(text.getvalue())
