"""Which images are in which batch: every one once, on one rank, in an order that stays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from stirdata.errors import ParameterError
from stirdata.loading.epochs import Epochs, permutation


def cut(epochs: Epochs, epoch: int) -> list[list[int]]:
    """Return the batches of an epoch."""
    members = epochs.members(epoch)
    starts = range(0, len(members), epochs.batch_size)
    return [members[start : start + epochs.batch_size].tolist() for start in starts]


@given(
    count=st.integers(1, 60),
    batch_size=st.integers(1, 20),
    world_size=st.integers(1, 7),
    drop_last=st.booleans(),
    shuffle=st.booleans(),
    epoch=st.integers(0, 5),
)
def test_ranks_share_an_epoch_fairly(
    count: int, batch_size: int, world_size: int, drop_last: bool, shuffle: bool, epoch: int
) -> None:
    assume(count >= world_size * (batch_size if drop_last else 1))
    ranks = [
        cut(Epochs(count, batch_size, shuffle, 1, drop_last, rank, world_size, even=True), epoch)
        for rank in range(world_size)
    ]
    lengths = {tuple(len(batch) for batch in batches) for batches in ranks}
    assert len(lengths) == 1, "all ranks have batches of the same sizes"
    sizes = lengths.pop()
    assert len(sizes) == len(Epochs(count, batch_size, shuffle, 1, drop_last, 0, world_size, even=True))
    assert all(size == batch_size for size in sizes[:-1])
    assert sizes[-1] == batch_size or (not drop_last and 0 < sizes[-1] < batch_size)
    members = [member for batches in ranks for batch in batches for member in batch]
    assert len(set(members)) == len(members), "no image is there twice"
    left_out = count - len(members)
    assert left_out < (world_size * batch_size if drop_last else world_size)


@given(
    count=st.integers(1, 60),
    batch_size=st.integers(1, 20),
    world_size=st.integers(1, 7),
    shuffle=st.booleans(),
    epoch=st.integers(0, 5),
)
def test_uneven_ranks_hand_out_every_image_once(
    count: int, batch_size: int, world_size: int, shuffle: bool, epoch: int
) -> None:
    ranks = [
        Epochs(count, batch_size, shuffle, 1, False, rank, world_size, even=False)
        for rank in range(world_size)
    ]
    parts = [cut(epochs, epoch) for epochs in ranks]
    assert [len(epochs) for epochs in ranks] == [len(batches) for batches in parts]
    members = [member for batches in parts for batch in batches for member in batch]
    assert sorted(members) == list(range(count))
    lengths = [sum(map(len, batches)) for batches in parts]
    assert max(lengths) - min(lengths) <= 1


@pytest.mark.parametrize("shuffle", [False, True])
def test_ranks_are_even_when_shuffled_unless_said(shuffle: bool) -> None:
    parts = [len(Epochs(7, 1, shuffle, rank=rank, world_size=2)) for rank in range(2)]
    assert parts == ([3, 3] if shuffle else [4, 3])


@given(count=st.integers(8, 60), batch_size=st.integers(1, 5), world_size=st.integers(1, 4))
def test_batches_of_the_ranks_are_together_one_of_a_single_process(
    count: int, batch_size: int, world_size: int
) -> None:
    ranks = [
        cut(Epochs(count, batch_size, rank=rank, world_size=world_size), 3) for rank in range(world_size)
    ]
    single = cut(Epochs(count, batch_size * world_size), 3)
    for number, batches in enumerate(zip(*ranks, strict=True)):
        together = {member for batch in batches for member in batch}
        if all(len(batch) == batch_size for batch in batches):
            assert together == set(single[number])
        else:
            assert together <= set(single[number])


def test_epochs_have_the_orders_of_the_stream() -> None:
    for epoch in range(3):
        assert Epochs(10, 3, seed=4).members(epoch).tolist() == permutation(4, epoch, 10).tolist()
        assert Epochs(10, 3, shuffle=False).members(epoch).tolist() == list(range(10))


def test_other_images_are_left_out_in_each_epoch() -> None:
    together = set()
    for epoch in range(40):
        members = [Epochs(10, 2, rank=rank, world_size=3).members(epoch).tolist() for rank in range(3)]
        together |= set(range(10)) - {member for part in members for member in part}
    assert together == set(range(10))


def test_orders_do_not_depend_on_how_they_are_cut() -> None:
    whole = Epochs(20, 20).members(1).tolist()
    assert [member for batch in cut(Epochs(20, 3), 1) for member in batch] == whole
    assert Epochs(20, 3, rank=1, world_size=2).members(1).tolist() == whole[1::2]


@pytest.mark.parametrize(
    ("arguments", "where"),
    [
        ({"batch_size": 0}, "batch_size"),
        ({"batch_size": 2.0}, "batch_size"),
        ({"batch_size": True}, "batch_size"),
        ({"seed": -1}, "seed"),
        ({"seed": None}, "seed"),
        ({"world_size": 0}, "world_size"),
        ({"rank": -1}, "rank"),
        ({"rank": 1}, "rank"),
        ({"rank": 3, "world_size": 3}, "rank"),
        ({"count": 0}, "images"),
        ({"count": 2, "world_size": 3}, "images"),
        ({"count": 9, "batch_size": 5, "world_size": 2, "drop_last": True}, "images"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: dict[str, Any], where: str) -> None:
    with pytest.raises(ParameterError) as error:
        Epochs(**{"count": 10, "batch_size": 4, **arguments})
    assert error.value.where == where
    assert error.value.expected


def test_the_error_of_too_few_images_says_how_many_are_needed() -> None:
    with pytest.raises(ParameterError, match="no batch") as error:
        Epochs(9, 5, drop_last=True, world_size=2)
    assert (error.value.expected, error.value.got) == ("at least 10 images", 9)


def test_integers_of_numpy_are_kept_as_those_of_python() -> None:
    epochs = Epochs(10, np.int32(4), seed=np.uint8(3))
    assert {type(value) for value in epochs.identity().values()} == {int, bool}
    assert "rank" not in epochs.identity()
