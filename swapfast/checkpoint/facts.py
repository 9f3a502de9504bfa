"""The small structure of an image: what there is, and what may stand there.

- ``FORMAT``; ``VERSION``: of an image that stands alone, ``CHAINED``: of one that refers to
  another. ``MOST_PARENTS``: how many images one may build on.
- ``check_facts(facts)``: types and ranges of every field, and that what refers to something finds
  it.
"""

from __future__ import annotations

import os
from dataclasses import fields
from itertools import pairwise
from typing import Any, get_args, get_type_hints

from swapfast._core import policy_names
from swapfast.checkpoint.groups import GROUP
from swapfast.checkpoint.schema import choice, flag, integer, later, listing, optional, record, text
from swapfast.flags import CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWUSER, CLONE_NEWUTS
from swapfast.kernel.choices import CHOICES, OOM_SCOPES, STATISTICS_PERIOD, TIMES
from swapfast.kernel.profile import PROFILES
from swapfast.kernel.rules import Rules
from swapfast.units import PAGE_SIZE

__all__ = ["CHAINED", "FORMAT", "MOST_PARENTS", "PLAIN", "VERSION", "check_facts"]

FORMAT = "swapfast checkpoint"
VERSION = 1
CHAINED = 2
MOST_PARENTS = 64

#: What of a task is a plain value of the same name.
PLAIN = (
    *("uid", "state", "exit_code", "term_signal", "exit_signal", "nice", "oom_adj"),
    *("oom_score_adj", "min_flt", "maj_flt", "utime_ns", "start_ns"),
)

_UINT32 = integer(0, (1 << 32) - 1)
_COUNT = integer()
_SIGNED = integer(-(1 << 62), 1 << 62)
_INDEX, _PAGES = integer(0, 1 << 20), integer(1, (1 << 31) - 1)
_COUNTERS = (
    *("pgfault", "pgmajfault", "pswpin", "pswpout", "swpin_zero", "swpout_zero"),
    *("pgscan_kswapd", "pgscan_direct", "pgsteal_kswapd", "pgsteal_direct", "pgrefill"),
    *("pgactivate", "pgdeactivate", "pgrotated", "allocstall", "pageoutrun", "reclaims"),
    *("workingset_refault", "workingset_activate", "workingset_restore"),
    *("swap_ra", "swap_ra_hit", "cow_copies", "no_slot", "leaked", "file_dropped"),
)
_TOKEN = ("interval", "priority", "last")
_TIMES = ("in_references", "in_faults", "in_swap_in", "in_reclaim", "in_writeback_wait")
_CLOCK = ("now", "dev_free", "last_done", *_TIMES)

_core = record(
    settings=record(
        memory=integer(64, 1 << 31),
        page_cluster=integer(0, 5),
        swappiness=integer(0, 200),
        times=record(**dict.fromkeys(TIMES, integer(0, (1 << 62) - 1))),
    ),
    counters=record(**dict.fromkeys(_COUNTERS, _COUNT)),
    clock=record(**dict.fromkeys(_CLOCK, _COUNT)),
    memory=record(
        file_cache=integer(0, 1 << 31),
        ra_hits=_UINT32,
        ra_prev=_UINT32,
        ra_last=integer(0, 64),
        pages_scanned=_COUNT,
        all_unreclaimable=flag,
        kswapd_failures=_UINT32,
        token_faults=_COUNT,
        tlb_due=later(_COUNT),
        next_memcg=later(_UINT32),  # of version 0; a walk begins anew
    ),
)
_FIRST_CHOICES = ("statistics", "tlb", "readahead", "plug")
_machine = record(
    profile=choice(*PROFILES),
    contents=flag,
    bits=choice(32, 64),
    overcommit=choice(0, 1, 2),
    policy=choice(*policy_names()),
    max_swapfiles=integer(1, 1 << 16),
    cache_at_boot=integer(0, 1 << 31),
    options=later(
        record(
            **{name: choice(*CHOICES[name]) for name in _FIRST_CHOICES},
            cgroup=later(choice(*CHOICES["cgroup"])),
            lru_gen=later(integer(0, 7)),
            lru_gen_rule=later(choice(*CHOICES["lru_gen_rule"])),
            lru_drain=later(integer(0, 1 << 31)),
            watermark_scale_factor=later(integer(1, 3000)),
            oom_scope=later(choice(*OOM_SCOPES)),
            swap_scope=later(choice(*CHOICES["swap_scope"])),
            swap_cluster=later(choice(*CHOICES["swap_cluster"])),
            allowed_aware=later(flag),
            statistics_phase=integer(0, STATISTICS_PERIOD - 1),
        )
    ),
    oom_kills=_COUNT,
    next_pid=integer(2, 1 << 31),
    next_namespace=integer(2, 1 << 31),
    least_priority=integer(-(1 << 30), 0),
)
_segment = record(
    shmid=integer(0, 1 << 40),
    object=_INDEX,
    size=integer(1, 1 << 60),
    cpid=_INDEX,
    lpid=_INDEX,
    mode=integer(0, 0o1777),
    uid=integer(0, 1 << 32),
    key=integer(-(1 << 31), (1 << 32) - 1),
    removed=flag,
)
_mapping = record(
    addr=integer(PAGE_SIZE, (1 << 63) - 1),
    pages=_PAGES,
    name=text(4096),
    readonly=flag,
    ranges=listing(listing(integer(0, 1 << 31), 2, 2), least=1),
    group=_INDEX,
    object=optional(_INDEX),
    ipc=optional(_INDEX),
    segment=optional(integer(0, 1 << 40)),
    readahead=later(record(at=_COUNT, window=integer(0, 64), hits=integer(0, 64))),
)
_mm = record(
    group=_INDEX,
    next_address=integer(PAGE_SIZE, (1 << 63) - 1),
    token=record(**dict.fromkeys(_TOKEN, _UINT32), stalled_until=_COUNT, holder=flag),
    mappings=listing(_mapping),
)
_task = record(
    pid=integer(2, 1 << 31),
    name=text(4096),
    parent=integer(1, 1 << 31),
    children=listing(integer(2, 1 << 31)),
    state=choice("running", "zombie"),
    mm=optional(_INDEX),
    ipc=_INDEX,
    uid=integer(0, 1 << 32),
    capabilities=listing(integer(0, 63), 64),
    namespaces=listing(listing(integer(0, 1 << 33), 2, 2), 8),
    exit_code=integer(0, 255),
    term_signal=integer(0, 64),
    exit_signal=integer(0, 255),
    nice=integer(-20, 19),
    oom_adj=integer(-17, 15),
    oom_score_adj=integer(-1000, 1000),
    min_flt=_COUNT,
    maj_flt=_COUNT,
    utime_ns=_COUNT,
    start_ns=_COUNT,
)
_area = record(
    path=text(4096),
    identity=text(32),
    generation=integer(1, 1 << 62),
    swap_uuid=text(32),
    last_page=_UINT32,
    slots=integer(2, 1 << 31),
    pages=integer(1, 1 << 31),
    priority=integer(-(1 << 30), 32767),
    state=record(
        cluster_next=_UINT32,
        cluster_nr=integer(0, 255),
        position=_UINT32,
        pswpin=_COUNT,
        pswpout=_COUNT,
        current=flag,
        picks=later(listing(listing(_UINT32, 3, 3), 1 << 16)),
    ),
)
_rules = {
    name: choice(*get_args(hint))
    for name, hint in get_type_hints(Rules).items()
    if name in {f.name for f in fields(Rules)}
}
_object = record(
    pages=_PAGES, owner=choice("namespace", "initial", "unset", "nowhere"), group=_INDEX
)
_parent = record(name=text(255), seal=text(64), depth=integer(1, MOST_PARENTS), copied=flag)
_whole = {
    "format": choice(FORMAT),
    "page_size": choice(PAGE_SIZE),
    "checksums": flag,
    "machine": _machine,
    "rules": record(**_rules),
    "core": _core,
    "groups": listing(GROUP, 1 << 16, 1),
    "namespace": record(number=integer(1, 1 << 31), swapped_on=_INDEX),
    "ipc": listing(
        record(number=integer(1, 1 << 31), sequence=_INDEX, segments=listing(_segment, 4096))
    ),
    "objects": listing(_object),
    "mms": listing(_mm),
    "tasks": listing(_task, least=1),
    "area": _area,
}
_ALONE = ("in-place", "pinned", "snapshot")
_facts = {
    VERSION: record(**_whole, version=choice(VERSION), kind=choice(*_ALONE)),
    CHAINED: record(
        **_whole,
        version=choice(CHAINED),
        kind=choice(*_ALONE, "incremental"),
        parent=optional(_parent),
        folded=optional(text(64)),
    ),
}


def check_facts(facts: Any) -> None:
    """Refuse what no checkpoint would hold.

    Raises
    ------
    ValueError
        The field, and the cause. An unknown format or version is named first.
    """
    if type(facts) is not dict or facts.get("format") != FORMAT:
        raise ValueError("facts: not a swapfast checkpoint")
    version = facts.get("version")
    if type(version) is not int or version not in _facts:
        raise ValueError(
            f"facts: version {version!r:.20}; this swapfast reads version {VERSION} and {CHAINED}"
        )
    _facts[version](facts, "facts")
    if version == CHAINED:
        _check_parent(facts)
    _check_references(facts)
    for i, mm in enumerate(facts["mms"]):
        _check_mappings(facts, mm, f"facts.mms[{i}]")
    _check_tasks(facts)
    _check_segments(facts)
    area, machine, core = facts["area"], facts["machine"], facts["core"]
    if not area["pages"] < area["slots"]:
        raise ValueError("facts.area.pages: as many usable slots as there are, or more")
    if any(area["state"][name] > area["slots"] for name in ("cluster_next", "position")):
        raise ValueError("facts.area.state: a slot outside the area")
    for name in ("identity", "swap_uuid"):
        _check_hex(area[name], 32, f"facts.area.{name}")
    _check_path(facts)
    if max(machine["cache_at_boot"], core["memory"]["file_cache"]) >= core["settings"]["memory"]:
        raise ValueError("facts.core.memory.file_cache: not less than the memory")


def _check_path(facts: dict[str, Any]) -> None:
    """A file is opened by this name, or by its last part beside the image."""
    path, parent = facts["area"]["path"], facts.get("parent")
    beside = parent is not None and parent["copied"]
    try:
        known = "\0" not in path and (beside or os.fsencode(path).startswith(b"/"))
    except UnicodeEncodeError:
        known = False
    if not known or os.path.basename(path) in ("", ".", ".."):
        raise ValueError(f"facts.area.path: {path!r:.80} is not the absolute name of a file")


def _check_parent(facts: dict[str, Any]) -> None:
    parent, folded = facts["parent"], facts["folded"]
    if (parent is None) != (facts["kind"] != "incremental"):
        raise ValueError("facts.parent: an incremental image has one, no other has")
    if parent is None and folded is None:
        raise ValueError("facts.folded: neither a parent nor a chain that it was made of")
    if folded is not None:
        _check_hex(folded, 64, "facts.folded")
    if parent is None:
        return
    _check_hex(parent["seal"], 64, "facts.parent.seal")
    name = parent["name"]
    if "/" in name or "\0" in name or name in ("", ".", ".."):
        raise ValueError("facts.parent.name: not the name of a file in the folder of this image")
    if not facts["checksums"] or not facts["machine"]["contents"]:
        raise ValueError("facts.parent: an incremental image has checksums of its pages")


def _check_hex(value: str, digits: int, where: str) -> None:
    if len(value) != digits or set(value) - set("0123456789abcdef"):
        raise ValueError(f"{where}: not {digits} hexadecimal digits")


def _below(value: int | None, items: list[Any], where: str) -> None:
    if value is not None and value >= len(items):
        raise ValueError(f"{where}: {value}, and there are {len(items)}")


def _check_references(facts: dict[str, Any]) -> None:
    for i, one in enumerate(facts["objects"]):
        _below(one["group"], facts["groups"], f"facts.objects[{i}].group")
    for i, ipc in enumerate(facts["ipc"]):
        for k, segment in enumerate(ipc["segments"]):
            where = f"facts.ipc[{i}].segments[{k}]"
            _below(segment["object"], facts["objects"], f"{where}.object")
            pages = facts["objects"][segment["object"]]["pages"]
            if -(-segment["size"] // PAGE_SIZE) != pages:
                raise ValueError(f"{where}.size: {segment['size']} bytes on {pages} pages")
    for i, mm in enumerate(facts["mms"]):
        _below(mm["group"], facts["groups"], f"facts.mms[{i}].group")


def _check_mappings(facts: dict[str, Any], mm: dict[str, Any], where: str) -> None:
    spans = []
    for k, mapping in enumerate(mm["mappings"]):
        here = f"{where}.mappings[{k}]"
        pages = mapping["pages"]
        if mapping["addr"] % PAGE_SIZE:
            raise ValueError(f"{here}.addr: not a multiple of the page size")
        spans.append((mapping["addr"], mapping["addr"] + pages * PAGE_SIZE))
        last = 0
        for first, end in mapping["ranges"]:
            if not last <= first < end <= pages:
                raise ValueError(f"{here}.ranges: not ascending inside the mapping")
            last = end
        _below(mapping["group"], facts["groups"], f"{here}.group")
        _below(mapping["object"], facts["objects"], f"{here}.object")
        _below(mapping["ipc"], facts["ipc"], f"{here}.ipc")
        if mapping["object"] is not None and facts["objects"][mapping["object"]]["pages"] != pages:
            raise ValueError(f"{here}.object: has another number of pages")
        if (mapping["segment"] is None) != (mapping["ipc"] is None):
            raise ValueError(f"{here}.segment: a segment and its IPC namespace go together")
        if mapping["segment"] is not None:
            found = [
                s
                for s in facts["ipc"][mapping["ipc"]]["segments"]
                if s["shmid"] == mapping["segment"]
            ]
            if not found or found[0]["object"] != mapping["object"]:
                raise ValueError(f"{here}.segment: no such segment of that object")
    spans.sort()
    for (_, end), (start, _) in pairwise(spans):
        if end > start:
            raise ValueError(f"{where}.mappings: two at address {start:#x}")
    if spans and spans[-1][1] > mm["next_address"]:
        raise ValueError(f"{where}.next_address: a mapping lies behind it")


def _check_tasks(facts: dict[str, Any]) -> None:
    tasks = {task["pid"]: task for task in facts["tasks"]}
    pids = [task["pid"] for task in facts["tasks"]]
    if pids != sorted(set(pids)) or pids[-1] >= facts["machine"]["next_pid"]:
        raise ValueError("facts.tasks: pids are not ascending, or not below next_pid")
    users: set[int] = set()
    children = set()
    for i, task in enumerate(facts["tasks"]):
        where = f"facts.tasks[{i}]"
        _below(task["mm"], facts["mms"], f"{where}.mm")
        _below(task["ipc"], facts["ipc"], f"{where}.ipc")
        if (task["mm"] is None) != (task["state"] == "zombie"):
            raise ValueError(f"{where}.mm: a running task has an mm, a zombie has none")
        users.add(-1 if task["mm"] is None else task["mm"])
        parent = tasks.get(task["parent"])
        if task["parent"] != 1 and (parent is None or task["pid"] not in parent["children"]):
            raise ValueError(f"{where}.parent: {task['parent']} does not know this child")
        if parent is not None and parent["state"] != "running":
            raise ValueError(f"{where}.parent: is a zombie")
        for pid in task["children"]:
            if pid in children or pid not in tasks or tasks[pid]["parent"] != task["pid"]:
                raise ValueError(f"{where}.children: {pid} has another parent")
            children.add(pid)
        if task["parent"] == 1 and task["state"] == "zombie":
            raise ValueError(f"{where}.parent: init has no zombies")
        _check_ancestors(tasks, task, where)
        known = {CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET}
        if not {flag for flag, _ in task["namespaces"]} <= known:
            raise ValueError(f"{where}.namespaces: unknown flags")
    if users - {-1} != set(range(len(facts["mms"]))):
        raise ValueError("facts.mms: one that no task uses")
    if users == {-1}:
        raise ValueError("facts.tasks: nobody runs")


def _check_ancestors(tasks: dict[int, Any], task: dict[str, Any], where: str) -> None:
    # A parent that is younger exists: init's children are adopted. A circle does not.
    seen = {task["pid"]}
    at = task
    while at["parent"] != 1:
        if at["parent"] in seen:
            raise ValueError(f"{where}.parent: is its own descendant")
        seen.add(at["parent"])
        at = tasks[at["parent"]]


def _check_segments(facts: dict[str, Any]) -> None:
    named = [s["object"] for ipc in facts["ipc"] for s in ipc["segments"]]
    if len(named) != len(set(named)):
        raise ValueError("facts.ipc: two segments of one object")
    mapped = [m["object"] for mm in facts["mms"] for m in mm["mappings"]]
    if not set(range(len(facts["objects"]))) <= set(named) | set(mapped):
        raise ValueError("facts.objects: one that nobody refers to")
    numbers = [ipc["number"] for ipc in facts["ipc"]]
    if len(numbers) != len(set(numbers)):
        raise ValueError("facts.ipc: two of the same number")
    for i, ipc in enumerate(facts["ipc"]):
        ids = [s["shmid"] for s in ipc["segments"]]
        if len(ids) != len(set(ids)):
            raise ValueError(f"facts.ipc[{i}].segments: two of the same id")
    if not {t["ipc"] for t in facts["tasks"]} >= set(range(len(facts["ipc"]))):
        raise ValueError("facts.ipc: one without a task")
