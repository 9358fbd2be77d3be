"""What the loaders do for ``download=True``."""

import pytest
from server import Server
from zenodo_site import npz_of, paths, publish

from stirdata import MNISTScale
from stirdata.cache import cache_folder
from stirdata.errors import MissingFileError, SourceUnavailableError
from stirdata.families.stir.published import published_files

stir_file = published_files().path_of


@pytest.fixture
def server(monkeypatch):
    with Server() as started:
        publish(started)
        monkeypatch.setenv("STIRDATA_ZENODO_URL", started.url("/"))
        yield started


@pytest.mark.parametrize("name", ["emoji", "emoji.npz", "data/emoji.npz"])
def test_published_set_is_brought_into_the_cache_once(server, monkeypatch, tmp_path, name):
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        assert stir_file(name) == cache_folder() / "stir" / "emoji.npz"
    assert (cache_folder() / "stir" / "emoji.npz").read_bytes() == npz_of("emoji")
    assert len(paths(server)) == 2
    assert list(tmp_path.iterdir()) == []


def test_file_that_exists_comes_first(server, tmp_path, monkeypatch):
    (tmp_path / "emoji.npz").write_text("mine")
    monkeypatch.chdir(tmp_path)
    assert stir_file("emoji.npz").read_text() == "mine"
    assert stir_file(tmp_path / "emoji.npz") == tmp_path / "emoji.npz"
    assert server.requests == []


@pytest.mark.parametrize("name", ["emojis.npz", "own.npz", "emoji.h5", "nothing/at/all"])
def test_unknown_name(server, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MissingFileError, match="none of this name is published") as caught:
        stir_file(name)
    assert caught.value.expected == "emoji.npz, mnist.npz, trafficsign.npz, aerial.npz"


def test_offline(server, monkeypatch):
    monkeypatch.setenv("STIRDATA_OFFLINE", "1")
    with pytest.raises(SourceUnavailableError, match="no connection is to be made"):
        stir_file("emoji.npz")


def test_realization_is_made_once(fake_mnist, small_recipe, tmp_path):
    (cache_folder() / "mnist").mkdir(parents=True)
    for part, facts in fake_mnist.facts.items():
        (cache_folder() / "mnist" / facts["name"]).write_bytes(fake_mnist.path(part).read_bytes())
    path = MNISTScale(tmp_path, 7, 0.5, 2.0, download=True).path
    assert path == tmp_path / "MNIST_scale" / "seed_7" / "scale_0.5_2.0.h5"
    written = path.stat().st_mtime_ns
    assert MNISTScale(str(tmp_path), 7, 0.5, 2.0, download=True).path == path
    assert path.stat().st_mtime_ns == written
    assert MNISTScale(tmp_path, 7, 0.5, 2.0).path == path


def test_realization_without_mnist(fake_mnist, tmp_path, content_of):
    with pytest.raises(SourceUnavailableError, match="MNIST is not available"):
        MNISTScale(tmp_path, download=True)
    assert content_of(tmp_path) == {}
