"""The compiled tables of the core, beside ``swapfast._core``: functions over its ``Core``.

- ``mapping_table``, ``memcg_table``, ``scope_table``, ``area_table``: tables in, facts out, in the
  core's numbers.
- ``device_table``: devices that areas lie on; ``world``: programs side by side.
- ``images``: a machine's state as arrays and dicts.
- ``tier_table``: tiers of swap, and what memcgs have there.
- ``slot_pins``: slots that a checkpoint keeps: pins and checksums.
- ``guard``: the process's one handler of SIGBUS.
- ``batches.pxi``: what may fault or evict; part of ``swapfast._core``.
"""
