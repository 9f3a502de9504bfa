from __future__ import annotations

from collections.abc import Callable, Iterator

from bench.row import Row, Size

ROWS: dict[str, Callable[[Size], Iterator[Row]]] = {}
