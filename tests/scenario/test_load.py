"""Scenario files: what they may say, and how all their mistakes are named at once."""

import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swapfast.scenario import ScenarioError, bundled, load
from swapfast.scenario.load import parse

SMALL = """
[machine]
memory = "16MiB"

[[swapfile]]
name = "s1"
size = "1MiB"

[[login]]
name = "a"
swapon = ["s1"]
"""


def problems(text):
    with pytest.raises(ScenarioError) as caught:
        parse(textwrap.dedent(text), "my.toml")
    return caught.value.problems


def test_sizes_are_bytes_and_defaults_are_the_letters():
    scenario = parse(SMALL, "my.toml")
    assert scenario.machine.memory == 16 << 20
    assert scenario.machine.profile == "2.6.25"
    assert scenario.swapfile[0].size == 1 << 20
    assert scenario.login[0].namespace is True


@pytest.mark.parametrize("full", [False, True])
def test_bundled_scenarios_are_the_two_logins(full):
    scenario = bundled(full)
    assert [g.name for g in scenario.login] == ["login1", "login2"]
    assert [s.size for s in scenario.swapfile] == [scenario.machine.memory // 4] * 2
    assert scenario.machine.memory == (2 << 30 if full else 256 << 20)


def test_every_mistake_is_named_at_once_with_line_and_nearest_key():
    found = problems(
        """\
        [machine]
        memry = "64MiB"
        profile = "2.6.24"
        [[swapfile]]
        name = "s1"
        size = "16 parsecs"
        [[login]]
        name = "a"
        [[login.program]]
        kind = "generator"
        pattern = "zipff"
        pages = 0
        refs = 10
        """
    )
    text = "\n".join(found)
    assert "my.toml:2: machine.memry: no such key; did you mean 'memory'?" in text
    assert "my.toml:3: machine.profile: " in text and "'2.6.24'" in text
    assert "my.toml:6: swapfile.0.size: " in text and "parsecs" in text
    assert "my.toml:11: login.0.program.0.pattern: no pattern 'zipff'" in text
    assert "my.toml:12: login.0.program.0.pages: " in text
    assert len(found) == 5


def test_a_program_has_no_more_references_than_memory_holds():
    text = (
        SMALL
        + """
[[login.program]]
kind = "generator"
pattern = "loop"
pages = 1000
refs = 4294967296
"""
    )
    (found,) = problems(text)
    assert "login.0.program.0.refs: " in found and "268435456" in found


def test_an_unknown_rule_names_those_there_are():
    (found,) = problems(SMALL.replace("[machine]", "[machine]\nrules = {mixed = 'x'}"))
    assert "no rule mixed; there are mixed_pages" in found


def test_a_wrong_value_of_a_rule_names_the_choices():
    (found,) = problems(SMALL.replace("[machine]", "[machine]\nrules = {nested = 'maybe'}"))
    assert "'allow', 'deny'" in found


def test_names_must_agree():
    (found,) = problems(SMALL.replace('swapon = ["s1"]', 'swapon = ["s9"]'))
    assert "login a turns on s9; the swapfiles are s1" in found


def test_names_are_unique():
    (found,) = problems(SMALL + '[[login]]\nname = "a"\n')
    assert "login a is there more than once" in found


@pytest.mark.parametrize("name", ["../up", "a/b", "", ".hidden", "x" * 65])
def test_a_name_is_no_path(name):
    (found,) = problems(SMALL.replace('"s1"\nsize', f'"{name}"\nsize').replace('["s1"]', "[]"))
    assert "swapfile.0.name" in found


def test_broken_toml_names_the_line():
    (found,) = problems("[machine\n")
    assert found.startswith("my.toml: ") and "line 1" in found


@pytest.mark.parametrize("value", ['["s1"]', "[]", "1.5", "{}", "1979-05-27", "nan", "-1"])
def test_a_size_of_another_kind(value):
    (found,) = problems(SMALL.replace('size = "', f'size = {value} # "'))
    assert "swapfile.0.size" in found


def test_no_login_is_a_mistake():
    (found,) = problems("title = 'nothing'")
    assert "login: is missing" in found


def test_trace_paths_are_relative_to_the_file(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text(SMALL + '[[login.program]]\nkind = "trace"\npath = "x.npz"\n')
    assert load(file).login[0].program[0].path == str(tmp_path / "x.npz")


def test_a_huge_file_is_refused(tmp_path):
    file = tmp_path / "big.toml"
    file.write_bytes(b"#" * (1 << 20) + b"\n")
    with pytest.raises(ScenarioError, match="larger than"):
        load(file)


def test_bytes_that_are_no_text_are_refused(tmp_path):
    file = tmp_path / "x.toml"
    file.write_bytes(b"title = '\xff'")
    with pytest.raises(ScenarioError, match="byte 9: not UTF-8"):
        load(file)


@given(st.text(max_size=200))
def test_any_text_is_a_scenario_or_a_scenario_error(text):
    try:
        parse(text, "any.toml")
    except ScenarioError as error:
        assert all(p.startswith("any.toml") for p in error.problems)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
        max_leaves=10,
    ),
    st.sampled_from(["machine", "swapfile", "login", "title"]),
)
def test_any_value_under_a_known_key_is_judged(value, key):
    import json

    # JSON values without null are TOML inline values, near enough to be read or refused as such.
    text = f"{key} = {json.dumps(value)}"
    try:
        parse(text, "any.toml")
    except ScenarioError as error:
        assert error.problems


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        ("options = {s = inf}", "login.0.program.0: s is 0 to 8, not inf"),
        ("options = {width = 0.1}", "login.0.program.0: zipf has no option 'width'; it takes s"),
    ],
)
def test_options_of_a_pattern_are_judged_with_the_file(said, cause):
    text = f"""
[[login.program]]
kind = "generator"
pattern = "zipf"
pages = 10
refs = 10
{said}
"""
    (found,) = problems(SMALL + text)
    assert cause in found.replace(".generator", "")


def test_a_cache_and_a_path_that_cannot_be():
    (found,) = problems(SMALL.replace("[machine]", '[machine]\ncache = "1GiB"'))
    assert "machine: cache is less than the memory" in found
    (found,) = problems(SMALL + '\n[[login.program]]\nkind = "trace"\npath = "a\\u0000b"\n')
    assert "login.0.program.0.path: " in found.replace(".trace", "")
