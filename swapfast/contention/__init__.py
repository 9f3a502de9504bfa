"""Several programs at once, simulated and measured: how far is one from the other?

- ``validate(truth, setup, traces)``: every run of a truth of several programs; a ``Contention``.
- ``is_several(path)``: whether a truth is one of several programs, by its columns.
- ``load(path)``: what each scenario of a truth was: a ``Setup``, from a TOML file.
"""

from swapfast.contention.judge import Contention, validate
from swapfast.contention.setup import Setup, load
from swapfast.contention.truth import Run, is_several, read_truth

__all__ = ["Contention", "Run", "Setup", "is_several", "load", "read_truth", "validate"]
