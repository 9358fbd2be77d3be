"""What is said of an output that is not what was asked for."""

from __future__ import annotations

from typing import Any

import pytest

from stirdata.manifest import Manifest
from stirdata.operations.standing import difference
from stirdata.storage.forms import Description

WANTED: dict[str, Any] = {
    "dataset": "a",
    "recipe": {"name": "a", "version": 1},
    "seed": 7,
    "parameters": {"scales": list(range(64, 16, -1)), "canvas": 64},
    "sources": [{"name": "mnist", "sha256": {"images": "0"}}],
    "license": "CC0",
    "citation": [],
}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, ""),
        ({"seed": 8}, "its seed is 8, not 7"),
        ({"parameters": {"scales": [20], "canvas": 64}}, "its scales is [20], not [64, 63, …, 17]"),
        ({"parameters": {"scales": WANTED["parameters"]["scales"]}}, "its canvas is None, not 64"),
        ({"sources": [{"name": "synthetic", "version": 1}]}, "it was made from synthetic, not from mnist"),
        (
            {"sources": [{"name": "mnist", "sha256": {"images": "1"}}]},
            "it was made from another mnist: different are sha256",
        ),
    ],
)
def test_what_differs_is_told_and_nothing_else(changes: dict[str, Any], told: str) -> None:
    found = Manifest(files=[], arrays={}, **{**WANTED, **changes})
    assert difference(found, Description(**WANTED)) == told
