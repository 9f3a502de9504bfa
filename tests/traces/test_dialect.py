"""Tables as people write them, and logs as they come out of valgrind: read, or refused as what they
are."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

from swapfast.traces import StreamedTrace, open_trace
from swapfast.traces.formats import guess_format
from swapfast.traces.text import read_csv, read_lackey

W = 1 << 31


def put(folder, data: bytes, name: str) -> str:
    path = folder / name
    path.write_bytes(data)
    return str(path)


SAME = {  # all of them: page 7 read, page 8 written
    "plain": b"page,write\n7,0\n8,1\n",
    "blanks in fields": b"page, write\n7, 0\n8 , 1 \n",
    "tab": b"page\twrite\n7\t0\n8\t1\n",
    "tab and blanks": b"page\t write\n7 \t 0\n 8\t1 \n",
    "semicolon": b"page;write\n7;0\n8;1\n",
    "bar": b"page|write\n7|0\n8|1\n",
    "columns of blanks": b"  page  write\n     7      0\n     8      1\n",
    "quotes": b'"page","write"\n"7","0"\n"8","1"\n',
    "a quoted comma": b'note,page,write\n"a, b",7,0\n"say ""no""",8,1\n',
    "a comment first": b"# made by x, on a day\npage,write\n7,0\n8,1\n",
    "comments between": b"page,write\n7,0\n# half\n8,1\n#end\n",
    "a long comment": b"#" + b"x" * 9000 + b"\npage,write\n7,0\n# " + b"y" * 9000 + b"\n8,1\n",
    "names in a comment": b"# page,write\n7,0\n8,1\n",
    "a blank line first": b"\npage,write\n7,0\n8,1\n",
    "blank lines": b"\r\n \npage,write\r\n\r\n7,0\r\n  \t\n8,1\r\n\r\n",
    "byte order mark": b"\xef\xbb\xbfpage,write\r\n7,0\r\n8,1",
    "byte order mark and a blank line": b"\xef\xbb\xbf\npage,write\n7,0\n8,1\n",
    "capitals": b"PAGE,Op\n7,r\n8,S\n",
    "other columns": b"time;PAGE;cpu;write\n1.5;7;0;0\n2,5;8;1;1\n",
    "no header": b"R,0x7000\nW,0x8000\n",
    "no header, the address first": b"0x7000 r\n0x8000 w\n",
    "hexadecimal": b"address\tsize\top\n0x7000\t8\tL\n0X8ff8\t8\tM\n",
}


@pytest.mark.parametrize("name", ["t.csv", "t", "t.csv.gz"])
@pytest.mark.parametrize("kind", SAME)
def test_a_table_is_read_however_it_is_written(tmp_path, kind, name):
    data = SAME[kind]
    path = put(tmp_path, gzip.compress(data) if name.endswith("gz") else data, name)
    assert guess_format(path) == "csv"
    for trace in (open_trace(path), read_csv(path), open_trace(path, hold=1)):
        assert trace.refs.tolist() == [0, 1 | W]
        assert trace.addresses.tolist() == [7, 8]


def test_what_numpy_writes(tmp_path):
    path = str(tmp_path / "t.csv")
    table = np.array([[7, 0], [8, 1]])
    np.savetxt(path, table, fmt="%d", delimiter=",", header="page,write")
    assert open_trace(path).addresses.tolist() == [7, 8]
    np.savetxt(path, table, fmt="%d", header="page write")
    assert open_trace(path).addresses.tolist() == [7, 8]


def test_accesses_over_several_pages(tmp_path):
    path = put(tmp_path, b"op,address,size\nR,0x1ffe,4\nW,4096,1048576\n", "t.csv")
    trace = open_trace(path)
    assert trace.refs[:3].tolist() == [0, 1, 0 | W]
    assert len(trace) == 2 + 256
    assert trace.addresses.tolist() == list(range(1, 257))
    for size in (0, (1 << 20) + 1, 1 << 40):
        path = put(tmp_path, b"op,address,size\nR,0,1\nR,0,%d\n" % size, "t.csv")
        with pytest.raises(ValueError, match=r"t.csv:3: the size is not 1 to 1048576 bytes"):
            open_trace(path)


REFUSED = {
    "other names": (b"addr,rw\n0x1000,R\n", 1, r"needs 'page' or 'address'.*\(found: addr, rw\)"),
    "libCacheSim": (
        b"time,obj_id,obj_size,op\n1,2,3,get\n", 1, r"\(found: time, obj_id, obj_size, op\)"),
    "other names after comments": (b"# a\n\nvpn;rw\n1;0\n", 3, r"\(found: vpn, rw\)"),
    "no header": (b"1,0\n", 1, r"no header line: data comes first \(1, 0\)"),
    "no header, three columns": (b"R,0x10,8\n", 1, "no header line: data comes first"),
    "no operation": (b"page\n1\n", 1, "the header needs 'write' or 'op', and only one"),
    "another separator below": (b"page,write\n1;0\n", 2, "has not as many fields as the header"),
    "a quote that does not end": (b'page,write\n"1,0\n', 2, "a quoted field does not end"),
    "something after a quote": (b'page,write\n"1"2,0\n', 2, "a quoted field does not end"),
    "old line ends": (b"page,write\r1,0\r", 1, "no header line|carriage return alone"),
    "a terminal is not obeyed": (b"\x1b[2Jaddr,rw\n", 1, r"\(found: \?\[2jaddr, rw\)"),
}  # fmt: skip


@pytest.mark.parametrize("kind", REFUSED)
def test_a_table_that_is_not_read_says_what_it_needs(tmp_path, kind):
    data, line, cause = REFUSED[kind]
    path = put(tmp_path, data, "t.csv")
    if kind == "old line ends":
        data += b"\n"
        path = put(tmp_path, data, "t.csv")
    with pytest.raises(ValueError, match=cause) as error:
        open_trace(path)
    assert str(error.value).startswith(f"{path}:{line}: ")
    assert "\x1b" not in str(error.value)


def test_comments_without_end_are_no_trace(tmp_path):
    path = put(tmp_path, b"# x\n" * (1 << 19), "t.csv")
    with pytest.raises(ValueError, match="no header line in the first 1048576 bytes"):
        open_trace(path)


def test_text_of_no_kind_says_both(tmp_path):
    with pytest.raises(ValueError, match=r"is not 'I  addr,size'.*, nor the header of a CSV"):
        open_trace(put(tmp_path, b"hello\n", "notes"))


# --------------------------------------------------------------------- logs

REAL = (
    b"==9312== Lackey, an example Valgrind tool\n==9312== Command: true\n==9312== \n"
    b"SB 0401ab70\nI  0401ab70,3\n S 1fff000768,8\nSB 0401b770\n L 04222cac,4\n"
    b"--9312-- something\n**9312** of the client\n"
    b"==9312== Counted 1 call to main()\n==9312== Exit code: 0\n"
)


def test_superblocks_are_passed_over(tmp_path):
    trace = open_trace(put(tmp_path, REAL, "sb.lackey"))
    assert (len(trace), trace.writes) == (2, 1)
    assert len(read_lackey(put(tmp_path, REAL, "sb.lackey"), instructions=True)) == 3


def test_a_log_with_times(tmp_path):
    data = REAL.replace(b"==9312==", b"==00:00:00:00.123 9312==")
    assert len(open_trace(put(tmp_path, data, "t.lackey"))) == 2
    other = data + b"==00:00:00:02.000 9313== Lackey\n L 1000,4\n"
    with pytest.raises(ValueError, match="there are the processes 9312, 9313"):
        open_trace(put(tmp_path, other, "t.lackey"))


def test_traces_of_a_course(tmp_path):
    text = b"I 0400d7d4,8\n M 0421c7f0,4\n L 04f6b868,8\n S 7ff0005c8,8\n I 0400d7d4,8\n"
    path = put(tmp_path, text, "handout.trace")
    assert guess_format(path) == "lackey"
    assert (len(open_trace(path)), open_trace(path).writes) == (3, 2)
    assert len(open_trace(path, instructions=True)) == 5


@pytest.mark.parametrize("line", [b"bin\n", b"hello, world\n", b" L ong ago\n", b"bin L 1ffe,8\n"])
def test_output_of_the_program_says_what_to_do(tmp_path, line):
    path = put(tmp_path, REAL + line, "mixed.log")
    with pytest.raises(ValueError, match="run valgrind with --log-file=NAME") as error:
        open_trace(path)
    assert str(error.value).startswith(f"{path}:13: ")


def log(pid: int, *pages: int, end: bool = True) -> bytes:
    body = b"".join(b" L %x000,4\n" % page for page in pages)
    last = b"==%d== Exit code: 0\n" % pid if end else b""
    return b"==%d== Lackey\n==%d== Command: ./a\n" % (pid, pid) + body + last


def test_logs_of_several_processes_are_refused_and_read_one_by_one(tmp_path):
    path = put(tmp_path, log(100, 1, 2) + log(200, 1, 9, 1) + log(300, 5, end=False), "all.lackey")
    with pytest.raises(ValueError, match=r"processes 100, 200, 300\).*--log-file=NAME.%p") as error:
        open_trace(path)
    assert str(error.value).startswith(f"{path}:6: a line of another process")
    for pid, pages in ((100, [1, 2]), (200, [1, 9]), (300, [5])):
        trace = open_trace(path, pid=pid)
        assert trace.addresses.tolist() == pages
        assert trace.origin == f"all.lackey, process {pid}"
    streamed = open_trace(path, pid=200, hold=1)
    assert isinstance(streamed, StreamedTrace)
    assert streamed.refs.tolist() == [0, 1, 0]
    with pytest.raises(ValueError, match="no reference of process 7; there are the processes 100,"):
        open_trace(path, pid=7)
    for pid in (-1, 1 << 32):
        with pytest.raises(ValueError, match="pid is the number of a process"):
            open_trace(path, pid=pid)


JUMBLED = {
    "fork without exec": log(100, 1, end=False) + b"==200== Counted 1\n" + b"==100== Counted 1\n",
    "one within the other": log(100, 1, end=False) + log(200, 1) + b"==100== Exit code: 0\n",
    "one after itself": log(100, 1) + log(200, 1) + log(100, 1),
}


@pytest.mark.parametrize("kind", JUMBLED)
def test_jumbled_processes_are_refused_whoever_is_asked_for(tmp_path, kind):
    path = put(tmp_path, JUMBLED[kind], "t.lackey")
    for pid in (None, 100, 200):
        with pytest.raises(ValueError, match=r"a line of another process.* 100, 200\): each has"):
            open_trace(path, pid=pid)


def test_two_runs_under_one_number_are_two(tmp_path):
    again = log(7, 1).replace(b"Lackey", b"Lackey, an example Valgrind tool")
    path = put(tmp_path, again + again, "t.lackey")
    for pid in (None, 7):
        with pytest.raises(ValueError, match=r"t.lackey:5: the log of another program begins here"):
            open_trace(path, pid=pid)


def test_a_reference_of_nobody(tmp_path):
    path = put(tmp_path, b" L 1000,4\n" + log(7, 1), "t.lackey")
    assert len(open_trace(path)) == 2
    with pytest.raises(ValueError, match=r"t.lackey:1: a reference before the first line"):
        open_trace(path, pid=7)


def test_a_pid_is_for_logs(tmp_path):
    with pytest.raises(ValueError, match=r"pid is for .*lackey.*, and this is csv"):
        open_trace(put(tmp_path, b"page,write\n1,0\n", "t"), pid=7)


def test_a_name_that_is_no_utf_8_is_kept_printable(tmp_path):
    from swapfast.traces import save_npz

    path = tmp_path / "caf\udce9\x1b.log"
    path.write_bytes(REAL)
    trace = open_trace(path)
    assert trace.origin == "caf\\xe9?.log"
    trace.origin = "a \ud800 lone one \udce9"  # of a library's user
    save_npz(tmp_path / "t.npz", trace)
    assert open_trace(tmp_path / "t.npz").origin == "a \\ud800 lone one \\udce9"
    trace.origin = "caf\udce9"
    save_npz(tmp_path / "t.npz", trace)
    assert open_trace(tmp_path / "t.npz").origin == "caf\\xe9"
    trace.origin = ""
    save_npz(tmp_path / "t.npz", trace)
    assert open_trace(tmp_path / "t.npz").refs.tolist() == trace.refs.tolist()


# --------------------------------------------------------------------- all processes of a log

SECTION = (
    b"==%d== Lackey, an example Valgrind tool\nSB 04000000\nI  04000000,3\n L 1000,4\n S 2000,4\n"
)


@pytest.mark.parametrize("hold", [100, 1])
def test_all_processes_side_by_side(tmp_path, hold):
    path = put(tmp_path, SECTION % 7 + SECTION % 8, "t")
    trace = open_trace(path, pid="all", hold=hold)
    assert trace.refs.tolist() == [0, 1 | W, 2, 3 | W]
    assert trace.addresses.tolist() == [1, 2, 1 | 1 << 52, 2 | 1 << 52]
    assert trace.origin == "t, all processes"
    assert open_trace(path, pid=8).addresses.tolist() == [1, 2]
    assert len(open_trace(path, pid="all", instructions=True)) == 6


def test_a_program_begun_anew_is_another_address_space(tmp_path):
    path = put(tmp_path, SECTION % 7 + SECTION % 7, "t")
    with pytest.raises(ValueError, match="the log of another program begins here"):
        open_trace(path)
    assert open_trace(path, pid="all").pages == 4


def test_processes_among_each_other_cannot_be_told_apart(tmp_path):
    path = put(tmp_path, SECTION % 7 + b"==8== x\n L 1000,4\n", "t")
    with pytest.raises(ValueError, match="a line of another process among those of one"):
        open_trace(path, pid="all")


def test_more_processes_than_have_room(tmp_path):
    sections = b"".join(b"==%d== Lackey\n L 1000,4\n" % n for n in range(4096))
    with pytest.raises(ValueError, match=r"t:8191: more processes or volumes than have room"):
        open_trace(put(tmp_path, sections, "t"), pid="all")
