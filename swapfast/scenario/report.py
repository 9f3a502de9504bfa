"""What came out of a scenario: facts, as they go to ``--json`` and to the screen.

- ``Report``: everything; ``as_dict()`` for machines, ``ok`` for the exit code.
- ``LtpFacts``, ``ReplayFacts``, ``IsolationFacts``, ``AreaFacts``: its parts.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

__all__ = ["AreaFacts", "IsolationFacts", "LtpFacts", "ProgramFacts", "ReplayFacts", "Report"]


@dataclass(slots=True)
class LtpFacts:
    """One LTP run beside the same tests in the initial namespace of a machine of its own.

    Attributes
    ----------
    tests : int
    scale : float
        Of LTP's own sizes.
    failed : list of str
        Here, in order.
    failed_outside : list of str
        In the initial namespace, without any swapfile on.
    additional : list of str
        Failed here and not there: the letter's list.
    why : dict of str to str
        Last message of each failed test.
    console : list of str
        What the kernel printed meanwhile.
    log : str
        The table that ``runltp -l`` leaves.
    """

    tests: int
    scale: float
    failed: list[str]
    failed_outside: list[str]
    additional: list[str]
    why: dict[str, str]
    console: list[str]
    log: str


@dataclass(slots=True)
class ReplayFacts:
    """One program's references, with contents.

    Attributes
    ----------
    trace : str
        Where it came from.
    refs, pages, memory_pages : int
    pgfault, pgmajfault, pswpin, pswpout : int
        Pages, while it ran.
    pages_checked, pages_wrong : int
        Read back afterwards and compared with what was written last.
    simulated_ns : int
    wall_s : float
    """

    trace: str
    refs: int
    pages: int
    memory_pages: int
    pgfault: int
    pgmajfault: int
    pswpin: int
    pswpout: int
    pages_checked: int
    pages_wrong: int
    simulated_ns: int
    wall_s: float


@dataclass(slots=True)
class ProgramFacts:
    """What one program of a login did, and how it ended.

    Attributes
    ----------
    login, kind : str
    killed : bool
        The OOM killer took it.
    wall_s : float
    ltp, replay : facts or None
        None where it did not come to its end.
    expected : {"done", "killed"}
        How the scenario has it end.
    reason : str
        What the kernel printed of its end; "interrupted".
    logins_killed : list of str
        Logins that the OOM killer took meanwhile.
    """

    login: str
    kind: str
    killed: bool
    wall_s: float
    ltp: LtpFacts | None = None
    replay: ReplayFacts | None = None
    expected: str = "done"
    reason: str = ""
    logins_killed: list[str] = field(default_factory=list)


@dataclass(slots=True)
class AreaFacts:
    """One swapfile's traffic.

    Attributes
    ----------
    name, path : str
    namespace : int
        0 is the initial one.
    login : str
        Whose namespace it is; empty for the initial one.
    size : int
        Usable bytes.
    used_at_exit : int
        Bytes in use when the last login was about to exit.
    pswpin, pswpout : int
        Pages.
    """

    name: str
    path: str
    namespace: int
    login: str
    size: int
    used_at_exit: int
    pswpin: int
    pswpout: int


@dataclass(slots=True)
class IsolationFacts:
    """What the raw bytes of a swapfile hold when all is over.

    Attributes
    ----------
    name : str
    pages_checked : int
        Every page beyond the header.
    pages_nonzero : int
    strings_before, strings_after : int
        Printable strings of four characters and more, header included.
    foreign_tags : dict of str to int
        Strings that carry the tag of another login's program, by login.
    pages_written : int
        By the simulated kernel.
    clean : bool
        No foreign tag; and if nothing was swapped there, no byte either.
    """

    name: str
    pages_checked: int
    pages_nonzero: int
    strings_before: int
    strings_after: int
    foreign_tags: dict[str, int]
    pages_written: int
    clean: bool


@dataclass(slots=True)
class Report:
    """Everything that a scenario showed.

    Attributes
    ----------
    title, profile : str
    memory : int
        Bytes.
    programs : list of ProgramFacts
    swaps_before, swaps_during, swaps_after : str
        /proc/swaps: after every swapon, before the first exit, and after the last one.
    areas : list of AreaFacts
    isolation : list of IsolationFacts
    vmstat : dict of str to int
    simulated_ns : dict of str to int
        ``now`` and where it went.
    phases_s : dict of str to float
        Seconds of the host's clock.
    console : list of str
    leaked : int
        Pages of shared objects that went to another namespace's area.
    interrupted : bool
        Ctrl-C came before the end; the swapfiles were not looked at.
    """

    title: str
    profile: str
    memory: int
    programs: list[ProgramFacts] = field(default_factory=list)
    swaps_before: str = ""
    swaps_during: str = ""
    swaps_after: str = ""
    areas: list[AreaFacts] = field(default_factory=list)
    isolation: list[IsolationFacts] = field(default_factory=list)
    vmstat: dict[str, int] = field(default_factory=dict)
    simulated_ns: dict[str, int] = field(default_factory=dict)
    phases_s: dict[str, float] = field(default_factory=dict)
    console: list[str] = field(default_factory=list)
    leaked: int = 0
    interrupted: bool = False

    @property
    def problems(self) -> list[str]:
        """Why it is not ok, a sentence each."""
        found = []
        for p in self.programs:
            name = f"{p.login}: {p.kind}"
            if p.killed and p.expected != "killed":
                found.append(f"{name} was killed: {p.reason}")
            if p.expected == "killed" and not p.killed and not self.interrupted:
                found.append(f"{name} was not killed, as the scenario has it")
            found += [f"login {lost} was killed while {name} ran" for lost in p.logins_killed]
            if p.replay and p.replay.pages_wrong:
                found.append(f"{name}: {p.replay.pages_wrong} pages are not what was written last")
        found += [f"{i.name} holds data of others" for i in self.isolation if not i.clean]
        if self.interrupted:
            found.append("interrupted: the swapfiles were not looked at")
        return found

    @property
    def ok(self) -> bool:
        """Whether every program ended as it should, with the right bytes, each in its own file."""
        return not self.problems

    def as_dict(self) -> dict[str, Any]:
        """The same, for JSON."""
        return {**asdict(self), "ok": self.ok, "problems": self.problems}
