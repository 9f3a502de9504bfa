"""mkswap: the bytes and words of util-linux, and files made whole or not at all."""

from __future__ import annotations

import errno
import os
import resource
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swapfast.swapfile import format_size, mkswap, parse_header, parse_size

UUID = "0f7ed6f1-3a36-4d1b-8f4e-0123456789ab"
Allocated = Callable[[str, int], Path]


@pytest.mark.parametrize(
    ("size", "line"),
    [
        ("64MiB", "Setting up swapspace version 1, size = 64 MiB (67104768 bytes)"),
        (512 << 20, "Setting up swapspace version 1, size = 512 MiB (536866816 bytes)"),
        (40960, "Setting up swapspace version 1, size = 36 KiB (36864 bytes)"),
    ],
)
def test_words(size: int | str, line: str, tmp_path: Path) -> None:
    result = mkswap(tmp_path / "s", size=size, uuid=UUID)
    assert result.lines == (line, f"no label, UUID={UUID}")
    assert result.warnings == ()


@pytest.mark.parametrize("size", [40960, 40961, 45056, 1 << 20, (1 << 20) + 4097, 67043328 + 4096])
@pytest.mark.parametrize("label", [None, "swap", "", "exactly15bytes!", "longer than 15 bytes"])
def test_same_as_util_linux(
    size: int, label: str | None, allocated: Allocated, tool: Callable[..., object]
) -> None:
    ours, theirs = allocated("ours", size), allocated("theirs", size)
    options = [] if label is None else ["-L", label]
    done = tool("mkswap", "-U", UUID, *options, theirs)
    result = mkswap(ours, label=label, uuid=UUID)
    assert ours.read_bytes() == theirs.read_bytes()
    assert "\n".join(result.lines) + "\n" == done.stdout
    warned = [line.removeprefix("mkswap: ") for line in done.stderr.splitlines()]
    assert list(result.warnings) == warned
    ours.unlink()
    mkswap(ours, size=size, label=label, uuid=UUID)
    assert ours.read_bytes() == theirs.read_bytes()


@pytest.mark.parametrize("page_size", [4096, 16384, 65536])
def test_other_page_sizes_and_old_signatures(
    page_size: int, allocated: Allocated, tool: Callable[..., object]
) -> None:
    """Formatting again with another page size leaves no signature of the first."""
    ours, theirs = allocated("ours", 1 << 20), allocated("theirs", 1 << 20)
    for path in (ours, theirs):
        path.write_bytes(b"\x5a" * (1 << 20))
        mkswap(path, page_size=65536, uuid=UUID)
    done = tool("mkswap", "-U", UUID, "-p", page_size, theirs)
    result = mkswap(ours, page_size=page_size, uuid=UUID)
    assert ours.read_bytes() == theirs.read_bytes()
    assert f"{theirs}: warning: wiping old swap signature." in done.stderr
    assert result.warnings == (f"{ours}: warning: wiping old swap signature.",)


def test_what_other_tools_read(tmp_path: Path, tool: Callable[..., object]) -> None:
    path = tmp_path / "s"
    mkswap(path, size="1MiB", label="of login 1", uuid=UUID)
    read = tool("swaplabel", path).stdout.split("\n")
    assert read[:2] == ["LABEL: of login 1", f"UUID:  {UUID}"]
    probed = tool("blkid", "-p", path).stdout
    assert f'UUID="{UUID}"' in probed
    assert 'VERSION="1"' in probed
    assert 'TYPE="swap"' in probed
    assert (
        "4k page size, little endian, version 1, size 255 pages, 0 bad pages"
        in (tool("file", path).stdout)
        or sys.byteorder == "big"
    )


def test_what_other_tools_wrote(allocated: Allocated, tool: Callable[..., object]) -> None:
    path = allocated("s", 1 << 20)
    tool("mkswap", "-L", "theirs", "-U", UUID, path)
    tool("swaplabel", "-L", "relabelled", path)
    header = parse_header(path.read_bytes()[:4096])
    assert (header.label, str(header.uuid), header.last_page) == ("relabelled", UUID, 255)


def test_only_the_first_page_is_written(tmp_path: Path) -> None:
    path = tmp_path / "s"
    path.write_bytes(b"\x5a" * 65536)
    path.chmod(0o600)
    result = mkswap(path, uuid=UUID)
    content = path.read_bytes()
    assert content[:4096] == result.header.pack()
    assert content[4096:] == b"\x5a" * 61440


@pytest.mark.parametrize(("force", "kept"), [(False, True), (True, False)])
def test_partition_table_is_kept_unless_forced(
    force: bool, kept: bool, allocated: Allocated
) -> None:
    path = allocated("disk", 1 << 20)
    boot = bytes(510) + b"\x55\xaa" + bytes(512)
    with open(path, "r+b") as file:
        file.write(boot)
    result = mkswap(path, force=force)
    assert path.read_bytes()[:1024] == (boot if kept else bytes(1024))
    assert ("dos partition table detected" in "".join(result.warnings)) == kept
    assert parse_header(path.read_bytes()[:4096]).last_page == 255


def test_new_file_is_private_whole_and_whatever_the_umask(tmp_path: Path) -> None:
    for mask in (0, 0o022, 0o777):
        path = tmp_path / f"s{mask}"
        old = os.umask(mask)
        try:
            mkswap(path, size="1MiB")
        finally:
            os.umask(old)
        status = path.stat()
        assert stat.S_IMODE(status.st_mode) == 0o600
        assert status.st_size == 1 << 20
        assert status.st_blocks * 512 >= 1 << 20


def test_existing_file_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "precious"
    path.write_bytes(b"data")
    link = tmp_path / "link"
    link.symlink_to(path)
    dangling = tmp_path / "dangling"
    dangling.symlink_to(tmp_path / "elsewhere")
    for name in (path, link, dangling):
        with pytest.raises(FileExistsError, match="leave size out"):
            mkswap(name, size="1MiB")
    assert path.read_bytes() == b"data"
    assert not (tmp_path / "elsewhere").exists()


def test_links_directories_and_devices_are_refused(tmp_path: Path) -> None:
    (tmp_path / "s").write_bytes(bytes(65536))
    (tmp_path / "link").symlink_to("s")
    os.link(tmp_path / "s", tmp_path / "second")
    for name in ("link", "second", "."):
        with pytest.raises(OSError, match=r"link|names|directory") as caught:
            mkswap(tmp_path / name)
        assert caught.value.errno == errno.EINVAL
    with pytest.raises(OSError, match="character device"):
        mkswap("/dev/null")
    assert (tmp_path / "s").read_bytes() == bytes(65536)
    with pytest.raises(FileNotFoundError, match="make it with mkswap and a size"):
        mkswap(tmp_path / "none")


def test_permissions_and_holes_are_warned_of(tmp_path: Path) -> None:
    path = tmp_path / "sparse"
    with open(path, "wb") as file:
        file.truncate(1 << 20)
    path.chmod(0o644)
    warnings = mkswap(path).warnings
    assert warnings[0] == f"{path}: insecure permissions 0644, fix with: chmod 0600 {path}"
    assert "contains holes" in warnings[1]
    assert len(warnings) == 2


def test_more_pages_than_a_header_counts(tmp_path: Path, tool: Callable[..., object]) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    for path in (ours, theirs):
        with open(path, "wb") as file:
            file.truncate((2**32 + 9) * 2048)
        path.chmod(0o600)
    done = tool("mkswap", "-p", 2048, "-U", UUID, theirs)
    result = mkswap(ours, page_size=2048, uuid=UUID)
    assert result.header.last_page == 2**32 - 2
    assert "\n".join(result.lines) + "\n" == done.stdout
    assert result.warnings[0] == "warning: truncating swap area to 8589934590 KiB"
    assert result.warnings[0] in done.stderr
    with open(ours, "rb") as left, open(theirs, "rb") as right:
        assert left.read(65536) == right.read(65536)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": 40959}, "at least 40 KiB"),
        ({"size": "639KiB", "page_size": 65536}, "at least 640 KiB"),
        ({"size": -1}, "negative"),
        ({"size": "big"}, "not a size"),
        ({"size": 40960, "bad_pages": [1]}, "1 bad pages of 10, at most 0"),
        ({"size": "4MiB", "bad_pages": range(1, 639)}, "at most 637"),
        ({"size": "1MiB", "bad_pages": [256]}, "byte 1536"),
        ({"size": "1MiB", "uuid": "nonsense"}, "uuid"),
        ({"size": "1MiB", "label": "a\0b"}, "NUL"),
        ({"size": "1MiB", "page_size": 1000}, "page_size"),
        ({"size": "1MiB", "byteorder": "middle"}, "byteorder"),
    ],
)
def test_bad_argument_writes_nothing(
    arguments: dict[str, object], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=message):
        mkswap(tmp_path / "s", **arguments)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_too_small_file_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "s"
    path.write_bytes(b"\x5a" * 40959)
    with pytest.raises(ValueError, match=r"40959 bytes.*at least 40 KiB"):
        mkswap(path)
    assert path.read_bytes() == b"\x5a" * 40959


def test_options(tmp_path: Path) -> None:
    result = mkswap(
        tmp_path / "a", size="1MiB", bad_pages=[3, 9], byteorder="big", uuid="clear", label="né"
    )
    header = parse_header((tmp_path / "a").read_bytes())
    assert header == result.header
    assert (header.bad_pages, header.byteorder, header.label) == ((3, 9), "big", "né")
    assert result.lines[0] == "2 bad pages"
    assert result.size == (255 - 2) * 4096
    assert result.lines[2] == "LABEL=né, UUID=00000000-0000-0000-0000-000000000000"
    assert mkswap(tmp_path / "b", size="1MiB", uuid="time").header.uuid.version == 1
    assert mkswap(tmp_path / "e", size="1MiB", uuid=header.uuid).header.uuid == header.uuid
    first, second = (mkswap(tmp_path / name, size="1MiB").header.uuid for name in "cd")
    assert first != second
    assert first.version == 4


def test_label_cut_within_a_character(tmp_path: Path) -> None:
    result = mkswap(tmp_path / "s", size="1MiB", label="14 bytes here.é")
    assert result.warnings == ("Label was truncated.",)
    assert (tmp_path / "s").read_bytes()[1052:1068] == b"14 bytes here.\xc3\0"
    assert result.lines[1].startswith("LABEL=14 bytes here.\ufffd, ")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1M", "none", str(folder)]
    if os.geteuid() or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("mounting a small tmpfs takes root with CAP_SYS_ADMIN")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_full_disk_leaves_nothing(small_disk: Path) -> None:
    with pytest.raises(OSError, match="cannot allocate 2 MiB: No space left") as caught:
        mkswap(small_disk / "s", size="2MiB")
    assert caught.value.errno == errno.ENOSPC
    assert list(small_disk.iterdir()) == []
    mkswap(small_disk / "s", size="512KiB")


def test_file_size_limit_leaves_nothing(tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, limits[1]))
    try:
        with pytest.raises(OSError, match="cannot allocate") as caught:
            mkswap(tmp_path / "s", size="2MiB")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert caught.value.errno == errno.EFBIG
    with pytest.raises(OSError, match="more than a file can have") as caught:
        mkswap(tmp_path / "s", size="16EiB")
    assert caught.value.errno == errno.EFBIG
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("call", ["pwrite", "fsync", "fchmod"])
def test_any_failing_call_leaves_nothing(
    call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.EIO, "injected")

    before = set(os.listdir("/proc/self/fd"))
    with monkeypatch.context() as patch:
        patch.setattr(os, call, fail)
        with pytest.raises(OSError, match="injected"):
            mkswap(tmp_path / "s", size="1MiB")
    assert list(tmp_path.iterdir()) == []
    assert set(os.listdir("/proc/self/fd")) == before


def test_file_system_without_room_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = sys.modules["swapfast.swapfile.mkswap"]
    monkeypatch.setattr(module, "unsupported_extent", lambda *_: "is compressed")
    with pytest.raises(OSError, match="is compressed: this file system cannot") as caught:
        mkswap(tmp_path / "s", size="1MiB")
    assert caught.value.errno == errno.EINVAL
    assert list(tmp_path.iterdir()) == []


def test_cleaning_up_spares_what_took_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "s"

    def take_name(*_: object) -> None:
        path.unlink()
        path.write_bytes(b"another")
        raise OSError(errno.EIO, "injected")

    def remove(*_: object) -> None:
        path.unlink()
        raise OSError(errno.EIO, "injected")

    for accident, left in ((take_name, b"another"), (remove, None)):
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", accident)
            with pytest.raises(OSError, match="injected"):
                mkswap(path, size="1MiB")
        assert (path.read_bytes() if path.exists() else None) == left
        path.unlink(missing_ok=True)


def test_gpt_is_a_partition_table_too(allocated: Allocated) -> None:
    path = allocated("disk", 1 << 20)
    with open(path, "r+b") as file:
        file.seek(512)
        file.write(b"EFI PART")
    assert "(gpt partition table detected)" in mkswap(path).warnings[0]


def test_short_writes_are_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pwrite = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda fd, data, at: pwrite(fd, data[:1000], at))
    result = mkswap(tmp_path / "s", size="1MiB")
    assert (tmp_path / "s").read_bytes()[:4096] == result.header.pack()


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("4096", 4096),
        (" 64 MiB ", 64 << 20),
        ("512M", 512 << 20),
        ("512m", 512 << 20),
        ("10kB", 10000),
        ("1.5GiB", 3 << 29),
        ("2E", 2 << 60),
        ("7B", 7),
        (12, 12),
    ],
)
def test_parse_size(text: str | int, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "MiB", "-1", "1.5", "0.3KiB", "1XB", "1 2", "1KiB2", "nan"])
def test_parse_size_refuses(text: str) -> None:
    with pytest.raises(ValueError, match="size"):
        parse_size(text)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1 KiB"),
        (67043328, "63.9 MiB"),
        (67104768, "64 MiB"),
        (3 << 29, "1.5 GiB"),
        (1 << 60, "1 EiB"),
    ],
)
def test_format_size(size: int, text: str) -> None:
    assert format_size(size) == text


@given(st.integers(0, 2**64 - 1))
def test_format_size_is_near(size: int) -> None:
    unit = 1024 ** max((size.bit_length() - 1) // 10, 0)
    assert abs(parse_size_loosely(format_size(size)) - size) <= unit // 20 + unit // 1000 + 1


def parse_size_loosely(text: str) -> float:
    number, unit = text.split(" ")
    return float(number) * 1024 ** "BKMGTPE".index(unit[0])
