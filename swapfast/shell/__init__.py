"""Real programs meet a simulated machine: their calls about swap are answered by it.

- ``run(Wish(command, ...))``: a machine, and a command in it; `swapfast shell` on the command line.
- ``join(name, command)``: one more shell of it.

The calls are swapon, swapoff, sysinfo, clone3 and unshare with the flags of swap namespaces, and
opens of /proc/swaps, /proc/meminfo and /proc/vmstat. They come by way of seccomp's user
notification, without any right. It is no boundary of security: who wants to get around it can.
"""

from __future__ import annotations

from swapfast.shell.filter import Unable
from swapfast.shell.front import Ended, join, run
from swapfast.shell.host import Wish

__all__ = ["Ended", "Unable", "Wish", "join", "run"]
