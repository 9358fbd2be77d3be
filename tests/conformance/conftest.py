"""A small dataset of every registered family in every form, made once for all tests of the suite."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from specimens import CASES, Specimen, target_in, write

from stirdata.families import families
from stirdata.families.family import Family


@pytest.fixture(scope="session")
def _kept(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Family, str], Path]:
    made: dict[tuple[str, str], Path] = {}

    def path(family: Family, form: str) -> Path:
        key = family.name, form
        if key not in made:
            target = target_in(tmp_path_factory.mktemp("specimen"), form)
            write(family, form, target)
            made[key] = target
        return made[key]

    return path


@pytest.fixture(params=CASES, ids=lambda case: f"{case[0].name}-{case[1]}")
def specimen(request: pytest.FixtureRequest, _kept: Callable[[Family, str], Path]) -> Specimen:
    """Return the small dataset of a family in a form; the files are shared and must not be changed."""
    family, form = request.param
    return Specimen(family, form, _kept(family, form))


@pytest.fixture
def own_specimen(specimen: Specimen, tmp_path: Path) -> Specimen:
    """Return a copy of a small dataset, which may be changed."""
    shutil.copytree(specimen.path.parent, tmp_path / "own")
    return Specimen(specimen.family, specimen.form, tmp_path / "own" / specimen.path.name)


@pytest.fixture(params=list(families().values()), ids=lambda family: family.name)
def dataset(request: pytest.FixtureRequest, _kept: Callable[[Family, str], Path]) -> Specimen:
    """Return the small dataset of a family in its first form."""
    family = request.param
    form = family.layout.forms[0]
    return Specimen(family, form, _kept(family, form))
