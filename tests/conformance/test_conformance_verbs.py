"""verify, info, show, diff and loading by path: for every family in every form."""

import json

import numpy as np
import pytest
from PIL import Image

import stirdata
from stirdata.errors import FormatError, MissingFileError, ParameterError
from stirdata.families import families
from stirdata.families.recognition import recognize
from stirdata.manifest import load as load_manifest
from stirdata.manifest import manifest_path
from stirdata.operations.diff import compare_files
from stirdata.operations.info import information
from stirdata.operations.show import Choice, save
from stirdata.operations.verify import verify


def test_recognised_and_loaded_by_its_path(specimen):
    found = recognize(specimen.path)
    assert (found.family.name, found.stored.form) == (specimen.family.name, specimen.form)
    assert isinstance(stirdata.load(specimen.path), specimen.family.loader())
    assert isinstance(stirdata.load(specimen.path.parent), specimen.family.loader())


def test_loaded_by_what_it_is(specimen):
    description = specimen.family.specimen().description
    facts = {"dataset": description.dataset, "seed": description.seed}
    assert stirdata.load(specimen.path.parent, **facts).path == specimen.path
    with pytest.raises(ParameterError, match="the dataset is another one"):
        stirdata.load(specimen.path, seed=description.seed + 1)
    with pytest.raises(MissingFileError, match="no such dataset"):
        stirdata.load(specimen.path.parent, seed=description.seed + 1)


def test_verified_and_described(specimen):
    report, told = verify(specimen.path), information(specimen.path)
    assert (report.ok, report.findings, report.remarks) == (True, (), ())
    assert told.manifest is not None
    assert told.manifest.root == report.root
    assert told.doubts == ()
    json.dumps(report.as_json())
    json.dumps(told.as_json())
    names = specimen.family.layout.names
    assert list(told.content.arrays) == [name for name in names if name in told.content.arrays]
    for name, header in told.content.arrays.items():
        assert header.shape == specimen.arrays[name].shape
    assert told.content.images == len(specimen.load())
    scale, latents = specimen.family.scale, told.content.latents
    assert (latents and latents.unit) == (scale and scale.unit)


def test_evaluated_and_put_beside_what_is_published(dataset, stirdata, tmp_path, monkeypatch):
    """With and without the family's ways of training, by a network that says the same of all images."""
    (tmp_path / "constant.py").write_text(
        "import torch\n\ndef model(num_classes):\n"
        "    return lambda images: torch.eye(num_classes)[:1].expand(len(images), -1)\n"
    )
    monkeypatch.chdir(tmp_path)
    command = ["evaluate", dataset.path, "--model", "constant.py:model", "--json", "--quiet"]
    loaded, family = dataset.load(), dataset.family
    expected = (loaded.targets("test") == 0).mean()
    measure = "accuracy" if family.scale is None else "generalization"
    for training in (None, *family.trainings()):
        ran = stirdata(*command, *([] if training is None else ["--scenario", training]), "--bins", "1")
        if ran.code:  # of scales that are few, there are no bins
            ran = stirdata(*command, *([] if training is None else ["--scenario", training]))
        assert ran.code == 0, ran.err
        found = json.loads(ran.out)["results"][measure]
        right = np.trace(np.array(found["confusion"]), axis1=-2, axis2=-1).sum()
        assert right / np.sum(found["counts"]) == pytest.approx(expected)
    assert stirdata(*command, "--scenario", "none of them").code == 2


def test_commands_run(specimen, stirdata):
    for command in (["verify", "--json"], ["verify"], ["info"], ["info", "--json"]):
        ran = stirdata(command[0], specimen.path, *command[1:])
        assert ran.code == 0, ran.err
        assert specimen.path.name in ran.out
    assert stirdata("diff", specimen.path, specimen.path).code == 0


def test_asked_to_be_what_is_published_it_says_no(specimen):
    for asked in specimen.family.asks:
        report = verify(specimen.path, as_dataset=asked)
        assert report.identity is None
        digests = {name: entry.sha256 for name, entry in _manifest(specimen).arrays.items()}
        known = specimen.family.closest(asked, digests)
        assert report.ok == (known is None)  # where nothing is published, the layout is all that is asked for


def _manifest(specimen):
    return load_manifest(manifest_path(specimen.path))


def test_shown_the_same_in_every_form(specimen, tmp_path):
    sheet = save(specimen.path, tmp_path / "sheet.png", Choice())
    with Image.open(sheet.path) as picture:
        assert picture.size == (sheet.width, sheet.height)
        assert len(np.unique(np.asarray(picture))) > 2
    first = save(_first(specimen, tmp_path), tmp_path / "first.png", Choice())
    assert sheet.path.read_bytes() == first.path.read_bytes()


def _first(specimen, tmp_path):
    from specimens import target_in, write

    form = specimen.family.layout.forms[0]
    write(specimen.family, form, target_in(tmp_path / "first form", form))
    return target_in(tmp_path / "first form", form)


def test_audited_the_same_in_every_form(specimen, tmp_path):
    counted = []
    found = stirdata.audit(specimen.path, advance=counted.append)
    (audited,), loaded = found.datasets, specimen.load()
    assert sum(counted) == len(loaded)
    assert {name: facts.images for name, facts in audited.splits.items()} == {
        split: len(loaded.targets(split)) for split in loaded.splits
    }
    json.dumps(found.as_json())
    first = stirdata.audit(_first(specimen, tmp_path))
    assert first.datasets[0].splits == audited.splits
    paths = str(specimen.path), first.datasets[0].path
    assert [(one.what, one.count) for one in found.findings] == [
        (one.what.replace(paths[1], paths[0]), one.count) for one in first.findings
    ]
    assert not found.at_least("leak")


def test_forms_differ_in_nothing(specimen, tmp_path):
    differences = compare_files(specimen.path, _first(specimen, tmp_path))
    assert {entry.name for entry in differences} >= set(specimen.family.layout.names)
    assert all(entry.equal for entry in differences)


def test_file_of_another_family_is_refused(specimen):
    for family in families().values():
        if family.name != specimen.family.name and specimen.form in family.layout.forms:
            with pytest.raises((FormatError, MissingFileError), match=r"stirdata|holds no"):
                family.loader()(specimen.path)
