"""The place of an image: who writes there, one at a time, and what goes when it is replaced.

- ``Place(disk, path, inputs)``: a block that owns the name of an image.
- ``Place.put(parts)``: the image is there whole, or what was there before.
- ``Place.sweep(but)``: copies of slots that only older images of this name had.

A writer makes ``IMAGE.tmp`` first and keeps it locked until it has become ``IMAGE`` and older
copies are gone. Whoever finds either of the two locked comes too early: EBUSY. So no writer removes
what another one has just made, and a killed one leaves a file that the next one empties.

The lock is flock(2), as a swapfile's. Between two computers it holds where the file system passes
it on, as NFS does; where it does not, an image needs one computer that writes it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
from collections.abc import Iterable
from types import TracebackType

from swapfast.checkpoint.disk import Disk, opened, opened_file
from swapfast.checkpoint.steady import steady
from swapfast.errors import system_error
from swapfast.publish import target
from swapfast.swapfile.files import named, read_at
from swapfast.swapfile.header import PAGE_SIZE, signature_of
from swapfast.swapfile.stamp import read_stamp

__all__ = ["Parts", "Place"]

Parts = list[bytes | memoryview]
COPY = r"\.[0-9a-f]{32}\.(swap|pages)"  # after the image's name


class Place:
    """The name of an image, while one checkpoint goes there.

    Attributes
    ----------
    given : str
        The name as the caller has it.
    path : str
        The file: absolute, links resolved.
    committing : bool
        The rename has begun: the old image is there, or the new one.

    Raises
    ------
    OSError
        EBUSY: another checkpoint of this name is being written; EINVAL: not a regular file, or one
        of ``inputs``; EEXIST: a swapfile has the name; EISDIR, ENOENT, EACCES, EROFS, ...: as the
        system says. Nothing was changed.
    """

    def __init__(
        self, disk: Disk, path: str | os.PathLike[str], inputs: Iterable[str] = ()
    ) -> None:
        self.disk = disk
        self.given = os.fspath(path)
        inputs = tuple(inputs)
        # The last writer may be renaming its file right now.
        self.path = steady(path, lambda: target(path, inputs=inputs))
        self._temporary = f"{self.path}.tmp"
        self._fd = -1
        self.committing = self._renamed = False
        _refuse_swapfile(self.path, self.given)

    def __enter__(self) -> Place:
        try:
            self._fd = self.disk.create(self._temporary)
            self._check_alone()
            return self
        except BaseException:
            self._leave()
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._leave()

    def _check_alone(self) -> None:
        """The last writer has renamed its file; is it still at work?"""
        if _in_use(self.path):
            raise system_error(
                errno.EBUSY,
                "another checkpoint of this name is not finished; try again, or give another name",
                self.given,
            )

    def _leave(self) -> None:
        fd, self._fd = self._fd, -1
        if fd < 0:
            return
        # It was synced: an error now is no news, and must not look as if nothing was committed.
        with contextlib.suppress(OSError):
            if not self._renamed and self._is_mine(fd, self._temporary):
                self.disk.remove(self._temporary)
        with contextlib.suppress(OSError):
            self.disk.close(fd)

    def _is_mine(self, fd: int, path: str) -> bool:
        try:
            there = os.lstat(path)
        except FileNotFoundError:
            return False
        mine = os.fstat(fd)
        return (there.st_dev, there.st_ino) == (mine.st_dev, mine.st_ino)

    def put(self, parts: Parts) -> None:
        """Write the image beside its place, and rename it."""
        with named(self.given):
            at = 0
            for part in parts:
                self.disk.write(self._fd, part, at)
                at += len(part)
            self.disk.sync(self._fd)
            self.committing = True
            self.disk.rename(self._temporary, self.path)
            self._renamed = True
            self.disk.sync_folder(os.path.dirname(self.path))

    def sweep(self, but: str | None) -> None:
        """Copies of older images of this name go, and those that a crash left; none that is in use.

        Not if the name is another file's by now, which was put there without asking: then nobody
        knows which copies are still needed.
        """
        folder, name = os.path.split(self.path)
        ours = re.compile(re.escape(name) + COPY)
        with contextlib.suppress(OSError):  # what is left over goes next time
            if not self._is_mine(self._fd, self.path):
                return
            for other in os.listdir(folder):
                full = os.path.join(folder, other)
                if ours.fullmatch(other) and full != but and not _in_use(full):
                    self.disk.remove(full)


def _in_use(path: str) -> bool:
    """Somebody has locked the file."""
    try:
        with opened(path, os.O_RDONLY | os.O_NOFOLLOW) as fd:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False  # not there, or no such locks here
    return False


def _refuse_swapfile(path: str, given: str) -> None:
    """A slip of the pen: the name of a swapfile, or of the pages of another image."""
    head = b""
    with contextlib.suppress(OSError), opened_file(path, os.O_RDONLY) as fd:
        head = read_at(fd, PAGE_SIZE, 0)
    if read_stamp(head) is not None or signature_of(head, PAGE_SIZE) is not None:
        raise system_error(
            errno.EEXIST, "is a swapfile, which an image would replace; give another name", given
        )
