"""A kernel: its state as plain data, and its system calls as functions over it.

From the bottom to the top; a file imports from lines above its own:

- ``profile``, ``rules``, ``records``, ``device``, ``ranks``, ``tiers``, ``group_scopes``: values.
- ``options``, ``calls``, ``changes``, ``files``, ``groups``, ``shared``: one value for all that is
  chosen; the table of system calls; all or nothing; swapfiles; groups by name; shared memory.
- ``state``: every other noun, but for ``control``: memory groups as people hold them.
- ``control_file``, ``scope_kinds``: a file of a cgroup; those that say where its pages go.
- ``clone_flags``, ``overcommit``, ``scopes``, ``segments``, ``tasks``, ``wiping``: single rules.
- ``areas``, ``mmap``: what needs no victim.
- ``exit``, ``oom``, ``batches``, ``control_files``: who dies, and what may kill.
- ``clone``, ``swapon``, ``shm``, ``cgroup``, ``procfs``: the other calls, and what one reads.
- ``boot``, ``readings``: a kernel with its first task; what a machine only shows.
"""
