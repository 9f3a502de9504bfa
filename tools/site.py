"""What mkdocs does not do by itself when it builds the site: a hook, named in mkdocs.yml.

- ``on_config``: pages of the library go into the navigation.
- ``on_files``: pages that are written now (`tools.reference`), and those of the top folder,
  README.md as the first page.
- ``on_page_markdown``: links of the top folder's pages, which lie one floor higher there; pages
  that are named as files become links.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

from tools import reference
from tools.reference import library

__all__ = ["on_config", "on_files", "on_page_markdown"]

ROOT = Path(__file__).parents[1]
TOP = {
    "README.md": "index.md",
    "ARCHITECTURE.md": "ARCHITECTURE.md",
    "CONTRIBUTING.md": "CONTRIBUTING.md",
    "SECURITY.md": "SECURITY.md",
    "CHANGELOG.md": "CHANGELOG.md",
    "CITATION.cff": "CITATION.cff",
}
NAMED = re.compile(r"(?<![\[`])`docs/([\w-]+\.md)`(?!`)")  # a page, named as a file
LINK = re.compile(r"(\]\(|<img src=\"|srcset=\")((?!https?:)[^)\"#\s]+)")


def on_config(config: Any) -> Any:
    """Each page of the library is below "Reference"."""
    (below,) = [item["Reference"] for item in config.nav if "Reference" in item]
    (at,) = [n for n, item in enumerate(below) if "Library" in item]
    parts = [{title: f"reference/api/{part}.md"} for part, (title, _) in library.PARTS.items()]
    below[at] = {"Library": [below[at]["Library"], *parts]}
    return config


def on_files(files: Files, config: Any) -> Files:
    """Pages and pictures that lie nowhere, or elsewhere."""
    try:
        written = reference.pages()
    except reference.Undocumented as error:
        raise PluginError(str(error)) from None
    for path, text in written.items():
        files.append(File.generated(config, path, content=text))
    for name, path in TOP.items():
        if (ROOT / name).exists():
            files.append(File.generated(config, path, abs_src_path=str(ROOT / name)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """README.md links to ``docs/scopes.md``, and on the site that is ``scopes.md``."""
    path = page.file.src_uri
    markdown = NAMED.sub(rf"[`docs/\1`]({'../' * path.count('/')}\1)", markdown)
    if path in TOP.values():
        return LINK.sub(_on_the_site, markdown)
    if path.startswith("reference/"):
        return markdown
    return markdown.replace("](../README.md", "](index.md").replace("](../", "](")


def _on_the_site(match: re.Match[str]) -> str:
    path = TOP.get(match[2], match[2].removeprefix("docs/"))
    return match[1] + path
