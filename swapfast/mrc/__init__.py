"""Miss-ratio curves: faults as a function of the memory's size.

- ``miss_ratio_curve(trace, policy="lru", ...)`` -> ``Curve``.
- ``Distances``, ``Sample``: the compiled LRU stack distances behind it.
"""

from swapfast.mrc._stack import Distances, Sample
from swapfast.mrc.curve import Curve, miss_ratio_curve

__all__ = ["Curve", "Distances", "Sample", "miss_ratio_curve"]
