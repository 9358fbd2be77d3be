"""Where the cache is: argument before variable before the place of the operating system."""

from pathlib import Path

import platformdirs

from stirdata.cache import HOME_VARIABLE, cache_folder


def test_argument_comes_first(tmp_path, monkeypatch):
    monkeypatch.setenv(HOME_VARIABLE, "elsewhere")
    assert cache_folder(tmp_path) == tmp_path
    assert cache_folder(str(tmp_path)) == tmp_path


def test_variable_comes_second(tmp_path, monkeypatch):
    monkeypatch.setenv("STIRDATA_HOME", str(tmp_path))
    assert cache_folder() == tmp_path


def test_place_of_the_system_comes_last(monkeypatch):
    expected = Path(platformdirs.user_cache_path("stirdata", appauthor=False))
    monkeypatch.delenv(HOME_VARIABLE)
    assert cache_folder() == expected
    monkeypatch.setenv(HOME_VARIABLE, "")
    assert cache_folder() == expected


def test_home_of_the_user_is_spelled_out(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setenv(HOME_VARIABLE, "~/kept")
    assert cache_folder() == tmp_path / "kept"
    assert cache_folder("~/here") == tmp_path / "here"


def test_folder_is_not_made_by_asking(tmp_path):
    cache_folder(tmp_path / "a")
    assert list(tmp_path.iterdir()) == []
