"""Types of the compiled survey of references."""

import numpy as np
from numpy.typing import NDArray

def highest_page(refs: NDArray[np.uint32]) -> int: ...
def writes_among(refs: NDArray[np.uint32]) -> int: ...
