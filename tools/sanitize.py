"""The tests under AddressSanitizer and UBSan: ``python tools/sanitize.py [pytest arguments]``.

Builds every compiled module with both into ``build/sanitize/tree``, beside links to what the tests
need, and runs them there; the normal build is not touched. A finding of either ends the process
with a report. What cannot be true there is left out: packaging, benchmarks, the style.

Exit code: pytest's, or 3 where the sanitizers are missing.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TREE = ROOT / "build" / "sanitize" / "tree"
LINKED = ("tests", "tools", "pyproject.toml", "README.md", "setup.py")
TESTS = (
    "core",
    "machine",
    "scopes",
    "together",
    "checkpoint",
    "swapfile",
    "replacement",
    "mrc",
    "traces",
    "record",
    "fuzz",
)
# It starts programs that have not the library.
SPARED = ("--ignore-glob=*/tests/record/test_run_*",)
OPTIONS = {
    # Python lets go of nothing at its end. A swapfile that is lost is our handler's business.
    # A forked child that touches what is its parent's ends by a plain SIGSEGV, and a test sees it.
    "ASAN_OPTIONS": "detect_leaks=0:handle_sigbus=0:handle_segv=0:allocator_may_return_null=1",
    "UBSAN_OPTIONS": "print_stacktrace=1",
    "PYTHONMALLOC": "malloc",
    "CI": "true",  # Hypothesis expects no speed then
}


def runtime() -> str | None:
    """The library that must be there before Python is; None: this compiler has none."""
    compiler = os.environ.get("CC", "cc").split()
    try:
        done = subprocess.run(
            [*compiler, "-print-file-name=libasan.so"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    path = done.stdout.strip()
    return os.path.realpath(path) if os.path.isabs(path) else None


def build() -> None:
    """Bring the sanitized tree up to date."""
    base = TREE.parent
    subprocess.run(
        [sys.executable, "setup.py", "-q", "build", f"--build-base={base}", f"--build-lib={TREE}"],
        cwd=ROOT,
        env={**os.environ, "SWAPFAST_SANITIZE": "1"},
        check=True,
    )
    for name in LINKED:
        link = TREE / name
        if not link.is_symlink():
            link.symlink_to(os.path.relpath(ROOT / name, TREE))


def environment(library: str) -> dict[str, str]:
    """Variables for a process that loads the sanitized modules."""
    return {**os.environ, **OPTIONS, "LD_PRELOAD": library, "PYTHONPATH": str(TREE)}


def main(arguments: list[str]) -> int:
    library = runtime()
    if library is None:
        print("sanitize: the C compiler has no libasan; install it, or set CC", file=sys.stderr)
        return 3
    build()
    chosen = arguments or ["-q", "-m", "not slow", *SPARED]
    if not arguments:
        chosen += [f"tests/{name}" for name in TESTS if (ROOT / "tests" / name).is_dir()]
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *chosen]
    return subprocess.run(command, cwd=TREE, env=environment(library)).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
