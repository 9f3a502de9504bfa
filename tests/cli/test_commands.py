"""The commands: what they print, as text and as JSON, and their exit codes."""

import os
import subprocess
import sys

import numpy as np
import pytest

import swapfast
from swapfast.traces import Trace, generate, save_npz

UUID = "01010101-0101-0101-0101-010101010101"  # nothing printable in it
REPLAY_KEYS = [
    "refs",
    "pages",
    "memory_pages",
    "policy",
    "pgfault",
    "pgmajfault",
    "pswpin",
    "pswpout",
    "pgscan",
    "pgsteal",
    "pgactivate",
    "pgdeactivate",
    "wall_s",
    "refs_per_s",
    "workingset_refault_anon",
    "workingset_activate_anon",
    "swap_ra",
    "swap_ra_hit",
    "oom",
]


@pytest.fixture
def trace(tmp_path):
    """A small seeded trace in a file."""
    path = tmp_path / "zipf.npz"
    save_npz(path, generate("zipf", pages=500, refs=20500, seed=7))
    return path


def test_help_has_examples(run):
    assert "Examples" in run("--help").stdout
    for command in ("run", "ltp", "replay", "trace", "mkswap", "swaps", "strings"):
        text = run(command, "--help").stdout
        assert "Examples" in text and f"swapfast {command}" in text


def test_version(run):
    assert swapfast.__version__ in run("--version").stdout


@pytest.mark.parametrize(
    "policy", ["linux-6.18", "linux-6.18-mglru", "linux-2.6.25", "lru", "fifo", "clock"]
)
def test_replay_json_has_every_key(run, trace, policy):
    facts = run("replay", trace, "--memory", "50%", "--policy", policy, "--json").json
    assert set(REPLAY_KEYS) <= set(facts)
    assert facts["refs"] == 20500 and facts["pages"] == 500 and facts["memory_pages"] == 250
    assert facts["policy"] == policy and facts["oom"] == 0
    assert facts["pgfault"] >= facts["pgmajfault"] + 500
    assert facts["pswpin"] >= facts["pgmajfault"] > 0


def test_replay_of_everything_resident_has_no_major_fault(run, trace):
    facts = run("replay", trace, "-m", "100%", "--json").json
    assert facts["pgmajfault"] == 0 and facts["pgfault"] == 500


def test_replay_table_names_units(run, trace):
    text = run("replay", trace, "-m", "50%").stdout
    assert "20\u202f500 references to 500 pages" in text
    assert "pgmajfault" in text and "simulated time" in text and "M references/s" in text


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["-m", "50x"], "--memory 50x: is not a size"),
        (["-m", "0%"], "--memory 0%: is less than one page"),
        (["-m", "0"], "--memory 0: is less than one page"),
        (["-m", "100TiB"], "--memory 100TiB: is more than"),
        (["-m", "8TiB", "-p", "lru"], "--memory 8TiB: is more than 2147483647 pages"),
        (["-m", "9999999EiB"], "--memory 9999999EiB: is more than"),
        (["-m", "50%", "--swap", "0"], "--swap 0: a swap area has 2 to 2147483648 pages"),
        (["-m", "50%", "--swap", "8191"], "--swap 8191: a swap area has"),
        (["-m", "50%", "--swap", "100TiB"], "--swap 100TiB: a swap area has"),
        (["-m", "50%", "--swap", "x"], "--swap x: is not a size"),
        (["-m", "50%", "--swap", "1.5"], "--swap 1.5: is not a whole number"),
        (["-m", "50%", "--policy", "mru"], "no policy 'mru'"),
        (["-m", "50%", "--policy", "linux-6.18", "--profile", "2.6.25"], "is of profile 6.18"),
        (["-m", "50%", "--format", "elf"], "no trace format 'elf'"),
    ],
)
def test_wrong_usage_is_exit_2_and_one_line(run, trace, args, says):
    result = run("replay", trace, *args, code=2)
    assert says in result.stderr and len(result.stderr.splitlines()) == 1


def test_a_broken_trace_names_file_and_line(run, tmp_path):
    path = tmp_path / "x.lackey"
    path.write_text(" L 1000,4\n L zzz,4\n")
    assert f"{path}:2: " in run("replay", path, "-m", "50%", code=2).stderr


def test_a_missing_file_is_exit_3(run, tmp_path):
    assert "No such file" in run("replay", tmp_path / "none", "-m", "50%", code=3).stderr


def test_trace_converts_a_log(run, tmp_path):
    log, out = tmp_path / "x.lackey", tmp_path / "x.npz"
    log.write_text("==1== banner\n S 1000,4\nI  400000,3\n L 2ffe,4\n")
    facts = run("trace", log, "-o", out, "--json").json
    assert facts["refs"] == 3 and facts["pages"] == 3 and facts["writes"] == 1
    with np.load(out) as saved:
        assert saved["refs"].tolist() == [0x80000000, 1, 2] and int(saved["pages"]) == 3


def test_mkswap_swaps_and_strings(run, tmp_path):
    path = tmp_path / "s"
    said = run("mkswap", path, "1MiB", "--label", "mine", "--uuid", UUID).stdout
    assert "Setting up swapspace version 1, size = 1020 KiB (1044480 bytes)" in said
    fact = run("swaps", path, "--json").json["swapfiles"][0]
    assert fact["label"] == "mine"
    assert fact["verdicts"]["2.6.25"]["pages"] == 254
    assert fact["verdicts"]["6.18"]["pages"] == 255
    assert run("strings", path).stdout.split() == ["mine", "SWAPSPACE2"]
    assert run("strings", "--beyond-header", path).stdout == ""
    assert "EEXIST" not in run("mkswap", path, "1MiB", code=3).stderr


def test_a_bad_memory_of_ltp_is_named(run):
    for value in ("0", "x", "100TiB", "4KiB"):
        result = run("ltp", "-t", "fork01", "--memory", value, code=2)
        assert f"--memory {value}: " in result.stderr and len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("clear", "UUID=00000000-0000-0000-0000-000000000000"),
        ("random", "-4"),  # the version of a random one
        ("time", "-1"),
        ("12345678-9ABC-def0-1234-56789abcdef0", "UUID=12345678-9abc-def0-1234-56789abcdef0"),
    ],
)
def test_mkswap_uuids(run, tmp_path, given, shown):
    assert shown in run("mkswap", tmp_path / "s", "64KiB", "-U", given).stdout


@pytest.mark.parametrize(
    "given",
    [
        *(
            "123456789abcdef0123456789abcdef0",
            "{12345678-9abc-def0-1234-56789abcdef0}",
            "",
            "cleaR",
        ),
        *(
            "urn:uuid:12345678-9abc-def0-1234-56789abcdef0",
            "12345678-9abc-def0-1234-56789abcdef0\n",
        ),
        *("12345678-9abcdef0-1234-5678-9abcdef0", "１2345678-9abc-def0-1234-56789abcdef0"),
    ],
)
def test_mkswap_refuses_what_libuuid_does_not_read(run, tmp_path, given):
    result = run("mkswap", tmp_path / "s", "64KiB", "-U", given, code=2)
    assert "--uuid " in result.stderr and not (tmp_path / "s").exists()


def test_a_size_that_is_none_is_named(run, tmp_path):
    for value in ("0", "x", "4KiB"):
        assert f"SIZE {value}: " in run("mkswap", tmp_path / "s", value, code=2).stderr


@pytest.mark.parametrize("command", ["swaps", "strings", "mkswap", "run", "validate --traces ."])
def test_no_command_waits_at_a_fifo(tmp_path, command):
    os.mkfifo(tmp_path / "fifo")
    name, *options = command.split()
    done = subprocess.run(
        [sys.executable, "-m", "swapfast", name, tmp_path / "fifo", *options],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 3
    assert done.stderr == f"swapfast: {tmp_path}/fifo: not a regular file but a FIFO\n"


@pytest.mark.parametrize("option", ["run --keep", "validate t --traces . --plot", "measure t -o"])
def test_a_dash_is_no_file(run, tmp_path, monkeypatch, option):
    monkeypatch.chdir(tmp_path)
    assert "standard output" in run(*option.split(), "-", code=2).stderr
    assert list(tmp_path.iterdir()) == []


def test_pictures_are_published(run, trace, tmp_path):
    pytest.importorskip("matplotlib")
    truth = tmp_path / "t.csv"
    header = "trace,frac,pages,refs,majflt,pswpin,pswpout\n"
    truth.write_text(f"{header}zipf,0.5,500,20500,100,100,100\n")
    args = ("validate", truth, "--traces", tmp_path, "--plot")
    (tmp_path / "link.png").symlink_to("real.png")
    run(*args, tmp_path / "link.png")
    assert (tmp_path / "link.png").is_symlink()
    assert (tmp_path / "real.png").read_bytes().startswith(b"\x89PNG")
    os.mkfifo(tmp_path / "fifo.png")
    assert "is a FIFO" in run(*args, tmp_path / "fifo.png", code=3).stderr
    assert "ends in one of" in run(*args, tmp_path / "x.exe", code=2).stderr
    (tmp_path / "t.svg").hardlink_to(truth)
    assert "is the same file" in run(*args, tmp_path / "t.svg", code=3).stderr
    assert truth.read_text().startswith(header)


def test_swaps_of_no_swapfile_is_exit_1(run, tmp_path):
    path = tmp_path / "zeroes"
    path.write_bytes(bytes(8192))
    run("swaps", path, code=1)


def test_ltp_lists_and_runs_single_tests(run):
    listed = run("ltp", "--list").stdout.splitlines()
    assert len(listed) >= 30
    text = run("ltp", "-t", "fork01", "--memory", "64MiB").stdout
    assert "1 tests, 0 failed: none" in text


def test_ltp_exit_code_says_that_tests_failed(run):
    facts = run("ltp", "--newswap", "--memory", "64MiB", "-t", "swapon01", "--json", code=1).json
    assert facts["failed"] == ["swapon01"]


def test_ltp_unknown_test(run):
    assert "no such test: swapon99" in run("ltp", "-t", "swapon99", code=2).stderr


def test_run_json_and_keep(run, tmp_path):
    scenario = tmp_path / "s.toml"
    scenario.write_text(
        '[machine]\nmemory = "16MiB"\n[[swapfile]]\nname = "s1"\nsize = "8MiB"\n'
        '[[login]]\nname = "a"\nswapon = ["s1"]\n[[login.program]]\nkind = "generator"\n'
        'pattern = "uniform"\npages = 100\nrefs = 1000\nmemory = "50%"\n'
    )
    facts = run("run", scenario, "--keep", tmp_path / "kept", "--json").json
    assert facts["ok"] is True
    assert (tmp_path / "kept" / "s1").stat().st_mode & 0o777 == 0o600
    text = run("run", scenario).stdout
    assert "pages read back as they were written last" in text and "ok:" in text


def test_run_names_every_mistake(run, tmp_path):
    scenario = tmp_path / "s.toml"
    scenario.write_text("[machine]\nmemry = 1\n[[login]]\nnme = 2\n")
    lines = run("run", scenario, code=2).stderr.splitlines()
    assert len(lines) == 3 and all(f"{scenario}:" in line for line in lines)


def test_full_is_for_the_bundled_scenario(run, tmp_path):
    assert "--full" in run("run", tmp_path / "x.toml", "--full", code=2).stderr


def test_without_the_extras_the_cure_is_named(tmp_path):
    """`swapfast` on an installation without click says what to install."""
    code = "import sys; sys.modules['click'] = None; from swapfast.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1
    assert "needs the package click" in done.stderr and "make setup" in done.stderr
    assert "pip install" not in done.stderr  # no index has this project
    assert "Traceback" not in done.stderr


def test_replay_from_python():
    refs = np.array([0, 1, 2, 0], dtype=np.uint32) | np.uint32(0x80000000)
    from swapfast.replay import replay

    result = replay(Trace(refs), 2 * 4096, policy="fifo")
    assert (result.pgfault, result.pgmajfault, result.pswpout) == (4, 1, 2)
