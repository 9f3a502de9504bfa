"""Compiled parts of the core that stand beside ``swapfast._core``.

- ``guard``: the process's one handler of SIGBUS.
"""
