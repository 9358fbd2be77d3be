"""Batches from the device: the right images, converted rightly, once each, and resumable."""

from __future__ import annotations

import copy
import itertools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stirdata import ScaleAugment
from stirdata.errors import ParameterError
from stirdata.loading import tensors
from stirdata.loading.batches import Batches
from stirdata.loading.epochs import permutation
from stirdata.loading.tensors import to_float

CUDA = pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"))
devices = pytest.mark.parametrize("device", ["cpu", CUDA])
COUNT = 23


@pytest.fixture(params=[tensors.CPU_PIECE_PIXELS, 200, 1])
def piece_pixels(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let batches be made at once, in pieces of a few images, or image by image on the CPU."""
    monkeypatch.setattr(tensors, "CPU_PIECE_PIXELS", request.param)


@pytest.fixture(autouse=True, params=[True, False], ids=["busy machine", "calm machine"])
def machine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let batches be made in one thread, as on a busy machine, or in all that torch has."""
    monkeypatch.setattr("stirdata.loading.batches.busy", lambda: request.param)


def some_images(count: int = COUNT, *, channels: int = 1, device: str = "cpu") -> torch.Tensor:
    """Return 6 x 5 pixel noise, another image for every number."""
    noise = np.random.RandomState(count).randint(0, 256, (count, channels, 6, 5))
    return torch.tensor(noise.astype(np.uint8), device=device)


def some_batches(count: int = COUNT, **options: Any) -> Batches:
    """Return batches of four whose labels are the numbers of the images."""
    return Batches(some_images(count), torch.arange(count), **{"batch_size": 4, **options})


def numbers(batches: Any) -> list[list[int]]:
    """Return the labels of all batches that come."""
    return [batch[1].tolist() for batch in batches]


def order(epoch: int, seed: int = 0, count: int = COUNT, size: int = 4) -> list[list[int]]:
    """Return the numbers of the images that the batches of an epoch must have."""
    members = permutation(seed, epoch, count).tolist()
    return [members[start : start + size] for start in range(0, count, size)]


@devices
@pytest.mark.parametrize("shuffle", [True, False])
def test_images_labels_and_others_stay_together(device: str, shuffle: bool) -> None:
    images = some_images(device=device)
    labels = torch.arange(COUNT, device=device)
    scales, positions = labels.double() / 7, torch.stack([labels, -labels], 1).int()
    batches = Batches(images, labels, scales, positions, batch_size=4, shuffle=shuffle)
    seen = []
    for pixels, chosen, some_scales, some_positions in batches:
        assert torch.equal(pixels, to_float(images[chosen]))
        assert (pixels.dtype, pixels.device) == (torch.float32, images.device)
        assert torch.equal(some_scales, scales[chosen])
        assert torch.equal(some_positions, positions[chosen])
        seen.append(chosen.tolist())
    expected = order(0) if shuffle else [list(range(COUNT))[at : at + 4] for at in range(0, COUNT, 4)]
    assert seen == expected


def test_every_epoch_has_its_own_order_and_all_have_the_images() -> None:
    batches = some_batches(seed=5)
    assert [batches.epoch, numbers(batches)] == [0, order(0, seed=5)]
    assert [batches.epoch, numbers(batches)] == [1, order(1, seed=5)]
    assert batches.epoch == 2


def test_length_is_the_number_of_batches() -> None:
    assert len(some_batches()) == len(list(some_batches())) == 6
    assert len(some_batches(drop_last=True)) == len(list(some_batches(drop_last=True))) == 5
    assert len(some_batches(24)) == len(some_batches(24, drop_last=True)) == 6
    for size in (COUNT, 100, 10**30):
        assert numbers(some_batches(batch_size=size)) == order(0, size=COUNT)
        assert len(some_batches(batch_size=size)) == 1


@pytest.mark.parametrize("rank", [0, 1, 2])
def test_ranks_have_their_parts(rank: int) -> None:
    batches = some_batches(rank=rank, world_size=3)
    expected = permutation(0, 0, COUNT)[rank::3][:7].tolist()
    assert numbers(batches) == [expected[:4], expected[4:]]


@pytest.mark.usefixtures("piece_pixels")
@devices
@pytest.mark.parametrize("dtype", [None, torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("normalize", [None, (0.25, 0.5), ((0.1, 0.2, 0.3), (0.4, 0.5, 0.6))])
def test_images_are_converted_as_whole_selections_are(device: str, dtype: Any, normalize: Any) -> None:
    images = some_images(channels=3, device=device)
    labels = torch.arange(COUNT, device=device)
    mean, std = normalize or (None, None)
    whole = to_float(images, mean, std, dtype=dtype)
    for channels_last, reuse in itertools.product([False, True], repeat=2):
        options = {"dtype": dtype, "normalize": normalize, "channels_last": channels_last, "reuse": reuse}
        for pixels, chosen in Batches(images, labels, batch_size=4, **options):
            assert pixels.dtype == (dtype or torch.float32)
            assert torch.equal(pixels, whole[chosen])
            layout = torch.channels_last if channels_last else torch.contiguous_format
            assert pixels.is_contiguous(memory_format=layout)


@pytest.mark.usefixtures("piece_pixels")
@devices
@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("reuse", [False, True])
def test_bytes_are_only_gathered(device: str, channels_last: bool, reuse: bool) -> None:
    images, labels = some_images(channels=3, device=device), torch.arange(COUNT, device=device)
    options = {"channels_last": channels_last, "reuse": reuse}
    for pixels, chosen in Batches(images, labels, batch_size=4, dtype=torch.uint8, **options):
        assert pixels.dtype == torch.uint8
        assert torch.equal(pixels, images[chosen])
        layout = torch.channels_last if channels_last else torch.contiguous_format
        assert pixels.is_contiguous(memory_format=layout)


@pytest.mark.usefixtures("piece_pixels")
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
@pytest.mark.parametrize("channels_last", [False, True])
def test_images_that_lie_otherwise_in_memory_are_the_same(dtype: Any, channels_last: bool) -> None:
    images, labels = some_images(channels=3), torch.arange(COUNT)
    layouts = [images.to(memory_format=torch.channels_last), images.flip(3).flip(3).mT.contiguous().mT]
    options = {"batch_size": 4, "dtype": dtype, "channels_last": channels_last}
    expected = [pixels for pixels, _ in Batches(images, labels, **options)]
    for layout in layouts:
        assert not layout.is_contiguous()
        for pixels, like in zip(Batches(layout, labels, **options), expected, strict=True):
            assert torch.equal(pixels[0], like)
            assert pixels[0].stride() == like.stride()


@pytest.mark.usefixtures("piece_pixels")
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.float16])
def test_batches_are_the_callers_for_good(dtype: Any) -> None:
    images, labels = some_images(), torch.arange(COUNT)
    batches = Batches(images, labels, batch_size=4, dtype=dtype)
    kept = list(itertools.chain(batches, batches))
    for pixels, chosen in kept:
        expected = images[chosen] if dtype == torch.uint8 else to_float(images[chosen], dtype=dtype)
        assert torch.equal(pixels, expected)
    for pixels, chosen in kept:
        pixels.zero_()
        chosen.zero_()
    assert torch.equal(images, some_images())
    assert torch.equal(labels, torch.arange(COUNT))


@pytest.mark.usefixtures("piece_pixels")
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.float16])
def test_memory_is_reused_if_asked_for(dtype: Any) -> None:
    batches = some_batches(dtype=dtype, reuse=True)
    places, labels = set(), []
    for pixels, chosen in itertools.chain(batches, batches):
        places.add(pixels.data_ptr())
        labels.append(chosen)
    assert len(places) == 1
    assert [chosen.tolist() for chosen in labels] == order(0) + order(1)


def test_a_transform_gets_bytes_indices_and_the_epoch() -> None:
    images, calls = some_images(), []

    def inverted(pixels: torch.Tensor, indices: torch.Tensor, epoch: int) -> torch.Tensor:
        assert torch.equal(pixels, images[indices])
        calls.append((indices.tolist(), epoch))
        return (255 - pixels)[:, :, :4]

    batches = Batches(images, torch.arange(COUNT), batch_size=4, augment=inverted)
    for epoch in (0, 1):
        for pixels, chosen in batches:
            assert torch.equal(pixels, to_float(255 - images[chosen, :, :4]))
        assert calls == [(part, epoch) for part in order(epoch)]
        calls.clear()


@devices
@pytest.mark.parametrize("batch_size", [3, 20])
def test_augmented_images_do_not_depend_on_the_batches(device: str, batch_size: int) -> None:
    images = torch.tensor(np.random.RandomState(1).randint(0, 256, (20, 1, 28, 28)).astype(np.uint8))
    augment = ScaleAugment(0.5, 2.0, seed=2)
    batches = Batches(
        images.to(device), torch.arange(20, device=device), batch_size=batch_size, augment=augment
    )
    for epoch in (0, 1):
        whole = to_float(augment(images, torch.arange(20), epoch))
        for pixels, chosen in batches:
            assert torch.equal(pixels.cpu(), whole[chosen.cpu()])


@pytest.mark.parametrize(
    "wrong",
    [
        lambda pixels, *_: pixels.float(),
        lambda pixels, *_: pixels[1:],
        lambda pixels, *_: pixels[:, 0],
        lambda pixels, *_: pixels.numpy(),
        lambda *_: None,
        lambda pixels, *_: pixels.to("meta"),
    ],
)
def test_what_a_transform_must_not_return_is_told(wrong: Any) -> None:
    with pytest.raises(ParameterError, match="augment") as error:
        next(iter(some_batches(augment=wrong)))
    assert error.value.where == "augment"


def test_after_a_failure_the_batch_is_still_to_come() -> None:
    failures = iter([False, True])

    def fails_once(pixels: torch.Tensor, *_: Any) -> torch.Tensor:
        if next(failures, False):
            raise RuntimeError
        return pixels

    batches = some_batches(augment=fails_once)
    running = iter(batches)
    next(running)
    with pytest.raises(RuntimeError):
        next(running)
    batches.load_state_dict(batches.state_dict())
    assert numbers(batches) == order(0)[1:]


def test_leaving_an_epoch_and_iterating_again_starts_the_next_one() -> None:
    batches = some_batches()
    next(iter(batches))
    assert batches.epoch == 0
    assert numbers(batches) == order(1)
    assert batches.epoch == 2


def test_an_iteration_that_handed_out_nothing_does_not_count() -> None:
    batches = some_batches()
    iter(batches)
    assert numbers(batches) == order(0)
    batches.load_state_dict({**batches.state_dict(), "epoch": 4, "position": 2})
    iter(batches)
    assert numbers(batches) == order(4)[2:]


def test_two_iterations_at_once_do_not_disturb_each_other() -> None:
    batches = some_batches()
    first = iter(batches)
    seen = [next(first)[1].tolist()]
    second = iter(batches)
    other = [next(second)[1].tolist()]
    seen += numbers(first)
    assert batches.state_dict()["position"] == 1
    assert (seen, other + numbers(second)) == (order(0), order(1))


def test_any_epoch_can_be_started() -> None:
    batches = some_batches()
    next(iter(batches))
    batches.set_epoch(7)
    assert batches.epoch == 7
    assert numbers(batches) == order(7)
    batches.set_epoch(0)
    assert numbers(batches) == order(0)


@pytest.mark.parametrize("epoch", [-1, 1.0, "1", None, True])
def test_what_is_no_epoch_is_refused(epoch: Any) -> None:
    with pytest.raises(ParameterError, match="epoch"):
        some_batches().set_epoch(epoch)


@settings(deadline=None)
@given(
    done=st.integers(0, 6),
    epoch=st.integers(0, 3),
    shuffle=st.booleans(),
    drop_last=st.booleans(),
    world_size=st.integers(1, 3),
    seed=st.integers(0, 9),
)
def test_a_state_gives_exactly_the_remaining_batches(
    done: int, epoch: int, shuffle: bool, drop_last: bool, world_size: int, seed: int
) -> None:
    options = {"shuffle": shuffle, "drop_last": drop_last, "world_size": world_size, "seed": seed}
    for rank in range(world_size):
        batches = some_batches(rank=rank, **options)
        batches.set_epoch(epoch)
        before = numbers(itertools.islice(batches, min(done, len(batches))))
        state = json.loads(json.dumps(batches.state_dict()))
        again = some_batches(rank=rank, **options)
        again.load_state_dict(state)
        assert again.epoch == batches.epoch
        remaining = numbers(again)
        batches.set_epoch(epoch)
        assert before + remaining == numbers(batches)
        assert numbers(again) == numbers(batches), "the epoch after the resumed one"


def test_a_state_after_the_last_batch_leaves_none_of_the_epoch() -> None:
    batches = some_batches()
    running = iter(batches)
    for _ in range(len(batches)):
        next(running)
    again = some_batches()
    again.load_state_dict(batches.state_dict())
    assert (again.epoch, numbers(again), again.epoch, numbers(again)) == (0, [], 1, order(1))


def test_a_state_taken_between_epochs_is_the_start_of_the_next() -> None:
    batches = some_batches()
    list(batches)
    again = some_batches()
    again.load_state_dict(batches.state_dict())
    assert (again.epoch, numbers(again)) == (1, order(1))


def test_one_ranks_state_fits_all() -> None:
    first, other = (some_batches(rank=rank, world_size=2) for rank in (0, 1))
    next(iter(first))
    other.load_state_dict(first.state_dict())
    assert numbers(other) == numbers(some_batches(rank=1, world_size=2))[1:]


RESUME = """\
import json, sys
import torch
from stirdata.loading.batches import Batches
images = torch.arange(23, dtype=torch.uint8).reshape(23, 1, 1, 1)
batches = Batches(images, torch.arange(23), batch_size=4, rank=1, world_size=2)
batches.load_state_dict(json.loads(sys.argv[1]))
print(json.dumps([labels.tolist() for _, labels in batches]))
"""


def test_another_process_goes_on(tmp_path: Path) -> None:
    images = torch.arange(23, dtype=torch.uint8).reshape(23, 1, 1, 1)
    batches = Batches(images, torch.arange(23), batch_size=4, rank=1, world_size=2)
    batches.set_epoch(3)
    running = iter(batches)
    next(running)
    state = json.dumps(batches.state_dict())
    done = subprocess.run(
        [sys.executable, "-c", RESUME, state], capture_output=True, check=True, text=True, timeout=120
    )
    assert json.loads(done.stdout) == numbers(running)


def test_states_are_plain_and_stay_as_they_are() -> None:
    batches = some_batches()
    state = batches.state_dict()
    assert copy.deepcopy(state) == json.loads(json.dumps(state)) == state
    next(iter(batches))
    assert state["position"] == 0
    assert batches.state_dict() == {**state, "position": 1}


@pytest.mark.parametrize(
    ("options", "where"),
    [
        ({"count": 24}, "count"),
        ({"seed": 1}, "seed"),
        ({"batch_size": 5}, "batch_size"),
        ({"shuffle": False}, "shuffle"),
        ({"drop_last": True}, "drop_last"),
        ({"world_size": 2}, "world_size"),
    ],
)
def test_a_state_of_other_batches_is_refused(options: dict[str, Any], where: str) -> None:
    with pytest.raises(ParameterError, match="not that of these batches") as error:
        some_batches().load_state_dict(some_batches(**options).state_dict())
    assert error.value.where == where
    assert error.value.hint
    assert error.value.expected != error.value.got


@pytest.mark.parametrize("what", ["images", "labels", "shape"])
def test_a_state_of_another_selection_of_as_many_images_is_refused(what: str) -> None:
    images, labels = some_images(), torch.arange(COUNT)
    state = Batches(images, labels, batch_size=4).state_dict()
    if what == "images":
        images[COUNT // 2] ^= 1
    elif what == "labels":
        labels[3] = 4
    else:
        images = images.reshape(COUNT, 1, 5, 6)
    with pytest.raises(ParameterError, match="not that of these batches") as error:
        Batches(images, labels, batch_size=4).load_state_dict(state)
    assert error.value.where == "fingerprint"


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"schema": "stirdata/batches/2"}, "schema"),
        ({"epoch": -1}, "epoch"),
        ({"epoch": None}, "epoch"),
        ({"position": 7}, "position"),
        ({"position": -1}, "position"),
        ({"position": "2"}, "position"),
    ],
)
def test_a_damaged_state_is_refused_and_changes_nothing(change: dict[str, Any], where: str) -> None:
    batches = some_batches()
    with pytest.raises(ParameterError) as error:
        batches.load_state_dict({**batches.state_dict(), **change})
    assert error.value.where == where
    assert numbers(batches) == order(0)


def test_what_is_no_mapping_is_no_state() -> None:
    with pytest.raises(ParameterError, match="no state") as error:
        some_batches().load_state_dict(None)  # type: ignore[arg-type]
    assert (error.value.where, error.value.got) == ("state", "NoneType")


def test_what_is_no_state_is_refused() -> None:
    with pytest.raises(ParameterError, match="not that of these batches") as error:
        some_batches().load_state_dict({})
    assert error.value.got == "nothing"


GOOD = some_images(4)


@pytest.mark.parametrize(
    ("images", "labels", "others", "where"),
    [
        (GOOD.double(), torch.arange(4), [], "images"),
        (GOOD[:, 0], torch.arange(4), [], "images"),
        (GOOD.numpy(), torch.arange(4), [], "images"),
        (GOOD, torch.arange(5), [], "labels"),
        (GOOD, torch.tensor(4), [], "labels"),
        (GOOD, [0, 1, 2, 3], [], "labels"),
        (GOOD, torch.arange(4, device="meta"), [], "labels"),
        (GOOD, torch.arange(4), [torch.arange(4), torch.arange(3)], "others[1]"),
        (GOOD, torch.arange(4), [np.arange(4)], "others[0]"),
        (GOOD[:0], torch.arange(0), [], "images"),
    ],
)
def test_tensors_that_do_not_fit_are_refused(images: Any, labels: Any, others: Any, where: str) -> None:
    with pytest.raises(ParameterError) as error:
        Batches(images, labels, *others, batch_size=2)
    assert error.value.where == where
    assert error.value.expected
    assert error.value.got is not None


@pytest.mark.parametrize(
    ("options", "where"),
    [
        ({"batch_size": 0}, "batch_size"),
        ({"seed": -1}, "seed"),
        ({"rank": 2, "world_size": 2}, "rank"),
        ({"dtype": torch.float64}, "dtype"),
        ({"dtype": "float32"}, "dtype"),
        ({"dtype": torch.uint8, "normalize": (0.5, 0.5)}, "normalize"),
        ({"normalize": (0.5, 0.0)}, "normalize"),
        ({"normalize": (0.5, float("nan"))}, "normalize"),
        ({"normalize": (float("inf"), 0.5)}, "normalize"),
        ({"normalize": ((0.5, 0.5), 0.5)}, "normalize"),
        ({"normalize": (0.5,)}, "normalize"),
        ({"normalize": 0.5}, "normalize"),
        ({"normalize": True}, "normalize"),
        ({"normalize": ("a", "b")}, "normalize"),
        ({"normalize": (0.5, 1e-300)}, "normalize"),
        ({"normalize": (1e300, 0.5)}, "normalize"),
        ({"shuffle": "cuda"}, "shuffle"),
        ({"drop_last": 7}, "drop_last"),
        ({"channels_last": "no"}, "channels_last"),
        ({"reuse": "no"}, "reuse"),
        ({"augment": True}, "augment"),
        ({"drop_last": True, "batch_size": 24}, "images"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], where: str) -> None:
    with pytest.raises(ParameterError) as error:
        some_batches(**options)
    assert error.value.where == where


def test_a_glance_says_what_it_is() -> None:
    assert repr(some_batches()) == "Batches(23 x 1 x 6 x 5 uint8 on cpu, 6 batches of 4, epoch 0)"
    text = repr(some_batches(rank=1, world_size=2))
    assert text == "Batches(23 x 1 x 6 x 5 uint8 on cpu, 3 batches of 4, epoch 0, rank 1 of 2)"
