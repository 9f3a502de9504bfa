"""A real browser without a window, if there is one, that looks at a page of HTML."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

_WRAPPER = """<!DOCTYPE html><body style="margin:0"><script>
const frame = document.createElement("iframe");
frame.style = "border:0;width:%(width)dpx;height:4000px";
frame.onload = () => {
  const window = frame.contentWindow, document = frame.contentDocument;
  let found;
  try { found = (%(script)s)(window, document); } catch (error) { found = {error: String(error)}; }
  const out = self.document.createElement("pre");
  out.id = "found";
  out.textContent = JSON.stringify(found);
  self.document.body.replaceChildren(out);
};
frame.src = %(page)s;
document.body.append(frame);
</script>"""


def browser() -> str:
    """Its name; the test is skipped where there is none."""
    for name in NAMES:
        if found := shutil.which(name):
            return found
    pytest.skip("no Chromium here; apt-get install chromium brings one")


def look(page: Path, script: str, *, width: int, dark: bool = False) -> Any:
    """What a function of JavaScript returns that gets the page's window and document.

    Parameters
    ----------
    page : Path
    script : str
        ``(window, document) => ...``
    width : int
        Of the window, in pixels.
    dark : bool
        Whether the reader's system is dark.
    """
    name = browser()
    with tempfile.TemporaryDirectory() as folder:
        wrapper = Path(folder) / "wrapper.html"
        told = {"width": width, "script": script, "page": json.dumps(page.resolve().as_uri())}
        wrapper.write_text(_WRAPPER % told)
        done = subprocess.run(
            [
                *(name, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"),
                *("--disable-background-networking", "--disable-component-update"),
                *(f"--user-data-dir={folder}/data", "--allow-file-access-from-files"),
                *(f"--window-size={width},4000", "--virtual-time-budget=5000"),
                f"--blink-settings=preferredColorScheme={0 if dark else 1}",
                *("--dump-dom", wrapper.as_uri()),
            ],
            capture_output=True,
            text=True,
            timeout=120,
        )
    match = re.search(r'<pre id="found">(.*?)</pre>', done.stdout, re.S)
    assert match is not None, done.stdout[-500:] + done.stderr[-500:]
    found = json.loads(html.unescape(match[1]))
    assert not (isinstance(found, dict) and "error" in found), found
    return found
