"""What the tests of the STIR sets share: test data, icons, small sets, and running commands."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image
from stirdata.cli import main

from stirdata.families.stir import axes as stir
from stirdata.storage import saving

CHECKOUT = Path(__file__).parents[1]
SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 10 10">{}</svg>'
DISC = SVG.format('<circle cx="5" cy="5" r="5"/>').encode()


def data(*parts: str) -> Path:
    """Return a path in the test data, or skip where it is absent."""
    path = Path(os.environ.get("STIRDATA_TEST_DATA") or CHECKOUT.parent / "shared" / "data", *parts)
    if not path.exists():
        pytest.skip(f"no test data at {path}; set STIRDATA_TEST_DATA to its folder")
    return path


def reference(name: str) -> tuple[dict[str, Any], Callable[[Any], Any]]:
    """Return a reference file's arrays, and a function that takes the same part of a whole set."""
    with np.load(data("reference", f"stir_{name}.npz")) as archive:
        arrays = {key: archive[key] for key in archive.files}
    rows = stir.SCALES[0] - arrays["scales"]

    def part(whole: Any) -> Any:
        return whole[:, rows][:, :, arrays["classes"]][:, :, :, arrays["instances"]]

    return arrays, part


def has_cairo() -> bool:
    """Tell whether CairoSVG and cairo are installed."""
    try:
        import cairosvg  # noqa: F401
    except (ImportError, OSError):
        return False
    return True


needs_cairo = pytest.mark.skipif(not has_cairo(), reason="CairoSVG or cairo is not installed")


def small_frame(**changes: Any) -> stir.Frame:
    """Return the axes of a set of two classes of two instances at three scales on 12 x 12 pixels."""
    axes = {"classes": ("a", "b"), "instances": 2, "scales": (12, 7, 3), "canvas": 12}
    return stir.Frame(**(axes | changes))


def small_set(frame: stir.Frame | None = None) -> stir.StirArrays:
    """Return a set of noise that fits the schema, always the same."""
    frame = frame or small_frame()
    imgs = np.random.RandomState(1).randint(0, 256, frame.shape + frame.image_shape).astype(np.uint8)
    rows = stir.metadata("T", "D", "A", "L", "1", "2026")
    return stir.with_latents(frame, imgs, stir.draw_positions(frame), rows)


def small_description(**changes: Any) -> saving.Description:
    """Return the description of the small set."""
    facts = {
        "dataset": "stir-custom",
        "recipe": {"name": "stir-custom", "version": 1},
        "seed": 42,
        "parameters": {},
        "sources": [],
        "license": "L",
        "citation": [],
    }
    return saving.Description(**(facts | changes))


def picture_folder(folder: Path, counts: dict[str, int], side: int = 20) -> Path:
    """Make one folder per class with that many PNG files, opaque and without a black pixel."""
    for name, count in counts.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            values = np.random.RandomState(abs(hash_of(name)) % 1000 + number)
            pixels = values.randint(60, 200, (side + number % 3, side, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
    return folder


def hash_of(name: str) -> int:
    """Return a number that a name always has, unlike that of ``hash``."""
    return sum(ord(letter) * (place + 1) for place, letter in enumerate(name))


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> SimpleNamespace:
    """Run the command line in this process; return its exit code and what it printed."""
    with pytest.raises(SystemExit) as exited:
        main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return SimpleNamespace(code=exited.value.code, out=captured.out, err=captured.err)
