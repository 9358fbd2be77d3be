"""All loaders read alike: every family's against its arrays."""

import pickle

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from stirdata.errors import ParameterError
from stirdata.loading.augment import ScaleAugment

DEVICES = [
    "cpu",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA")),
]


@pytest.fixture
def loader(specimen):
    return specimen.load()


def stored(loader, split):
    """Return the images of a split as they are stored, channels first."""
    count = len(loader.targets(split))
    images = loader.read(split, np.arange(count))
    return images[:, None] if images.ndim == 3 else images.transpose(0, 3, 1, 2)


def as_stored(loader):
    """Return the type in which images are handed out as they are: bytes, or levels divided by 255."""
    return torch.uint8 if stored(loader, loader.splits[0]).dtype == np.uint8 else torch.float32


def levels(loader, images):
    """Return what images that were handed out as they are should be equal to, stored ones as a tensor."""
    tensor = torch.from_numpy(np.ascontiguousarray(images))
    return tensor if tensor.dtype == torch.uint8 else tensor / torch.tensor(255.0)


def test_images_are_those_that_were_made(specimen, loader):
    flat = [array for name, array in specimen.arrays.items() if name in specimen.family.images]
    made = np.concatenate([array.reshape(-1) for array in flat])
    read = [loader.stored(loader.select(split)).reshape(-1) for split in loader.splits]
    assert np.concatenate(read).tolist() == made.tolist()
    assert sum(len(loader.targets(split)) for split in loader.splits) == len(loader)


def test_size_of_a_selection(loader):
    for split in loader.splits:
        selection = loader.select(split)
        stored = loader.stored(selection)
        assert (len(selection), selection.nbytes) == (len(stored), stored.nbytes)


def test_defaults_of_batches(loader):
    named = loader.batches("train", batch_size=128, seed=0, dtype=torch.float32, drop_last=False, rank=0)
    assert loader.batches().batch_size == 128
    (images, labels), *_ = loader.batches()
    (others, other_labels), *_ = named
    assert images.equal(others)
    assert labels.equal(other_labels)


def test_what_all_loaders_say(loader):
    assert loader.class_to_idx == {name: label for label, name in enumerate(loader.classes)}
    assert loader.num_classes == len(loader.classes)
    channels, height, width = loader.image_shape
    assert (channels, height) == (loader.num_channels, width)
    assert loader.metadata["title"]
    assert type(loader).__name__ in repr(loader)
    for split in loader.splits:
        assert set(np.unique(loader.targets(split))) <= {-1, *range(loader.num_classes)}  # -1 is no label
        for array in loader.latents(split).values():
            assert len(array) == len(loader.targets(split))


@pytest.mark.parametrize("name", ["val", "valid", "validation"])
def test_validation_split_has_three_names(loader, name):
    if not {"val", "valid"} & set(loader.splits):
        with pytest.raises(ParameterError, match="unknown split"):
            loader.to_torch(name)
        return
    assert loader.split_named(name) in loader.splits
    assert loader.to_torch(name).labels.equal(loader.to_torch(loader.split_named("val")).labels)


@pytest.mark.parametrize("split", ["", "training", None, 0])
def test_unknown_split_is_told(loader, split):
    for call in (loader.to_torch, loader.to_numpy, loader.batches, loader.view, loader.get_latents):
        with pytest.raises(ParameterError, match="unknown split"):
            call(split)


def test_unknown_argument_is_told(loader):
    for call in (loader.to_torch, loader.to_numpy, loader.batches, loader.view, loader.get_latents):
        with pytest.raises(TypeError, match="argument 'devise'"):
            call("train", devise="cpu")


@pytest.mark.parametrize("device", DEVICES)
def test_tensors_have_the_stored_values(loader, device):
    for split in loader.splits:
        images, labels, *latents = loader.to_torch(split, shuffle=False, device=device, latents=True)
        wanted = torch.from_numpy(stored(loader, split)).to(device)
        assert images.dtype == torch.float32
        assert images.equal(wanted.to(torch.float32) / torch.tensor(255.0, device=device))
        assert labels.dtype == torch.int64
        assert labels.tolist() == loader.targets(split).tolist()
        for tensor, array in zip(latents, loader.latents(split).values(), strict=True):
            assert tensor.tolist() == array.tolist()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.uint8])
@pytest.mark.parametrize("channels_last", [False, True])
def test_every_type_and_memory_format(loader, dtype, channels_last):
    split = loader.splits[0]
    if dtype == torch.uint8 and as_stored(loader) != torch.uint8:
        for call in (loader.to_torch, loader.batches):
            with pytest.raises(ParameterError, match="no whole numbers"):
                call(split, dtype=dtype)
        return
    plain = loader.to_torch(split, dtype=None if dtype != torch.uint8 else dtype)
    images = loader.to_torch(split, dtype=dtype, channels_last=channels_last).images
    assert images.equal(plain.images.to(dtype))
    assert images.is_contiguous(
        memory_format=torch.channels_last if channels_last else torch.contiguous_format
    )


def test_three_channels_of_grey_images(loader):
    split = loader.splits[0]
    plain, three = loader.to_torch(split).images, loader.to_torch(split, channels=3).images
    assert three.shape[1] == 3
    assert three.equal(plain.expand(-1, 3, -1, -1))
    levels = ([0.1, 0.2, 0.3], [0.5, 1.0, 2.0])
    normalized = loader.to_torch(split, channels=3, normalize=levels).images
    for channel in range(3):
        mean, std = (torch.tensor(level[channel]) for level in levels)
        assert normalized[:, channel].equal((three[:, channel] - mean) / std)
    for wrong in (0, 2, 4, "3"):
        with pytest.raises(ParameterError, match="so many channels"):
            loader.to_torch(split, channels=wrong)


def test_normalised_by_the_published_numbers_or_those_of_the_training_split(loader):
    mean, std = loader.published_statistics or loader.mean_and_std("train")
    split = loader.splits[-1]
    given = loader.to_torch(split, normalize=(mean, std)).images
    assert loader.to_torch(split, normalize=True).images.equal(given)
    assert not given.equal(loader.to_torch(split, normalize=False).images)
    pixels = stored(loader, "train") / 255
    assert np.allclose(loader.mean_and_std("train")[0], pixels.mean(axis=(0, 2, 3)))
    assert np.allclose(loader.mean_and_std("train")[1], pixels.std(axis=(0, 2, 3)))


def test_arrays_equal_tensors(loader):
    options = {"channels_last": True, "normalize": (0.5, 0.25), "latents": True}
    arrays = loader.to_numpy("test", dtype=np.float16, **options)
    tensors = loader.to_torch("test", dtype=torch.float16, **options)
    assert len(arrays) == len(tensors.tensors)
    for array, tensor in zip(arrays, tensors, strict=True):
        assert array.tolist() == tensor.tolist()
    named = str(as_stored(loader)).removeprefix("torch.")
    assert loader.to_numpy("test", dtype=named)[0].dtype == named
    with pytest.raises(ParameterError, match="of this type"):
        loader.to_numpy("test", dtype=np.int32)


def test_shuffled_alike(loader):
    order = np.random.RandomState(42).permutation(len(loader.targets("train")))
    options = {"shuffle": True, "dtype": as_stored(loader), "latents": True}
    images, labels, *latents = loader.to_torch("train", **options)
    assert images.equal(levels(loader, stored(loader, "train")[order]))
    assert labels.tolist() == loader.targets("train")[order].tolist()
    for tensor, array in zip(latents, loader.latents("train").values(), strict=True):
        assert tensor.tolist() == array[order].tolist()


@pytest.mark.parametrize("device", DEVICES)
def test_batches_hand_out_every_image_once(loader, device):
    plain = loader.batches("test", batch_size=7, device=device, dtype=as_stored(loader), latents=True)
    images, labels, *latents = (torch.cat(parts) for parts in zip(*plain, strict=True))
    assert images.cpu().equal(levels(loader, stored(loader, "test")))
    assert labels.tolist() == loader.targets("test").tolist()
    for tensor, array in zip(latents, loader.latents("test").values(), strict=True):
        assert tensor.tolist() == array.tolist()
    shuffled = loader.batches("train", batch_size=7, device=device)
    order = torch.cat([labels for _, labels in shuffled]).tolist()
    assert sorted(order) == sorted(loader.targets("train").tolist())
    assert order != loader.targets("train").tolist()


def test_batches_say_what_training_scripts_ask(loader):
    batches = loader.batches("test", batch_size=5)
    assert (batches.batch_size, batches.device.type) == (5, "cpu")
    assert len(batches.dataset) == len(loader.targets("test"))
    assert batches.dataset.classes == loader.classes
    assert batches.dataset.targets == loader.targets("test").tolist()
    with pytest.raises(ParameterError, match="given by name") as told:
        loader.batches("test", 32)
    assert "batch_size=32" in told.value.hint


def test_batches_through_a_data_loader(loader):
    batches = loader.batches("test", batch_size=16)
    direct = [labels.tolist() for _, labels in loader.batches("test", batch_size=16)]
    through = DataLoader(batches, batch_size=None)
    assert [labels.tolist() for _, labels in through] == direct
    assert len(through) == len(direct)


@pytest.mark.parametrize("ranks", [2, 3, 7])
def test_ranks_share_every_image(loader, ranks):
    parts = [loader.batches("test", batch_size=4, rank=rank, world_size=ranks) for rank in range(ranks)]
    handed = [[labels for _, labels in part] for part in parts]
    assert [len(part) for part in parts] == [len(part) for part in handed]
    together = torch.cat([labels for part in handed for labels in part])
    assert sorted(together.tolist()) == sorted(loader.targets("test").tolist())
    even = [loader.batches("train", batch_size=4, rank=rank, world_size=ranks) for rank in range(ranks)]
    assert len({len(part) for part in even}) == 1


def test_batches_go_on_in_the_middle(loader):
    whole = [labels.tolist() for _, labels in loader.batches("train", batch_size=8, seed=3)]
    first = loader.batches("train", batch_size=8, seed=3)
    begun = iter(first)
    next(begun)
    second = loader.batches("train", batch_size=8, seed=3)
    second.load_state_dict(first.state_dict())
    assert [labels.tolist() for _, labels in second] == whole[1:]


def test_augmented_batches(loader):
    augment = ScaleAugment(0.5, 2.0, seed=1)
    if as_stored(loader) != torch.uint8:
        with pytest.raises(ParameterError, match="8-bit images"):
            next(iter(loader.batches("train", augment=augment)))
        augment = flipped
    (images, _), *_ = loader.batches(
        "train", batch_size=10**6, shuffle=False, dtype=as_stored(loader), augment=augment
    )
    wanted = augment(torch.from_numpy(stored(loader, "train")), torch.arange(len(images)), 0)
    assert images.equal(levels(loader, wanted.numpy()))


def flipped(images, indices, epoch):
    return images.flip(3)


@pytest.mark.parametrize("workers", [0, 1])
def test_views_in_a_data_loader(specimen, workers):
    first = specimen.form == specimen.family.layout.forms[0]
    if workers and not (first and specimen.family.name in ("mnist-scale", "stir", "scaled")):
        pytest.skip("workers take long to start: one form of each kind of loader")
    loader = specimen.load()
    view = loader.view("test", latents=True)
    assert isinstance(view, torch.utils.data.Dataset)
    assert (view.classes, view.class_to_idx) == (loader.classes, loader.class_to_idx)
    assert view.targets == loader.targets("test").tolist()
    both = DataLoader(
        view + view, batch_size=64, num_workers=workers, multiprocessing_context=_spawn(workers)
    )
    images, labels, *latents = (torch.cat(parts) for parts in zip(*both, strict=True))
    plain = loader.to_torch("test", shuffle=False, latents=True)
    for found, wanted in zip((images, labels, *latents), plain, strict=True):
        assert found.equal(torch.cat([wanted, wanted]))


def _spawn(workers):
    return "spawn" if workers else None


def test_views_refuse_what_is_no_function(loader):
    for name in ("transform", "target_transform"):
        with pytest.raises(ParameterError, match="cannot be called"):
            loader.view("train", **{name: [lambda image: image]})
    small = loader.view("train", transform=lambda image: image.size)
    assert small[0][0] == loader.image_shape[:0:-1]


def test_pickled(loader):
    loader.to_torch(loader.splits[0])
    again = pickle.loads(pickle.dumps(loader))
    assert again.to_torch("test").images.equal(loader.to_torch("test").images)
    assert len(pickle.dumps(loader)) < 5000
    view = pickle.loads(pickle.dumps(loader.view("test")))
    assert view[0][0].equal(loader.view("test")[0][0])
    tensors = pickle.loads(pickle.dumps(loader.to_torch("test")))
    assert tensors.images.equal(loader.to_torch("test").images)


def test_read_by_number(loader):
    count = len(loader.targets("test"))
    numbers = np.array([count - 1, 0, 5, 5, 2])
    assert loader.read("test", numbers).tolist() == loader.stored(loader.select("test"))[numbers].tolist()
