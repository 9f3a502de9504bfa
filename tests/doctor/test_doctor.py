"""What the doctor finds, on this machine and on made-up ones."""

from __future__ import annotations

import errno
import os
import re
import shutil
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from swapfast.cli.commands import swapfast
from swapfast.doctor import Diagnosis, Finding, examine, kernel, package, rights, tools
from swapfast.measure.host import Host
from swapfast.shell import child
from swapfast.shell.filter import Unable
from swapfast.shell.memory import engine

ROOT = Path(__file__).parents[2]
BAD = Finding("core", "numpy", "missing", "there is none", "arrays", "pip install numpy", True)
GOOD = Finding("core", "Python", "ok", "3.11", "runs swapfast", needed=True)
LESS = Finding("recording", "damo", "missing", "there is no damo", "traces", "pip install damo")


def by_name(findings) -> dict[str, Finding]:
    return {one.name: one for one in findings}


@pytest.fixture(scope="module")
def here() -> Diagnosis:
    return examine()


def test_this_machine_has_what_the_core_needs(here):
    assert here.sound
    found = by_name(here.findings)
    assert re.search(r"swapped [1-9]\d* pages", found["swapfast"].found)
    assert len(found) >= 25


def test_what_is_missing_says_how_to_get_it(here):
    for one in here.findings:
        assert one.found and one.gives
        if one.state == "missing":
            assert one.remedy, one.name


def test_parts_are_together(here):
    parts = [one.part for one in here.findings]
    assert len(set(parts)) == sum(a != b for a, b in zip(parts, ["", *parts], strict=False))


def test_the_extras_are_those_of_the_package():
    facts = tomllib.loads((ROOT / "pyproject.toml").read_text())
    declared = facts["project"]["optional-dependencies"]
    for_users = declared.keys() - {"bench", "docs", "fuzz", "peers", "test", "wheel"}
    assert package.EXTRAS.keys() == for_users
    for extra, (packages, _) in package.EXTRAS.items():
        assert list(packages) == [re.split(r"[<>=]", one)[0] for one in declared[extra]]


def test_a_missing_extra_is_named(monkeypatch):
    extras = {"moon": (("numpy", "no-such-package"), "travel")}
    monkeypatch.setattr(package, "EXTRAS", extras)
    (one,) = package.extras()
    assert one.state == "missing" and one.found == "no no-such-package" and "[moon]" in one.remedy


def test_no_tool_is_there(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name, path=None: None)
    found = by_name([*tools.recording(), *tools.util_linux()])
    assert {one.state for one in found.values()} == {"missing"}
    assert found["qemu-user"].remedy.endswith("apt-get install qemu-user")
    assert found["C compiler"].remedy.endswith("apt-get install gcc")


def test_a_swapfile_may_not_be_on_every_file_system(monkeypatch, tmp_path):
    monkeypatch.setattr(package, "PLACES", (str(tmp_path),))
    monkeypatch.setattr(package, "stacked", lambda fd: "overlayfs")
    monkeypatch.delenv(package.ALLOWED, raising=False)
    one = by_name(package.core())[f"swapfiles in {tmp_path}"]
    assert one.state == "missing" and "overlayfs" in one.found and not one.needed


def test_a_core_that_does_not_work_is_no_sound_machine(monkeypatch):
    def broken(*arguments):
        raise OSError(errno.EIO, "the core is broken")

    monkeypatch.setattr(package, "Machine", broken)
    found = Diagnosis(tuple(package.core()))
    assert not found.sound
    assert by_name(found.findings)["swapfast"].found == "the core is broken"


def test_a_sandbox_forbids(monkeypatch):
    def refuse(*arguments, **options):
        raise Unable(errno.EPERM, "a sandbox forbids seccomp(2); allow it there")

    monkeypatch.setattr(child, "start", refuse)
    monkeypatch.setattr(engine, "check", refuse)
    found = by_name(rights.shell(Host()))
    assert [one.state for one in found.values()] == ["missing", "missing"]
    assert found["seccomp user notification"].remedy == "allow it there"


@pytest.fixture
def tree(tmp_path) -> Path:
    """A kernel of another machine."""
    for name, text in {
        "proc/sys/kernel/osrelease": "6.6.1",
        "proc/swaps": "Filename Type\n/dev/sdb2 partition 1 0 -2\n",
        "proc/meminfo": "MemAvailable: 1024 kB\nHugePages_Total: 7\n",
        "proc/sys/user/max_user_namespaces": "0",
        "sys/kernel/mm/lru_gen/enabled": "0x0007",
        "sys/kernel/mm/transparent_hugepage/enabled": "always [madvise] never",
        "sys/module/zswap/parameters/enabled": "Y",
        "sys/fs/cgroup/cgroup.controllers": "cpu memory",
        "sys/fs/cgroup/cgroup.subtree_control": "memory",
        "sys/fs/cgroup/user.slice/memory.max": "max",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_another_kernel(tree):
    host = Host(tree, uid=1000, page_size=65536, cpus=(0, 1, 2))
    found = by_name(kernel.facts(host))
    assert found["release"].found == "Linux 6.6.1"
    assert found["reclaim"].found.startswith("mglru: ")
    assert found["reclaim"].gives.endswith("6.18-mglru")
    assert found["memory cgroup"].found == "cgroup v2"
    assert found["swap controller"].remedy == "boot with swapaccount=1"
    assert found["swap areas"].found == "on: /dev/sdb2"
    assert found["pages"].found.startswith("65536 bytes, transparent huge pages: madvise, 7 huge")
    assert found["machine"].found == "3 processors, 1 MiB of memory available"


def test_what_stands_in_the_way_of_a_measurement(tree):
    host = Host(tree, uid=1000, page_size=65536)
    causes = [one.found for one in rights.measuring(host)]
    assert causes == ["not root", "pages of 65536 bytes", "other swap is on", "zswap is on"]


def test_namespaces_that_a_sysctl_forbids(tree):
    assert rights._allow_spaces(Host(tree)) == "sysctl user.max_user_namespaces=15000"


def test_a_machine_without_sysfs(tmp_path):
    found = by_name(kernel.facts(Host(tmp_path)))
    assert found["reclaim"].state == found["memory cgroup"].state == "missing"


@pytest.mark.parametrize(("findings", "code"), [((GOOD, LESS), 0), ((GOOD, BAD), 1)])
@pytest.mark.parametrize("options", [[], ["--json"]])
def test_the_command(monkeypatch, findings, code, options):
    monkeypatch.setattr("swapfast.doctor.examine", lambda: Diagnosis(findings))
    done = CliRunner().invoke(swapfast, ["doctor", *options])
    assert done.exit_code == code
    assert findings[1].remedy in done.stdout and findings[1].found in done.stdout


def test_looking_leaves_nothing(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    before = os.listdir("/proc/self/fd")
    examine()
    assert list(tmp_path.iterdir()) == []
    assert len(os.listdir("/proc/self/fd")) == len(before)
