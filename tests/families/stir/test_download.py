"""``download=True`` of the loaders: found, or brought once, or told why not."""

import pytest
from server import Server
from zenodo_site import paths, publish

from stirdata import MNISTScale, STIRDataset
from stirdata.cache import cache_folder
from stirdata.errors import MissingFileError, SourceUnavailableError


@pytest.fixture
def server(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with Server() as started:
        publish(started)
        monkeypatch.setenv("STIRDATA_ZENODO_URL", started.url("/"))
        yield started


def test_stir_set_is_fetched_once(server):
    for _ in range(2):
        dataset = STIRDataset("mnist.npz", download=True)
    assert dataset.path == cache_folder() / "stir" / "mnist.npz"
    assert len(dataset) == 3 * 3 * 2 * 2
    assert len(paths(server)) == 2


def test_without_the_word_nothing_is_fetched(server):
    with pytest.raises(MissingFileError):
        STIRDataset("mnist.npz")
    with pytest.raises(MissingFileError):
        MNISTScale("data")
    assert server.requests == []


def test_realization_is_made_from_mnist_in_the_cache(fake_mnist, small_recipe, tmp_path):
    (cache_folder() / "mnist").mkdir(parents=True)
    for part, facts in fake_mnist.facts.items():
        (cache_folder() / "mnist" / facts["name"]).write_bytes(fake_mnist.path(part).read_bytes())
    dataset = MNISTScale(tmp_path / "data", seed=7, download=True)
    assert dataset.path == tmp_path / "data" / "MNIST_scale" / "seed_7" / "scale_0.3_1.0.h5"
    assert len(dataset) == 360
    again = MNISTScale(tmp_path / "data" / "MNIST_scale", seed=8, download=True)
    assert again.path == tmp_path / "data" / "MNIST_scale" / "seed_8" / "scale_0.3_1.0.h5"


def test_realization_cannot_be_made(fake_mnist, tmp_path, content_of):
    with pytest.raises(MissingFileError):
        MNISTScale(tmp_path / "own.h5", download=True)
    with pytest.raises(SourceUnavailableError, match="MNIST is not available"):
        MNISTScale(tmp_path / "data", download=True)
    assert content_of(tmp_path) == {}
