"""Types of NumPy arrays: whole numbers, real numbers and truths, as all computations use them."""

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
