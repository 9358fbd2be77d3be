"""STIR emoji against the reference, and against its own promises."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from stir_fixtures import DISC, SVG, data, needs_cairo, reference

from stirdata.errors import SourceError
from stirdata.families.stir import emoji as stir_emoji
from stirdata.families.stir.axes import SCALES, StirArrays
from stirdata.sources import fontawesome

pytestmark = needs_cairo


def as_pinned() -> bool:
    """Tell whether the renderer is the one that the reference and the pins were made with."""
    from stirdata.imaging.fitting import renderer_versions

    versions = renderer_versions()
    return versions["cairo"].startswith("1.16.") and versions["cairosvg"].startswith("2.9.")


@cache
def whole() -> StirArrays:
    return stir_emoji.generate(fontawesome.load(data("fontawesome")))


def test_it_equals_the_reference() -> None:
    expected, part = reference("emoji")
    for key in ("lbls", "scls", "psts"):
        assert np.array_equal(part(getattr(whole(), key)), expected[key])
    assert whole().lbldata.tolist() == expected["lbldata"].tolist()
    if not as_pinned():
        pytest.skip("the reference was rendered by cairo 1.16 and CairoSVG 2.9")
    assert np.array_equal(part(whole().imgs), expected["imgs"])


def test_every_face_is_inside_its_box() -> None:
    arrays = whole()
    for place in stir_emoji.FRAME.draw_order():
        image, scale = arrays.imgs[place].copy(), SCALES[place.scale]
        left, top = arrays.psts[place]
        assert image[top : top + scale, left : left + scale].any()
        image[top : top + scale, left : left + scale] = 0
        assert not image.any()


def test_at_scale_64_the_three_sets_are_equal() -> None:
    imgs = whole().imgs
    assert np.array_equal(imgs[0, 0], imgs[1, 0])
    assert np.array_equal(imgs[0, 0], imgs[2, 0])


def test_only_distinct_pictures_are_rendered(monkeypatch: pytest.MonkeyPatch) -> None:
    rendered = []

    def render(svg: bytes, scale: int, where: object) -> np.ndarray:
        rendered.append((svg, scale))
        return np.full((scale, scale, 4), 7, np.uint8)

    monkeypatch.setattr(stir_emoji, "render_in_box", render)
    svgs = {name: name.encode() for name in stir_emoji.ICONS}
    stir_emoji.generate(svgs)
    assert len(rendered) == len(set(rendered)) == 1_728


def test_fingerprints_count_the_renderings_that_differ() -> None:
    arrays = whole()
    found = stir_emoji.fingerprints(arrays.imgs, arrays.psts)
    changed = arrays.imgs.copy()
    for number, label in ((3, 5), (40, 35)):
        left, top = arrays.psts[0, number, label, 0]
        changed[0, number, label, 0, top, left] ^= 1
    assert stir_emoji.count_different(stir_emoji.fingerprints(changed, arrays.psts), found) == 2
    assert stir_emoji.count_different(found, found) == 0


def test_an_icon_with_a_size_of_its_own_is_refused() -> None:
    svgs = dict.fromkeys(stir_emoji.ICONS, DISC)
    svgs["tired"] = SVG.replace("<svg", '<svg width="20" height="30"').encode()
    with pytest.raises(SourceError, match="not rendered into its box"):
        stir_emoji.generate(svgs)
