"""What a group says, in either version of cgroups, and what is left out where it says nothing."""

from swapfast.measure import Group
from swapfast.measure.readings import grown, readings

PRESSURE = (
    "some avg10=0.12 avg60=0.00 avg300=0.00 total=500\n"
    "full avg10=0.00 avg60=0.00 avg300=0.00 total=300\n"
)


def group(folder, version, **files):
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)
    return Group(folder, version)


def test_a_group_of_v2(tmp_path):
    one = group(
        tmp_path,
        2,
        memory__stat="anon 1\npswpin 3\npswpout 4\npgscan 5\npgmajfault 6\nworkingset_nodes 1\n",
        memory__peak="81920\n",
        memory__pressure=PRESSURE,
        io__pressure=PRESSURE.replace("500", "900"),
    )
    assert readings(one) == {
        "pswpin": 3,
        "pswpout": 4,
        "pgscan": 5,
        "pgmajfault": 6,
        "peak_pages": 20,
        "psi_mem_some_us": 500,
        "psi_mem_full_us": 300,
        "psi_io_some_us": 900,
        "psi_io_full_us": 300,
    }


def test_a_group_of_v1_counts_no_pages_swapped_and_has_no_pressure(tmp_path):
    one = group(
        tmp_path,
        1,
        memory__stat="rss 1\npgmajfault 6\n",
        memory__max_usage_in_bytes="8192\n",
        memory__pressure=PRESSURE[:10],
    )
    assert readings(one, machine=False) == {"pgmajfault": 6, "peak_pages": 2}
    assert set(readings(one)) == {"pgmajfault", "peak_pages", "pswpin", "pswpout"}


def test_a_kernel_that_was_told_not_to_count_pressure(tmp_path):
    one = group(tmp_path, 2, memory__stat="pswpin 3\npswpout 4\n")
    (tmp_path / "memory.pressure").mkdir()  # reading it is an error
    assert readings(one) == {"pswpin": 3, "pswpout": 4}


def test_the_difference_of_two_readings():
    before, after = {"pgscan": 3, "peak_pages": 9}, {"pgscan": 10, "peak_pages": 12, "new": 1}
    assert grown(before, after) == {"pgscan": 7, "peak_pages": 12}
