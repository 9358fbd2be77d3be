"""The register of what can be in the cache."""

import subprocess
import sys
from pathlib import Path

import pytest

from stirdata import sources
from stirdata.errors import ParameterError


def test_every_source_offers_what_the_cache_needs(tmp_path: Path) -> None:
    for name in sources.FETCHABLE:
        module = sources.source(name)
        assert module.remote_files()
        assert tmp_path in module.folder_in(tmp_path).parents
    for name in sources.MADE:
        module = sources.source(name)
        assert tmp_path in module.path_in(tmp_path).parents
        assert callable(module.check)


def test_unknown_source() -> None:
    with pytest.raises(
        ParameterError,
        match=r"(?s)no such raw material.*mnist, fashion-mnist, cifar10, stl10, fontawesome, synthetic",
    ):
        sources.source("nothing")


def test_register_imports_nothing() -> None:
    code = (
        "import sys, stirdata.sources; print([name for name in sys.modules if name.startswith('stirdata.')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "['stirdata.sources']\n"
