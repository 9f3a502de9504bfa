"""One target under atheris, guided by the coverage of the Python code.

``python -m tests.fuzz.guided TARGET SECONDS CORPUS``: CORPUS is a folder that grows; a finding is
left in it as ``crash-...`` and ends the process with a report. The compiled parsers give no
coverage: gcc has no kind of it that libFuzzer takes. They are reached through the Python around
them, and the sanitizers watch them in the seeded rounds.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["swapfast"]):
    from tests.fuzz.targets import TARGETS, seeds


def main(name: str, seconds: str, corpus: str) -> None:
    folder = Path(corpus)
    folder.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(seeds(name)):
        (folder / f"seed-{number}").write_bytes(data)
    target = TARGETS[name]

    def one(data: bytes) -> None:
        target(data)

    warnings.simplefilter("ignore")
    options = ["-timeout=5", "-rss_limit_mb=1024", "-max_len=65536", "-verbosity=0"]
    options += [f"-max_total_time={seconds}", f"-artifact_prefix={folder}/", "-print_final_stats=1"]
    atheris.Setup(["fuzz", corpus, *options], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:4])
