"""Batches that are made many at once are those that are made one by one, and memory is used again safely."""

import copy
import itertools
import pickle
import threading

import numpy as np
import pytest
import torch

from stirdata import ScaleAugment
from stirdata.errors import ParameterError
from stirdata.families.stl10.augment import STL10Augment
from stirdata.loading.augment import doubled_pixels
from stirdata.loading.batches import Batches
from stirdata.loading.memory import Recycled
from stirdata.loading.shifting import ShiftAugment

COUNT = 50
DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


@pytest.fixture(autouse=True, params=[True, False], ids=["busy machine", "calm machine"])
def machine(request, monkeypatch):
    monkeypatch.setattr("stirdata.loading.batches.busy", lambda: request.param)


def some(channels=1, side=8, device="cpu"):
    pixels = np.random.RandomState(3).randint(0, 256, (COUNT, channels, side, side)).astype(np.uint8)
    return torch.tensor(pixels, device=device), torch.arange(COUNT, device=device)


def plain(pixels, indices, epoch):
    return 255 - pixels


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(
    ("channels", "augment", "options"),
    [
        (1, None, {}),
        (3, None, {"channels_last": True, "dtype": torch.float16}),
        (1, None, {"dtype": torch.uint8, "channels": 3}),
        (1, ScaleAugment(0.5, 2.0, seed=4), {"normalize": (0.1, 0.2)}),
        (1, [ShiftAugment(3, seed=1), doubled_pixels], {}),
        (3, STL10Augment(seed=2), {}),
        (1, [ScaleAugment(0.5, 2.0), plain], {}),
    ],
    ids=["plain", "layout", "bytes", "scales", "shifts", "stl10", "unknown"],
)
@pytest.mark.parametrize("ranks", [{}, {"rank": 1, "world_size": 3}, {"drop_last": True}])
def test_any_block_gives_the_same_batches(device, channels, augment, options, ranks):
    images, labels = some(channels, device=device)
    how = {"batch_size": 4, "seed": 5, "augment": augment, **options, **ranks}
    wanted = list(itertools.chain(*[Batches(images, labels, block=1, **how)] * 2))
    for block in (700, 5000, None, 10**9):
        batches = Batches(images, labels, block=block, **how)
        found = [pair for _ in range(2) for pair in batches]
        assert len(found) == len(wanted) == 2 * len(batches)
        for (pixels, chosen), (like, numbers) in zip(found, wanted, strict=True):
            assert torch.equal(pixels, like)
            assert torch.equal(chosen, numbers)
            assert pixels.stride() == like.stride()


@pytest.mark.parametrize("position", range(13))
def test_going_on_in_the_middle_of_a_block(position):
    images, labels = some()
    batches = Batches(images, labels, batch_size=4, block=5 * 4 * 256)
    whole = [chosen.tolist() for _, chosen in batches]
    batches.set_epoch(0)
    begun = iter(batches)
    for _ in range(position):
        next(begun)
    state = batches.state_dict()
    assert state["position"] == position
    other = Batches(images, labels, batch_size=4, block=2 * 4 * 256)
    other.load_state_dict(state)
    assert [chosen.tolist() for _, chosen in other] == whole[position:]


def test_what_depends_on_the_batch_is_called_for_every_batch():
    images, labels = some()
    calls = []

    def mixed(pixels, indices, epoch):
        calls.append(len(pixels))
        return pixels.flip(0)

    def alone(pixels, indices, epoch):
        calls.append(len(pixels))
        return pixels

    alone.by_index = True
    for augment, wanted in ((mixed, [20, 20, 10]), (alone, [50]), ([alone, mixed], [20, 20, 20, 20, 10, 10])):
        calls.clear()
        list(Batches(images, labels, batch_size=20, augment=augment))
        assert calls == wanted


def test_a_block_is_bounded():
    images, labels = some()
    each = 4 * 8 * 8
    for size, block, most in ((4, 3000, 8), (4, 4 * each, 4), (4, 1, 4), (20, 3000, 20)):
        batches = Batches(images, labels, batch_size=size, block=block)
        sizes = {pixels.untyped_storage().nbytes() for pixels, _ in batches}
        assert max(sizes) <= most * each
    twice = Batches(images, labels, batch_size=2, block=8 * each, augment=doubled_pixels)
    sizes = [pixels.untyped_storage().nbytes() for pixels, _ in twice]
    assert max(sizes[8:]) <= 8 * each, "the size after the augmentation counts, once it is known"


@pytest.mark.parametrize("block", [0, -1, 1.5, "many", True])
def test_wrong_blocks(block):
    with pytest.raises(ParameterError, match="block"):
        Batches(*some(), batch_size=4, block=block)


def test_memory_is_used_again_when_nobody_holds_it():
    images, labels = some()
    batches = Batches(images, labels, batch_size=10)
    places = {pixels.untyped_storage().data_ptr() for _ in range(20) for pixels, _ in batches}
    assert len(places) <= 2


@pytest.mark.parametrize(
    "keep", [lambda x: x, lambda x: x[3:4, 0], lambda x: x.numpy(), lambda x: x.numpy()[1]]
)
@pytest.mark.parametrize("block", [1, None])
def test_whoever_keeps_a_part_keeps_the_memory(keep, block):
    images, labels = some()
    batches = Batches(images, labels, batch_size=10, block=block)
    kept, wanted = [], []
    for _ in range(6):
        for pixels, chosen in batches:
            kept.append(keep(pixels))
            wanted.append(keep(images[chosen].float() / 255))
    for one, other in zip(kept, wanted, strict=True):
        assert (one == other).all()


def test_threads_get_memory_of_their_own():
    memory, wrong = Recycled(), []

    def work(number):
        for _ in range(300):
            images = memory.empty((2, 1, 8, 8), torch.float32, channels_last=False).fill_(number)
            if not (images == number).all():
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_copies_have_memory_of_their_own():
    batches = Batches(*some(), batch_size=10)
    first = next(iter(batches))[0]
    for other in (copy.deepcopy(batches), pickle.loads(pickle.dumps(batches))):
        other.set_epoch(0)
        pixels = next(iter(other))[0]
        assert torch.equal(pixels, first)
        assert pixels.data_ptr() != first.data_ptr()
