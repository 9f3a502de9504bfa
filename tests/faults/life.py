"""The life of a swapfile with an error at each of its calls: ``python -m tests.faults.life STEP``.

Runs under ``shim.c``. Create, swapon, swap-out, checkpoint, swap-in, wiping, swapoff, exit, close;
then again, failing at the first call, the second, and so on (or every STEPth). After each: only an
``OSError`` was raised, every structure agrees, no descriptor, mapping or temporary file is left,
and every byte that can be read is right. Prints the counts as JSON.
"""

from __future__ import annotations

import ctypes
import errno
import gc
import json
import os
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import swapfast as sf
from swapfast.swapfile import mkswap

PAGE = 4096
CODES = {"EIO": errno.EIO, "ENOSPC": errno.ENOSPC, "EINTR": errno.EINTR, "short": 0}
shim = ctypes.CDLL(None)
shim.shim_name.restype = ctypes.c_char_p


def life(folder: Path, state: dict[str, Any]) -> None:
    path = folder / "swap"
    state["doing"] = "create"
    mkswap(path, size=60 * PAGE)
    state["created"] = True
    state["doing"] = "swapon"
    state["login"].swapon(path, wipe="on-free")
    state["doing"] = "swap out"
    heap = state["heap"] = state["login"].mmap(40 * PAGE)
    for page in range(40):
        heap.write(page * PAGE, b"page %d" % page)
        state["written"] = page + 1
    state["doing"] = "checkpoint"
    state["login"].swap_ns.checkpoint(folder / "image", kind="snapshot")
    state["doing"] = "swap in"
    heap.touch()
    state["doing"] = "unmap"
    state["unmapped"] = True
    heap.munmap(0, 20 * PAGE)
    state["doing"] = "swapoff"
    state["login"].swapoff(path)
    state["doing"] = "exit"
    state["login"].exit()
    state["machine"].verify()
    state["doing"] = "destroy"
    state["machine"].close()


def begin() -> dict[str, Any]:
    machine = sf.Machine(72 * PAGE, overcommit=1, cache=0)
    login = machine.init.clone(sf.NEWSWAP | sf.NEWIPC, "login")
    filler = machine.init.mmap(10 * PAGE)
    filler.touch(write=True)
    return {"machine": machine, "login": login, "created": False, "written": 0}


def right(state: dict[str, Any]) -> None:
    """What can be read is what was written; what cannot is said so."""
    login = state["login"]
    if not login.alive or "heap" not in state:
        return
    for page in range(20 if "unmapped" in state else 0, state["written"]):
        try:
            found = state["heap"].read(page * PAGE, 10)
        except (OSError, sf.TaskKilled):
            continue
        assert found.startswith(b"page %d" % page), page


def left_over(folder: Path, created: bool, hit: str) -> list[str]:
    found = set(os.listdir(folder))
    found -= {"swap"} if created else set()
    copies = {name for name in found if name.startswith("image.") and name.endswith(".swap")}
    if "image" in found:
        found -= {"image", sorted(copies)[0]}
    if hit == "rename":
        found -= copies  # nobody knows whether the image that names it is there
    temporary = folder / "image.tmp"
    if temporary.exists() and temporary.stat().st_size == 0:
        found.discard("image.tmp")  # nobody knows whether it is ours; the next one takes it
    return sorted(found)


def main() -> None:
    root = Path(tempfile.mkdtemp(prefix="swapfast-life-"))
    tally: Counter[str] = Counter()
    nameless: Counter[str] = Counter()
    total, problems = -1, []
    nth, todo, step = -1, list(CODES), int(sys.argv[1])
    runs = 0
    descriptors = set(os.listdir("/proc/self/fd"))
    while True:
        for kind in todo if nth >= 0 else ["EIO"]:
            folder = root / "run"
            folder.mkdir()
            runs += nth >= 0
            state = begin()
            what = ""
            shim.shim_arm(nth, CODES[kind])
            try:
                life(folder, state)
            except OSError as error:
                what = shim.shim_name().decode()
                tally[f"{state['doing']}: {errno.errorcode.get(error.errno or 0)}"] += 1
                if error.filename is None:
                    nameless[f"{state['doing']}: {what}"] += 1
            except sf.TaskKilled:
                tally[f"{state['doing']}: killed"] += 1
            else:
                tally["went through"] += 1
            finally:
                calls = shim.shim_disarm()
            where = f"call {nth} ({what or shim.shim_name().decode()}) {kind}, {state['doing']}"
            try:
                if state["doing"] != "destroy":
                    state["machine"].verify()
                    right(state)
                    state["machine"].verify()
            except Exception as error:
                problems.append(f"{where}: {error!r}")
            created = state["created"]
            state["machine"].close()
            state.clear()
            gc.collect()
            if left := left_over(folder, created, shim.shim_name().decode()):
                problems.append(f"{where}: left {left}")
            extra = set(os.listdir("/proc/self/fd")) - descriptors
            if len(set(os.listdir("/proc/self/fd"))) > len(descriptors):
                problems.append(f"{where}: descriptors {extra}")
                descriptors = set(os.listdir("/proc/self/fd"))
            if str(root) in Path("/proc/self/maps").read_text():
                problems.append(f"{where}: still mapped")
            shutil.rmtree(folder)
        if nth < 0:
            total = calls
        nth += 1 if nth < 0 else step
        if nth >= total:
            break
    shutil.rmtree(root)
    json.dump(
        {
            "calls": total,
            "runs": runs,
            "outcomes": dict(tally),
            "nameless": dict(nameless),
            "problems": problems,
        },
        sys.stdout,
    )


if __name__ == "__main__":
    main()
