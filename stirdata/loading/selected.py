"""What ``to_torch`` returns: a TensorDataset that unpacks into its tensors."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


class SelectedTensors:
    """Images and labels, and where asked for scales and positions, of the same N images.

    Every instance is a :class:`torch.utils.data.TensorDataset` as well: its length is N, an index gives
    a tuple with the part of each tensor, and DataLoader takes it. Iterating gives the whole tensors, so
    that ``images, labels = dataset.to_torch()`` works. Made by :func:`selected_tensors`.

    Attributes:
        tensors: Images, labels, and where asked for scales and positions.
    """

    tensors: tuple[torch.Tensor, ...]

    @property
    def images(self) -> torch.Tensor:
        """The images, (N, channels, height, width)."""
        return self.tensors[0]

    @property
    def labels(self) -> torch.Tensor:
        """The labels, int64 (N,)."""
        return self.tensors[1]

    if TYPE_CHECKING:

        def __len__(self) -> int: ...
        def __getitem__(self, index: Any) -> tuple[torch.Tensor, ...]: ...

    def __iter__(self) -> Iterator[torch.Tensor]:
        return iter(self.tensors)

    def __repr__(self) -> str:
        shapes = ", ".join(f"{str(part.dtype)[6:]} {tuple(part.shape)}" for part in self.tensors)
        return f"SelectedTensors({shapes}, device={str(self.images.device)!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return selected_tensors, self.tensors


def selected_tensors(*tensors: torch.Tensor) -> SelectedTensors:
    """Return tensors of the same length as a TensorDataset that unpacks into them."""
    made: SelectedTensors = _with_torch()(*tensors)
    return made


@cache
def _with_torch() -> Any:
    """Return the class of all instances; it exists once torch is loaded, which importing must not do."""
    from torch.utils.data import TensorDataset

    return type("SelectedTensors", (SelectedTensors, TensorDataset), {"__doc__": SelectedTensors.__doc__})
