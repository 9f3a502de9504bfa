"""A kernel: its state as plain data, and its system calls as functions over it.

From the bottom to the top, each file importing from above it in this list alone:

- ``profile``, ``rules``, ``options``: which kernel; what the letter leaves open; one value for all.
- ``index_space``, ``ranks``, ``changes``: runs of numbers, default priorities, all or nothing.
- ``records``, ``calls``: what system calls return, and the table of them.
- ``shared``, ``state``: every noun.
- ``wiping``, ``files``, ``scopes``, ``overcommit``, ``shm``, ``areas``, ``mmap``: need no victim.
- ``exit``, ``oom``, ``batches``: who dies, and what may kill.
- ``clone``, ``swapon``, ``cgroup``, ``procfs``: the other system calls and what one reads.
- ``boot``: a kernel with its first task.
"""
