"""Predicted against measured: how far is a policy from a real kernel?

- ``read_truth(path)``: the cells that a kernel was asked, as ``Cell`` objects.
- ``validate(truth, traces, policies, ...)``: replay every cell; a ``Validation``.
- ``Validation.summary(policy)``: median, 90th percentile and maximum of the error.
"""

from swapfast.validate.judge import (
    BESIDE,
    EVENTS,
    FLOOR,
    OBSERVED_NS,
    RULES,
    Prediction,
    Validation,
    validate,
)
from swapfast.validate.truth import (
    COUNTS,
    KERNELS,
    LRUS,
    Cell,
    lru_of,
    number_of,
    read_truth,
    truth_rows,
)

__all__ = [
    "BESIDE",
    "COUNTS",
    "EVENTS",
    "FLOOR",
    "KERNELS",
    "LRUS",
    "OBSERVED_NS",
    "RULES",
    "Cell",
    "Prediction",
    "Validation",
    "lru_of",
    "number_of",
    "read_truth",
    "truth_rows",
    "validate",
]
