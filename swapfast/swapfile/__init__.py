"""Swapfiles: everything that touches one outside the hot path.

- `SwapHeader`, `parse_header`, `max_bad_pages`: the first page of a swap area.
- `HeaderRules`, `SwapGeometry`, `RULES`, `RULES_2_6_25`, `RULES_6_18`: what a kernel makes of it.
- `mkswap`, `MkswapResult`: make a swap area.
- `SwapBacking`: a swapfile that is on.
- `judge`, `SwapFacts`, `Verdict`: what swapon would say of a file.
- `own_folder`: swapfiles that this process alone knows of.
- `strings`, `nonzero_pages`: look into one.
- `parse_size`, `format_size`: "64MiB" and 67108864.
"""

from swapfast.swapfile.backing import SwapBacking
from swapfast.swapfile.file_system import own_folder
from swapfast.swapfile.header import SwapHeader, max_bad_pages, parse_header
from swapfast.swapfile.judge import SwapFacts, Verdict, judge
from swapfast.swapfile.mkswap import MkswapResult, mkswap
from swapfast.swapfile.rules import RULES, RULES_2_6_25, RULES_6_18, HeaderRules, SwapGeometry
from swapfast.swapfile.strings import nonzero_pages, strings
from swapfast.units import format_size, parse_size

__all__ = [
    "RULES",
    "RULES_2_6_25",
    "RULES_6_18",
    "HeaderRules",
    "MkswapResult",
    "SwapBacking",
    "SwapFacts",
    "SwapGeometry",
    "SwapHeader",
    "Verdict",
    "format_size",
    "judge",
    "max_bad_pages",
    "mkswap",
    "nonzero_pages",
    "own_folder",
    "parse_header",
    "parse_size",
    "strings",
]
