"""Generating from the library: the same bytes whatever the circumstances, and the order of events."""

import threading
from pathlib import Path

import pytest
from making import generate_mnist_scale

from stirdata.digest import sha256_of_array
from stirdata.errors import MissingFileError, ParameterError, SourceError, TargetExistsError
from stirdata.families.mnist_scale import FAMILY, Parameters, describe, recipe
from stirdata.manifest import pinned
from stirdata.operations.generate import make, plan
from stirdata.operations.verify import verify
from stirdata.sources import mnist
from stirdata.storage import hdf5

FORMS = ("h5", "npz", "png")


@pytest.fixture
def generate(fake_mnist, small_recipe):
    """Return a function that generates from the small digits into a folder and returns the outcomes."""

    def make_them(out, *, seeds=(7,), **changes):
        options = {"source_dir": fake_mnist.folder, "out": out} | changes
        return generate_mnist_scale(seeds, **options)

    return make_them


@pytest.mark.parametrize("form", ["h5", "npz"])
@pytest.mark.parametrize("workers", [2, 4])
def test_workers_do_not_show(generate, tmp_path, content_of, form, workers):
    for number in (1, workers):
        generate(tmp_path / str(number), seeds=(7, 8, 9), form=form, workers=number)
    assert content_of(tmp_path / "1") == content_of(tmp_path / str(workers))


@pytest.mark.parametrize("workers", [2, 4])
def test_workers_do_not_show_in_png_trees(generate, tmp_path, content_of, workers):
    for number in (1, workers):
        generate(tmp_path / str(number), seeds=(7, 8), form="png", workers=number)
    assert content_of(tmp_path / "1") == content_of(tmp_path / str(workers))


@pytest.mark.filterwarnings("default")  # Dask warns of its own affairs
def test_a_cluster_does_not_show(generate, fake_mnist, tmp_path, content_of, local_cluster):
    generate(tmp_path / "here", seeds=(7, 8, 9))
    parameters = [{"seed": seed, "source_dir": fake_mnist.folder} for seed in (7, 8, 9)]
    planned = plan("mnist-scale", parameters, out=tmp_path / "there")
    with local_cluster(processes=False) as cluster:  # whose workers know of the small digits
        outcomes = list(make(planned, dask=cluster.scheduler_address))
        tasks = {key for key, *_ in cluster.scheduler.transition_log if "_from_source" in str(key)}
    assert [outcome.seed for outcome in outcomes] == [7, 8, 9]
    assert len(tasks) == 3, "every realization is a task of its own"
    assert content_of(tmp_path / "here") == content_of(tmp_path / "there")


@pytest.mark.parametrize("form", FORMS)
def test_several_seeds_give_what_each_gives_alone(generate, tmp_path, content_of, form):
    generate(tmp_path / "together", seeds=(9, 7), form=form)
    for seed in (7, 9):
        generate(tmp_path / "alone", seeds=(seed,), form=form)
    assert content_of(tmp_path / "together") == content_of(tmp_path / "alone")


@pytest.mark.parametrize("form", FORMS)
def test_working_directory_does_not_show(generate, tmp_path, content_of, monkeypatch, form):
    generate(tmp_path / "here", form=form)
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path / "there")
    (outcome,) = generate(Path(), form=form)
    assert not outcome.path.is_absolute()
    assert content_of(tmp_path / "here") == content_of(tmp_path / "there")


@pytest.mark.parametrize("form", FORMS)
def test_other_process_makes_the_same_bytes(generate, small_process, fake_mnist, tmp_path, content_of, form):
    generate(tmp_path / "here", form=form)
    options = ("--seed", 7, "--format", form, "--source-dir", fake_mnist.folder, "--out", "there")
    ran = small_process.run("generate", "mnist-scale", *options, cwd=tmp_path)
    assert (ran.code, ran.lines[-1].split("/")[0]) == (0, "there")
    assert content_of(tmp_path / "here") == content_of(tmp_path / "there")


def test_seeds_differ_in_everything(generate, tmp_path):
    first, second = (hdf5.read(outcome.path) for outcome in generate(tmp_path, seeds=(7, 8)))
    assert set(first) == set(second)
    for name, array in first.items():
        assert sha256_of_array(array) != sha256_of_array(second[name]), name


def test_outcomes_come_in_the_order_of_the_seeds(generate, tmp_path):
    outcomes = generate(tmp_path, seeds=(9, 7, 8), workers=3)
    assert [outcome.seed for outcome in outcomes] == [9, 7, 8]
    assert [outcome.already_there for outcome in outcomes] == [False] * 3
    assert [outcome.path.parent.name for outcome in outcomes] == ["seed_9", "seed_7", "seed_8"]
    again = generate(tmp_path, seeds=(7, 9))
    assert [outcome.already_there for outcome in again] == [True, True]
    assert [outcome.root for outcome in again] == [outcomes[1].root, outcomes[0].root]


def test_no_seeds_give_nothing(generate, tmp_path, content_of):
    assert generate(tmp_path / "out", seeds=()) == []
    assert content_of(tmp_path) == {}


def test_same_seed_twice_is_made_once(generate, tmp_path):
    outcomes = generate(tmp_path, seeds=(7, 7), workers=2)
    assert sorted(outcome.already_there for outcome in outcomes) == [False, True]


@pytest.fixture
def loads(monkeypatch):
    """Count how often the source is loaded."""
    calls, load = [], mnist.load

    def counted(*arguments, **options):
        calls.append(threading.get_ident())
        return load(*arguments, **options)

    monkeypatch.setattr(mnist, "load", counted)
    return calls


def test_source_is_loaded_once_for_all_seeds_and_only_when_needed(generate, tmp_path, loads):
    generate(tmp_path, seeds=(7, 8, 9), workers=3)
    assert len(loads) == 1
    generate(tmp_path, seeds=(7, 8, 9), workers=3)
    assert len(loads) == 1


@pytest.mark.parametrize("form", ["h5", "png"])
def test_progress_counts_every_image(generate, tmp_path, form):
    counts = []
    generate(tmp_path, seeds=(7, 8), form=form, advance=counts.append)
    assert sum(counts) == 2 * 360
    counts.clear()
    generate(tmp_path, seeds=(7,), form=form, advance=counts.append)
    assert sum(counts) == sum(recipe.PUBLISHED_SIZES)


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"seeds": (-1,)}, "seed"),
        ({"seeds": (7, 2**32)}, "seed"),
        ({"min_scale": 0.0}, "min_scale"),
        ({"min_scale": float("nan")}, "min_scale"),
        ({"max_scale": float("inf")}, "max_scale"),
        ({"min_scale": 2.0}, "min_scale, max_scale"),
        ({"source": "cifar"}, "source"),
        ({"form": "zip"}, "form"),
        ({"workers": 0}, "workers"),
        ({"source": "synthetic"}, "source_dir"),
    ],
)
def test_request_that_makes_no_sense(generate, tmp_path, content_of, loads, changes, where):
    with pytest.raises(ParameterError) as caught:
        generate(tmp_path / "out", **changes)
    assert caught.value.where == where
    assert caught.value.got is not None
    assert loads == []
    assert content_of(tmp_path) == {}


def test_damaged_source_stops_all_seeds(generate, fake_mnist, tmp_path, content_of):
    fake_mnist.path("train-images").write_bytes(b"damaged")
    with pytest.raises(SourceError, match="wrong magic number"):
        generate(tmp_path / "out", seeds=(7, 8, 9), workers=2)
    assert content_of(tmp_path) == {}


def test_absent_source_stops_all_seeds(generate, tmp_path, content_of):
    with pytest.raises(MissingFileError, match="the source folder does not exist"):
        generate(tmp_path / "out", seeds=(7, 8), source_dir=tmp_path / "absent")
    assert content_of(tmp_path) == {}


def test_seeds_made_before_a_failure_stay(fake_mnist, small_recipe, tmp_path):
    target = tmp_path / "MNIST_scale" / "seed_8" / "scale_0.3_1.0.h5"
    target.parent.mkdir(parents=True)
    target.write_bytes(b"somebody's work")
    parameters = [{"seed": seed, "source_dir": fake_mnist.folder} for seed in (7, 8, 9)]
    outcomes = make(plan("mnist-scale", parameters, out=tmp_path), workers=1)
    first = next(outcomes)
    with pytest.raises(TargetExistsError) as caught:
        next(outcomes)
    assert caught.value.where == target
    assert target.read_bytes() == b"somebody's work"
    assert verify(first.path).ok
    assert not (tmp_path / "MNIST_scale" / "seed_9").exists()


OTHERS = {"seed": {"seeds": (8,)}, "parameters": {"min_scale": 0.5}, "sources": {}}
TOLD = {
    "seed": "its seed is 8, not 7",
    "parameters": "its min_scale is 0.5, not 0.3",
    "sources": "it was made from another mnist: different are citation",
}


@pytest.mark.parametrize("name", OTHERS)
def test_output_of_other_origin_is_told_by_what_differs(generate, tmp_path, monkeypatch, name):
    with monkeypatch.context() as patched:
        if name == "sources":
            patched.setitem(pinned("mnist"), "citation", "Somebody else")
        (other,) = generate(tmp_path / "other", **OTHERS[name])
    target = tmp_path / "out" / "MNIST_scale" / "seed_7" / "scale_0.3_1.0.h5"
    target.parent.mkdir(parents=True)
    other.path.rename(target)
    Path(f"{other.path}.manifest.json").rename(f"{target}.manifest.json")
    with pytest.raises(TargetExistsError) as caught:
        generate(tmp_path / "out")
    assert caught.value.got == TOLD[name]
    (made,) = generate(tmp_path / "out", force=True)
    assert not made.already_there


@pytest.fixture
def published(monkeypatch, small_realization):
    """Let the arrays of seed 7 be published ones, and seed 7 a seed that has some."""
    arrays = {name: sha256_of_array(array) for name, array in small_realization.items()}
    facts = {"md5_of_png_files": "0" * 32, "arrays": arrays}
    monkeypatch.setitem(pinned("mnist-scale")["realizations"], "7", facts)
    return arrays


@pytest.mark.parametrize("form", FORMS)
def test_published_realization_is_told(generate, published, tmp_path, form):
    (made,) = generate(tmp_path, form=form)
    assert (made.identity.seed, made.identity.dataset) == (7, "mnist-scale")
    assert set(made.identity.arrays) == set(published)
    assert made.identity.facts["other_encoder"] is (form == "png")
    (again,) = generate(tmp_path, form=form)
    assert again.already_there
    assert again.identity == made.identity


def test_what_is_published_is_told_by_source_seed_and_scales():
    def is_published(**changes):
        return FAMILY.reference("mnist-scale", describe(Parameters(**changes))) is not None

    assert is_published(seed=5)
    assert not is_published(seed=6)
    assert not is_published(source="synthetic", seed=0)
    assert not is_published(min_scale=0.31, seed=0)
    assert not is_published(max_scale=2.0, seed=0)
