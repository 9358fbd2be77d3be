"""``stirdata.load`` by the name of a dataset: what ``generate`` has written into the current folder."""

import pytest
from making import make_job

import stirdata
from stirdata.errors import MissingFileError, ParameterError
from stirdata.families import families, recipe_named, recipes

EVERYTHING = [(family, recipe) for family, recipe in recipes()]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(("family", "recipe"), EVERYTHING, ids=[recipe.name for _, recipe in EVERYTHING])
def test_nothing_is_there(family, recipe):
    with pytest.raises(MissingFileError, match="no dataset of this name in the current folder") as told:
        stirdata.load(recipe.name)
    assert told.value.hint == f"stirdata generate {' '.join(recipe.command)} makes it"
    assert told.value.where.suffix == f".{family.layout.forms[0]}"


@pytest.mark.parametrize(("family", "recipe"), EVERYTHING, ids=[recipe.name for _, recipe in EVERYTHING])
def test_what_is_there_is_opened(family, recipe, tmp_path):
    try:
        parameters = recipe.parameters_of({})
    except ParameterError:
        parameters = None
    target = tmp_path / family.output_name(recipe, parameters, family.layout.forms[0])
    target.parent.mkdir(parents=True, exist_ok=True)
    make_job(family.specimen(), target)
    assert isinstance(stirdata.load(recipe.name), family.loader())


def test_parameters_tell_which_is_meant(tmp_path):
    family, _ = recipe_named("mnist-large-scale")
    make_job(family.specimen(), tmp_path / "mnist-large-scale_train_2.h5")
    assert stirdata.load("mnist-large-scale", train_factor=2).path.name == "mnist-large-scale_train_2.h5"
    with pytest.raises(MissingFileError):
        stirdata.load("mnist-large-scale", train_factor=4)
    with pytest.raises(ParameterError):
        stirdata.load("mnist-large-scale", train_factor=3)


@pytest.mark.usefixtures("small_recipe")
def test_what_is_missing_is_made(fake_mnist, tmp_path):
    options = {"seed": 7, "source_dir": fake_mnist.folder}
    dataset = stirdata.load("mnist-scale", **options, download=True)
    assert dataset.metadata["seed"] == 7
    assert (tmp_path / "MNIST_scale" / "seed_7" / "scale_0.3_1.0.h5").is_file()
    assert stirdata.load("mnist-scale", seed=7).path == dataset.path


def test_names_that_are_none():
    with pytest.raises(ParameterError, match="no dataset of this name") as told:
        stirdata.generate("mnist-scales")
    assert "did you mean mnist-scale" in told.value.hint
    with pytest.raises(ParameterError) as told:
        recipe_named("zzz")
    assert told.value.hint == ""
    with pytest.raises(MissingFileError):
        stirdata.load("zzz")


def test_the_register_can_be_called():
    assert stirdata.families() == families()
    assert list(stirdata.families()) == ["mnist-scale", "stir", "scaled", "large-scale", "stl10"]
