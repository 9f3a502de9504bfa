"""A scenario that takes milliseconds: two programs, two scopes, a kill in one of them."""

from __future__ import annotations

TINY = """\
title = "Two in a little room"
[run]
stop = "200ms"
seeds = 3
sentence = "web's 99th percentile is {programs.web.p99_us}"
answer = "With a file each web waits {swap_ns/shared|programs.web.p99_us} as long."
metrics = ["programs.*.p99_us", "programs.*.majors", "oom_kills.*"]
[machine]
memory = "32MiB"
[[device]]
name = "d0"
preset = "sata-ssd"
[[swapfile]]
name = "s0"
size = "8MiB"
device = "d0"
[[swapfile]]
name = "s1"
size = "1MiB"
device = "d0"
[[cgroup]]
path = "/web"
"memory.max" = "2MiB"
watch = true
[[cgroup]]
path = "/batch"
"memory.max" = "2MiB"
[[login]]
name = "web"
namespace = false
swapon = ["s0", "s1"]
cgroup = "/web"
[[login.program]]
kind = "generator"
pattern = "zipf"
pages = 1000
refs = 20000
think = "1us"
loops = "forever"
[[login]]
name = "batch"
namespace = false
cgroup = "/batch"
[[login.program]]
kind = "generator"
pattern = "uniform"
pages = 1200
refs = 20000
loops = "forever"
[[scope]]
name = "shared"
kind = "shared"
[[scope]]
name = "swap_ns"
kind = "swap_ns"
map = { web = ["s0"], batch = ["s1"] }
[[expect]]
metric = "oom_kills.batch"
order = ["shared", "swap_ns"]
why = "its file is too small"
[[plot]]
kind = "bars"
title = "How long web waits"
metric = "programs.web.p99_us"
[[plot]]
kind = "lines"
title = "Faults of web"
series = "programs.web"
column = "majors"
[[plot]]
kind = "scatter"
x = "programs.web.p99_us"
y = "programs.web.majors"
"""
