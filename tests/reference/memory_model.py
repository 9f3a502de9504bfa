"""The slow truth about bytes: what every page of every address space holds, over dictionaries.

- ``MemoryModel``: address spaces, mappings, shared objects; nothing about RAM, swap or time.
- ``MemoryModel.owners``: of each page's bytes, which swap namespaces have them in one piece.

A page nobody wrote is zero. A private page is the same piece of memory in parent and child until
one of them writes; a shared object's page is one piece for all who map it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable

PAGE = 4096
ZERO = bytes(PAGE)


class Piece:
    """A page of memory, however many page tables point at it."""

    def __init__(self, content: bytes) -> None:
        self.content = content


class SharedPages:
    """A shared object: its pages, and the namespaces that ever touched it."""

    def __init__(self) -> None:
        self.pieces: dict[int, Piece] = {}
        self.touched: set[Hashable] = set()


class ModelMapping:
    """A run of pages: its own, or those of a shared object."""

    def __init__(self, mapped: set[int], shared: SharedPages | None) -> None:
        self.mapped = mapped
        self.shared = shared
        self.pieces: dict[int, Piece] = {} if shared is None else shared.pieces


class MemoryModel:
    """Bytes per (address space, address, page); address spaces are named by anything hashable."""

    def __init__(self) -> None:
        self.spaces: dict[Hashable, dict[int, ModelMapping]] = {}
        self.namespace: dict[Hashable, Hashable] = {}
        self.held: dict[Hashable, set[bytes]] = defaultdict(set)

    # address spaces

    def new_space(self, space: Hashable, namespace: Hashable) -> None:
        self.spaces[space] = {}
        self.namespace[space] = namespace

    def fork(self, parent: Hashable, child: Hashable, namespace: Hashable) -> None:
        self.new_space(child, namespace)
        for addr, mapping in self.spaces[parent].items():
            copy = ModelMapping(set(mapping.mapped), mapping.shared)
            if mapping.shared is None:
                copy.pieces.update(mapping.pieces)
            self.spaces[child][addr] = copy
            self.held[namespace].update(p.content for p in mapping.pieces.values())

    def keep_only(self, alive: set[Hashable]) -> None:
        for space in set(self.spaces) - alive:
            del self.spaces[space], self.namespace[space]

    # mappings

    def map(
        self, space: Hashable, addr: int, pages: int, shared: SharedPages | None = None
    ) -> None:
        mapping = ModelMapping(set(range(pages)), shared)
        self.spaces[space][addr] = mapping
        self.held[self.namespace[space]].update(p.content for p in mapping.pieces.values())

    def unmap(self, space: Hashable, addr: int, first: int, end: int) -> None:
        mapping = self.spaces[space][addr]
        mapping.mapped -= set(range(first, end))
        if mapping.shared is None:
            for page in range(first, end):
                mapping.pieces.pop(page, None)
        if not mapping.mapped:
            del self.spaces[space][addr]

    # bytes

    def touch(self, space: Hashable, addr: int, pages: set[int], write: bool) -> None:
        """References without bytes; a write still ends the sharing of a private page."""
        mapping = self.spaces[space][addr]
        if mapping.shared is not None:
            mapping.shared.touched.add(self.namespace[space])
        elif write:
            for page in pages:
                mapping.pieces[page] = Piece(self.page(space, addr, page))

    def write(self, space: Hashable, addr: int, offset: int, data: bytes) -> None:
        mapping = self.spaces[space][addr]
        while data:
            page, at = divmod(offset, PAGE)
            part = data[: PAGE - at]
            old = self.page(space, addr, page)
            new = old[:at] + part + old[at + len(part) :]
            mapping.pieces[page] = Piece(new)
            for other in self.spaces if mapping.shared is not None else (space,):
                if any(m.pieces is mapping.pieces for m in self.spaces[other].values()):
                    self.held[self.namespace[other]].add(new)
            offset += len(part)
            data = data[len(part) :]
        self.touch(space, addr, set(), write=True)

    def page(self, space: Hashable, addr: int, number: int) -> bytes:
        piece = self.spaces[space][addr].pieces.get(number)
        return ZERO if piece is None else piece.content

    def read(self, space: Hashable, addr: int, offset: int, length: int) -> bytes:
        first, end = offset // PAGE, -(-(offset + length) // PAGE)
        whole = b"".join(self.page(space, addr, n) for n in range(first, end))
        self.touch(space, addr, set(), write=False)
        return whole[offset - first * PAGE :][:length]

    # who has what

    def owners(self) -> dict[bytes, list[set[Hashable]]]:
        """Of each content: for every piece that has it, the namespaces that have the piece."""
        having: dict[Piece, set[Hashable]] = defaultdict(set)
        for space, mappings in self.spaces.items():
            for mapping in mappings.values():
                for piece in mapping.pieces.values():
                    if mapping.shared is None:
                        having[piece].add(self.namespace[space])
                    else:
                        having[piece] |= mapping.shared.touched
        found: dict[bytes, list[set[Hashable]]] = defaultdict(list)
        for piece, namespaces in having.items():
            found[piece.content].append(namespaces)
        return found
