"""What every source of handwritten digits hands to a recipe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CLASS_NAMES = tuple("0123456789")


@dataclass(frozen=True)
class DigitImages:
    """70,000 labelled digits: 60,000 training images in file order, then 10,000 test images.

    Attributes:
        images: uint8, shape (70000, 28, 28); 0 is background, 255 is ink.
        labels: uint8, shape (70000,), 0 to 9.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]
