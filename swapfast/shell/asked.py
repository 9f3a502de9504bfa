"""A call that waits for its answer.

- ``Asked``: who called, and whether it still waits. ``Gone``: it does not.
"""

from __future__ import annotations

from functools import cached_property

from swapfast.shell import _notify
from swapfast.shell.caller import Rights
from swapfast.shell.members import Session

__all__ = ["Asked", "Gone"]


class Gone(Exception):
    """The caller does not wait any more: it was killed."""


class Asked:
    """One call that waits for an answer.

    Parameters
    ----------
    session : Session
    number : int
        Of the notification.
    pid : int
        The thread that called.
    """

    def __init__(self, session: Session, number: int, pid: int) -> None:
        self.session, self.number, self.pid = session, number, pid

    @cached_property
    def rights(self) -> Rights:
        """What the caller may do, as it was first asked for."""
        return Rights.of(self.pid)

    def check(self) -> None:
        """What was read of the caller is the caller's.

        Raises
        ------
        Gone
            It may be another process's: the caller was killed meanwhile.
        """
        if not _notify.valid(self.session.listener, self.number):
            raise Gone
