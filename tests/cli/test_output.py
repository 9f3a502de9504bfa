"""What reaches the terminal, a pipe, a closed stream; what Ctrl-C leaves."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from rich.table import Table

import swapfast.cli.replay as replay_command
import swapfast.cli.validate as validate_command
from swapfast.cli.output import counting, emit_json, progress, rate
from swapfast.errors import Interrupted
from swapfast.kernel import batches
from swapfast.replay import replay
from swapfast.screen import Screen
from swapfast.traces import Trace, generate, save_npz
from swapfast.visible import visible

EVIL = "\x1b]0;t\x07\x1b[2J[/red][bold]\u202e\x9b31m\n:smile:"
SHOWN = "\\x1b]0;t\\x07\\x1b[2J[/red][bold]\\u202e\\x9b31m\\x0a:smile:"


def obeyed(text):
    """Characters that a terminal would not show."""
    return [c for c in text if c != "\n" and not c.isprintable()]


def cli(*args, shell="", **options):
    """The command in a process of its own, its streams as ``shell`` redirects them."""
    line = '"$0" -m swapfast "$@" ' + shell
    command = ["bash", "-c", line, sys.executable, *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, **options)


@pytest.fixture
def trace(tmp_path):
    path = tmp_path / "zipf.npz"
    save_npz(path, generate("zipf", pages=500, refs=20000, seed=7))
    return path


# ---------------------------------------------------------------- text of strangers


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain é 語 \u202f", "plain é 語 \u202f"),
        (EVIL, SHOWN),
        ("\udcff\udc1b\ud800", "\\xff\\udc1b\\ud800"),
        ("\u200b\u2066\ufeff\u2028\U000e0041", "\\u200b\\u2066\\ufeff\\u2028\\U000e0041"),
        ("a\\x1b", "a\\x1b"),
    ],
)
def test_visible(text, shown):
    assert visible(text) == shown
    assert visible("a\nb\r", lines=True) == "a\nb\\x0d"


@pytest.mark.parametrize("label", ["[/r]", "[red]x", "[link=http://a]", "a\x1b[31mX\ny", "\u202ex"])
def test_labels_are_shown_as_they_are(run, tmp_path, label):
    path = tmp_path / "s"
    said = run("mkswap", path, "64KiB", "-L", label).stdout
    table = run("swaps", path).stdout
    for text in (said, table):
        assert visible(label) in text and not obeyed(text)
    assert len(table.splitlines()) == 2
    plain = run("swaps", "--json", path)
    assert plain.json["swapfiles"][0]["label"] == label and not obeyed(plain.stdout)


def test_names_of_files(run, tmp_path):
    name = "x" + EVIL.replace("/", "|")
    path = tmp_path / name
    run("mkswap", path, "64KiB")
    assert visible(name) in run("swaps", path).stdout
    (tmp_path / f"{name}.toml").write_text('"[/bold]\\u001b" = 1\n')
    for args, code in (
        (("swaps", tmp_path / "none" / name), 3),
        (("strings", tmp_path / "none" / name), 3),
        (("run", tmp_path / f"{name}.toml"), 2),
        (("replay", tmp_path / f"{name}.toml", "-m", "50%"), 2),
        (("mkswap", path, "64KiB"), 3),
        (("ltp", "-t", name), 2),
        (("replay", path, "-m", name), 2),
    ):
        result = run(*args, code=code)
        assert not obeyed(result.stderr) and visible(name)[:20] in result.stderr, result.stderr
        assert all(line.startswith("swapfast: ") for line in result.stderr.splitlines())


def test_a_name_in_brackets_is_the_name_of_a_trace(run, tmp_path):
    path = tmp_path / "[red]x[bold].csv"
    path.write_text("page,write\n1,0\n2,1\n3,1\n4,0\n")
    for args in (("trace",), ("replay", "-m", "50%"), ("mrc",)):
        assert path.name in run(*args, path).stdout


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_what_cannot_be_told_changes_no_exit_code(tmp_path, monkeypatch, unbuffered):
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    trace = tmp_path / "t.csv"
    trace.write_text("page,write\n1,0\n")
    for args, code in ((("trace", "-o", "-", trace), 0), (("trace", tmp_path / "none"), 3)):
        with open("/dev/full", "w") as full, open(tmp_path / "out", "wb") as out:
            command = [sys.executable, "-m", "swapfast", *map(str, args)]
            done = subprocess.run(command, stdout=out, stderr=full, check=False)
        assert done.returncode == code


def test_wrong_arguments_are_shown_as_they_are(run):
    for args in ((f"--{EVIL}",), (f"r{EVIL}",), ("swaps",), ("strings", "-n", EVIL, "x")):
        assert not obeyed(run(*args, code=2).stderr)


def test_a_name_that_is_no_text(run, tmp_path):
    path = os.fsencode(tmp_path) + b"/\xff"
    with open(path, "wb") as file:
        file.write(bytes(65536))
    done = cli("swaps", "--json", os.fsdecode(path))
    facts = json.loads(done.stdout)["swapfiles"][0]
    assert os.fsencode(facts["path"]) == path
    assert "\\xff" in cli("swaps", os.fsdecode(path)).stdout


@pytest.mark.parametrize("locale", ["C", "POSIX"])
def test_json_is_utf_8_whatever_the_locale(tmp_path, locale):
    path = tmp_path / "é.npy"
    np.save(path, np.arange(9, dtype=np.uint32))
    environment = {**os.environ, "LC_ALL": locale, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    command = [sys.executable, "-m", "swapfast", "replay", "-m", "50%", path]
    done = subprocess.run([*command, "--json"], capture_output=True, env=environment, timeout=60)
    name = json.loads(done.stdout.decode("utf-8"))["trace"]
    assert "é.npy" in name.encode("utf-8", "surrogateescape").decode("utf-8")
    text = subprocess.run(command, capture_output=True, env=environment, timeout=60)
    assert text.returncode == 0 and text.stderr == b"" and b".npy" in text.stdout


def test_json_has_no_words_of_its_own(capsysbinary):
    emit_json({"a": [float("nan"), float("inf"), 1.5], "b": "\x7f\u202e\U000e0041\ud800"})
    text = capsysbinary.readouterr().out.decode("utf-8")
    found = json.loads(text, parse_constant=lambda word: pytest.fail(word))
    assert found == {"a": [None, None, 1.5], "b": "\x7f\u202e\U000e0041\ud800"}
    assert not obeyed(text)


# ---------------------------------------------------------------- tables


class Terminal(io.StringIO):
    def isatty(self):
        return True


def screen(file, width=80):
    one = Screen()
    one.file = file
    one.width = width
    return one


def test_figures_are_whole_where_there_is_no_terminal(run, tmp_path):
    refs = np.arange(4000, dtype=np.uint32) % 1000
    save_npz(tmp_path / "t.npz", Trace(refs))
    policies = "lru,fifo,clock,sieve,s3fifo,arc,lirs,opt"
    assert "…" not in run("mrc", "-q", tmp_path / "t.npz", "-p", policies).stdout
    out = io.StringIO()
    table = Table("name\nand more", box=None)
    for _ in range(40):
        table.add_column("a title", no_wrap=True)
    table.add_row("a\nb", *["1234567.890"] * 40)
    screen(out).print(table)
    assert out.getvalue().count("1234567.890") == 40 and "a\\x0ab" in out.getvalue()


@pytest.mark.parametrize("width", [20, 40, 79])
def test_a_narrow_terminal_cuts_no_figure(width):
    out = Terminal()
    rows = [("x" * 30, "1234567890.125", ("98765432", "red"))]
    screen(out, width).table(("name", "one", "two"), rows, left=("name",))
    shown = "".join(out.getvalue().split())
    assert "…" not in shown
    assert sum(map(shown.count, "0123456789")) == len("1234567890125") + len("98765432")


def test_markup_is_the_commands_alone():
    out = io.StringIO()
    one = screen(out)
    one.say((EVIL, "bold"), EVIL)
    one.heading(EVIL)
    one.table((EVIL,), [(EVIL,)])
    one.print(f"[bold]{EVIL}")  # what rich cannot read stands there as it is
    assert out.getvalue().count(":smile:") == 6 and not obeyed(out.getvalue())


# ---------------------------------------------------------------- closed and full streams


@pytest.mark.parametrize("options", [(), ("-q",), ("--json",)])
def test_a_closed_stderr_changes_nothing(trace, options):
    right = cli("trace", trace, *options)
    done = cli("trace", trace, *options, shell="2>&-")
    assert (done.returncode, done.stdout) == (0, right.stdout) and done.stdout


def test_errors_without_stderr_keep_their_code(tmp_path):
    assert cli("trace", tmp_path / "none", shell="2>&-").returncode == 3
    assert cli("trace", shell="2>&-").returncode == 2


@pytest.mark.parametrize("shell", [">&-", ">&- 2>&-", ">/dev/full"])
@pytest.mark.parametrize("command", ["trace", "swaps --json", "strings", "--help", "trace --json"])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_an_answer_that_cannot_be_written_is_an_error(
    trace, shell, command, monkeypatch, unbuffered
):
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    if command == "strings":
        trace.write_bytes(b"text\0" * 50000)
    file = () if command == "--help" else (trace,)
    done = cli(*command.split(), *file, shell=shell)
    assert done.returncode == 3 and "Traceback" not in done.stderr
    if "2>&-" not in shell:
        (line,) = done.stderr.splitlines()
        assert line.startswith("swapfast: ")


def test_a_closed_stdin(trace):
    assert cli("trace", trace, shell="<&-").returncode == 0


def test_a_reader_that_goes_away(tmp_path):
    (tmp_path / "f").write_bytes(b"text\0" * 500000)
    for command in ("strings", "swaps --json"):
        done = cli(
            *command.split(),
            *([tmp_path / "f"] * (1 if command == "strings" else 3000)),
            shell="| head -1; exit ${PIPESTATUS[0]}",
        )
        assert done.returncode == 141 and done.stderr == "" and len(done.stdout.splitlines()) == 1


# ---------------------------------------------------------------- Ctrl-C


def stop_after(number):
    calls = 0

    def report(done, of):
        nonlocal calls
        calls += 1
        if calls == number:
            raise KeyboardInterrupt

    return report


@pytest.mark.parametrize("policy", ["linux-6.18", "linux-2.6.25", "lru", "sieve"])
def test_counts_until_an_interrupt_are_those_of_so_many_references(monkeypatch, policy):
    monkeypatch.setattr(batches, "REPLAY_CHUNK", 1000)
    monkeypatch.setattr(sys.modules["swapfast.replacement.simulate"], "CHUNK", 1000)
    whole = generate("zipf", pages=500, refs=20000, seed=7)
    with pytest.raises(Interrupted) as caught:
        replay(whole, 100 * 4096, policy=policy, progress=stop_after(4))
    result = caught.value.result
    assert result.interrupted and 0 < result.refs_done < len(whole)
    part = Trace(whole.refs[: result.refs_done], pages=whole.pages)
    right = replay(part, 100 * 4096, policy=policy)
    for name in ("pgfault", "pgmajfault", "pswpin", "pswpout", "pgscan"):
        assert getattr(result, name) == getattr(right, name), name


@pytest.mark.parametrize("policy", ["linux-6.18", "linux-6.18-mglru", "lru"])
def test_replay_shows_what_was_counted(run, trace, monkeypatch, policy):
    monkeypatch.setattr(batches, "REPLAY_CHUNK", 1000)
    monkeypatch.setattr(sys.modules["swapfast.replacement.simulate"], "CHUNK", 1000)
    inner = replay_command.replay_trace

    def struck(*args, progress, **options):
        calls = 0

        def report(done, of):
            nonlocal calls
            calls += 1
            if calls == 3:
                signal.raise_signal(signal.SIGINT)
            progress(done, of)

        return inner(*args, progress=report, **options)

    monkeypatch.setattr(replay_command, "replay_trace", struck)
    before = signal.getsignal(signal.SIGINT)
    facts = run("replay", trace, "-m", "50%", "-p", policy, "--json", code=130).json
    assert facts["interrupted"] is True and 0 < facts["refs_done"] < facts["refs"]
    text = run("replay", trace, "-m", "50%", "-p", policy, code=130)
    assert "interrupted: only the first" in text.stdout and "pgmajfault" in text.stdout
    assert "interrupted after" in text.stderr
    assert signal.getsignal(signal.SIGINT) is before


def test_validate_shows_the_cells_that_were_done(run, tmp_path, monkeypatch):
    whole = generate("zipf", pages=500, refs=20000, seed=7)
    save_npz(tmp_path / "z.npz", whole)
    truth = tmp_path / "t.csv"
    lines = [f"z,{frac},500,{len(whole)},100,100,100" for frac in (0.25, 0.5, 0.75)]
    truth.write_text("trace,frac,pages,refs,majflt,pswpin,pswpout\n" + "\n".join(lines) + "\n")
    inner = validate_command.run_validation

    def struck(*args, progress, **options):
        def report(what, done, of):
            if done == 2:
                signal.raise_signal(signal.SIGINT)
            progress(what, done, of)

        return inner(*args, progress=report, **options)

    monkeypatch.setattr(validate_command, "run_validation", struck)
    args = ("validate", truth, "--traces", tmp_path)
    facts = run(*args, "--json", code=130).json
    assert facts["interrupted"] is True and len(facts["cells"]) == 2
    assert "interrupted after 2 of 3 predictions" in run(*args, code=130).stderr


def test_a_second_interrupt_does_not_wait_for_a_step():
    with pytest.raises(KeyboardInterrupt), progress(quiet=True), counting():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        pytest.fail("the second one waited")
    with progress(quiet=True) as step, pytest.raises(KeyboardInterrupt), counting():
        step("nothing came", 0, 1)
        signal.raise_signal(signal.SIGINT)
        step("it came", 1, 1)


def test_an_interrupt_elsewhere_is_said(tmp_path):
    os.mkfifo(tmp_path / "fifo")  # documented: logs come from pipes
    command = [sys.executable, "-m", "swapfast", "trace", str(tmp_path / "fifo")]
    command += ["--format", "lackey"]
    with (
        subprocess.Popen(command, stdout=-1, stderr=-1, text=True) as child,
        open(tmp_path / "fifo", "w"),  # it reads now
    ):
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=30)
    assert (child.returncode, out, err) == (130, "", "swapfast: interrupted\n")


def test_a_bar_has_a_rate_and_the_time_that_is_left(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setattr(sys, "stderr", Terminal())
    with progress() as step:
        for done in range(0, 50_000_001, 10_000_000):
            step("replaying x", done, 100_000_000, "references")
            time.sleep(0.01)
        time.sleep(0.3)
    shown = sys.stderr.getvalue()
    assert re.search(r"[\d.]+ [MG] references/s", shown) and "replaying x" in shown
    assert re.search(r"0:00:0\d", shown)


def test_a_bar_that_goes_to_no_terminal_writes_nothing(capsys):
    with progress() as step:
        step("replaying x", 1, 2, "references")
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("per_s", "text"), [(1.5e9, "1.5 G x/s"), (12e6, "12 M x/s"), (3400, "3.4 k x/s"), (2, "2 x/s")]
)
def test_a_rate(per_s, text):
    assert rate(per_s, "x") == text
