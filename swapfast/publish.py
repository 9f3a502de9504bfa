"""Every output file is written the same way: whole, or not at all.

- ``publish(path, inputs=...)``: a block that writes a file; the name changes at its end.
- ``target(path, inputs=...)``: the file that would be written, or why it cannot be.

A file is written under a name of its own in the folder of its target and renamed at the end. What
was there before is untouched until then. A name that is not a regular file is refused, because the
rename would put a file in the place of a device or a pipe.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import io
import os
import secrets
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import IO, Any, NoReturn, cast

from swapfast.errors import system_error
from swapfast.inputs import SPECIAL_KINDS

__all__ = ["AnyPath", "publish", "target"]

AnyPath = str | os.PathLike[str]

_MOST_LINKS = 40  # fs/namei.c, MAXSYMLINKS
_KINDS = {**SPECIAL_KINDS, stat.S_IFLNK: "a symbolic link"}
_STREAMS = ("standard input", "standard output", "standard error")


def target(path: AnyPath, *, inputs: Iterable[AnyPath] = ()) -> str:
    """The file that `publish` writes for `path`.

    Parameters
    ----------
    path : path
        The name as it was given. A symbolic link stands for what it points to, be it there or not.
    inputs : iterable of path
        Files that are still to be read: the output may be none of them, under any name.

    Returns
    -------
    str
        Absolute name, without links.

    Raises
    ------
    OSError
        EINVAL: not a regular file, an input, or open as one of the standard streams; EISDIR: a
        folder; ENOENT, ENOTDIR: its folder is none; EACCES, EPERM, EROFS: may not be written;
        EBUSY: another process has locked it; ELOOP: links in a circle.
    ValueError
        A name with a NUL in it.
    """
    place = _Place(path, inputs)
    place.close()
    return os.path.join(place.folder, place.name)


@contextmanager
def publish(
    path: AnyPath, *, inputs: Iterable[AnyPath] = (), mode: int = 0o666, follow: bool = True
) -> Iterator[IO[bytes]]:
    """Write a file: the block gets a binary file, which has the name once the block is done.

    Parameters
    ----------
    path, inputs
        As for `target`.
    mode : int
        Permissions of a new file, less the umask. A file that is there keeps its own.
    follow : bool
        False: a name that is a link is refused, for the folder may be somebody else's.

    Yields
    ------
    binary file
        Open for writing and reading, and seekable. The block may close it.

    Raises
    ------
    OSError
        As `target`; ENOSPC, EDQUOT, EIO, ...: as the system says. The error has `path` for its
        file name. After this, or any other exception, what was there before is untouched and
        nothing else is left.
    """
    given = os.fsdecode(path)
    place = _Place(path, inputs, follow)
    draft: str | None = None
    try:
        try:
            draft, fd = place.create(mode)
        except OSError as error:
            _renamed(error, given)
        raw = _NamedFile(fd, given)
        file = io.BufferedRandom(raw)
        try:
            yield file
            if not file.closed:
                file.flush()
            try:
                os.fsync(fd)
                place.keep_mode(fd)
                place.rename(draft)
            except OSError as error:
                _renamed(error, given)
            draft = None
        finally:
            raw.close()  # what the buffer still holds must not reach the descriptor's next owner
            os.close(fd)
        try:
            place.sync()
        except OSError as error:
            _renamed(error, given)
    finally:
        if draft is not None:
            with contextlib.suppress(OSError):
                os.unlink(draft, dir_fd=place.fd)
        place.close()


class _Place:
    """A name in a folder that is held open: where a file goes."""

    def __init__(self, path: AnyPath, inputs: Iterable[AnyPath], follow: bool = True) -> None:
        self.given = os.fsdecode(path)
        self.follow = follow
        self.fd = -1
        try:
            self._find(inputs)
        except OSError as error:
            self.close()
            _renamed(error, self.given)
        except BaseException:
            self.close()
            raise

    def _find(self, inputs: Iterable[AnyPath]) -> None:
        before = _status(self.given)
        _check_kind(before, self.given)
        if not self.follow and os.path.islink(self.given):
            self._refuse(errno.ELOOP, "is a symbolic link; name the file itself")
        name = _followed(self.given) if self.follow else self.given
        folder, self.name = os.path.split(name)
        if before is None and self.name in ("", ".", ".."):
            self._refuse(errno.ENOENT, "is no folder, and its name is not one of a file")
        try:
            flags = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
            self.fd = os.open(folder or ".", flags)
        except FileNotFoundError:
            self._refuse(errno.ENOENT, f"there is no folder {folder}; make it first")
        except NotADirectoryError:
            self._refuse(errno.ENOTDIR, f"{folder} is not a folder")
        self.folder = os.path.realpath(folder or ".")
        self.before = self._now()
        if (before is None) != (self.before is None) or (
            before is not None and self.before is not None and not _same(before, self.before)
        ):
            self._refuse(errno.EINVAL, "names an open file that has no name in a folder any more")
        if before is not None:
            self._check_input(before, inputs)
            self._check_writable()
        self._check_folder(before)

    def _refuse(self, code: int, sentence: str) -> NoReturn:
        raise system_error(code, sentence, self.given)

    def _now(self) -> os.stat_result | None:
        """What has the name at present, if anything; refused unless it is a regular file."""
        try:
            status = os.stat(self.name, dir_fd=self.fd, follow_symlinks=False)
        except FileNotFoundError:
            return None
        _check_kind(status, self.given)
        return status

    def _check_input(self, status: os.stat_result, inputs: Iterable[AnyPath]) -> None:
        for name in inputs:
            one = _status(name)
            if one is not None and _same(one, status):
                shown = os.fsdecode(name)
                same = "an input" if shown == self.given else f"the same file as {shown}"
                self._refuse(errno.EINVAL, f"is {same}, which is read; give another name")
        for number, stream in enumerate(_STREAMS):
            try:
                same_file = _same(os.fstat(number), status)
            except OSError:
                continue  # closed
            if same_file:
                self._refuse(errno.EINVAL, f"is open as {stream}; name another file")

    def _check_writable(self) -> None:
        """A file that could not be opened for writing is not replaced either."""
        flags = os.O_WRONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            fd = os.open(self.name, flags, dir_fd=self.fd)
        except OSError as error:
            code = error.errno or errno.EIO
            if code in (errno.EACCES, errno.EPERM):
                self._refuse(code, "is protected against writing")
            if code == errno.ETXTBSY:
                self._refuse(errno.EBUSY, "is a running program, or the kernel swaps to it")
            raise
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            self._refuse(errno.EBUSY, "is locked by a process that uses it")
        except OSError:
            pass  # this file system has no such locks
        finally:
            os.close(fd)

    def _check_folder(self, before: os.stat_result | None) -> None:
        if os.fstatvfs(self.fd).f_flag & os.ST_RDONLY:
            self._refuse(errno.EROFS, "is on a read-only file system")
        if not os.access(".", os.W_OK | os.X_OK, dir_fd=self.fd, effective_ids=True):
            self._refuse(errno.EACCES, f"no file can be made in {self.folder}; check its mode")
        if before is None:
            return
        status, user = os.fstat(self.fd), os.geteuid()
        if status.st_mode & stat.S_ISVTX and user not in (0, status.st_uid, before.st_uid):
            self._refuse(errno.EPERM, f"is another user's, and {self.folder} is a shared folder")

    def create(self, mode: int) -> tuple[str, int]:
        """A new file beside the target, nobody else's: its name and descriptor."""
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        if self.before is not None:
            mode = 0o600  # until it has the mode of the file that it replaces
        while True:
            draft = f".swapfast-{secrets.token_hex(8)}.tmp"
            try:
                return draft, os.open(draft, flags, mode, dir_fd=self.fd)
            except FileExistsError:
                continue

    def keep_mode(self, fd: int) -> None:
        """Owner, as far as this user may give it away, and mode of the file that was there."""
        if self.before is None:
            return
        mine = os.fstat(fd)
        if (mine.st_uid, mine.st_gid) != (self.before.st_uid, self.before.st_gid):
            with contextlib.suppress(PermissionError):
                os.fchown(fd, self.before.st_uid, self.before.st_gid)
        os.fchmod(fd, self.before.st_mode & 0o777)

    def rename(self, draft: str) -> None:
        """Give the file its name, if nothing came there that is not a file."""
        self._now()
        os.rename(draft, self.name, src_dir_fd=self.fd, dst_dir_fd=self.fd)

    def sync(self) -> None:
        """Wait until the name is on the disk."""
        try:
            fd = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=self.fd)
        except PermissionError:
            return  # a folder that may be written, but not read
        try:
            os.fsync(fd)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOTSUP):
                raise
        finally:
            os.close(fd)

    def close(self) -> None:
        """Let the folder go."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


class _NamedFile(io.FileIO):
    """A descriptor whose errors have the name that the user gave."""

    def __init__(self, fd: int, given: str) -> None:
        super().__init__(fd, "r+b", closefd=False)
        self.given = given

    def write(self, data: Any, /) -> int:
        try:
            return cast(int, super().write(data))
        except OSError as error:
            _renamed(error, self.given)

    def truncate(self, size: int | None = None, /) -> int:
        try:
            return super().truncate(size)
        except OSError as error:
            _renamed(error, self.given)


def _renamed(error: OSError, given: str) -> NoReturn:
    """The same error about the file as the user knows it."""
    if error.filename == given:
        raise error
    code = error.errno or errno.EIO
    raise system_error(code, os.strerror(code), given) from None


def _status(path: AnyPath) -> os.stat_result | None:
    try:
        return os.stat(path)
    except FileNotFoundError:
        return None


def _same(first: os.stat_result, second: os.stat_result) -> bool:
    return (first.st_dev, first.st_ino) == (second.st_dev, second.st_ino)


def _check_kind(status: os.stat_result | None, given: str) -> None:
    if status is None or stat.S_ISREG(status.st_mode):
        return
    if stat.S_ISDIR(status.st_mode):
        raise system_error(errno.EISDIR, "is a folder; name a file in it", given)
    kind = _KINDS.get(stat.S_IFMT(status.st_mode), "a special file")
    raise system_error(errno.EINVAL, f"is {kind}, not a regular file", given)


def _followed(path: str) -> str:
    """A name that is not a link: what `path` points to, step by step, as the kernel goes."""
    for _ in range(_MOST_LINKS):
        try:
            link = os.readlink(path)
        except OSError:
            return path
        path = os.path.join(os.path.dirname(path), link)
    raise system_error(errno.ELOOP, os.strerror(errno.ELOOP), path)
