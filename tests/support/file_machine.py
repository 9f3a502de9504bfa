"""The state machine with everything that can happen to a swapfile.

Further rules: checkpoints of every kind, with an error at any of their calls; restarts of any image
that should be there; swapoff under pressure; bad sectors; a disk that is full; a file that is
truncated, replaced or punched while on; wiping. After each step every structure agrees, as without
these rules. A call that meets a broken file raises an ``OSError`` that names it, and nobody reads a
wrong byte, then or later.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

import swapfast as sf
from swapfast.checkpoint import checkpoint, restart
from swapfast.core import mapping_table, slot_pins
from swapfast.errors import KernelPanic
from swapfast.kernel.state import SwapArea
from swapfast.swapfile import SwapBacking, mkswap
from tests.reference.memory_model import PAGE
from tests.support.broken_files import bad_sectors, files_end_at, punch
from tests.support.faulty_disk import FaultyDisk
from tests.support.swap_machine import SWAPFILE_PAGES, SwapMachine, pick

SEEN: Counter[str] = Counter()  # what the examples came across
WIPES = ("none", "on-free", "on-swapoff")
BROKEN = (errno.EIO, errno.ESTALE, errno.EFBIG)
Contents = dict[tuple[int, int, int], bytes]  # (pid, address, page)


class FileMachine(SwapMachine):
    """``damaged``: files that may be read no more; every error must name one of them."""

    @initialize(
        memory=st.sampled_from((72, 96, 150)),
        profile=st.sampled_from(("2.6.25", "6.18", "6.18-mglru")),
        rules=st.sampled_from(("default", "orphan")),
        policy=st.sampled_from((None, None, "lru", "clock")),
        logins=st.integers(1, 3),
        zram=st.sampled_from((None, None, 0, 20)),
    )
    def boot(  # type: ignore[override]
        self,
        memory: int,
        profile: str,
        rules: str,
        policy: str | None,
        logins: int,
        zram: int | None,
    ) -> None:
        self.damaged: set[str] = set()
        self.repairs: dict[str, Callable[[], None]] = {}
        self.images: dict[Path, tuple[str | None, list[Contents]]] = {}
        self.no_sync: set[str] = set()
        self.unwiped: set[str] = set()
        super().boot(memory, profile, "default", policy, 3, bool(logins & 1), logins, zram)
        if rules == "orphan":
            self.machine.kernel.rules = sf.Rules(last_exit="orphan")

    # errors

    def accept(self, error: OSError) -> None:
        if error.errno == errno.ENOMEM:
            super().accept(error)
            return
        assert error.errno in BROKEN, error
        assert error.filename in self.damaged, error
        SEEN["calls that met a broken file"] += 1

    def area_of(self, path: str | Path) -> SwapArea | None:
        return next((a for a in self.machine.areas.values() if a.path == str(path)), None)

    def choose_area(self, number: int) -> SwapArea | None:
        areas = [a for a in self.machine.areas.values() if isinstance(a.backing, SwapBacking)]
        return areas[number % len(areas)] if areas else None

    # swap

    def do_swapon(self, who: int, which: int, priority: int | None) -> None:
        task = self.choose_task(who)
        path = self.files[which % len(self.files)]
        expected = 0
        if not task.swap_ns.initial and task.swap_ns.areas:
            expected = errno.EPERM
        elif self.area_of(path) is not None:
            if str(path) in self.damaged:
                return  # its name may belong to another file now
            expected = errno.EBUSY
        else:
            self.remake(path)
        flags = 0 if priority is None else sf.SWAP_FLAG_PREFER | priority
        code = 0
        try:
            task.swapon(path, flags, wipe=WIPES[(who + which) % 3])  # type: ignore[arg-type]
        except OSError as error:
            code = error.errno or -1
        assert code == expected
        if code == 0:
            self.place(task.swap_ns.areas[-1], who + which)

    def remake(self, path: Path) -> None:
        """A new file of that name; what older images say of it is void."""
        path.unlink(missing_ok=True)
        mkswap(path, size=SWAPFILE_PAGES[self.files.index(path)] * PAGE)
        for known in (self.damaged, self.no_sync, self.unwiped):
            known.discard(str(path))
        self.repairs.pop(str(path), None)
        self.images = {i: found for i, found in self.images.items() if found[0] != str(path)}

    @rule(who=pick, which=pick)
    def swapoff(self, who: int, which: int) -> None:
        self.do_swapoff(who, which)

    @rule(who=pick, number=pick)
    def swapoff_under_pressure(self, who: int, number: int) -> None:
        """All or nothing, after somebody filled the memory."""
        self.do_fill(number, False)
        area = self.choose_area(number)
        if area is not None:
            owners = [n for n, t in enumerate(self.tasks) if t.swap_ns is area.namespace]
            caller = owners[who % len(owners)] if owners else 0
            self.do_swapoff(caller, self.files.index(Path(area.path)))

    def do_swapoff(self, who: int, which: int) -> None:
        task = self.choose_task(who)
        path = self.files[which % len(self.files)]
        area = self.area_of(path)
        mine = area is not None and (
            area.namespace is task.swap_ns or (area.orphaned and task.swap_ns.initial)
        )
        before = None if area is None else (area.priority, area.info["writeok"])
        code, named = 0, ""
        try:
            task.swapoff(path)
        except OSError as error:
            code, named = error.errno or -1, error.filename
        self.bury()
        if not mine:
            # A file that was removed cannot be named; one that took its name is not on.
            assert code == errno.EINVAL or str(path) in self.damaged
        elif self.area_of(path) is area and area is not None and before is not None:
            SEEN["swapoffs that failed"] += 1
            allowed = {errno.ENOMEM, errno.EINTR}
            if str(path) in self.damaged:
                allowed |= {errno.EINVAL, errno.ENOENT}
            if named in self.damaged:  # not always this one: another of its namespace is in the way
                allowed |= {errno.EIO, errno.ESTALE}
            assert code in allowed, (code, named)
            assert area.priority >= before[0]
            assert not before[1] or area.info["writeok"] or str(path) in self.damaged
        else:
            assert code in (0, errno.EINTR)  # its caller was killed, and was the last one

    # what happens to files

    @precondition(lambda self: self.machine.areas)
    @rule(number=pick, first=st.integers(1, 200), count=st.integers(1, 60))
    def bad_sectors(self, number: int, first: int, count: int) -> None:
        area = self.choose_area(number)
        if area is None or area.path in self.repairs:
            return
        assert isinstance(area.backing, SwapBacking)
        self.damaged.add(area.path)
        self.repairs[area.path] = bad_sectors(area.backing, first, count)
        SEEN["bad sectors"] += 1

    @precondition(lambda self: self.repairs)
    @rule(number=pick)
    def good_sectors(self, number: int) -> None:
        path = sorted(self.repairs)[number % len(self.repairs)]
        self.repairs.pop(path)()

    @precondition(lambda self: self.machine.areas)
    @rule(
        number=pick,
        how=st.sampled_from(("truncate", "replace", "remove", "punch")),
        at=st.integers(0, 200),
    )
    def damage(self, number: int, how: str, at: int) -> None:
        area = self.choose_area(number)
        if area is None or area.path in self.damaged or number % 3:
            return  # not too often: little goes on afterwards
        path = Path(area.path)
        self.damaged.add(area.path)
        self.images = {i: found for i, found in self.images.items() if found[0] != area.path}
        SEEN[how] += 1
        if how == "truncate":
            os.truncate(path, min(at * PAGE + at, path.stat().st_size - PAGE))
        elif how == "remove":
            path.unlink()
        elif how == "replace":
            mkswap(path.with_name("new"), size=PAGE * 20)
            path.with_name("new").replace(path)
        else:
            at = min(at, path.stat().st_size // PAGE - 2)
            punch(path, max(1, at), 5)

    # checkpoints

    @precondition(lambda self: any(not t.swap_ns.initial for t in self.tasks))
    @rule(
        who=pick,
        kind=st.sampled_from(("pinned", "pinned", "snapshot", "in-place")),
        name=st.sampled_from(("one", "two")),
        trouble=st.sampled_from((None, None, "call", "full")),
        at=st.integers(0, 12),
        code=st.sampled_from((errno.EIO, errno.ENOSPC)),
        after=st.booleans(),
    )
    def checkpoint(
        self, who: int, kind: str, name: str, trouble: str | None, at: int, code: int, after: bool
    ) -> None:
        inside = [t for t in self.tasks if not t.swap_ns.initial]
        namespace = inside[who % len(inside)].swap_ns
        path = namespace.areas[0].path if namespace.areas else ""
        image = self.folder / f"image-{name}-{namespace.number}"
        now = self.contents_of(namespace)
        disk = FaultyDisk(at if trouble == "call" else -1, code, after)
        limit = files_end_at(at * 8 * PAGE) if trouble == "full" else nullcontext()
        failed = None
        try:
            with limit:
                checkpoint(
                    self.machine,
                    namespace,
                    image,
                    kind=kind,  # type: ignore[arg-type]
                    disk=disk,
                )
        except OSError as error:
            failed = error
        self.bury()
        hit = trouble == "call" and len(disk.calls) > at
        if trouble == "full":
            self.damaged.add(path)  # a slot could not be written, or wiped: it takes no more pages
        if failed is None:
            SEEN[f"{kind} checkpoints"] += 1
            # Pins of an area are those of its newest image: the others are given up.
            if kind != "snapshot":
                self.images = {i: f for i, f in self.images.items() if f[0] != path}
            self.images[image] = (None if kind == "snapshot" else path, [now])
            return
        SEEN["checkpoints that failed"] += 1
        if hit and "sync_data" in disk.calls[at:]:
            self.no_sync.add(path)
        allowed = {errno.EINVAL, errno.EBUSY, errno.ENOSPC}
        if hit:
            allowed.add(code)
        if trouble == "full":
            allowed.add(errno.EFBIG)
            allowed.add(errno.EIO)
        if path in self.damaged | self.no_sync:
            allowed |= {errno.EIO, errno.ESTALE}
        assert failed.errno in allowed, failed
        if hit and set(disk.calls[at : at + 1]) & {"rename", "sync_folder"}:
            # Nobody knows which one is there; either is whole.
            source = None if kind == "snapshot" else path
            kept = [f for i, f in self.images.items() if f[0] == source and i == image]
            others = [f for i, f in self.images.items() if f[0] == source != None and i != image]  # noqa: E711
            older = kept[0][1] if kept else []
            if not others and (kept or source is None):
                self.images[image] = (source, [*older, now])
            else:
                self.images.pop(image, None)

    def contents_of(self, namespace: Any) -> Contents:
        """Every page that somebody wrote."""
        return {
            (task.pid, addr, page): self.model.page(task.mm, addr, page)
            for task in self.tasks
            if task.swap_ns is namespace
            for addr, mapping in self.model.spaces[task.mm].items()
            for page in sorted(mapping.mapped & set(mapping.pieces))
        }

    @precondition(lambda self: self.images)
    @rule(number=pick)
    def restart(self, number: int) -> None:
        """From copies of the files: every byte is that of the checkpoint, and it goes on."""
        image = sorted(self.images)[number % len(self.images)]
        path, right = self.images[image]
        copies = self.folder / "copies"
        copies.mkdir()
        shutil.copy(image, copies)
        source = Path(path) if path else next(self.folder.glob(f"{image.name}.*.swap"))
        shutil.copy(source, copies / "area")
        with restart(copies / image.name, swapfile=copies / "area", keep=False) as machine:
            tasks = {t.pid: t for t in machine.tasks.values() if t.parent is not None}
            wanted = [
                (pid, addr, page)
                for pid, addr, page in right[-1]
                if pid in tasks and addr in tasks[pid].mm.mappings
            ]
            seen: Contents = {}
            with suppress(sf.TaskKilled, KernelPanic):  # reading may kill the reader, as ever
                for pid, addr, page in wanted:
                    seen[pid, addr, page] = tasks[pid].mm.mappings[addr].read(page * PAGE, PAGE)
            older = len(right) > 1 and set(wanted) != right[-1].keys()
            assert older or any(seen.items() <= r.items() for r in right), "its bytes"
            killed = any("ut of memory" in line for line in machine.log)
            assert killed or len(seen) == len(wanted)
            machine.verify()
            for task in tasks.values():
                for mapping in task.mappings[:1]:
                    with suppress(sf.TaskKilled, KernelPanic, OSError):
                        for first, end in mapping.ranges:
                            mapping.touch(slice(first, end), write=True)
            machine.verify()
        SEEN["restarts"] += 1
        shutil.rmtree(copies)

    # what holds after each step

    def check_slots(self) -> None:
        core = self.machine.core
        used = self.entries()
        for area in self.machine.areas.values():
            info = area.info
            mine = {e - area.base for e in used if area.base <= e < area.base + info["slots"]}
            limbo = set(slot_pins.pinned(core, area.number).tolist()) - mine
            assert info["inuse"] == len(mine) + len(limbo), "pages', and a checkpoint's"

    def entries(self) -> set[int]:
        core = self.machine.core
        numbers = [m.number for mm in {t.mm for t in self.tasks} for m in mm.mappings.values()]
        numbers += [o.number for o in self.machine.kernel.objects]
        used: set[int] = set()
        for number in numbers:
            used |= set(mapping_table.state(core, number, 0, self.pages_of(number))[1].tolist())
        return used - {0}

    @invariant()
    def nothing_in_free_slots(self) -> None:
        """Wiped as soon as they are free, where that was asked for."""
        if not hasattr(self, "machine"):
            return
        for area in self.machine.areas.values():
            if area.wipe != "on-free" or area.path in self.damaged:
                continue
            used = {e - area.base for e in self.entries()}
            used |= set(slot_pins.pinned(self.machine.core, area.number).tolist())
            raw = np.fromfile(area.path, dtype=np.uint8)
            pages = raw[: raw.size // PAGE * PAGE].reshape(-1, PAGE).any(axis=1)
            dirty = set(np.flatnonzero(pages).tolist()) - used - {0}
            assert not dirty, f"{area.path}: slots {sorted(dirty)}"
            SEEN["files looked at for old bytes"] += 1

    def leave_nothing(self) -> None:
        for repair in self.repairs.values():
            repair()
        init = self.machine.init
        for task in self.tasks:
            if task is not init and task.alive:
                task.exit()
        for area in list(self.machine.areas.values()):
            slot_pins.unpin(self.machine.core, area.number)
            if area.path in self.damaged:  # it has no name any more by which to swap it off
                for mapping in init.mappings:
                    mapping.munmap()
                for shmid in list(init.ipc_ns.segments):
                    init.shmctl(shmid, sf.IPC_RMID)
                Path(area.path).unlink(missing_ok=True)
                self.turn_off(area)
        super().leave_nothing()

    def turn_off(self, area: SwapArea) -> None:
        from swapfast.kernel.areas import nobody_dies, turn_off
        from swapfast.kernel.scopes import drop_swap_namespace

        turn_off(self.machine.kernel, area, nobody_dies)
        if area.orphaned and not area.namespace.areas:
            drop_swap_namespace(self.machine.kernel, area.namespace)
