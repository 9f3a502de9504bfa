"""What a project says once about its gate: table ``[tool.swapfast.gate]`` of its pyproject.toml.

- ``Settings``: the table; ``Settings.of(folder)`` reads it.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

__all__ = ["Settings"]

More = Annotated[float, Field(ge=0, le=100)]


class Settings(BaseModel):
    """What is counted, and what is too much.

    Attributes
    ----------
    benchmarks : list of str
        Files or tests with pytest-benchmark, or functions: ``module:function``.
    base : str or None
        Commit to compare with; None: where HEAD left origin/main, or the commit before.
    build : str
        Shell command that compiles a checkout in place. The present tree is taken as it is.
    inside : list of str
        Patterns of C functions; only what happens within them is counted.
    keep : list of str or None
        What the base takes from the present tree; None: the files that benchmarks name.
    pytest : list of str
        More arguments for pytest.
    warmup : int
        Calls before those that are counted.
    repeat : int
        Calls that are counted, each with another heap; the least is told. What is counted inside
        compiled functions that allocate nothing is the same each time: 1.
    instructions, misses : float
        How many per cent more are too many.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    benchmarks: list[str] = []
    base: str | None = None
    build: str = ""
    inside: list[str] = []
    keep: list[str] | None = None
    pytest: list[str] = []
    warmup: Annotated[int, Field(ge=0, le=1000)] = 1
    repeat: Annotated[int, Field(ge=1, le=1000)] = 5
    instructions: More = 1.0
    misses: More = 2.0

    @classmethod
    def of(cls, folder: Path, **instead: Any) -> Settings:
        """Those of a project, with some said otherwise.

        Parameters
        ----------
        folder : path
            With pyproject.toml, or without: then all are the defaults.
        **instead
            Values that go before those of the file; None and empty lists do not.

        Raises
        ------
        ValueError
            The file is no TOML, or a key or value is wrong: all of them, in lines.
        """
        path = folder / "pyproject.toml"
        table: dict[str, Any] = {}
        if path.exists():
            try:
                table = tomllib.loads(path.read_text(encoding="utf-8"))
            except ValueError as error:
                raise ValueError(f"{path}: {error}") from None
            table = table.get("tool", {}).get("swapfast", {}).get("gate", {})
        try:
            return cls(**{**table, **{k: v for k, v in instead.items() if v not in (None, [], ())}})
        except ValidationError as error:
            raise ValueError(
                "\n".join(
                    f"{path}: tool.swapfast.gate.{'.'.join(map(str, one['loc']))}: {one['msg']}"
                    for one in error.errors()
                )
            ) from None
        except TypeError:
            raise ValueError(f"{path}: tool.swapfast.gate is no table") from None

    def kept(self) -> list[str]:
        """Files and folders that the base takes from the present tree."""
        if self.keep is not None:
            return self.keep
        files = (one.partition("::")[0] for one in self.benchmarks)
        alone = (name.rpartition(":")[0] if ".py:" in name else name for name in files)
        return [name for name in alone if ":" not in name]
