"""The way of writes to a device, as the slow twins of the 6.18 policies have it.

A page that is written waits in the plug until its request is sent; the device does requests one
after the other.

Sources: block/blk-mq.c (blk_add_rq_to_plug, blk_attempt_plug_merge) of Linux 6.18.
"""

from collections import deque


class WriteOut:
    """The plug, the device and the clock; ``times`` by name, in ns."""

    def __init__(self, times):
        self.t = times
        self.plug = []  # requests: (is it a read, slots, pages to be written)
        self.held = False  # read-ahead has the plug
        self.queue = deque()  # pages that are written, and when that is done
        self.now = self.dev_free = self.last_done = 0

    def plug_add(self, slot, pages):
        """A write of one page, or a read of read-ahead (no pages)."""
        last = self.plug[-1] if self.plug else None
        read = not pages
        if last and last[0] == read and slot == last[1][-1] + 1 and len(last[1]) < 254:
            last[1].append(slot)
            last[2].extend(pages)
        else:
            decides = self.plug[0 if self.held else -1] if self.plug else None
            if len(self.plug) >= 32 or (decides and len(decides[1]) >= 32):
                self.flush()
            self.plug.append((read, [slot], list(pages)))
        if pages:
            self.now += self.t["plug_page"]

    def flush(self):
        pages = [p for request in self.plug for p in request[2]]
        self.plug = []
        while pages:
            n = 1
            while n < min(254, len(pages)) and pages[n].slot == pages[0].slot + n:
                n += 1
            self.now += self.t["flush_request"]
            self.dev_free = max(self.dev_free, self.now)
            self.dev_free += self.t["write_request"] + n * self.t["write_page"]
            self.last_done = max(self.last_done, self.dev_free + self.t["write_latency"])
            self.queue.extend((p, self.last_done) for p in pages[:n])
            pages = pages[n:]
