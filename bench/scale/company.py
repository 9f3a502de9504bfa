from bench.scale.axis import Axis

AXES: dict[str, Axis] = {}
