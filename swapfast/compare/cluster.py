"""Cells on many machines, with Dask.

- ``run_on(address, cells)``: each cell's run, as they come.

A cell is a task. Its scheduler gives the task of a worker that is lost to another, so that every
cell comes back. A worker that would run something else refuses: see `swapfast.compare.cells.Stale`.
Nothing but values goes to a worker, and nothing but values comes back: it writes no file.
"""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError
from typing import Any

from swapfast.compare.cells import Cell, Stale, play_cell
from swapfast.compare.pool import Play, Stopped, one_run
from swapfast.compare.runs import Run
from swapfast.errors import system_error

__all__ = ["run_on"]

WAIT = 30.0  # s until the scheduler has to answer
AHEAD = 4  # tasks a thread of the cluster that are handed out at a time


def run_on(address: str, cells: Sequence[Cell], *, play: Play = play_cell) -> Iterator[Run]:
    """Run cells on a cluster.

    Parameters
    ----------
    address : str
        Of the scheduler, such as "tcp://head:8786".
    cells : sequence of Cell
    play : callable
        What runs a cell; the workers have to be able to import it.

    Yields
    ------
    Run
        As they come.

    Raises
    ------
    ValueError
        Dask's package distributed is not installed, or a worker refuses (`Stale`).
    OSError
        EHOSTUNREACH: no scheduler answers.
    Stopped
        Ctrl-C; tasks that were not begun are taken back.
    """
    distributed = _distributed()
    try:
        client = distributed.Client(address, timeout=WAIT, set_as_default=False)
    except (OSError, ValueError) as error:
        said = f"no scheduler answers at {address}: {str(error) or type(error).__name__}"
        raise system_error(errno.EHOSTUNREACH, said) from None
    with client:
        try:
            yield from _runs(distributed, client, cells, play)
        except KeyboardInterrupt:
            raise Stopped from None


def _distributed() -> Any:
    try:
        import distributed
    except ModuleNotFoundError:
        raise ValueError(
            "a cluster needs Dask's package distributed: pip install 'swapfast[dask]'"
        ) from None
    return distributed


def _runs(distributed: Any, client: Any, cells: Sequence[Cell], play: Play) -> Iterator[Run]:
    todo = deque(cells)
    handed: dict[Any, Cell] = {}
    coming = distributed.as_completed(loop=client.loop)
    while todo or handed:
        room = max(1, AHEAD * sum(client.nthreads().values()))
        while todo and len(handed) < room:
            cell = todo.popleft()
            future = client.submit(one_run, play, cell, key=f"swapfast-{cell.key}", retries=0)
            handed[future] = cell
            coming.add(future)
        future = next(coming)
        cell = handed.pop(future)
        try:
            yield future.result()
        except Stale as error:
            client.cancel(list(handed))
            raise Stale(f"a worker refuses: {error}") from None
        except CancelledError:
            said = f"the scheduler at {client.scheduler.address} went away"
            raise system_error(errno.ECONNRESET, said) from None
        except distributed.KilledWorker:
            yield Run.of_cell(cell, None, "every worker that ran it died; was there enough memory?")
        except Exception as error:  # whatever a worker's Python or its packages say
            said = f"its worker failed: {type(error).__name__}: {error}"
            yield Run.of_cell(cell, None, said[:400])
