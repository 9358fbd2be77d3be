"""Whatever could do more than draw is refused, with the line to blame."""

from __future__ import annotations

import pytest
from stir_fixtures import DISC, SVG

from stirdata.errors import SourceError
from stirdata.sources import svg
from stirdata.sources.svg import check_svg

PUBLIC = '<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">'
XLINK = 'xmlns:xlink="http://www.w3.org/1999/xlink"'


@pytest.mark.parametrize(
    "text",
    [
        SVG.format('<defs><path id="a" d="M0 0h5v5z"/></defs><use href="#a"/>'),
        SVG.format(f'<g {XLINK}><use xlink:href=" #a"/></g>'),
        SVG.format('<style>path { fill: url(#paint) }</style><path style="fill:url(#p)" d="M0 0h5v5z"/>'),
        '<?xml version="1.0" encoding="utf-8"?>\n' + PUBLIC + SVG.format("<title>Ähre</title>"),
        SVG.format("<!-- url(http://example.org) in a comment -->"),
    ],
)
def test_plain_pictures_pass(text: str) -> None:
    check_svg(text.encode(), "a.svg")
    check_svg(DISC, "b.svg")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (SVG.format("<script>alert(1)</script>"), "active content"),
        (SVG.format('<path onload="run()" d="M0 0"/>'), "a script"),
        (SVG.format('<path ONCLICK="run()" d="M0 0"/>'), "a script"),
        (SVG.format("<foreignObject/>"), "active content"),
        (SVG.format('<image href="http://127.0.0.1:9/x.png"/>'), "outside itself"),
        (SVG.format('<image href="file:///etc/passwd"/>'), "outside itself"),
        (SVG.format('<image href="data:image/png;base64,AAAA"/>'), "outside itself"),
        (SVG.format(f'<use {XLINK} xlink:href="other.svg#a"/>'), "outside itself"),
        (SVG.format("<style>@import 'x.css';</style>"), "reaches outside"),
        (SVG.format("<style>&#64;im&#112;ort 'x.css';</style>"), "reaches outside"),
        (SVG.format("<style>path { fill: url( 'http://127.0.0.1/x' ) }</style>"), "outside itself"),
        (SVG.format('<path fill="url(x.svg#p)" d="M0 0"/>'), "outside itself"),
        (SVG.format('<g xml:base="http://127.0.0.1/"/>'), "outside itself"),
        ('<?xml-stylesheet href="x.css"?>' + SVG.format(""), "processing instruction"),
        ('<!DOCTYPE svg [<!ENTITY a "b">]>' + SVG.format("&a;"), "declares an entity"),
        ('<!DOCTYPE svg [<!ENTITY % a SYSTEM "file:///x"> %a;]>' + SVG.format(""), "declares an entity"),
        (
            '<!DOCTYPE svg [<!ENTITY a SYSTEM "file:///etc/passwd">]>' + SVG.format("&a;"),
            "declares an entity",
        ),
        ("<html/>", "another kind of XML"),
        (SVG.format("<g>"), "not well-formed"),
        ("", "not well-formed"),
        (SVG.format("<g/>" * 20_001), "too many parts"),
        ('<?xml version="1.0" encoding="no-such"?>' + SVG.format(""), "cannot be parsed"),
    ],
)
def test_everything_else_is_refused(text: str, reason: str) -> None:
    with pytest.raises(SourceError, match=f"(?s){reason}.*bad.svg"):
        check_svg(text.encode(), "bad.svg")


def test_entities_that_expand_without_end_are_refused_before_they_do() -> None:
    entities = '<!ENTITY a0 "ha">' + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 30))
    with pytest.raises(SourceError, match="declares an entity"):
        check_svg(f"<!DOCTYPE svg [{entities}]>{SVG.format('&a29;')}".encode(), "bomb.svg")


def test_the_line_is_named() -> None:
    with pytest.raises(SourceError, match=r"bad\.svg, line 3"):
        check_svg(SVG.format("\n\n<script/>").encode(), "bad.svg")


def test_very_large_files_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(svg, "LARGEST_BYTES", 10)
    with pytest.raises(SourceError, match="too large"):
        check_svg(DISC, "a.svg")
