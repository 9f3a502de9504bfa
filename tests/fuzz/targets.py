"""What is fuzzed: each parser as a function of bytes.

- ``TARGETS``: name -> function; it returns whether the bytes were accepted.
- ``seeds(name)``: inputs to begin with, files of ``corpus/NAME/`` among them.

A target lets ``ValueError`` and ``OSError`` pass as refusals. Anything else that is raised is a
finding, and so is a structure that does not agree afterwards.
"""

from __future__ import annotations

import bz2
import copy
import gzip
import io
import json
import lzma
import os
import shutil
import struct
import tempfile
import zipfile
from collections.abc import Callable
from contextlib import suppress
from functools import cache, partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from swapfast.checkpoint import inspect, read_image
from swapfast.checkpoint.stored import pack
from swapfast.errors import KernelPanic, TaskKilled
from swapfast.machine import restart
from swapfast.measure.host import read_table
from swapfast.mrc import Distances
from swapfast.replacement import simulate
from swapfast.swapfile import RULES_2_6_25, RULES_6_18, mkswap, parse_header, strings
from swapfast.swapfile.stamp import read_stamp
from swapfast.traces import open_trace
from swapfast.traces.streams import chunks
from swapfast.units import parse_size
from tests.fuzz import outputs

HERE = Path(__file__).parent
GOLDEN = HERE.parent / "checkpoint" / "data"
RECORDED = HERE.parent / "traces" / "data"
MOST_REFS = 1 << 16
MOST_CHUNKS = 8


@cache
def folder() -> Path:
    """Of this process, in memory where there is such a place."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    base = os.environ.get("SWAPFAST_FUZZ_FOLDER", memory)  # of whoever started us, and cleans up
    return Path(tempfile.mkdtemp(prefix="swapfast-fuzz-", dir=base))


def stored(data: bytes, name: str = "input") -> Path:
    path = folder() / name
    path.write_bytes(data)
    return path


# ---------------------------------------------------------------- swapfiles


def header(data: bytes) -> bool:
    """A header page, of a file and of a block device of so many pages, under both kernels."""
    page = data[:65536].ljust(4096, b"\0")
    read_stamp(page)
    accepted = 0
    for rules in (RULES_2_6_25, RULES_6_18):
        for pages in (1, 100, 1 << 20):
            for kind in ("file", "block"):
                try:
                    found = rules.check(page, pages, kind)  # type: ignore[arg-type]
                except (ValueError, OSError):
                    continue
                assert 1 <= found.pages < found.end <= pages
                accepted += 1
    try:
        parse_header(page)
        accepted += 1
    except ValueError:
        pass
    return accepted > 0


def text_of_a_file(data: bytes) -> bool:
    """strings(1) and the tables of /proc."""
    path = stored(data)
    list(strings(path))
    try:
        read_table(path)
    except (ValueError, OSError):
        return False
    return True


def size(data: bytes) -> bool:
    """A size as people write it."""
    try:
        return parse_size(data.decode("latin-1")) >= 0
    except ValueError:
        return False


# ---------------------------------------------------------------- checkpoints


def image(data: bytes) -> bool:
    """An image, any bytes."""
    path = stored(data, "image")
    try:
        read_image(path)
        inspect(path)
    except (ValueError, OSError):
        return False
    return True


@cache
def golden() -> tuple[bytes, dict[str, Any], dict[str, Any], bytes]:
    name = sorted(GOLDEN.glob("*.ckpt"))[0]
    with np.load(name, allow_pickle=False) as arrays:
        columns = {n: arrays[n] for n in arrays.files}
    facts = json.loads(columns.pop("facts").tobytes())
    area = lzma.decompress((GOLDEN / f"{name.stem}.area.xz").read_bytes())
    return name.read_bytes(), facts, columns, area


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value)
    found = []
    for key, one in items:
        found.append((*path, key))
        if isinstance(one, dict | list):
            found += _places(one, (*path, key))
    return found


VALUES: tuple[Any, ...] = (0, 1, 2, -1, 255, 1 << 31, (1 << 64) - 1, None, True, "", "x", [], {}, 3)


def members(data: bytes) -> bool:
    """A golden image with changes that its checksums agree with; what is accepted is restarted.

    Five bytes a change: which field, which place in it, and a value.
    """
    _, facts, columns, area = golden()
    facts, columns = copy.deepcopy(facts), {n: c.copy() for n, c in columns.items()}
    for at in range(0, min(len(data), 40) - 4, 5):
        kind, where, value = struct.unpack_from("<BHH", data, at)
        if kind < 128:
            places = _places(facts)
            path = places[(kind << 16 | where) % len(places)]
            inside: Any = facts
            for step in path[:-1]:
                inside = inside[step]
            if value & 1 and value >> 1 < 16:
                del inside[path[-1]]
            elif value & 1 or not isinstance(inside[path[-1]], int):
                inside[path[-1]] = VALUES[value % len(VALUES)]
            else:
                inside[path[-1]] += (value >> 1) - (1 << 14)
        else:
            names = sorted(columns)
            column = columns[names[kind % len(names)]]
            if column.size:
                column[where % column.size] += np.array(value).astype(column.dtype)
    text = json.dumps(facts, separators=(",", ":"), sort_keys=True).encode()
    whole = {"facts": np.frombuffer(text, dtype=np.uint8), **columns}
    path = stored(b"".join(bytes(part) for part in pack(whole)), "image")
    try:
        read_image(path)
    except (ValueError, OSError):
        return False
    swapfile = stored(area, "area")
    swapfile.chmod(0o600)
    try:
        machine = restart(path, swapfile=swapfile, keep=bool(len(data) & 1))
    except (ValueError, OSError, MemoryError):
        return False
    with machine:
        machine.verify()
        for task in [t for t in machine.tasks.values() if t.alive and t.parent is not None]:
            for mapping in task.mappings:
                for first, end in mapping.ranges:
                    try:
                        mapping.read(first * 4096, (min(end, first + 200) - first) * 4096)
                        mapping.touch(slice(first, min(end, first + 50)), write=True)
                    except (OSError, TaskKilled, KernelPanic):
                        break
                    if not task.alive:
                        break
        machine.verify()
    return True


# ---------------------------------------------------------------- traces and scenarios


def _trace(data: bytes, format: str | None, name: str = "input") -> bool:
    path = stored(data, name)
    try:
        for hold in (1 << 16, 4):
            trace = open_trace(path, format=format, hold=hold)
            seen = 0
            for chunk in trace.chunks(1 << 12):
                assert chunk.dtype == np.uint32
                if chunk.size:
                    assert int((chunk & np.uint32(0x7FFFFFFF)).max()) < trace.pages
                seen += len(chunk)
                if seen > MOST_REFS:
                    break
            assert seen > MOST_REFS or seen == len(trace)
    except (ValueError, OSError):
        return False
    return True


def guessed(data: bytes) -> bool:
    """A trace whose format is guessed, compressed or not."""
    return _trace(data, None)


def lackey(data: bytes) -> bool:
    return _trace(data, "lackey")


def csv(data: bytes) -> bool:
    return _trace(data, "csv")


def npz(data: bytes) -> bool:
    return _trace(data, "npz", "input.npz")


def npy(data: bytes) -> bool:
    return _trace(data, "npy", "input.npy")


def raw(data: bytes) -> bool:
    return _trace(data, "raw", "input.raw")


def events(data: bytes) -> bool:
    """Page faults, of one process, of a chosen one, or of all side by side."""
    path, found = stored(data), False
    for format in ("perf", "ftrace"):
        found |= _trace(data, format)
        for pid in (7, "all"):
            with suppress(ValueError, OSError):
                trace = open_trace(path, format=format, pid=pid, hold=4)  # type: ignore[arg-type]
                found |= len(trace) > 0
    return found


def _any(data: bytes, *formats: str) -> bool:
    """All of them are tried."""
    return sum(_trace(data, format) for format in formats) > 0


def accesses(data: bytes) -> bool:
    """What Pin and DynamoRIO print."""
    return _any(data, "pin", "drmemtrace")


def regions(data: bytes) -> bool:
    """What damo prints, expanded."""
    return _trace(data, "damo")


def blocks(data: bytes) -> bool:
    """Tables of requests to disks."""
    return _any(data, "msr", "alibaba", "tencent")


def records(data: bytes) -> bool:
    """Binary records of all formats."""
    return _any(data, "champsim", "oracleGeneral", "lcs", "vscsi", "memrefs")


def packed(data: bytes) -> bool:
    """A compressed trace of several members: what is read is read whole, twice the same."""
    path = stored(data, "input.packed")
    try:
        first = b"".join(islice(chunks(str(path)), MOST_CHUNKS))
    except (ValueError, OSError):
        return False
    assert b"".join(islice(chunks(str(path)), MOST_CHUNKS)) == first
    return _trace(data, None)


def dialect(data: bytes) -> bool:
    """A table whose header and separator are looked for."""
    return _trace(data, "csv", "input.tsv")


def processes(data: bytes) -> bool:
    """A log of several processes, of which one is asked for."""
    path = stored(data)
    try:
        return all(len(open_trace(path, format="lackey", pid=7, hold=h)) > 0 for h in (4, 1 << 16))
    except (ValueError, OSError):
        return False


def changing(data: bytes) -> bool:
    """A file that is another one between two looks at it: refused, or replayed as it is then.

    The first byte says what changes: the rest of the input is the file before and after.
    """
    how, half = data[0] if data else 0, len(data) // 2
    suffix = ("npy", "raw", "npz", "csv", "lackey")[how % 5]
    before, after = data[1 : half + 1], data[half + 1 :]
    path = stored(before, f"changing.{suffix}")
    try:
        trace = open_trace(path, hold=4)
        if trace.pages > MOST_REFS:
            return False  # a simulation has memory for each
        status = path.stat()
        path.write_bytes(after if how & 128 else before[: len(before) // 2])
        if how & 64:
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        for policy in ("lru", "s3fifo", "opt"):
            simulate(trace, 3, policy)
        Distances(trace.pages).run(trace.refs, checked=True)
    except (ValueError, OSError):
        return False
    return True


def scenario(data: bytes) -> bool:
    from swapfast.scenario.load import load

    try:
        load(stored(data, "scenario.toml"))
    except (ValueError, OSError):
        return False
    return True


def output(data: bytes) -> bool:
    """A name of an output file, among links, pipes and folders."""
    base = folder() / "output"
    base.mkdir(exist_ok=True)
    return outputs.output(base, data)


TARGETS: dict[str, Callable[[bytes], bool]] = {
    "header": header,
    "text": text_of_a_file,
    "size": size,
    "image": image,
    "members": members,
    "guessed": guessed,
    "lackey": lackey,
    "csv": csv,
    "npz": npz,
    "npy": npy,
    "raw": raw,
    "events": events,
    "accesses": accesses,
    "regions": regions,
    "blocks": blocks,
    "records": records,
    "packed": packed,
    "dialect": dialect,
    "processes": processes,
    "changing": changing,
    "scenario": scenario,
    "output": output,
}

# ---------------------------------------------------------------- inputs to begin with

LACKEY = b"==1== Lackey\nI  04000000,3\n L 1ffeffe7e8,8\n S 04222cac,4\n M 0421c7cc,4096\n"
CSV = b"page,write\n0,1\n1,0\n7,1\n", b"op,address,size\nR,0x1000,8\nW,0x1ffe,4096\nM,4096,1\n"


def _saved(save: Callable[..., None], *arrays: Any, **named: Any) -> bytes:
    file = io.BytesIO()
    save(file, *arrays, **named)
    return file.getvalue()


def _header_page() -> bytes:
    path = folder() / "made"
    path.unlink(missing_ok=True)
    mkswap(path, size=100 * 4096, label="fuzz")
    return path.read_bytes()[:4096]


def _made(name: str) -> list[bytes]:
    refs = np.array([0, 1, 0x80000002, 2, 1], dtype=np.uint32)
    if name == "header":
        return [_header_page()]
    if name == "image":
        return [golden()[0]]
    if name == "members":
        return [bytes([200, 1, 0, 1, 0]), bytes([3, 9, 0, 2, 128]), bytes(15)]
    if name == "npz":
        plain = _saved(np.savez, refs=refs, pages=np.int64(3))
        packed = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(plain)) as old, zipfile.ZipFile(packed, "w") as new:
            for member in old.namelist():
                new.writestr(member, old.read(member), zipfile.ZIP_DEFLATED)
        return [plain, packed.getvalue()]
    if name == "npy":
        return [_saved(np.save, refs), _saved(np.save, np.array([[1, 2]], dtype=">i8"))]
    if name == "raw":
        return [refs.tobytes()]
    if name == "lackey":
        return [LACKEY]
    if name == "csv":
        return list(CSV)
    if name == "events":
        files = [*sorted(RECORDED.glob("perf-*")), RECORDED / "ftrace.txt"]
        heads = [b"\n".join(file.read_bytes().split(b"\n")[-8:]) for file in files]
        return [
            *heads,
            b"a b  7/8 [001] 1.5:  1 cpu/mem-stores/P:  1000 68 |OP STORE|  55d0c0ffee f\n",
        ]
    if name == "accesses":
        return [
            b"#\n0x7f01: R 0x7ffe1008\n0x7f05: W 0x2000  8 0x1\n#eof\n",
            b"Output format:\n 1 0: 7 <marker: x>\n 2 1: 7 read 8 byte(s) @ 0x1ffc by PC 4\n",
        ]
    if name == "regions":
        return [
            b"base_time_absolute: 8 m\n\nmonitoring_start:   0 ns\ntarget_id: 0\nnr_regions: 2\n"
            b"00001000-00003000(  8.000 KiB):\t2\n00005000-00006000 (   4.000 KiB)   1   7\n\n",
        ]
    if name == "blocks":
        return [
            b"128166372003061629,hm,0,Read,20480,8192,413\n12816637200,hm,1,Write,0,512,2\n",
            b"419,R,20480,8192,1577808144360767\n725,W,20480,512,1577808144360768\n",
            b"1538323200,40,16,0,1283\n1538323200,40,1,1,1360\n",
        ]
    if name == "records":
        made = [file.read_bytes() for file in sorted(RECORDED.glob("requests.*"))]
        instruction = struct.pack("<QBB6x2Q4Q", 0x401000, 1, 0, 0, 4096, 8192, 0, 0, 0)
        commands = (
            struct.pack("<HHIIIQQQ", 0x28, 0x200, 1, 4096, 1, 8, 0, 0),
            struct.pack("<IIIHHQQ", 1, 4096, 1, 0x2A, 0x100, 8, 0),
        )
        made.append(struct.pack("<HHQHHQHHQ", 25, 0, 5, 1, 8, 0x1FFC, 10, 3, 0x401000))
        return [*made, instruction * 3, *(command * 2 for command in commands)]
    if name == "guessed":
        found = [LACKEY, *CSV, gzip.compress(LACKEY, mtime=0), lzma.compress(CSV[0])]
        try:
            import zstandard
        except ModuleNotFoundError:
            return found
        return [*found, zstandard.ZstdCompressor().compress(LACKEY)]
    if name == "packed":
        halves = LACKEY[:40], LACKEY[40:]
        packs = [partial(gzip.compress, mtime=0), lzma.compress, bz2.compress]
        found = [pack(halves[0]) + pack(halves[1]) for pack in packs]
        found += [lzma.compress(LACKEY) + bytes(4), gzip.compress(LACKEY, mtime=0) + bytes(9)]
        found.append(lzma.compress(LACKEY, lzma.FORMAT_ALONE))
        try:
            import zstandard
        except ModuleNotFoundError:
            return found
        pack = zstandard.ZstdCompressor().compress
        skipped = struct.pack("<II", 0x184D2A53, 3) + b"abc"
        return [*found, skipped + pack(halves[0]) + skipped + pack(halves[1])]
    if name == "dialect":
        return [
            b"# made\n\npage;write\n1;0\n# x\n 2 ; 1 \n",
            b'note\top\taddress\n"a ""b"", c"\tR\t0x1000\n"x"\tW\t"4096"\n',
            b"# page write\n1 0\n  2   1\n",
            b"R,0x1000\nW,0x2000\n",
        ]
    if name == "processes":
        one = LACKEY.replace(b"==1==", b"==7==")
        return [LACKEY + one, one + LACKEY + one[:9], one.replace(b"==7==", b"==1:2.3 7==")]
    if name == "changing":
        same = refs.tobytes(), _saved(np.save, refs), *CSV, LACKEY
        kinds = (1, 0, 3, 3, 4)
        flags = 195, 0  # multiples of five, so that the kind stays: with and without another file
        return [bytes([k + f]) + s * 2 for k, s in zip(kinds, same, strict=True) for f in flags]
    if name == "scenario":
        from importlib.resources import files

        return [(files("swapfast") / "scenarios" / "letter.toml").read_bytes()]
    if name == "output":
        return [
            bytes([how, *part]) for how in range(3) for part in ((0,), (3,), (7,), (9, 0), (11,))
        ]
    if name == "text":
        return [b"MemTotal: 100 kB\nanon 5\n"]
    return [b"64MiB", b"1.5 GiB", b"4096"]


def seeds(name: str) -> list[bytes]:
    """Made inputs, and the files of the corpus: what a fuzzer found worth keeping."""
    kept = sorted((HERE / "corpus" / name).glob("*"))
    return [*_made(name), *(path.read_bytes() for path in kept)]


def clean_up() -> None:
    shutil.rmtree(folder(), ignore_errors=True)
