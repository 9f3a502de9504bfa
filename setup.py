"""The compiled part of swapfast; everything else about the package is in pyproject.toml.

- ``swapfast.core.guard``: the one SIGBUS handler that the others share.
- ``swapfast._core``: the simulated memory manager, one module over the headers of ``mm/``.
- ``swapfast.core.*_table``, ``swapfast.core.images``: its tables and its state, over the same.
- ``swapfast._kernels``: some of these headers alone, for benchmarks and tests.
- ``swapfast.replacement._replay``: replacement policies alone, one header each.
- ``swapfast.measure._walk``: the loop that plays a trace to the kernel of this machine.
- ``swapfast.measure._timed``: the same for one program among others, with the time of references.
- ``swapfast.measure._requests``: requests to a device, and how long each took.
- ``swapfast.mrc._stack``: LRU stack distances.
- ``swapfast.record._stream``: references of a recorded process on their way into a trace.
- ``swapfast.record._window``: few pages of real programs are there, and who asks is recorded.
- ``swapfast.shell._notify``: notifications of seccomp, and the memory of those who cause them.
- ``swapfast.shell.memory._tracee``, ``_faults``: processes that are traced, and their faults.
- ``swapfast.shell.memory._mirror``, ``_moves``: page tables of real programs beside simulated ones.
- ``swapfast.traces._blocks``: the reader of tables of requests to disks.
- ``swapfast.traces._lines``: text cut into lines, which the readers of text share.
- ``swapfast.traces._logs``: the readers of what perf, ftrace, Pin and DynamoRIO print.
- ``swapfast.traces._numbered``: pages numbered by first touch, which the compiled readers share.
- ``swapfast.traces._records``: the readers of binary records.
- ``swapfast.traces._regions``: the reader of what damo prints.
- ``swapfast.traces._survey``: the highest page among references, and how many write.
- ``swapfast.traces._text``: the readers of lackey logs and of tables.
- ``SWAPFAST_DEBUG=1`` in the environment builds them with bounds checks, debug symbols and the C
  macro ``SWAPFAST_DEBUG``, under which the core walks its invariants.
- ``SWAPFAST_ABI3=1`` builds them with the limited API of Python 3.11, for a wheel that every later
  Python takes.
- ``SWAPFAST_SANITIZE=1`` builds them with AddressSanitizer and UBSan; ``make sanitize`` does so
  beside the normal build and runs the tests.

Directives are set here and not in the sources: those at the top of a ``.pyx`` do not reach the
inline functions that it takes from a ``.pxd``.
"""

import os
import shlex
import subprocess
import sysconfig
from collections.abc import Sequence
from pathlib import Path

import numpy
from Cython.Build import cythonize
from setuptools import Extension, setup

DEBUG = os.environ.get("SWAPFAST_DEBUG", "0") not in ("", "0")
SANITIZE = os.environ.get("SWAPFAST_SANITIZE", "0") not in ("", "0")
ABI3 = os.environ.get("SWAPFAST_ABI3", "0") not in ("", "0")
SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"]


def headers(folder: str) -> list[str]:
    """What a module is rebuilt for."""
    kinds = ("pxd", "pxi", "h")
    return sorted(str(p) for kind in kinds for p in Path(folder).glob(f"*.{kind}"))


def is_gcc() -> bool:
    """Whether the compiler is GCC: the only one that knows the parameters of ``HOT``."""
    command = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")
    try:
        told = subprocess.run([*command, "--version"], capture_output=True, text=True).stdout
    except OSError:
        return False
    return "Free Software Foundation" in told


TABLES = (
    *("mapping_table", "memcg_table", "scope_table", "area_table", "device_table"),
    *("images", "slot_pins", "tier_table", "move_table"),
)
CORE = [*headers("swapfast/mm"), *headers("swapfast/core"), "swapfast/_core.pxd"]
REAL = [*CORE, *headers("swapfast/shell/memory")]

# GCC lets a file grow by 40 % through inlining. The loops of the core want more, and larger
# functions in it, so that a fault is not a dozen calls. What is UNLIKELY is never the case for GCC:
# with its 10 % it would inline what nobody runs. 5 to 8 % fewer instructions on the way of a fault
# (make gate), and compiled sooner.
HOT = (
    [
        *("--param", "inline-unit-growth=150"),
        *("--param", "max-inline-insns-single=300"),
        *("--param", "builtin-expect-probability=100"),
    ]
    if is_gcc()
    else []
)

# Constants and helpers of the headers that a module does not use, and what Cython generates.
QUIET = ["-Wno-unused-const-variable", "-Wno-unused-function", "-Wno-sign-compare"]
DIRECTIVES = {
    "language_level": 3,
    "boundscheck": DEBUG,
    "wraparound": False,
    "cdivision": True,
    "initializedcheck": False,
    "nonecheck": False,
    "embedsignature": False,
    "freethreading_compatible": True,
}


def extension(name: str, depends: list[str], flags: Sequence[str] = ()) -> Extension:
    """One extension module with the project's flags."""
    return Extension(
        name,
        [name.replace(".", "/") + ".pyx"],
        depends=depends,
        include_dirs=[
            *(".", "swapfast/mm", "swapfast/mrc", "swapfast/core", "swapfast/record"),
            numpy.get_include(),
        ],
        define_macros=[("NPY_NO_DEPRECATED_API", "NPY_1_7_API_VERSION")]
        + ([("SWAPFAST_DEBUG", "1")] if DEBUG else [])
        + ([("Py_LIMITED_API", "0x030b0000")] if ABI3 else []),
        py_limited_api=ABI3,
        extra_compile_args=(["-O1", "-g"] if DEBUG or SANITIZE else ["-O3", "-g0"])
        + (["-fno-omit-frame-pointer", *SANITIZERS] if SANITIZE else [])
        + QUIET
        + [*flags],
        extra_link_args=SANITIZERS if SANITIZE else [],
    )


setup(
    options={
        "build_ext": {"parallel": os.cpu_count()},
        "bdist_wheel": {"py_limited_api": "cp311"} if ABI3 else {},
    },
    ext_modules=cythonize(
        [
            extension("swapfast.core.guard", headers("swapfast/core")),
            extension("swapfast._core", CORE, HOT),
            extension("swapfast.core.world", CORE, HOT),
            *(extension(f"swapfast.core.{name}", CORE) for name in TABLES),
            extension("swapfast._kernels", headers("swapfast/mm")),
            extension("swapfast.replacement._replay", headers("swapfast/replacement")),
            extension("swapfast.measure._requests", []),
            extension(
                "swapfast.measure._timed", [*headers("swapfast/mm"), *headers("swapfast/measure")]
            ),
            extension("swapfast.measure._walk", headers("swapfast/measure")),
            extension("swapfast.mrc._stack", headers("swapfast/mrc")),
            extension(
                "swapfast.record._stream",
                [*headers("swapfast/record"), *headers("swapfast/traces")],
            ),
            extension(
                "swapfast.record._window",
                [*headers("swapfast/record"), *headers("swapfast/shell/memory")],
            ),
            extension("swapfast.shell._notify", headers("swapfast/shell")),
            *(
                extension(f"swapfast.shell.memory.{name}", headers("swapfast/shell/memory"))
                for name in ("_tracee", "_faults")
            ),
            *(extension(f"swapfast.shell.memory.{name}", REAL) for name in ("_mirror", "_moves")),
            extension("swapfast.traces._blocks", headers("swapfast/traces")),
            extension("swapfast.traces._lines", headers("swapfast/traces")),
            extension("swapfast.traces._logs", headers("swapfast/traces")),
            extension("swapfast.traces._numbered", headers("swapfast/traces")),
            extension("swapfast.traces._records", headers("swapfast/traces")),
            extension("swapfast.traces._regions", headers("swapfast/traces")),
            extension("swapfast.traces._survey", []),
            extension("swapfast.traces._text", headers("swapfast/traces")),
        ],
        include_path=["."],
        quiet=True,
        compiler_directives=DIRECTIVES,
        # Generated C stays out of the package, one folder for each set of directives.
        build_dir="build/cython-debug" if DEBUG else "build/cython",
    ),
)
