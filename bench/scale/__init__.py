"""The shape of cost: what one unit costs where there are few of them, and where there are many.

- ``axis``: what an axis is; each of its points is measured in a process of its own.
- ``machines``: references, pages, slots, areas, swap namespaces, tasks of one machine.
- ``company``: programs side by side, checkpoints, machines in threads and processes, cells.
- ``fit``: the exponent of cost per unit, with its interval.
- ``draw``: the curves, log by log.
- ``python -m bench.scale``: all of it as a table, as JSON, as a picture.
"""
