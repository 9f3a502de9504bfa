"""A system for measurements of programs side by side that only writes down what it is asked."""

import errno
import os

import numpy as np

from swapfast.latency import BUCKETS, Latency
from swapfast.measure.several.player import Told
from swapfast.measure.several.run import Many


def told(ms, majflt=10, refs=1100):
    """What a program says that began so late and took 20 ms."""
    counts = np.zeros(BUCKETS, np.uint64)
    counts[60] = 3
    slow = Latency(counts, sum=180, max=60)
    return Told(refs, majflt, 10**9 + ms * 10**6, 10**9 + (ms + 20) * 10**6, slow)


class Recorded:
    """Keeps a log, and what exists; ``fail`` names the calls that are refused, as "swapon 2"."""

    def __init__(self, fail=(), on_play=None):
        self.fail, self.on_play = set(fail), on_play
        self.log, self.counted = [], {}
        self.on, self.files, self.settings = set(), set(), {}

    def _called(self, name, path, text=""):
        self.log.append(f"{name} {path.name}{text}")
        self.counted[name] = self.counted.get(name, 0) + 1
        if f"{name} {self.counted[name]}" in self.fail:
            raise OSError(errno.EIO, "no luck", str(path))

    def swapoff(self, path):
        self._called("swapoff", path)
        self.on.remove(path)


class FakeMany(Recorded, Many):
    """Groups are plain folders of the fake machine; nothing else is touched."""

    def __init__(self, ends=(), fail=(), on_play=None):
        super().__init__(fail, on_play)
        self.ends, self.orders, self.groups = list(ends), [], []
        self.out = 1000

    def mkswap(self, path, size):
        self._called("mkswap", path, f" {size >> 20}")
        self.files.add(path)

    def unlink(self, path):
        self._called("unlink", path)
        self.files.remove(path)

    def swapon_at(self, path, priority):
        self._called("swapon", path, f" {priority}")
        self.on.add(path)

    def mkdir(self, path):
        self._called("mkdir", path)
        path.mkdir()
        self.groups.append(path)
        held = 10 * 4096
        two = f"anon {held}\nfile 0\nkernel 0\npswpin 1\npswpout 2\npgmajfault 3\n"
        one = f"total_rss {held}\ntotal_cache 0\npgmajfault 3\n"
        (path / "memory.stat").write_text(two + one)
        (path / "memory.kmem.usage_in_bytes").write_text("0\n")

    def rmdir(self, path):
        self._called("rmdir", path)
        assert path == self.groups.pop(), "those below go first"
        for file in path.iterdir():
            file.unlink()
        os.rmdir(path)

    def write(self, path, text):
        self._called("write", path, f" {text}")
        if path.parent in self.groups:
            path.write_text(text)
        else:
            self.settings[path.name] = text

    def settle(self):
        self.log.append("settle")

    def swapped_out(self):
        self.out += 500
        return self.out

    def together(self, orders, ready, stop):
        self.orders.append(orders)
        self._called("play", self.groups[0], "".join(f" {one.name}" for one in orders))
        ready()
        for path in self.groups:
            stat = path / "memory.stat"
            stat.write_text(stat.read_text().replace("pswpout 2", "pswpout 9"))
        if self.on_play is not None:
            self.on_play()
        stop.check()
        return self.ends.pop(0) if self.ends else [told(0), told(3, majflt=20)]

    def is_clean(self):
        before = {"page-cluster": "3", "swappiness": "45"}
        return not (self.files or self.on or self.groups) and all(
            before[k] == v for k, v in self.settings.items()
        )
