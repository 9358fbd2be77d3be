"""Trees of PNG files, a folder per class, as torchvision's ``ImageFolder`` and Hugging Face read them."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from stirdata.sharing.targets import Export, Target, encoded_size

_BLOCK = 4096
UNLABELLED = "unlabelled"
"""What the images of a split that have no class are called, and their folder."""


class ImageFolder(Target):
    """``<split>/<class>/<number>.png``, and ``<split>/metadata.csv`` with what else is known of them."""

    name = "imagefolder"
    bytes_depend_on = "Python's zlib library and its version"
    files = "{split}/**"
    code = (
        "from torchvision.datasets import ImageFolder\n\n"
        'train = ImageFolder("{split}")\n\n'
        "# or, with what else is known of every image\n"
        "from datasets import load_dataset\n\n"
        'dataset = load_dataset(".")'
    )

    def losses(self, export: Export) -> list[str]:
        """Return in which splits a class has no image: the labels that readers count would be others."""
        classes, found = export.records.dataset.classes, []
        for split in export.records.counts:
            labels = export.records.labels(split)
            there = set(labels[labels >= 0].tolist())
            absent = [name for label, name in enumerate(classes) if label not in there]
            if there and absent:
                found.append(
                    f"{split} has no image of {', '.join(absent)}: readers that number the folders they find "
                    "give the other classes of this split other labels (metadata.csv has the right ones)"
                )
        return found

    def size(self, export: Export) -> int:
        """Return about how many bytes will be written; files take whole blocks of a disk."""
        return encoded_size(export, _BLOCK)

    def write(self, folder: Path, export: Export) -> None:
        """Write the tree."""
        records = export.records
        names = folder_names(records.dataset.classes)
        digits = len(str(max(*records.counts.values(), 1) - 1))
        for split, count in records.counts.items():
            labels = records.labels(split)
            places = [names[label] if label >= 0 else UNLABELLED for label in labels.tolist()]
            files = [f"{place}/{number:0{digits}}.png" for number, place in enumerate(places)]
            for place in sorted(set(places)):
                (folder / split / place).mkdir(parents=True)
            (folder / split).mkdir(exist_ok=True)
            for part, images in records.encoded(split, export.executor, lossy=export.lossy):
                for number, image in enumerate(images, part.start):
                    (folder / split / files[number]).write_bytes(image)
                export.advance(len(part))
            _write_table(folder / split / "metadata.csv", _table(export, split, files, labels), count)


def folder_names(classes: Sequence[str]) -> list[str]:
    """Return what the folders of classes are called: by their names, in whose order are their labels.

    Readers number the folders in the order of their names. Where that is not the order of the labels, or a
    name is none that every system takes, the label stands before it.

    Examples:
        >>> folder_names(["cat", "dog"]), folder_names(["dog", "cat"]), folder_names(["30/50", "stop"])
        (['cat', 'dog'], ['0_dog', '1_cat'], ['0_30-50', '1_stop'])
    """
    plain = [re.sub(r"[^\w.+ -]", "-", name).strip(" .") for name in classes]
    folded = {name.casefold() for name in plain}
    if plain == list(classes) and plain == sorted(plain) and len(folded) == len(plain) and all(plain):
        return plain
    digits = len(str(len(classes) - 1))
    return [f"{label:0{digits}}_{name}".rstrip("_") for label, name in enumerate(plain)]


def _table(export: Export, split: str, files: list[str], labels: Any) -> dict[str, list[Any]]:
    """Return the columns of a split's table; a value of several numbers is as many columns."""
    classes = export.records.dataset.classes
    table: dict[str, list[Any]] = {
        "file_name": files,
        "label": labels.tolist(),
        "class": [classes[label] if label >= 0 else UNLABELLED for label in labels.tolist()],
    }
    values = export.records.values(split)
    for column in export.records.columns:
        flat = values[column.name].reshape(len(labels), -1)
        for place, name in enumerate(column.parts):
            table[name] = np.asarray(flat[:, place]).tolist()
    return table


def _write_table(path: Path, table: dict[str, list[Any]], count: int) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(table)
        writer.writerows(zip(*table.values(), strict=True) if count else [])
