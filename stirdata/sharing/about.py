"""What is said of a dataset wherever it is shared: its name, its origin, what may be done with it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from stirdata.loading.records import Column, Records
from stirdata.manifest import FileEntry

_SCALES = {
    "pixels": "Longer side of the object's box, in pixels.",
    "factor": "Factor by which the image was rescaled.",
    "": "",
}
_MEANINGS = {
    "position": "Left and upper edge of the object's box (x, y), in pixels from those of the image.",
    "size": "Width and height of the object's box, in pixels.",
    "source_index": "Number of the image that it was made of among those of the source.",
}


@dataclass(frozen=True)
class About:
    """What a dataset is, apart from its images.

    Attributes:
        dataset: Its name: ``stir-mnist``.
        title: What it calls itself.
        family: The benchmark as people write it: ``STIR``.
        unit: Of the scales: ``pixels`` or ``factor``; empty where there are none.
        license: Of the images.
        citation: What to cite.
        recipe: Name and version of the recipe that made it.
        seed: Of the recipe.
        parameters: Of the recipe.
        sources: Of the raw material, as the manifest lists them.
        root: Root digest of its manifest; None without one.
        file: Name of the file or folder.
        files: As the manifest lists them.
        identity: Which published or pinned dataset it is, in one sentence; empty if none.
    """

    dataset: str
    title: str
    family: str
    unit: str
    license: str
    citation: tuple[str, ...]
    recipe: Mapping[str, Any] = field(default_factory=dict)
    seed: int | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    sources: tuple[Mapping[str, Any], ...] = ()
    root: str | None = None
    file: str = ""
    files: tuple[FileEntry, ...] = ()
    identity: str = ""

    @property
    def material(self) -> list[str]:
        """Name and license of each source."""
        return [
            f"{source.get('name')} ({source.get('license', 'license unknown')})" for source in self.sources
        ]

    def meaning(self, column: Column) -> str:
        """Return what a column holds, in one sentence; nothing where that is not known."""
        return _SCALES[self.unit] if column.name in ("scale", "factor") else _MEANINGS.get(column.name, "")

    def as_json(self, records: Records) -> dict[str, Any]:
        """Return what another tool has to know of the records of the dataset, as JSON values."""
        return {
            "title": self.title,
            "dataset": self.dataset,
            "benchmark": self.family,
            "license": self.license,
            "citation": list(self.citation),
            "recipe": dict(self.recipe),
            "seed": self.seed,
            "root": self.root,
            "splits": records.counts,
            "classes": records.dataset.classes,
            "image": {"shape": list(records.image_shape), "dtype": records.image_dtype},
            "columns": {
                column.name: {
                    "dtype": column.dtype,
                    "shape": list(column.shape),
                    "meaning": self.meaning(column),
                }
                for column in records.columns
            },
        }


def as_text(content: Mapping[str, Any]) -> bytes:
    """Return JSON values as the text of a file."""
    return f"{json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)}\n".encode()
