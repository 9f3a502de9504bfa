"""Runs as one page of HTML.

- ``page(runs, ...)``: the page. ``sections`` has its parts, ``plots`` its pictures.
- ``html``: elements of a page, every text in them escaped; ``svg``: pictures within it.
"""

from swapfast.report.page import page

__all__ = ["page"]
