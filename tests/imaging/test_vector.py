"""Rendering: what is missing is told, and nothing is fetched."""

from __future__ import annotations

import builtins
import socket
from typing import Any

import numpy as np
import pytest
from stir_fixtures import DISC, SVG, needs_cairo

from stirdata.errors import MissingLibraryError, SourceError
from stirdata.imaging.fitting import render_in_box, render_scaled, renderer_versions


@pytest.mark.parametrize(
    ("error", "what"),
    [
        (ImportError("No module named 'cairosvg'"), "CairoSVG"),
        (OSError('no library called "cairo"'), "cairo library"),
    ],
)
def test_what_is_missing_and_how_to_install_it_is_told(
    error: Exception, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = builtins.__import__

    def refuse(name: str, *rest: Any) -> Any:
        if name.startswith("cairosvg"):
            raise error
        return original(name, *rest)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(MissingLibraryError, match=f"(?s){what} is not installed.*apt-get.*brew.*conda"):
        render_in_box(DISC, 20)
    with pytest.raises(ImportError):
        renderer_versions()


@needs_cairo
def test_a_picture_fills_its_box() -> None:
    for render in (render_in_box, render_scaled):
        image = render(DISC, 33)
        assert image.shape == (33, 33, 4)
        assert image[16, 0, 3] > 200
        assert image[0, 0, 3] == 0


@needs_cairo
def test_a_stated_size_is_scaled_and_the_proportion_kept() -> None:
    svg = SVG.replace('viewBox="0 0 10 10"', 'width="200" height="100"').format(
        '<rect width="200" height="100"/>'
    )
    opacity = render_scaled(svg.encode(), 32)[:, :, 3]
    assert opacity.shape == (32, 32)
    assert np.flatnonzero(opacity.any(axis=1)).tolist() == list(range(8, 24))
    assert opacity.any(axis=0).all()


@needs_cairo
def test_nothing_is_fetched_even_if_a_reference_slips_through(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "socket", lambda *_, **__: pytest.fail("opened a socket"))
    secret = tmp_path / "secret.svg"
    secret.write_text(SVG.format('<rect width="10" height="10"/>'))
    for target in ("http://127.0.0.1:9/x.svg", secret.as_uri(), str(secret)):
        picture = SVG.format(f'<image width="10" height="10" href="{target}"/>').encode()
        try:
            assert not render_scaled(picture, 16)[:, :, 3].any()
        except SourceError as error:
            assert "refused" in str(error)


@needs_cairo
def test_what_cannot_be_rendered_is_named() -> None:
    with pytest.raises(SourceError, match=r"(?s)cannot be rendered.*x\.svg"):
        render_scaled(b"<svg", 16, "x.svg")


@needs_cairo
def test_versions_are_told() -> None:
    assert set(renderer_versions()) == {"cairosvg", "cairo"}
