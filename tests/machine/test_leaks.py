"""``leaked`` counts what one namespace wrote and another's file holds, against the files' bytes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import swapfast as sf
from swapfast.kernel.state import Mapping
from tests.support.swapfiles import NEWSWAP, PAGE, SwapfileMaker

SECRET = b"SECRET-OF-CHILD"
PAGES = 40


class Scene:
    """A host with a swapfile, and a child namespace with its own."""

    def __init__(self, profile: str, make_swap: SwapfileMaker, rules: sf.Rules | None) -> None:
        self.host, self.own = make_swap("host", 400), make_swap("own", 400)
        self.machine = sf.Machine(100 * PAGE, profile, overcommit=1, cache=0, rules=rules)
        self.machine.init.swapon(self.host)

    def child(self, parent: sf.Task) -> sf.Task:
        child = parent.clone(NEWSWAP)
        child.swapon(self.own)
        return child

    def push_out(self) -> None:
        hog = self.machine.init.fork().mmap(200 * PAGE)
        hog.touch(write=True)
        hog.touch(write=True)

    @property
    def leaked(self) -> int:
        return self.machine.core.counters()["leaked"]


def write_secret(mapping: Mapping) -> None:
    for page in range(PAGES):
        mapping.write(page * PAGE, SECRET)


def found(path: Path) -> int:
    return path.read_bytes().count(SECRET)


def still_mapped(task: sf.Task, mapping: Mapping) -> None: ...


def unmapped(task: sf.Task, mapping: Mapping) -> None:
    mapping.munmap()


def exited(task: sf.Task, mapping: Mapping) -> None:
    task.exit()


def killed(task: sf.Task, mapping: Mapping) -> None:
    task.kernel.init.kill(task.pid)


@pytest.mark.parametrize("then", [still_mapped, unmapped, exited, killed])
def test_shared_pages_that_a_child_wrote(
    profile: str, make_swap: SwapfileMaker, then: Callable[[sf.Task, Mapping], None]
) -> None:
    scene = Scene(profile, make_swap, None)
    common = scene.machine.init.mmap(PAGES * PAGE, shared=True)
    child = scene.child(scene.machine.init)
    mapping = common.inherited_by(child)
    write_secret(mapping)
    then(child, mapping)
    scene.push_out()
    assert found(scene.host) == PAGES
    assert scene.leaked >= PAGES


def test_reading_is_no_leak(profile: str, make_swap: SwapfileMaker) -> None:
    scene = Scene(profile, make_swap, None)
    common = scene.machine.init.mmap(PAGES * PAGE, shared=True)
    child = scene.child(scene.machine.init)
    write_secret(common)
    assert common.inherited_by(child).read(0, len(SECRET)) == SECRET
    common.inherited_by(child).touch()
    scene.push_out()
    assert found(scene.host) == PAGES
    assert scene.leaked == 0


def test_first_toucher_and_then_the_host_writes(profile: str, make_swap: SwapfileMaker) -> None:
    """The child pays for the object; what the host writes in it lies in the child's file."""
    scene = Scene(profile, make_swap, sf.Rules(shared_pages="first-toucher"))
    common = scene.machine.init.mmap(PAGES * PAGE, shared=True)
    child = scene.child(scene.machine.init)
    common.inherited_by(child).touch()
    write_secret(common)
    scene.push_out()
    assert found(scene.own) == PAGES
    assert scene.leaked >= PAGES


@pytest.mark.parametrize("parent_exits", [True, False])
@pytest.mark.parametrize("rule", ["first-mm", "allocator"])
def test_private_pages(
    profile: str, make_swap: SwapfileMaker, rule: str, parent_exits: bool
) -> None:
    """A child writes in pages it inherited: under "allocator" they go to the parent's file."""
    scene = Scene(profile, make_swap, sf.Rules(mixed_pages=rule))  # type: ignore[arg-type]
    parent = scene.machine.init.fork()
    heap = parent.mmap(PAGES * PAGE)
    heap.touch(write=True)
    child = scene.child(parent)
    if parent_exits:
        parent.exit()
    write_secret(heap.inherited_by(child))
    scene.push_out()
    foreign = found(scene.host)
    assert (foreign > 0) == (rule == "allocator" and parent_exits)
    assert (scene.leaked > 0) == (foreign > 0)
    assert scene.leaked >= foreign


def test_a_writer_is_remembered_through_a_fork_and_a_swap(
    profile: str, make_swap: SwapfileMaker
) -> None:
    scene = Scene(profile, make_swap, sf.Rules(mixed_pages="allocator"))
    parent = scene.machine.init.fork()
    heap = parent.mmap(PAGES * PAGE)
    heap.touch(write=True)
    child = scene.child(parent)
    parent.exit()
    write_secret(heap.inherited_by(child))
    grandchild = child.fork()
    child.exit()
    scene.push_out()
    first = scene.leaked
    assert first >= PAGES
    mapping = heap.inherited_by(grandchild)
    assert mapping.read(0, len(SECRET)) == SECRET
    scene.machine.verify()


def test_what_is_inherited_is_the_heirs(profile: str, make_swap: SwapfileMaker) -> None:
    """Bytes written before the clone belong to both: in the heir's file they are no leak."""
    scene = Scene(profile, make_swap, sf.Rules.strict())
    parent = scene.machine.init.fork()
    heap = parent.mmap(PAGES * PAGE)
    write_secret(heap)
    scene.child(parent)
    parent.exit()
    scene.push_out()
    assert found(scene.own) == PAGES
    assert scene.leaked == 0


def test_numbers_of_namespaces_are_not_confused(profile: str, make_swap: SwapfileMaker) -> None:
    """A namespace made after the writer's is gone is somebody else."""
    scene = Scene(profile, make_swap, sf.Rules(shared_pages="first-toucher"))
    common = scene.machine.init.mmap(PAGES * PAGE, shared=True)
    writer = scene.machine.init.clone(NEWSWAP)
    write_secret(common.inherited_by(writer))
    writer.exit()
    second = scene.child(scene.machine.init)
    scene.push_out()
    common.inherited_by(second).touch()
    scene.push_out()
    assert found(scene.host) >= PAGES
    assert scene.leaked >= PAGES
