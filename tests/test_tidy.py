"""What keeps the tree tidy and no tool looks at.

- tests: nobody imports a test module
- ``mm/``: an order in which it is read and cimports, interfaces that say what is there, no state
- sizes: a list of exceptions that only gets shorter
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "swapfast"
MM = PACKAGE / "mm"

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


# ---------------------------------------------------------------- mm/

# The order in which the headers are read. Each one cimports from those before it only.
ORDER = """
    words random draw histogram counts queue scan     constants, draws, counters, devices
    moving gens choice                                demotion, generations, where a page may go
    types rules table arrays bitmap ring outside      words, containers, programs elsewhere
    tree rmap tiers tlb                               memcgs, sharers, what the processor remembers
    frames slots wipe pool order movers allowed       RAM; which slot; slots by age
    area picks cpu_turns scope tags device            which area, who may use it, what it lies on
    writeback batch plug abandon writer evict token   a page goes out
    carry demote                                      and from one area to another
    lru policy_lru policy_fifo policy_clock           which page goes
    policy_linux25 policy_linux618
    mglru_lists mglru_age mglru_evict policy_mglru    generations of pages
    mglru_switch                                      on and off
    policy                                            the table of policies
    protect reclaim high charge folio                 a page is needed, and there is one
    readahead reads fault unmap                       what a reference costs, what goes away
    touch                                             references
    actor psi cpus waiters alone steps kswapd         programs side by side
    kdemote together
    state verify                                      in and out as arrays; the slow truth
"""
HEADERS = [
    name for line in ORDER.splitlines() for name in re.split(r" {3,}", line.strip())[0].split()
]
CIMPORT = re.compile(r"^\s*from swapfast\.(\S+) cimport (.*)$", re.M)


def test_the_order_of_mm() -> None:
    there = {path.stem for path in MM.glob("*.pxd")} - {"__init__"}
    assert there == set(HEADERS), "every header has its place in ORDER"
    assert len(HEADERS) == len(set(HEADERS))
    backwards = [
        f"{name}.pxd cimports {module}"
        for at, name in enumerate(HEADERS)
        for module, _ in CIMPORT.findall((MM / f"{name}.pxd").read_text("utf-8"))
        if module.removeprefix("mm.") not in HEADERS[:at] and module != "core.guard"
    ]  # core.guard knows nothing of mm/
    assert backwards == []


def test_cimports_are_by_name() -> None:
    """So that the list of cimports is the list of what a file needs."""
    files = [*MM.glob("*.pxd"), *PACKAGE.glob("*.p[xy]*"), *(PACKAGE / "core").glob("*.p*")]
    found = [
        f"{path.relative_to(ROOT)}: {module}"
        for path in sorted(files)
        for module, names in CIMPORT.findall(path.read_text("utf-8"))
        if "*" in names
    ]
    assert found == []


def bullets(text: str) -> Iterator[str]:
    """The ``- ...`` of the comment at the head of a file, each on one line."""
    found: list[str] = []
    for line in text.splitlines():
        comment = re.match(r"^(?:/\*| \*|#)(?: (.*))?$", line)
        if comment is None or line == " */":
            break
        words = comment[1] or ""
        if words.startswith("- "):
            found.append(words[2:])
        elif words.startswith("  ") and found:
            found[-1] += " " + words.strip()
    yield from found


def arguments(text: str) -> int:
    """How many, of what stands between parentheses."""
    depth = commas = 0
    for sign in text:
        depth += (sign in "([") - (sign in ")]")
        commas += sign == "," and depth == 0
    return commas + 1 if text.strip() not in ("", "void") else 0


def defined(text: str) -> dict[str, int]:
    """Functions and macros of a header, and how many arguments each has."""
    start = re.compile(r"^ *(?:cdef|static|#define)(?: inline)? [^\n=(]*?\b(\w+)\(", re.M)
    found = {}
    for match in start.finditer(text):
        depth, end = 1, match.end()
        while depth:
            depth += (text[end] == "(") - (text[end] == ")")
            end += 1
        found[match[1]] = arguments(text[match.end() : end - 1])
    return found


def stale(text: str) -> Iterator[str]:
    """What a header says of its functions that is not so."""
    there = defined(text)
    for bullet in bullets(text):
        subject = re.split(r": | -> |:$", bullet, maxsplit=1)[0]
        for name, given in re.findall(r"(\w+)\(([^()]*)\)", bullet):
            if name not in there and f"{name}({given})" in subject:
                yield f"{name}: not there"
            elif name in there and there[name] != arguments(given):
                yield f"{name}({given}): has {there[name]} arguments"
        bare = subject.split(", ") if re.fullmatch(r"\w+(, \w+)*", subject) else []
        yield from (f"{name}: not there" for name in bare if name not in there)


@pytest.mark.parametrize("path", sorted(MM.glob("*.[ph]*")), ids=lambda path: path.name)
def test_headers_tell_the_truth(path: Path) -> None:
    """``- name(a, b): ...`` at the head of a file: a function with so many arguments follows."""
    assert list(stale(path.read_text("utf-8"))) == []


def test_a_header_that_does_not_is_found() -> None:
    below = "\ncdef inline int one(int a, int b[2],\n                    int c) nogil:\n    pass\n"
    assert list(stale("# - one(a, b, c): x" + below)) == []
    assert list(stale("# - one(a, b): x" + below)) == ["one(a, b): has 3 arguments"]
    assert list(stale("# - two(a) -> x" + below)) == ["two: not there"]
    assert list(stale("# - one, two: x" + below)) == ["two: not there"]
    assert list(stale("/* h\n * - two(a)\n */\nstatic int one(void) {\n")) == ["two: not there"]


def test_headers_in_c_have_no_state() -> None:
    """A variable in a header is one for each extension: two handlers, two counters, two truths.

    What belongs to the process has an extension of its own (``core/guard.pyx``).
    """
    variable = re.compile(r"^\s*static (?!const\b)[^(]*?(?:=.*)?;", re.M)
    assert variable.search("static __thread int x;") and variable.search("  static int x[1 << 2];")
    assert not variable.search("static inline int f(int x) { return x; }")
    found = [
        f"{path.name}: {match[0].strip()}"
        for path in sorted(MM.glob("*.h"))
        for match in variable.finditer(path.read_text("utf-8"))
    ]
    # Never written, so that only memory is lost: 64 KiB for each extension that wipes.
    assert found == ["slotio.h: static uint8_t zeroes[1 << 16];"]


# ---------------------------------------------------------------- sizes

FILE, FUNCTION, METHODS = 400, 60, 25  # lines; lines below the docstring; methods of a class

# What was larger when the limits came. A row may get smaller, and it goes when it is no longer due.
EXCEPTIONS = {
    "checkpoint/commit.py": 420,
    "kernel/state.py": 787,
    "kernel/state.py Task": 26,
    "ltp/lib.py TestContext": 28,
    "replay.py replay": 82,
    "traces/_text.pyx": 412,
    "traces/_text.pyx parse": 75,
}


def python_sizes(text: str) -> Iterator[tuple[str, int, int]]:
    """(name, size, limit) of functions and classes."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ClassDef):
            yield node.name, sum(isinstance(n, ast.FunctionDef) for n in node.body), METHODS
        elif isinstance(node, ast.FunctionDef):
            doc = node.body[0] if ast.get_docstring(node) is not None else None
            lines = 0 if doc is None else (doc.end_lineno or 0) - doc.lineno + 1
            yield node.name, (node.end_lineno or 0) - node.lineno + 1 - lines, FUNCTION


def cython_sizes(text: str) -> Iterator[tuple[str, int, int]]:
    """The same by indentation."""
    lines = text.split("\n")
    head = re.compile(r"^( *)(?:(?:cdef |cpdef )?(class) (\w+)|(?:cdef|cpdef|def) [^=\n]*?(\w+)\()")
    for at, line in enumerate(lines):
        match = head.match(line)
        if match is None:
            continue
        end, depth = at, 0
        while (depth := depth + lines[end].count("(") - lines[end].count(")")) > 0:
            end += 1
        if not lines[end].split("#")[0].rstrip().endswith(":"):
            continue  # a declaration
        block = []
        for inner in lines[end + 1 :]:
            if inner.strip() and len(inner) - len(inner.lstrip()) <= len(match[1]):
                break
            block.append(inner)
        if match[2]:
            methods = rf"^{match[1]}    (?:cdef|cpdef|def) .*\("
            yield match[3], sum(bool(re.match(methods, inner)) for inner in block), METHODS
        else:
            body = re.sub(r'^\s*(?:r|b)?""".*?"""', "", "\n".join(block), count=1, flags=re.S)
            yield match[4], end - at + 1 + body.strip("\n").count("\n") + 1, FUNCTION


def oversized() -> dict[str, int]:
    found: dict[str, int] = {}
    for path in sorted(
        p for p in PACKAGE.rglob("*") if p.suffix in (".py", ".pyx", ".pxd", ".pxi")
    ):
        text, where = path.read_text("utf-8"), str(path.relative_to(PACKAGE))
        sizes = python_sizes(text) if path.suffix == ".py" else cython_sizes(text)
        if text.count("\n") > FILE:
            found[where] = text.count("\n")
        found |= {f"{where} {name}": size for name, size, limit in sizes if size > limit}
    return found


def test_sizes() -> None:
    found = oversized()
    grown = {what: size for what, size in found.items() if size > EXCEPTIONS.get(what, 0)}
    assert grown == {}, "split it: one concept, one file"
    less = {what: found.get(what) for what, size in EXCEPTIONS.items() if found.get(what) != size}
    assert less == {}, "smaller now, or gone (None): write that into EXCEPTIONS"


def test_sizes_are_seen() -> None:
    body = "    x = 1\n" * 70
    doc = '    """One.\n\n    Two.\n    """\n'
    assert list(python_sizes(f"def f(\n    a,\n):\n{doc}{body}")) == [("f", 73, FUNCTION)]
    assert list(cython_sizes(f"cdef int f(\n    a) nogil:\n{doc}{body}")) == [("f", 72, FUNCTION)]
    methods = "    def m(self): pass\n" * 30
    assert ("C", 30, METHODS) in list(python_sizes("class C:\n" + methods))
    assert ("C", 30, METHODS) in list(cython_sizes("cdef class C:\n" + methods))
