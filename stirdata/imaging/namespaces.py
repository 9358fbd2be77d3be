"""The functions of the array API for arrays of any library."""

from __future__ import annotations

from typing import Any

import numpy as np


def array_namespace(*arrays: Any) -> Any:
    """Return the array API's functions for arrays of one library: NumPy, or torch on any device.

    NumPy has all that is needed itself since 2.1. array-api-compat, which has it for older ones and torch,
    imports every part of NumPy, which takes longer than to rescale ten thousand digits.

    Raises:
        TypeError: The arrays are of several libraries, or of none.

    Examples:
        >>> array_namespace(np.zeros(3)).concat([np.zeros(1), np.ones(1)]).tolist()
        [0.0, 1.0]
    """
    if hasattr(np, "astype") and all(isinstance(array, np.ndarray) for array in arrays):
        return np
    from array_api_compat import array_namespace as namespace_of

    return namespace_of(*arrays)
