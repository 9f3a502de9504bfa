"""What a run leaves in the books of tasks, cgroups and areas: faults, and how long they took."""

from __future__ import annotations

import pytest

import swapfast as sf
from swapfast.latency import Latency
from swapfast.together import Together
from swapfast.traces import generate
from tests.support.swapfiles import PAGE

# ---------------------------------------------------------------- faults in memory.stat


def crowded() -> tuple[sf.Machine, Together]:
    """Two under one parent whose memory.swap.max is too small for both: big is killed."""
    machine = sf.Machine("64MiB", contents=False, cache=0)
    machine.add_swap("16MiB")
    machine.cgroup("/pod", max=200 * PAGE, swap_max=100 * PAGE)
    run = machine.together()
    for name, pages, start in (("big", 230, 0), ("small", 120, "30ms")):
        trace = generate("uniform", pages=pages, refs=8000, seed=pages)
        run.program(name, trace, cgroup=machine.cgroup(f"/pod/{name}"), start=start)
    return machine, run


def agree(machine: sf.Machine, run: Together) -> None:
    """Every fault is in memory.stat of its cgroup, and in its task."""
    for program in run.programs:
        assert program.cgroup is not None
        stat = program.cgroup.stat()  # type: ignore[attr-defined]
        assert stat["pgfault"] == program.majors + program.minors, program.name
        assert stat["pgmajfault"] == program.majors == program.task.maj_flt
    root, vmstat = machine.cgroup("/").stat(), machine.vmstat()
    assert (root["pgfault"], root["pgmajfault"]) == (vmstat["pgfault"], vmstat["pgmajfault"])


def test_faults_of_a_killed_program_are_in_the_books() -> None:
    machine, run = crowded()
    run.until()
    big, small = run.programs
    assert big.killed and not small.killed and big.majors > 0
    agree(machine, run)


@pytest.mark.parametrize("step", ["1ms", "7ms", "40ms"])
def test_faults_are_in_the_books_whenever_a_run_stops(step: str) -> None:
    """No fault is told twice, and none is told late."""
    machine, run = crowded()
    for k in range(1, 400):
        run.until(k * sf.units.parse_duration(step))
        agree(machine, run)
        if not any(program.alive for program in run.programs):
            break
    else:
        run.until()
    agree(machine, run)


def test_a_cgroup_that_went_with_its_program_leaves_its_faults_to_the_parent() -> None:
    machine = sf.Machine("64MiB", contents=False, cache=0)
    machine.add_swap("16MiB")
    pod = machine.cgroup("/pod")
    leaf = machine.cgroup("/pod/a", max=100 * PAGE)
    run = machine.together()
    trace = generate("uniform", pages=200, refs=5000, seed=1)
    program = run.program("a", trace, cgroup=leaf, loops="forever")
    run.until("50ms")
    program.task.exit()
    leaf.close()
    run.until("60ms")
    assert pod.stat()["pgfault"] == program.majors + program.minors > 0


# ---------------------------------------------------------------- latencies


def served(**options: bool) -> tuple[sf.Machine, Together, list[sf.kernel.state.SwapArea]]:
    """Three programs in two cgroups of one parent, over two areas."""
    machine = sf.Machine("64MiB", contents=False, cache=0, page_cluster=0)
    areas = [
        machine.add_swap(301 * PAGE, priority=9, device=machine.device("quick", "optane")),
        machine.add_swap("16MiB", priority=1, device=machine.device("slow", "nbd")),
    ]
    for name in "ab":
        machine.cgroup(f"/pods/{name}", max=200 * PAGE)
    run = machine.together(seed=1, **options)  # type: ignore[misc]
    for number, name in enumerate("aab"):
        trace = generate("uniform", pages=300, refs=2000, seed=number)
        run.program(f"p{number}", trace, cgroup=machine.cgroup(f"/pods/{name}"), think="1us")
    return machine, run, areas


def test_a_cgroup_has_the_latencies_of_its_programs() -> None:
    machine, run, _ = served()
    run.until()
    one, two, three = (program.latency for program in run.programs)
    assert run.latency_of(machine.cgroup("/pods/a")) == one + two
    assert run.latency_of(machine.cgroup("/pods/b")) == three
    assert run.latency_of(machine.cgroup("/pods")) == one + two + three == run.latency()
    minor = run.latency_of(machine.cgroup("/pods"), major=False)
    assert minor == run.latency(major=False) and minor.count > 0
    assert run.latency_of(machine.cgroup("/idle")) == Latency()


def test_a_program_that_is_not_watched_is_missed() -> None:
    machine, run, _ = served()
    group = machine.cgroup("/pods/b")
    run.program("hidden", generate("loop", pages=9, refs=9), cgroup=group, watch=False)
    run.until()
    with pytest.raises(ValueError, match="not watched"):
        run.latency_of(group)
    assert run.latency_of(machine.cgroup("/pods/a"))


@pytest.mark.parametrize("programs", [1, 3])
def test_areas_share_the_latencies_of_major_faults(programs: int) -> None:
    """A program that is alone goes another way, and its faults are noted as well."""
    _machine, run, areas = served(area_latency=True)
    for program in run.programs[programs:]:
        program.task.exit()
    run.until()
    quick, slow = (run.latency_from(area) for area in areas)
    assert quick.count + slow.count == run.latency().count
    assert quick.sum + slow.sum == run.latency().sum
    assert 0 < quick.p50 < 60_000 < slow.p50 or programs == 1
    assert [quick.count, slow.count] == [area.info["pswpin"] for area in areas]


def test_asking_for_areas_changes_nothing_else() -> None:
    seen = []
    for asked in (False, True):
        machine, run, _ = served(area_latency=asked)
        run.until()
        seen.append([(p.wall, p.times, p.latency) for p in run.programs] + [machine.vmstat()])
    assert seen[0] == seen[1]


def test_without_asking_there_are_none() -> None:
    machine, run, areas = served()
    run.until()
    with pytest.raises(ValueError, match="area_latency=True"):
        run.latency_from(areas[0])
    other = machine.together(area_latency=True)
    assert other.latency_from(areas[0]) == Latency(), "nothing has run yet"
