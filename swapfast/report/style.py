"""How a page looks.

- ``CSS``: light and dark as the reader's system is, narrow and wide, and on paper.
- ``SERIES``: how many colours lines have.
- ``PALETTES``: the colours by name, light and dark: text has a contrast of 4.5, lines of 3.
"""

from __future__ import annotations

__all__ = ["CSS", "PALETTES", "SERIES"]

PALETTES = {
    "light": {
        "paper": "#ffffff",
        "ink": "#1b1f24",
        "soft": "#57606a",
        "grid": "#d0d7de",
        "band": "#f6f8fa",
        "s0": "#0b62c4",
        "s1": "#c2410c",
        "s2": "#17803d",
        "s3": "#8b3fc7",
        "s4": "#b1276b",
        "s5": "#7a6400",
        "s6": "#0e7c86",
        "s7": "#5c5c5c",
    },
    "dark": {
        "paper": "#14171c",
        "ink": "#e6e9ed",
        "soft": "#a4adb8",
        "grid": "#3a414b",
        "band": "#1d2229",
        "s0": "#6cb0ff",
        "s1": "#ff9a5c",
        "s2": "#5fd38a",
        "s3": "#cf9bff",
        "s4": "#ff8fc0",
        "s5": "#e3c64a",
        "s6": "#4fd0dc",
        "s7": "#c4c4c4",
    },
}
SERIES = 8


def _variables(name: str) -> str:
    return "".join(f"--{key}:{value};" for key, value in PALETTES[name].items())


CSS = f"""
:root{{color-scheme:light dark;{_variables("light")}}}
@media (prefers-color-scheme:dark){{:root{{{_variables("dark")}}}}}
*{{box-sizing:border-box}}
body{{margin:0;background:var(--paper);color:var(--ink);
font:16px/1.5 system-ui,"Segoe UI","DejaVu Sans",sans-serif}}
main{{max-width:72rem;margin:0 auto;padding:1rem}}
h1{{font-size:1.6rem;line-height:1.25;margin:.5rem 0 1rem}}
h2{{font-size:1.25rem;margin:2rem 0 .5rem;border-bottom:1px solid var(--grid)}}
h3{{font-size:1rem;margin:1.25rem 0 .25rem}}
p,li{{max-width:48rem;overflow-wrap:anywhere}}
.lead{{font-size:1.1rem}}
.soft,figcaption,caption{{color:var(--soft);font-size:.9rem;text-align:left}}
.wide{{overflow-x:auto;max-width:100%;margin:.5rem 0}}
.wide:focus-visible{{outline:2px solid var(--s0)}}
table{{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:.9rem}}
caption{{caption-side:top;padding:.25rem 0}}
th,td{{padding:.3rem .7rem;border-bottom:1px solid var(--grid);vertical-align:top}}
thead th{{border-bottom:2px solid var(--grid)}}
tbody tr:nth-child(even){{background:var(--band)}}
.text{{text-align:left}}
td.text{{white-space:nowrap}}
.figure{{text-align:right;white-space:nowrap}}
th{{font-weight:600}}
tbody th{{font-weight:400}}
.ratio{{display:block;color:var(--soft)}}
.ratio.sure{{color:var(--ink);font-weight:600}}
figure{{margin:1rem 0}}
svg{{display:block;width:100%;height:auto;min-width:34rem;max-width:56rem}}
pre{{overflow-x:auto;max-width:100%;background:var(--band);padding:.75rem;font-size:.85rem}}
.note{{border-left:4px solid var(--s1);padding:.25rem .75rem}}
@media print{{
:root{{color-scheme:light;{_variables("light")}}}
main{{max-width:none;padding:0}}
body{{font-size:10pt}}
.wide{{overflow:visible}}
svg{{min-width:0}}
pre{{white-space:pre-wrap}}
h2,h3{{break-after:avoid}}
figure,tr{{break-inside:avoid}}
}}
"""
