"""Which images are in which batch of which epoch, on which rank."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from stirdata.arguments import checked_flag, checked_integer
from stirdata.errors import ParameterError
from stirdata.loading.streams import permutation

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Epochs:
    """The orders of all epochs, and how they are cut into ranks and batches.

    Args:
        count: Number of images, 1 or more.
        batch_size: Images per batch and rank, 1 or more.
        shuffle: Whether every epoch has another order; else all have that of the images.
        seed: Of the orders, 0 or more.
        drop_last: Whether to leave out the last batch of an epoch if it is smaller.
        rank: Which part of each epoch, 0 to ``world_size - 1``.
        world_size: Number of parts, 1 or more.

    Raises:
        ParameterError: An argument is out of range, or an epoch would have no batch.

    Example:
        >>> Epochs(count=7, batch_size=2, shuffle=False, rank=1, world_size=2).members(0)
        array([1, 3, 5])
    """

    count: int
    batch_size: int
    shuffle: bool = True
    seed: int = 0
    drop_last: bool = False
    rank: int = 0
    world_size: int = 1

    def __post_init__(self) -> None:
        for name, least in (("batch_size", 1), ("seed", 0), ("rank", 0), ("world_size", 1)):
            object.__setattr__(self, name, checked_integer(name, getattr(self, name), least))
        for name in ("shuffle", "drop_last"):
            object.__setattr__(self, name, checked_flag(name, getattr(self, name)))
        if self.rank >= self.world_size:
            expected = f"0 to {self.world_size - 1}"
            raise ParameterError("there is no such rank", where="rank", expected=expected, got=self.rank)
        if len(self) == 0:
            raise ParameterError(
                "an epoch would have no batch",
                where="images",
                expected=f"at least {self.world_size * (self.batch_size if self.drop_last else 1)} images",
                got=self.count,
            )

    def __len__(self) -> int:
        """Return the number of batches per epoch, the same on every rank."""
        full, rest = divmod(self.images_per_rank, self.batch_size)
        return full if self.drop_last or rest == 0 else full + 1

    @property
    def images_per_rank(self) -> int:
        """Images of a rank in an epoch, before they are cut into batches."""
        return self.count // self.world_size

    def members(self, epoch: int) -> NDArray[np.int64]:
        """Return this rank's images of an epoch in order, all that are in its batches: int64.

        Each ``world_size``-th image of the order is a rank's, so that the ranks' batches number k together
        are a batch of a single process. All ranks get as many images, the last few of the order go to none.
        """
        import numpy as np

        order = permutation(self.seed, epoch, self.count) if self.shuffle else np.arange(self.count)
        kept = min(self.images_per_rank, len(self) * self.batch_size)
        return np.ascontiguousarray(order[self.rank :: self.world_size][:kept], dtype=np.int64)

    def identity(self) -> dict[str, Any]:
        """Return what two ranks have in common, for JSON."""
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name != "rank"}
