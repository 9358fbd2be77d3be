"""The published training protocol of STL-10: every step against one written image by image."""

import numpy as np
import pytest
import torch
from making import make_job
from PIL import Image
from torch.utils.data import DataLoader

import stirdata
from stirdata import Batches, STL10Augment
from stirdata.errors import ParameterError
from stirdata.families.stl10 import FAMILY

IMAGES = np.random.RandomState(0).randint(0, 256, (40, 3, 96, 96)).astype(np.uint8)
INDICES = np.arange(40) * 13
MEAN, STD = (0.4467, 0.4398, 0.4066), (0.2603, 0.2566, 0.2713)
DEVICES = [
    "cpu",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA")),
]


def one_by_one(augment, images, indices, epoch):
    """Return images after the protocol: padded, cut out, flipped, normalised, with a hole."""
    shifts, flipped = augment.crops(indices, epoch)
    rows, columns = augment.holes(indices, epoch, 96, 96)
    found = []
    for number, image in enumerate(images):
        padded = np.zeros((3, 96 + 24, 96 + 24), np.uint8)
        padded[:, 12:-12, 12:-12] = image
        top, left = 12 - shifts[number]
        crop = padded[:, top : top + 96, left : left + 96]
        crop = crop[:, :, ::-1] if flipped[number] else crop
        values = crop.astype(np.float32) / np.float32(255)
        levels = (np.array(level, np.float32)[:, None, None] for level in (MEAN, STD))
        mean, std = levels
        values = (values - mean) / std
        row, column = rows[number], columns[number]
        values[:, max(0, row - 16) : row + 16, max(0, column - 16) : column + 16] = 0
        found.append(values)
    return np.stack(found)


@pytest.fixture
def dataset(tmp_path):
    make_job(FAMILY.specimen(), tmp_path / "stl10.h5")
    return stirdata.STL10(tmp_path / "stl10.h5")


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("epoch", [0, 7])
def test_batches_are_the_protocol(device, epoch):
    augment = STL10Augment(seed=3)
    labels = torch.arange(40, device=device)
    batches = Batches(torch.from_numpy(IMAGES).to(device), labels, batch_size=16, seed=5, augment=augment)
    batches.set_epoch(epoch)
    images, order = (torch.cat(parts) for parts in zip(*batches, strict=True))
    order = order.cpu().numpy()
    assert sorted(order) == list(range(40))
    wanted = one_by_one(augment, IMAGES[order], order, epoch)
    assert np.array_equal(images.cpu().numpy(), wanted)


def test_the_loader_says_the_same(dataset):
    augment = STL10Augment(seed=1)
    (images, _), *_ = dataset.batches("train", batch_size=20, shuffle=False, augment=augment)
    stored = dataset.stored(dataset.select("train")).transpose(0, 3, 1, 2)
    assert np.array_equal(images.numpy(), one_by_one(augment, stored, np.arange(20), 0))
    for options in ({"channels_last": True}, {"reuse": True}, {"normalize": (MEAN, STD)}, {"fold": None}):
        (others, _), *_ = dataset.batches("train", batch_size=20, shuffle=False, augment=augment, **options)
        assert others.equal(images)
    (half, _), *_ = dataset.batches(
        "train", batch_size=20, shuffle=False, augment=augment, dtype=torch.float16
    )
    assert half.equal(images.half())


def test_other_levels_or_none(dataset):
    options = {"batch_size": 20, "shuffle": False, "augment": STL10Augment(seed=1)}
    (images, _), *_ = dataset.batches("train", normalize=False, **options)
    assert (images.min(), images.max()) == (0, 1)
    (images, _), *_ = dataset.batches("train", normalize=(0.5, 0.5), **options)
    assert (images.min(), images.max()) == (-1, 1)


def test_in_a_list_the_hole_comes_last(dataset):
    options = {"batch_size": 20, "shuffle": False}
    augment, shift = STL10Augment(seed=1), stirdata.ShiftAugment(3, seed=2)
    (images, _), *_ = dataset.batches("train", augment=[augment, shift], **options)
    pixels = torch.from_numpy(dataset.stored(dataset.select("train")).transpose(0, 3, 1, 2).copy())
    at = torch.arange(20)
    moved = shift(augment(pixels, at, 0), at, 0)
    mean, std = (torch.tensor(level)[:, None, None] for level in (MEAN, STD))
    wanted = augment.finish((moved / torch.tensor(255.0) - mean) / std, at, 0)
    assert images.equal(wanted)


def test_it_does_not_depend_on_batch_or_library():
    augment = STL10Augment(seed=3)
    whole = augment(IMAGES, INDICES, 2)
    assert augment(torch.from_numpy(IMAGES), torch.from_numpy(INDICES), 2).numpy().tolist() == whole.tolist()
    order = np.random.RandomState(1).permutation(40)
    assert augment(IMAGES[order], INDICES[order], 2).tolist() == whole[order].tolist()
    assert augment(IMAGES[5:6], INDICES[5:6], 2).tolist() == whole[5:6].tolist()
    for other in (augment(IMAGES, INDICES, 3), STL10Augment(seed=4)(IMAGES, INDICES, 2)):
        assert (other != whole).any(axis=(1, 2, 3)).all()


def test_what_is_drawn_is_written_down():
    shifts, flipped = STL10Augment(seed=0).crops(np.arange(4), 0)
    rows, columns = STL10Augment(seed=0).holes(np.arange(4), 0, 96, 96)
    assert shifts.tolist() == [[2, 1], [11, -4], [0, -9], [-1, -1]]
    assert flipped.tolist() == [True, True, False, True]
    assert np.stack([rows, columns], axis=1).tolist() == [[91, 17], [79, 60], [87, 71], [52, 27]]


def test_everything_happens_equally_often():
    augment, indices = STL10Augment(seed=2), np.arange(50_000)
    shifts, flipped = augment.crops(indices, 0)
    rows, columns = augment.holes(indices, 0, 96, 80)
    for values, count, least in (
        (shifts[:, 0], 25, -12),
        (shifts[:, 1], 25, -12),
        (flipped.astype(int), 2, 0),
        (rows, 96, 0),
        (columns, 80, 0),
    ):
        found, counts = np.unique(values, return_counts=True)
        assert found.tolist() == list(range(least, least + count))
        expected = len(indices) / count
        assert np.abs(counts - expected).max() < 5 * expected**0.5
    together = np.stack([shifts[:, 0], shifts[:, 1], flipped, rows, columns], axis=1).astype(float)
    apart = np.corrcoef(together.T) - np.eye(5)
    assert np.abs(apart).max() < 0.02


def test_as_the_transform_of_a_view(dataset):
    augment = STL10Augment(seed=1)
    stored = dataset.stored(dataset.select("train"))
    image = augment(Image.fromarray(stored[4]), 4, epoch=6)
    assert (image.dtype, tuple(image.shape)) == (torch.float32, (3, 96, 96))
    wanted = one_by_one(augment, stored[4:5].transpose(0, 3, 1, 2), np.array([4]), 6)
    assert np.array_equal(image.numpy(), wanted[0])
    torch.manual_seed(0)
    images, _ = next(iter(DataLoader(dataset.view("train", transform=augment), batch_size=20)))
    assert images.shape == (20, 3, 96, 96)
    assert (images == 0).any(dim=1).flatten(1).sum(dim=1).min() >= 16 * 16  # a hole in the corner


def test_what_it_refuses(dataset):
    with pytest.raises(ParameterError, match="floats"):
        dataset.batches("train", augment=STL10Augment(), dtype=torch.uint8, normalize=False)
    with pytest.raises(ParameterError, match="not whole numbers"):
        dataset.batches("train", augment=STL10Augment(), dtype=torch.uint8)
    with pytest.raises(ParameterError, match="floats"):
        dataset.batches("train", augment=[STL10Augment()], dtype=torch.uint8, normalize=False)
    with pytest.raises(ParameterError, match="seed"):
        STL10Augment(seed=-1)
    with pytest.raises(ParameterError, match="no 8-bit colour image"):
        STL10Augment()(Image.new("L", (96, 96)), 0)
    with pytest.raises(ParameterError, match="no 8-bit images"):
        STL10Augment()(IMAGES.astype(np.float32), INDICES)
    with pytest.raises(ParameterError, match="no indices"):
        STL10Augment().crops(INDICES.astype(np.int32), 0)
