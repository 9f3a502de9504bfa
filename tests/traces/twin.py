"""The text parsers again, slow and obvious: the whole text at once, regular expressions, dicts.

- ``lackey(text, instructions, collapse, pid)``, ``table(columns, text, collapse, separator)``: a
  ``Parsed``.

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
OF_PID = re.compile(rb"(==|--|\*\*)([0-9:. ]*[ :.])?([0-9]{1,10})\1 *([^ ].*)", re.DOTALL)
FIRST_LINE = b"Lackey, an example Valgrind tool"
SUPERBLOCK = re.compile(rb"SB [0-9a-fA-F]{1,16}")
ACCESS = re.compile(rb"(?:(I) | (I) | ([LSM]) )(.*)", re.DOTALL)
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


def lackey(
    text: bytes, instructions: bool = False, collapse: bool = False, pid: int | None = None
) -> Parsed:
    """A log of ``valgrind --tool=lackey --trace-mem=yes``."""
    sections: list[tuple[int, bool]] = []  # process, and whether its log begins there

    def section(number: int, begins: bool, in_its_words: bool) -> None:
        if sections and sections[-1][0] == number:
            if in_its_words and sections[-1][1]:
                raise Broken("the log of another program")
            sections[-1] = number, sections[-1][1] or begins
            return
        if sections and pid is None:
            raise Broken("a line of another process")
        if sections and (not begins or number in dict(sections)):
            raise Broken("a line of another process among those of one")
        sections.append((number, begins))

    def parse(line: bytes) -> Access | None:
        if BANNER.match(line):
            whose = OF_PID.fullmatch(line[: LINE_MOST + 1].removesuffix(b"\r"))
            if whose is not None:
                begins = whose[4].startswith(b"Lackey")
                section(int(whose[3]), begins, whose[4].startswith(FIRST_LINE))
            return None
        if len(line) > LINE_MOST:
            raise Broken("more than 4096 bytes")
        line = line.removesuffix(b"\r")
        if not line or SUPERBLOCK.fullmatch(line):
            return None
        access = ACCESS.fullmatch(line)
        if access is None or len(line) < (5 if line.startswith(b"I") else 6):
            raise Broken("is not 'I  addr,size'")
        fetch = access[3] is None
        operands = OPERANDS.fullmatch(access[4].removeprefix(b" ") if access[1] else access[4])
        if operands is None:
            raise Broken("the address is not")
        if not SIZE.fullmatch(operands[2]):
            raise Broken("the size is not")
        address, size = int(operands[1], 16), int(operands[2])
        if pid is not None and not sections:
            raise Broken("a reference before the first line that names its process")
        if (fetch and not instructions) or (pid is not None and sections[-1][0] != pid):
            if not 1 <= size <= SIZE_MOST:
                raise Broken("the size is not")
            return None
        return address, size, access[3] in (b"S", b"M")

    return _parse(text, parse, collapse)


def _number(digits: bytes) -> int:
    hexadecimal = HEXADECIMAL.fullmatch(digits)
    if hexadecimal is None and DECIMAL.fullmatch(digits) is None:
        raise Broken("is not a number")
    value = int(digits) if hexadecimal is None else int(hexadecimal[1], 16)
    if value >= 1 << 64:
        raise Broken("too large")
    return value


QUOTED = re.compile(rb'"((?:[^"]|"")*)"')


def _fields(line: bytes, separator: str) -> Iterator[tuple[bytes, bool]]:
    """One after the other, and whether it is the last; a bad one is noticed when it is come to."""
    sign = separator.encode()
    blanks = b" " if separator == "\t" else b" \t"
    rest: bytes | None = line.rstrip(blanks)
    while rest is not None:
        rest = rest.lstrip(blanks)
        if rest.startswith(b'"'):
            quoted = QUOTED.match(rest)
            after = b'"' if quoted is None else rest[quoted.end() :]
            while after and after[:1] in blanks and after[:1] != sign:
                after = after[1:]
            if quoted is None or (after and not after.startswith(sign)):
                raise Broken("a quoted field does not end")
            rest = after[1:] if after else None
            yield quoted[1].rstrip(blanks), rest is None
        else:
            field, found, after = rest.partition(sign)
            rest = after if found else None
            yield field.rstrip(blanks), rest is None


def table(columns: list[str], text: bytes, collapse: bool = False, separator: str = ",") -> Parsed:
    """The lines of a CSV below its header."""

    def parse(line: bytes) -> Access | None:
        if len(line) > LINE_MOST:
            if line.startswith(b"#"):
                return None
            raise Broken("more than 4096 bytes")
        line = line.removesuffix(b"\r")
        if line.startswith(b"#") or not line.strip(b" " if separator == "\t" else b" \t"):
            return None
        address, size, write = 0, 1, False
        fields = _fields(line, separator)
        for i, column in enumerate(columns):
            # Fields are counted on the way: a bad one before the end is what the error names.
            field, last = next(fields)
            if last != (i + 1 == len(columns)):
                raise Broken("not as many fields")
            if column == "page":
                address = _number(field) << 12
            elif column == "address":
                address = _number(field)
            elif column == "size":
                size = _number(field)
            elif column == "write":
                try:
                    flag = _number(field)
                except Broken:
                    flag = 2
                if flag > 1:
                    raise Broken("write is not 0 or 1")
                write = flag == 1
            elif column == "op":
                if field.upper() not in {b"R", b"W", b"L", b"S", b"M", b"I"}:
                    raise Broken("op is not one of")
                write = field.upper() in {b"W", b"S", b"M"}
        if address >= 1 << 64:
            raise Broken("too large")
        return address, size, write

    return _parse(text, parse, collapse)
