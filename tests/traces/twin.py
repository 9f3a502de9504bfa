"""The text parsers again, slow and obvious: the whole text at once, regular expressions, dicts.

- ``lackey(text, instructions, collapse)``, ``table(columns, text, collapse)``: a ``Parsed``.

A broken line ends both; what came before it counts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

WRITE = 1 << 31
LINE_MOST = 4096
SIZE_MOST = 1 << 20

BANNER = re.compile(rb"(==|--|\*\*)")
ACCESS = re.compile(rb"(I | [LSM]) (.*)", re.DOTALL)
OPERANDS = re.compile(rb"([0-9a-fA-F]{1,16}),(.*)", re.DOTALL)
SIZE = re.compile(rb"[0-9]{1,7}")
DECIMAL = re.compile(rb"[0-9]+")
HEXADECIMAL = re.compile(rb"0[xX]([0-9a-fA-F]+)")

Access = tuple[int, int, bool]


class Broken(Exception):
    """Why a line cannot be read: a word of the message."""


@dataclass
class Parsed:
    """What a text holds.

    ``broken`` is (line, a word of the cause, first 80 bytes of the line) or None.
    """

    refs: list[int] = field(default_factory=list)
    page_of: dict[int, int] = field(default_factory=dict)
    broken: tuple[int, str, str] | None = None

    @property
    def addresses(self) -> list[int]:
        return list(self.page_of)

    def touch(self, access: Access, collapse: bool) -> None:
        address, size, write = access
        if not 1 <= size <= SIZE_MOST or address + size > 1 << 64:
            raise Broken("the size is not")
        for virtual in range(address >> 12, ((address + size - 1) >> 12) + 1):
            ref = self.page_of.setdefault(virtual, len(self.page_of)) | (WRITE if write else 0)
            if collapse and self.refs and self.refs[-1] in (ref, ref | WRITE):
                continue
            self.refs.append(ref)


def _lines(text: bytes) -> Iterator[tuple[int, bytes]]:
    lines = text.split(b"\n")
    if not lines[-1]:
        lines.pop()
    return enumerate(lines, 1)


def _parse(text: bytes, parse: Callable[[bytes], Access | None], collapse: bool) -> Parsed:
    out = Parsed()
    for number, line in _lines(text):
        try:
            access = parse(line)
            if access is not None:
                out.touch(access, collapse)
        except Broken as why:
            out.broken = (number, str(why), line[:80].decode("latin-1"))
            break
    return out


def lackey(text: bytes, instructions: bool = False, collapse: bool = False) -> Parsed:
    """A log of ``valgrind --tool=lackey --trace-mem=yes``."""

    def parse(line: bytes) -> Access | None:
        if BANNER.match(line):
            return None
        if len(line) > LINE_MOST:
            raise Broken("more than 4096 bytes")
        line = line.removesuffix(b"\r")
        if not line:
            return None
        access = ACCESS.fullmatch(line)
        if access is None or len(line) < 6:
            raise Broken("is not 'I  addr,size'")
        operands = OPERANDS.fullmatch(access[2])
        if operands is None:
            raise Broken("the address is not")
        if not SIZE.fullmatch(operands[2]):
            raise Broken("the size is not")
        address, size = int(operands[1], 16), int(operands[2])
        if access[1] == b"I " and not instructions:
            if not 1 <= size <= SIZE_MOST:
                raise Broken("the size is not")
            return None
        return address, size, access[1] in (b" S", b" M")

    return _parse(text, parse, collapse)


def _number(digits: bytes) -> int:
    hexadecimal = HEXADECIMAL.fullmatch(digits)
    if hexadecimal is None and DECIMAL.fullmatch(digits) is None:
        raise Broken("is not a number")
    value = int(digits) if hexadecimal is None else int(hexadecimal[1], 16)
    if value >= 1 << 64:
        raise Broken("too large")
    return value


def table(columns: list[str], text: bytes, collapse: bool = False) -> Parsed:
    """The lines of a CSV below its header."""

    def parse(line: bytes) -> Access | None:
        if len(line) > LINE_MOST:
            raise Broken("more than 4096 bytes")
        line = line.removesuffix(b"\r")
        if not line:
            return None
        address, size, write = 0, 1, False
        fields = line.split(b",")
        for i, column in enumerate(columns):
            # Fields are counted on the way: a bad one before the end is what the error names.
            if i >= len(fields) or (i + 1 == len(columns)) != (i + 1 == len(fields)):
                raise Broken("not as many fields")
            if column == "page":
                address = _number(fields[i]) << 12
            elif column == "address":
                address = _number(fields[i])
            elif column == "size":
                size = _number(fields[i])
            elif column == "write":
                try:
                    flag = _number(fields[i])
                except Broken:
                    flag = 2
                if flag > 1:
                    raise Broken("write is not 0 or 1")
                write = flag == 1
            elif column == "op":
                if fields[i].upper() not in {b"R", b"W", b"L", b"S", b"M", b"I"}:
                    raise Broken("op is not one of")
                write = fields[i].upper() in {b"W", b"S", b"M"}
        if address >= 1 << 64:
            raise Broken("too large")
        return address, size, write

    return _parse(text, parse, collapse)
