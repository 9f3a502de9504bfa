"""What keeps the tree tidy and no tool looks at."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]

# ---------------------------------------------------------------- tests

TEST_MODULE = re.compile(r"(?:from|import) tests(?:\.\w+)*\.(?:test_\w+|conftest)\b")


def test_nobody_imports_a_test_module() -> None:
    """What two need lies in tests/support; programs in the text of a test count too."""
    for text in ("from tests.core.test_slots import x", "    import tests.conftest"):
        assert TEST_MODULE.search(text)
    found = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for folder in ("tests", "bench", "tools")
        for path in sorted((ROOT / folder).rglob("*.py"))
        if path != Path(__file__)
        for match in TEST_MODULE.finditer(path.read_text("utf-8"))
    ]
    assert found == []
