"""What a user sees of the two LRUs: the profile of this machine, and whose truth a file is."""

from pathlib import Path

import pytest

import swapfast.cli.options as options
from swapfast.replay import replay
from swapfast.running import choose
from swapfast.traces import open_trace
from swapfast.validate import read_truth

DATA = Path(__file__).parents[1] / "fidelity" / "data"
TRACE = DATA / "real-gitlog.npz"
HEAD = "trace,frac,pages,refs,majflt,pswpin,pswpout"
LINE = "real-gitlog,0.5,4163,11266,2600,2600,4000"


@pytest.fixture
def host(monkeypatch, tmp_path):
    """``host("0x0007")``: this machine's lru_gen/enabled says so; None: it has none."""

    def put(text):
        folder = tmp_path / "host/sys/kernel/mm"
        folder.mkdir(parents=True)
        if text is not None:
            (folder / "lru_gen").mkdir()
            (folder / "lru_gen/enabled").write_text(text)
        monkeypatch.setattr(options, "choose", lambda: choose(tmp_path / "host"))

    return put


@pytest.fixture
def truth(tmp_path):
    def write(head, *lines):
        path = tmp_path / "truth.csv"
        path.write_text("\n".join((head, *lines)) + "\n")
        return path

    return write


# ---------------------------------------------------------------- --profile host


@pytest.mark.parametrize(("text", "profile"), [("0x0007", "6.18-mglru"), (None, "6.18")])
def test_replay_as_this_machine(run, host, text, profile):
    host(text)
    done = run("replay", TRACE, "-m", "50%", "--profile", "host", "--json")
    assert done.json["profile"] == profile
    assert done.stderr.startswith(f"profile {profile} (") and done.stderr.count("\n") == 1
    assert "lru_gen/enabled" in done.stderr


def test_replay_takes_the_mask(run, host):
    host("0x0001")
    asked = ("replay", TRACE, "-m", "50%", "--device", "zram", "--json", "--profile", "host")
    trace = open_trace(TRACE)
    for more, mask in (((), 1), (("--lru-gen", 7), 7)):
        right = replay(trace, "50%", profile="6.18-mglru", device="zram", lru_gen=mask)
        assert run(*asked, *more).json["pgscan"] == right.pgscan


def test_a_host_that_cannot_be_read(run, monkeypatch, tmp_path):
    monkeypatch.setattr(options, "choose", lambda: choose(tmp_path))
    done = run("replay", TRACE, "-m", "50%", "--profile", "host", code=2)
    assert "--profile host: " in done.stderr and "name the profile" in done.stderr


def test_profiles_have_names(run):
    done = run("replay", TRACE, "-m", "50%", "--profile", "6.19", code=2)
    assert "--profile 6.19: there are 2.6.25, 6.18, 6.18-mglru, and host" in done.stderr


SCENARIO = """
[machine]
memory = "16MiB"
profile = "2.6.25"
[[swapfile]]
name = "s1"
size = "8MiB"
[[login]]
name = "job"
swapon = ["s1"]
[[login.program]]
kind = "generator"
pattern = "zipf"
pages = 600
refs = 5000
memory = "50%"
"""


def test_a_scenario_as_this_machine(run, host, tmp_path):
    host("0x0003")
    path = tmp_path / "mine.toml"
    path.write_text(SCENARIO)
    done = run("run", path, "--profile", "host", "--json")
    assert done.json["profile"] == "6.18-mglru" and "profile 6.18-mglru" in done.stderr
    assert run("run", path, "--json").json["profile"] == "2.6.25"
    path.write_text(SCENARIO.replace("2.6.25", "6.18-mglru").replace("[[sw", "lru_gen = 7\n[[sw"))
    done = run("run", path, "--profile", "6.18", code=2)
    assert "profile 6.18: lru_gen=7 is of linux-6.18-mglru" in done.stderr
    assert "--profile is for a SCENARIO" in run("run", "--profile", "host", code=2).stderr


# ---------------------------------------------------------------- whose truth it is


@pytest.mark.parametrize(
    ("column", "value", "lru", "mask"),
    [
        ("lru", "mglru", "mglru", None),
        ("lru", "classic", "classic", None),
        ("lru", "", "classic", None),
        ("lru_gen", "0x0001", "mglru", 1),
        ("lru_gen", "7", "mglru", 7),
        ("lru_gen", "0x0006", "classic", 6),
        ("agings", "12", "mglru", None),
        ("agings", "0", "classic", None),
        ("kernel", "6.18.15", "classic", None),
    ],
)
def test_a_file_says_its_lru(truth, column, value, lru, mask):
    ((cell,), _) = read_truth(truth(f"{HEAD},{column}", f"{LINE},{value}"))
    assert (cell.lru, cell.lru_gen) == (lru, mask)


@pytest.mark.parametrize(
    ("columns", "values", "says"),
    [
        ("lru", "new", "truth.csv:2: lru 'new' is not one of classic, mglru"),
        ("lru_gen", "9", "truth.csv:2: lru_gen: '9' is no mask"),
        ("lru,lru_gen", "classic,7", "truth.csv:2: lru is classic, and lru_gen 7 is mglru"),
        ("agings", "many", "truth.csv:2: agings is no number"),
        ("off", "512", "truth.csv:2: off 512 is not a page below 512"),
    ],
)
def test_what_no_kernel_is(run, truth, columns, values, says):
    path = truth(f"{HEAD},{columns}", f"{LINE},{values}")
    assert says in run("validate", path, "--traces", DATA, code=2).stderr


def test_one_table_of_both_kernels(run, truth, tmp_path):
    path = truth(f"{HEAD},lru,lru_gen", f"{LINE},classic,", f"{LINE},mglru,7", f"{LINE},mglru,1")
    shown = run("validate", path, "--traces", DATA, "--plot", tmp_path / "p.png").stdout
    rows = [line for line in shown.splitlines() if "all (1)" in line and "majflt" in line]
    assert [row.split("linux")[0].strip() for row in rows] == [
        "classic",
        "mglru",
        "mglru, no walks",
    ]
    assert "errors of rule always; in range: between the rules always and fault" in shown
    assert (tmp_path / "p.png").stat().st_size > 1000
    told = run("validate", path, "--traces", DATA, "--json").json
    assert [c["policy"] for c in told["cells"]] == ["linux-6.18", *2 * ["linux-6.18-mglru"]]
    assert [sorted(c["rules"]) for c in told["cells"]] == [[], ["always", "fault"], []]


def test_another_policy_is_said_to_be_another(run, truth, host):
    path = truth(f"{HEAD},lru", f"{LINE},classic", f"{LINE},mglru", f"{LINE},mglru")
    shown = run("validate", path, "--traces", DATA, "--policy", "linux-6.18").stdout
    assert "2 cells were measured under the multi-generational LRU, not under linux-6.18" in shown
    host("0x0007")
    done = run("validate", path, "--traces", DATA, "--profile", "host")
    assert "1 cell was measured under the classic LRU, not under linux-6.18-mglru" in done.stdout
    assert done.stderr.startswith("profile 6.18-mglru")
    done = run("validate", path, "--traces", DATA, "-p", "lru", "--profile", "host", code=2)
    assert "give one" in done.stderr


def test_the_rule_whose_errors_are_shown(run, truth):
    path = truth(f"{HEAD},lru", f"{LINE},mglru")
    told = {}
    for rule in ("always", "fault"):
        asked = ("validate", path, "--traces", DATA, "--lru-gen-rule", rule, "--json")
        (told[rule],) = run(*asked).json["cells"]
        assert told[rule]["predicted"] == told[rule]["rules"][rule]
    assert told["always"]["rules"] == told["fault"]["rules"]
    assert told["always"]["error"] != told["fault"]["error"]


def test_where_it_was_measured(run, truth):
    """Swap on zram, a mapping that begins within a page table, a limit others had a part of."""
    head = f"{HEAD},lru_gen,swap,off".replace(",refs", "")
    path = truth(head, "real-gitlog,0.5,4163,2573,2573,4704,1,zram,355")
    (cell,) = run("validate", path, "--traces", DATA, "--charged", 1, "--json").json["cells"]
    assert cell["predicted"] == {"majflt": 2573, "pswpin": 2573, "pswpout": 4704}
    done = run("validate", path, "--traces", DATA, "--charged", 5000, code=2)
    assert "truth.csv:2: something else held 5000 of 2081 pages" in done.stderr


def test_several_programs_have_no_policy_of_one(run, tmp_path):
    path = tmp_path / "truth.csv"
    path.write_text("scenario,program,majflt,pswpout\ns,a,1,2\n")
    for option in (("--profile", "host"), ("--charged", 1), ("--lru-gen-rule", "fault")):
        done = run("validate", path, "--traces", DATA, "--scenarios", path, *option, code=2)
        assert f"{option[0]} is for a truth of one program" in done.stderr


def test_json_has_the_range(run, truth):
    told = run("validate", truth(f"{HEAD},lru", f"{LINE},mglru"), "--traces", DATA, "--json").json
    assert told["kernels"] == ["mglru"] and told["lru_gen_rule"] == "always"
    assert 0 <= told["summary"]["linux-6.18-mglru"]["all"]["majflt"]["in_range"] <= 1


def test_offsets_are_pages_of_a_page_table():
    trace = open_trace(TRACE)
    for offset in (-1, 512):
        with pytest.raises(
            ValueError, match=f"offset is a page of a page table, 0 to 511, not {offset}"
        ):
            replay(trace, "50%", offset=offset)
    with pytest.raises(ValueError, match="policy sieve stands alone"):
        replay(trace, "50%", policy="sieve", offset=1)
