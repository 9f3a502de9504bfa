"""Many runs of a scenario, and what they say together.

- ``cells``: one run that is asked for, and its key; ``plan``, ``axes``: which ones there are.
- ``pool``, ``cluster``: runs in processes of this machine, or of many.
- ``runs``, ``sound``: runs as lines of a file, and whether a line is one.
- ``statistics``: means, intervals; ``columns``, ``comparison``, ``table``: side by side.
- ``figures``: numbers with their units; ``verdict``: the sentence that a comparison comes to.
- ``sweep``: all cells of some lists, to be continued; ``check``: what a scenario expects.
"""
