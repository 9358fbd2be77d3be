"""Contact sheets of datasets: the right images in the right places, and choices that make no sense."""

from dataclasses import replace

import numpy as np
import pytest
from described import save_as, save_stir
from making import save_below
from PIL import Image
from stir_fixtures import small_frame, small_set

from stirdata.errors import FormatError, MissingFileError, ParameterError, TargetError, TargetExistsError
from stirdata.families.recognition import recognize
from stirdata.imaging.sheet import BOX, layout
from stirdata.operations import show as sheets
from stirdata.operations.show import Choice, contact_sheet, save

FRAME = small_frame(classes=("a", "b", "c"), instances=4, scales=(12, 9, 7, 3))


@pytest.fixture
def arrays():
    return small_set(FRAME)


@pytest.fixture
def stir(tmp_path, arrays):
    save_stir(tmp_path / "a.npz", arrays)
    return tmp_path / "a.npz"


class Planned:
    """A plan, and the images that it chooses."""

    def __init__(self, path, decide, choice):
        found = recognize(path)
        self._dataset = found.family.loader()(found.path)
        self._split = self._dataset.split_named(choice.split or "train")
        made = decide(found.family, self._dataset, self._split, choice)
        self.arrangement, self.boxes, self._numbers = made.arrangement, made.boxes, made.numbers

    def images(self):
        images = self._dataset.read(self._split, self._numbers.ravel())
        return images.reshape(*self._numbers.shape, *images.shape[1:])


def plan(path, **choice):
    return Planned(path, sheets._by_scale, Choice(**choice))


def plan_digits(path, **choice):
    return Planned(path, sheets._in_order_of_scale, Choice(**choice))


@pytest.mark.parametrize(("split", "number"), [("train", 0), ("valid", 1), ("val", 1), ("test", 2)])
def test_images_and_boxes_of_a_stir_set(stir, arrays, split, number):
    made = plan(stir, split=split, scales=(3, 12), classes=(2, 0), instances=(1, 3), boxes=True)
    images = made.images()
    assert images.shape == (2, 4, 12, 12)
    for row, label in enumerate((2, 0)):
        for column, (scale, instance) in enumerate([(3, 1), (3, 3), (0, 1), (0, 3)]):
            assert np.array_equal(images[row, column], arrays.imgs[number, scale, label, instance])
            box = made.boxes.values[row, column].tolist()
            assert box[:2] == arrays.psts[number, scale, label, instance].tolist()
            assert box[2] == arrays.scls[number, scale, label, instance]
    assert made.boxes.square
    assert made.arrangement.rows == ("2 c", "0 a")
    assert made.arrangement.groups == (("3", 2), ("12", 2))
    assert made.arrangement.title.startswith("T, " + ("valid" if split == "val" else split))


def test_same_sheet_from_every_format_of_a_stir_set(stir, tmp_path, arrays):
    expected = contact_sheet(stir, Choice(boxes=True))
    for name in ("b.npz", "b.h5", "folder"):
        path = save_as(tmp_path / name, arrays)
        assert np.array_equal(contact_sheet(path, Choice(boxes=True)), expected), name


def test_images_of_a_colour_set(tmp_path):
    colour = small_set(small_frame(channels=3))
    save_stir(tmp_path / "c.npz", colour)
    images = plan(tmp_path / "c.npz", scales=(7,), instances=(0,)).images()
    assert np.array_equal(images[:, 0], colour.imgs[0, 1, :, 0])


def test_what_is_shown_by_default(stir):
    arrangement = plan(stir).arrangement
    assert arrangement.rows == ("0 a", "1 b", "2 c")
    assert arrangement.groups == (("3", 2), ("7", 2), ("9", 2), ("12", 2))


def test_default_scales_are_spread_from_the_smallest_to_the_largest(tmp_path):
    frame = small_frame(
        scales=tuple(range(64, 16, -1)), canvas=64, instances=1, classes=tuple("abcdefghijkl")
    )
    save_stir(tmp_path / "a.npz", small_set(frame))
    arrangement = plan(tmp_path / "a.npz").arrangement
    assert [label for label, _ in arrangement.groups] == ["17", "26", "35", "45", "54", "64"]
    assert len(arrangement.rows) == 10


def test_class_whose_name_is_its_label_is_named_once(tmp_path):
    save_stir(tmp_path / "a.npz", small_set(small_frame(classes=("0", "one"))))
    assert plan(tmp_path / "a.npz").arrangement.rows == ("0", "1 one")


def test_no_boxes_unless_asked_for(stir):
    assert plan(stir).boxes is None
    assert not (contact_sheet(stir, Choice()) == BOX).all(-1).any()
    assert (contact_sheet(stir, Choice(boxes=True)) == BOX).all(-1).any()


def test_set_whose_boxes_are_longer_than_wide_shows_corners(tmp_path, arrays):
    positions = arrays.psts.copy()
    positions[0, 1, 0, 0] = 5, 3  # the scale there is 9: a square would leave the canvas of 12 to the right
    save_stir(tmp_path / "a.npz", replace(arrays, psts=positions))
    made = plan(tmp_path / "a.npz", boxes=True, scales=(3,))
    assert not made.boxes.square, "told by all boxes of the set, not only by those on the sheet"
    assert "longer side" in made.arrangement.title


@pytest.mark.parametrize("form", ["h5", "npz", "png"])
@pytest.mark.parametrize("split", ["train", "valid", "val", "test"])
def test_digits_are_in_the_order_of_their_factors(tmp_path, small_realization, form, split):
    path = save_below(tmp_path, form, small_realization)
    made = plan_digits(path, split=split, columns=3, classes=(4, 9))
    name = "val" if split == "valid" else split
    images, labels, scales = (small_realization[f"{name}/{kind}"] for kind in ("images", "labels", "scales"))
    shown = made.images()
    for row, label in enumerate((4, 9)):
        members = np.flatnonzero(labels == label)
        ordered = members[np.argsort(scales[members])]
        chosen = [ordered[0], ordered[(len(ordered) - 1) // 2], ordered[-1]]
        assert np.array_equal(shown[row], images[chosen])
        assert made.arrangement.captions[row] == tuple(f"{scales[number]:.2f}" for number in chosen)
    assert made.arrangement.rows == ("4", "9")
    assert made.arrangement.title == f"MNIST-scale, {name}, by scale factor"


def test_same_sheet_from_every_format(tmp_path, small_realization):
    paths = [save_below(tmp_path / form, form, small_realization) for form in ("h5", "npz", "png")]
    first, *others = [contact_sheet(path, Choice(split="test", columns=4)) for path in paths]
    assert all(np.array_equal(first, other) for other in others)


def test_columns_are_those_of_the_smallest_class(tmp_path, small_realization):
    path = save_below(tmp_path, "h5", small_realization)
    fewest = np.bincount(small_realization["val/labels"]).min()
    assert plan_digits(path, split="val", columns=1000).arrangement.columns == fewest
    assert plan_digits(path, split="val", columns=1).arrangement.columns == 1


def test_tree_without_scales_is_shown_in_the_order_of_its_files(tmp_path, small_realization):
    path = save_below(tmp_path, "png", small_realization)
    (path / "scales.csv").unlink()
    made = plan_digits(path, columns=2, classes=(3,))
    members = np.flatnonzero(small_realization["train/labels"] == 3)
    assert np.array_equal(made.images()[0], small_realization["train/images"][members[[0, -1]]])
    assert made.arrangement.captions is None
    assert "scale factors unknown" in made.arrangement.title


def test_class_without_images(tmp_path, small_realization):
    labels = small_realization["val/labels"]
    small_realization["val/labels"] = np.where(labels == 5, 4, labels)
    path = save_below(tmp_path, "h5", small_realization)
    with pytest.raises(ParameterError, match="classes have no images in val") as caught:
        contact_sheet(path, Choice(split="val"))
    assert caught.value.got == "5"


@pytest.mark.parametrize(
    ("choice", "message", "got"),
    [
        ({"split": "all"}, "unknown split", "'all'"),
        ({"scales": (3, 4, 65)}, "there are no such scales", "4, 65"),
        ({"scales": ()}, "there are no such scales", "none"),
        ({"classes": (0, 3)}, "there are no such classes", "3"),
        ({"classes": ()}, "there are no such classes", "none"),
        ({"instances": (4,)}, "there are no such instances", "4"),
        (
            {"columns": 3},
            "columns can be chosen where every image has a scale of its own only",
            "a dataset of STIR",
        ),
        ({"zoom": 0}, "zoom is out of range", 0),
        ({"zoom": 17}, "zoom is out of range", 17),
    ],
)
def test_choices_that_make_no_sense_for_a_stir_set(stir, choice, message, got):
    with pytest.raises(ParameterError, match=message) as caught:
        contact_sheet(stir, Choice(**choice))
    assert caught.value.got == got


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"split": "all"}, "unknown split"),
        ({"scales": (17,)}, "scales can be chosen where there are a few scales only"),
        ({"instances": (0,)}, "instances can be chosen where there are a few scales only"),
        ({"boxes": True}, "there are no boxes to draw"),
        ({"classes": (10,)}, "there are no such classes"),
        ({"columns": 0}, "columns is out of range"),
    ],
)
def test_choices_that_make_no_sense_for_mnist_scale(tmp_path, small_realization, choice, message):
    path = save_below(tmp_path, "h5", small_realization)
    with pytest.raises(ParameterError, match=message):
        contact_sheet(path, Choice(**choice))


def test_too_large_a_sheet_is_refused_before_an_image_is_read(stir, monkeypatch):
    monkeypatch.setattr(sheets, "LARGEST_SHEET", 1000)
    monkeypatch.setattr("stirdata.loading.selection.StoredImages.read", None)
    with pytest.raises(ParameterError, match="the contact sheet would be too large") as caught:
        contact_sheet(stir, Choice())
    places = layout(plan(stir).arrangement)
    assert caught.value.got == f"{places.width * 2} x {places.height * 2} pixels"


def test_file_is_the_sheet(stir, tmp_path):
    target = tmp_path / "new" / "sheet.png"
    made = save(stir, target, Choice(boxes=True))
    assert not made.already_there
    with Image.open(target) as image:
        assert (image.mode, image.size) == ("RGB", (made.width, made.height))
        assert np.array_equal(np.asarray(image), contact_sheet(stir, Choice(boxes=True)))


def test_sheet_without_colour_is_grey(stir, tmp_path):
    save(stir, tmp_path / "sheet.png", Choice())
    with Image.open(tmp_path / "sheet.png") as image:
        assert image.mode == "L"
        assert np.array_equal(np.asarray(image.convert("RGB")), contact_sheet(stir, Choice()))


def test_existing_output(stir, tmp_path, content_of):
    target = tmp_path / "sheet.png"
    target.write_bytes(b"somebody's work")
    before = content_of(tmp_path)
    with pytest.raises(TargetExistsError, match="another picture"):
        save(stir, target, Choice())
    assert content_of(tmp_path) == before
    assert not save(stir, target, Choice(), force=True).already_there
    assert save(stir, target, Choice()).already_there
    with pytest.raises(TargetExistsError):
        save(stir, target, Choice(zoom=1))


def test_output_that_cannot_be_written(stir, tmp_path):
    with pytest.raises(ParameterError, match="a contact sheet is a PNG file"):
        save(stir, tmp_path / "sheet.jpg", Choice())
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(TargetError, match="a folder is where a file should go"):
        save(stir, tmp_path / "folder.png", Choice())
    with pytest.raises(TargetError):
        save(stir, stir / "sheet.png", Choice())


def test_input_that_cannot_be_read(tmp_path, content_of):
    with pytest.raises(MissingFileError):
        save(tmp_path / "a.npz", tmp_path / "sheet.png", Choice())
    (tmp_path / "a.npz").write_bytes(b"no archive")
    with pytest.raises(FormatError):
        save(tmp_path / "a.npz", tmp_path / "sheet.png", Choice())
    assert list(content_of(tmp_path)) == ["a.npz"]


def test_damaged_picture_in_a_tree(tmp_path, small_realization):
    path = save_below(tmp_path, "png", small_realization)
    for file in (path / "train" / "3").glob("*.png"):
        file.write_bytes(file.read_bytes()[:40])
    with pytest.raises(FormatError, match="the PNG file is damaged"):
        contact_sheet(path, Choice())
    assert contact_sheet(path, Choice(classes=(0, 1, 2))).any(), "only the pictures shown are opened"
