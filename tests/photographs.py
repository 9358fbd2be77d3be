"""Small stand-ins for the Mapillary and DOTA archives, in the official layouts, that tests make and break."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from stirdata.families.stir.crops import Plan

SIDE = 420
GRID = [(column, row) for row in range(4) for column in range(4)]
PER_PICTURE = len(GRID)
NEEDED = 75


def pixels(width: int, height: int, seed: int = 0) -> Image.Image:
    """Return a smooth coloured picture."""
    noise = np.random.RandomState(seed).randint(0, 256, (6, 6, 3)).astype(np.uint8)
    return Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC)


def encoded(picture: Image.Image, form: str, **how: Any) -> bytes:
    content = io.BytesIO()
    picture.save(content, form, **how)
    return content.getvalue()


@cache
def jpeg(width: int = SIDE, height: int = SIDE, seed: int = 0) -> bytes:
    return encoded(pixels(width, height, seed), "JPEG")


@cache
def png(width: int = SIDE, height: int = SIDE, seed: int = 0) -> bytes:
    return encoded(pixels(width, height, seed), "PNG")


def write_zip(path: Path, members: Mapping[str, bytes], compression: int = zipfile.ZIP_STORED) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def sign(
    left: float, top: float, right: float, bottom: float, label: str = "stop", **properties: bool
) -> dict[str, Any]:
    """Return one object of a Mapillary annotation."""
    box = {"xmin": left, "ymin": top, "xmax": right, "ymax": bottom}
    return {"key": "k", "label": label, "bbox": box, "properties": {"occluded": False, **properties}}


def annotation(objects: Iterable[Any], width: int = SIDE, height: int = SIDE) -> dict[str, Any]:
    return {"width": width, "height": height, "ispano": False, "objects": list(objects)}


class Mapillary:
    """A folder like that of the Mapillary Traffic Sign Dataset.

    Attributes:
        annotations: Per picture, what its JSON file holds; bytes are written as they are.
        pictures: Per picture, its JPEG.
        lists: The text of the two split lists; made from the pictures if empty.
    """

    def __init__(self) -> None:
        self.annotations: dict[str, Any] = {}
        self.pictures: dict[str, bytes] = {}
        self.lists: dict[str, bytes] = {}
        self.archive_name = "{}.zip"

    def add(self, key: str, objects: Iterable[Any], picture: bytes | None = None, **size: int) -> None:
        self.annotations[key] = annotation(objects, **size)
        self.pictures[key] = jpeg(seed=len(self.pictures)) if picture is None else picture

    def write(self, folder: Path) -> Path:
        """Write it all; every fourth picture goes to each archive, those of ``val`` to the last."""
        keys = list(self.annotations)
        below = folder / "mtsd_v2_fully_annotated"
        (below / "annotations").mkdir(parents=True, exist_ok=True)
        (below / "splits").mkdir(exist_ok=True)
        for key, content in self.annotations.items():
            data = content if isinstance(content, bytes) else json.dumps(content).encode()
            (below / "annotations" / f"{key}.json").write_bytes(data)
        splits = {"train": [key for n, key in enumerate(keys) if n % 4 != 3], "val": keys[3::4]}
        for split, members in splits.items():
            text = "".join(f"{key}\n" for key in members).encode()
            (below / "splits" / f"{split}.txt").write_bytes(self.lists.get(split, text))
        for number, part in enumerate(("train.0", "train.1", "train.2", "val")):
            chosen = {
                f"images/{key}.jpg": self.pictures[key] for key in keys[number::4] if key in self.pictures
            }
            write_zip(folder / self.archive_name.format(part), chosen)
        return folder


def line(left: float, top: float, right: float, bottom: float, label: str = "ship") -> str:
    """Return one upright object of a DOTA annotation."""
    corners = (left, top, right, top, right, bottom, left, bottom)
    return " ".join(f"{value:.1f}" for value in corners) + f" {label} 0"


class Dota:
    """A folder like that of DOTA v1.5.

    Attributes:
        texts: Per picture, its annotation.
        pictures: Per picture, its PNG.
    """

    def __init__(self) -> None:
        self.texts: dict[str, bytes] = {}
        self.pictures: dict[str, bytes] = {}

    def add(
        self, name: str, lines: Iterable[str], picture: bytes | None = None, source: str = "GoogleEarth"
    ) -> None:
        head = [f"imagesource:{source}", "gsd:0.15"]
        self.texts[name] = "".join(f"{text}\n" for text in [*head, *lines]).encode()
        self.pictures[name] = png(seed=len(self.pictures)) if picture is None else picture

    def write(self, folder: Path) -> Path:
        """Write it all; every fourth picture goes to each archive, those of ``val`` to the last."""
        names = list(self.texts)
        train = [name for n, name in enumerate(names) if n % 4 != 3]
        for split, chosen in (("train", train), ("val", names[3::4])):
            texts = {f"{name}.txt": self.texts[name] for name in chosen}
            write_zip(folder / split / f"DOTA-v1.5_{split}.zip", texts, zipfile.ZIP_DEFLATED)
        for number, part in enumerate(("train/part1", "train/part2", "train/part3", "val/part1")):
            chosen = [name for name in names[number::4] if name in self.pictures]
            write_zip(folder / f"{part}.zip", {f"images/{name}.png": self.pictures[name] for name in chosen})
        return folder


def _boxes(start: int, size: int, count: int) -> list[tuple[float, float, int]]:
    """Return left, top and extent of the objects of one picture, ever larger by a pixel now and then."""
    extents = [size + (start + n) // 20 for n in range(min(PER_PICTURE, count - start))]
    places = [(100.0 * column + 5, 100.0 * row + 5) for column, row in GRID]
    return [(*place, extent) for place, extent in zip(places, extents, strict=False)]


def enough_signs(label: str = "stop", size: int = 70, count: int = NEEDED) -> Mapillary:
    """Return signs of one class, as many as a set needs."""
    made = Mapillary()
    for start in range(0, count, PER_PICTURE):
        boxes = _boxes(start, size, count)
        made.add(f"pic{start:03d}", [sign(x, y, x + s, y + s, label) for x, y, s in boxes])
    return made


def enough_ships(label: str = "ship", size: int = 70, count: int = NEEDED) -> Dota:
    """Return objects of one class, as many as a set needs, longer than wide."""
    made = Dota()
    for start in range(0, count, PER_PICTURE):
        boxes = _boxes(start, size, count)
        made.add(f"P{start:04d}", [line(x, y, x + s, y + s // 2, label) for x, y, s in boxes])
    return made


def at_scales(plan: Plan, scales: tuple[int, ...]) -> Plan:
    """Return the part of a plan at some scales, in the order of the plan."""
    rows = [row for row, scale in enumerate(plan.frame.scales) if scale in scales]
    frame = replace(plan.frame, scales=tuple(plan.frame.scales[row] for row in rows))
    return replace(plan, frame=frame, windows=plan.windows[:, rows], positions=plan.positions[:, rows])
