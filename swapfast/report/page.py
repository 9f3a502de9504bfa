"""One self-contained page of HTML.

- ``page(runs, work, ...)``: the page as bytes.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence

from swapfast.compare.cells import Work
from swapfast.compare.columns import Column, baselines, columns_of
from swapfast.compare.comparison import compare
from swapfast.compare.runs import Run
from swapfast.report import sections
from swapfast.report.html import Child, Markup, join, tag
from swapfast.report.style import CSS

__all__ = ["MOST_BYTES", "page"]

MOST_BYTES = 1_500_000
_POINTS = (400, 200, 100, 40)  # of a line; fewer where the page would be too large

# Nothing is fetched, even if a name in a trace or a scenario looks like something to fetch.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def page(
    runs: Sequence[Run],
    work: Work,
    *,
    columns: Sequence[Column] | None = None,
    against: Sequence[int] | None = None,
    metrics: Sequence[str] = (),
) -> bytes:
    """A report of runs of one scenario.

    Parameters
    ----------
    runs : sequence of Run
        Equal runs give equal bytes, in whatever order they come.
    work : Work
        The scenario.
    columns, against : sequence, optional
        As for `swapfast.compare.comparison.compare`; by default those of the runs.
    metrics : sequence of str
        Patterns of the rows; by default those of the scenario.

    Returns
    -------
    bytes
        HTML, UTF-8, at most 1.5 MB.

    Raises
    ------
    ValueError
        No run is done; a pattern that takes no metric; matplotlib is not installed.
    """
    runs = sorted(runs, key=lambda run: (run.scope, sorted(run.params.items()), run.seed))
    done = [run.outcome for run in runs if run.outcome is not None]
    if not done:
        raise ValueError("no run is done: there is nothing to report")
    if columns is None:
        columns = columns_of(runs, _scopes(work.text))
    against = baselines(columns) if against is None else against
    everything = compare(runs, columns, against=against, title=done[0].title)
    told = everything.only(metrics or work.rows, strict=bool(metrics))
    for points in _POINTS:
        drawn, times = sections.pictures(told, everything, work, points)
        parts = (
            ("", sections.answers(told, everything, work)),
            ("Side by side", sections.figures(told, everything)),
            ("Pictures", drawn),
            ("Over time", times),
            ("Devices and wear", sections.devices(everything)),
            ("OOM kills", sections.kills(told)),
            ("Scenario", sections.scenario(work)),
            ("Versions", sections.versions(runs)),
        )
        found = _whole(done[0].title, parts, told.guessed)
        if len(found) <= MOST_BYTES:
            break
    return found


def _scopes(text: str) -> list[str]:
    """Names of the scopes in the order of the scenario."""
    try:
        told = tomllib.loads(text).get("scope", [])
    except (ValueError, RecursionError):  # a file of runs may have anything for its text
        return []
    return [str(one.get("name")) for one in told if isinstance(one, dict)]


def _whole(title: str, parts: Sequence[tuple[str, Markup]], guessed: Sequence[str]) -> bytes:
    body: list[Child] = [tag("h1", title)]
    if guessed:
        note = f"Device presets are not calibrated: {', '.join(guessed)}. Their times are guesses."
        body.append(tag("p", note, class_="note"))
    for head, part in parts:
        if part:
            body.append(tag("section", *([tag("h2", head)] if head else []), part))
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        Markup(f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'),
        tag("title", title),
        tag("style", Markup(CSS)),
    )
    html = tag("html", head, tag("body", tag("main", *body)), lang="en")
    return join([Markup("<!DOCTYPE html>\n"), html, "\n"]).encode("utf-8", "backslashreplace")
