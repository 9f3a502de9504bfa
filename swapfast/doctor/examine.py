"""All questions, in the order in which they are shown.

- ``examine(host)``: a ``Diagnosis``.
"""

from __future__ import annotations

from swapfast.doctor import kernel, package, rights, tools
from swapfast.doctor.finding import Diagnosis
from swapfast.measure.host import Host

__all__ = ["examine"]


def examine(host: Host | None = None) -> Diagnosis:
    """Look at this machine; takes about a second, and changes nothing.

    Parameters
    ----------
    host : Host, optional
        Where files of the kernel are looked up. Programs and rights are those of this process.
    """
    host = host or Host()
    return Diagnosis(
        (
            *package.core(),
            *package.extras(),
            *tools.recording(),
            *tools.util_linux(),
            *rights.shell(host),
            *rights.measuring(host),
            *kernel.facts(host),
        )
    )
