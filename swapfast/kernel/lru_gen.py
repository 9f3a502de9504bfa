"""The switch of the multi-generational LRU, and what its debug file says.

- ``LruGen``: what ``machine.lru_gen`` is.
- ``policy_of(kernel)``: the policy of groups that are made from now on.

Sources: mm/vmscan.c (enabled_show, enabled_store, lru_gen_change_state, lru_gen_seq_show) of 6.18.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from swapfast.core import memcg_table
from swapfast.errors import system_error
from swapfast.kernel.profile import CLASSIC, MGLRU

if TYPE_CHECKING:
    from swapfast.kernel.groups import GroupRow
    from swapfast.kernel.state import Kernel

__all__ = ["LruGen", "policy_of"]

JIFFY = 4_000_000  # ns, HZ 250
MOST = 7


def policy_of(kernel: Kernel) -> str:
    """The replacement policy that the machine's groups have now."""
    if kernel.options.policy not in (CLASSIC, MGLRU):
        return kernel.options.policy
    return MGLRU if memcg_table.lru_gen(kernel.core) & 1 else CLASSIC


class LruGen:
    r"""``/sys/kernel/mm/lru_gen`` of a machine, and ``/sys/kernel/debug/lru_gen``.

    Parameters
    ----------
    kernel : Kernel

    Attributes
    ----------
    enabled : int
        The mask, 0 to 7, which may change while the machine runs. Bit 0 moves the pages of all
        groups from the lists of the classic LRU to generations, or back; bit 1: an aging walks page
        tables; bit 2 changes nothing here. Groups under a policy that is no kernel's stay as they
        are. OSError (ENOENT): the kernel of the profile has no such file.

    Examples
    --------
    >>> machine = Machine("64MiB", profile="6.18-mglru")
    >>> machine.lru_gen.show()
    '0x0007\n'
    >>> machine.lru_gen.store("n")
    >>> machine.lru_gen.enabled
    0
    """

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel

    @property
    def enabled(self) -> int:
        """The mask."""
        return memcg_table.lru_gen(self.kernel.core)

    @enabled.setter
    def enabled(self, mask: int) -> None:
        kernel = self.kernel
        if not kernel.profile.modern:
            raise system_error(
                errno.ENOENT, f"Linux {kernel.profile.name} has no multi-generational LRU"
            )
        if not 0 <= mask <= MOST:
            raise ValueError(f"lru_gen is a mask from 0 to {MOST}, not {mask}")
        with kernel.changes.of("switching the LRU"):
            memcg_table.switch_lru(kernel.core, mask)

    def show(self) -> str:
        """What the file ``enabled`` says."""
        return f"0x{self.enabled:04x}\n"

    def store(self, text: str) -> None:
        """Write to the file ``enabled``: "y" for all, "n" for nothing, or a mask.

        Raises
        ------
        OSError
            EINVAL: none of these; ENOENT: the kernel of the profile has no such file.
        """
        word = text.strip().lower()
        if word[:1] in ("y", "n"):
            self.enabled = MOST if word[0] == "y" else 0
            return
        try:
            mask = int(word, 16 if word.startswith("0x") else 8 if word.startswith("0") else 10)
        except ValueError:
            mask = -1
        if not 0 <= mask < 1 << 32:
            raise system_error(errno.EINVAL, f"{text!r:.40} is no mask")
        self.enabled = mask & MOST  # other bits are no capabilities

    def debug(self) -> str:
        """/sys/kernel/debug/lru_gen.

        For each group: generations from the oldest on, the age of each in ms, and its anonymous and
        file pages.
        """
        return "".join(self._of(row) for row in self.kernel.groups.root.below())

    def _of(self, row: GroupRow) -> str:
        found = memcg_table.generations(self.kernel.core, row.number)
        lines = [f"memcg {row.number + 1:5} {row.path}", f" node {0:5}"]
        if found is None:
            found = memcg_table.NO_GENERATIONS
        oldest = min(found["min_seq"], found["file_seq"])
        missing = found["min_seq"] - oldest
        pages = [0] * missing + found["pages"]
        now = self.kernel.now // JIFFY
        for seq, anon in zip(range(oldest, found["max_seq"] + 1), pages, strict=True):
            age = (now - found["born"][seq % 4] // JIFFY) * JIFFY // 1_000_000
            lines.append(f" {seq:10} {age:10} {anon:10}  {0:10} ")
        return "".join(line + "\n" for line in lines)
