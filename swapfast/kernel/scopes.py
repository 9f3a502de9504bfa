"""Which areas a set of tasks may use: swap namespaces, and who pays for shared memory.

- ``new_swap_namespace``, ``drop_swap_namespace``: a child, and its end.
- ``check_one_area``: the one swapfile of a child.
- ``payer_of_shared``: rule ``shared_pages``.
- ``publish``, ``withdraw``: an area goes into the core's tables, and out of them.

Source: Serge Hallyn, "swap namespaces: introduce basic, simple swap namespaces (v3)", 28 April
2008.
"""

from __future__ import annotations

import errno
from collections import deque

from swapfast import _core
from swapfast.core import area_table, mapping_table, scope_table
from swapfast.errors import system_error
from swapfast.kernel import scope_kinds
from swapfast.kernel.state import Kernel, SwapArea, SwapNamespace

__all__ = [
    "check_one_area",
    "drop_swap_namespace",
    "new_swap_namespace",
    "payer_of_shared",
    "publish",
    "withdraw",
]


def new_swap_namespace(kernel: Kernel, number: int | None = None) -> SwapNamespace:
    """A swap namespace without an area and without a link to a parent."""
    if number is None:
        number = kernel.new_namespace_number()
    ns = SwapNamespace(kernel, number, scope_table.add(kernel.core))
    if ns.initial:
        ns.areas = deque()
    return ns


def drop_swap_namespace(kernel: Kernel, ns: SwapNamespace) -> None:
    """Forget a namespace without tasks and areas.

    Shared objects that it paid for go to the host, or under the strict rule nowhere.
    """
    strict = kernel.rules.shared_pages == "strict"
    heir = _core.NOWHERE if strict else kernel.init.swap_ns.scope
    for shared in kernel.objects:
        if mapping_table.scope(kernel.core, shared.number) == ns.scope:
            mapping_table.set_scope(kernel.core, shared.number, heir)
    if kernel.rules.mixed_pages != "allocator":
        # Under that rule pages may still name their first scope: its number stays taken.
        scope_table.remove(kernel.core, ns.scope)


def check_one_area(kernel: Kernel, ns: SwapNamespace) -> None:
    """Refuse a second area in a child namespace.

    Raises
    ------
    OSError
        As rule ``second_swapon`` says.
    """
    if ns.initial:
        return
    code = getattr(errno, kernel.rules.second_swapon)
    if ns.areas:
        raise system_error(
            code,
            f"a child swap namespace has one swapfile, and {ns.areas[0].path} is on; "
            "swapoff it first",
        )
    if kernel.rules.swapon_again == "once" and ns.swapped_on:
        raise system_error(code, "this swap namespace has had its one swapfile")


def payer_of_shared(kernel: Kernel) -> int:
    """Who pays for a new shared anonymous object: rule ``shared_pages``."""
    return kernel.init.swap_ns.scope if kernel.rules.shared_pages == "initial" else _core.UNSET


def publish(kernel: Kernel, area: SwapArea) -> None:
    """Pages of its namespace, or of cgroups, may go to an area from now on."""
    # 2.6.25 puts an area before others of its priority, 6.18 behind them.
    area_table.set_writeok(kernel.core, area.number, True)
    if not area.private:
        # Once: the end of a namespace within its swapoff has put the area back already.
        scope_table.leave_area(kernel.core, area.namespace.scope, area.number)
        scope_table.use_area(kernel.core, area.namespace.scope, area.number, kernel.profile.modern)
    scope_kinds.area_comes(kernel, area)


def withdraw(kernel: Kernel, area: SwapArea) -> None:
    """No page goes to an area any more."""
    scope_table.leave_area(kernel.core, area.namespace.scope, area.number)
    area_table.set_writeok(kernel.core, area.number, False)
    scope_kinds.hand_down(kernel)
