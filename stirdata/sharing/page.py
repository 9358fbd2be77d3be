"""Pages of HTML that are one file: nothing on them comes from the network, and nothing on them runs."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape
from typing import Any

_STYLE = """
:root { color-scheme: light; --paper: #fff; --ink: #1d2530; --soft: #5b6675; --line: #dfe3e8;
  --own: #c2185b; }
* { box-sizing: border-box; }
body { margin: 0; color: var(--ink); background: var(--paper);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, Helvetica, Arial, sans-serif; }
main { max-width: 60rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .25rem; }
h2 { font-size: 1.15rem; margin: 2.5rem 0 .75rem; padding-top: .75rem; border-top: 1px solid var(--line); }
p.sub { color: var(--soft); margin: 0 0 1.25rem; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr)); gap: .75rem; }
.card { border: 1px solid var(--line); border-radius: .5rem; padding: .75rem 1rem; }
.card b { display: block; font-size: 1.6rem; line-height: 1.2; color: var(--own);
  font-variant-numeric: tabular-nums; }
.card span { color: var(--soft); font-size: .875rem; }
figure { margin: 1rem 0; overflow-x: auto; }
figure svg, figure img { max-width: 100%; height: auto; display: block; }
figure svg { width: 48rem; }
figure img { image-rendering: pixelated; }
figcaption { color: var(--soft); font-size: .875rem; margin-top: .25rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .875rem; }
th, td { padding: .25rem .75rem; text-align: right; white-space: nowrap;
  border-bottom: 1px solid var(--line); }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
tr.own td { font-weight: 600; color: var(--own); }
.facts td { text-align: left; white-space: normal; overflow-wrap: anywhere; vertical-align: top; }
.facts td:first-child { color: var(--soft); white-space: nowrap; }
.text td, .text th { text-align: left; }
pre { border: 1px solid var(--line); border-radius: .5rem; padding: .75rem 1rem; overflow-x: auto;
  font: .875rem/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
code { font: .875rem ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
details summary { cursor: pointer; color: var(--soft); margin: .5rem 0; }
"""
_DARK = """
@media (prefers-color-scheme: dark) {
  :root { color-scheme: dark; --paper: #14181d; --ink: #e3e8ee; --soft: #9aa5b1; --line: #323a43;
    --own: #ff79ab; }
}
"""


def page(title: str, body: str, *, dark: bool = False) -> str:
    """Return a page.

    Args:
        title: Of the window.
        body: HTML.
        dark: Whether it is dark where the reader's system is; else it is always light.
    """
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">\n"
        f"<title>{escape(title)}</title>\n<style>{_STYLE}{_DARK if dark else ''}</style>\n</head>\n"
        "<body>\n<main>\n"
        f"{body}\n</main>\n</body>\n</html>\n"
    )


def cards(shown: Iterable[tuple[str, str]]) -> str:
    """Return large values, each with what it is below it."""
    each = "".join(
        f'<div class="card"><b>{escape(value)}</b><span>{escape(what)}</span></div>' for value, what in shown
    )
    return f'<div class="cards">{each}</div>'


def image(content: bytes, what: str, *, width: int | None = None) -> str:
    """Return a PNG file as a figure.

    Args:
        content: The file.
        what: What it shows, in words.
        width: In pixels of the page, if it is to be enlarged.
    """
    data = base64.b64encode(content).decode()
    sized = f' width="{width}"' if width else ""
    return f'<figure><img alt="{escape(what)}"{sized} src="data:image/png;base64,{data}"></figure>'


def table(
    columns: Mapping[str, Sequence[Any]],
    *,
    cell: Callable[[Any], str] = str,
    own: int | None = None,
    kind: str = "",
) -> str:
    """Return a table.

    Args:
        columns: By their heads.
        cell: Returns the text of a value.
        own: Number of the row that stands out.
        kind: A class of the style: ``text`` for columns of words.
    """
    head = "".join(f"<th>{escape(name)}</th>" for name in columns)
    rows = [
        f"<tr{' class=' + chr(34) + 'own' + chr(34) if number == own else ''}>"
        + "".join(f"<td>{escape(cell(value))}</td>" for value in row)
        + "</tr>"
        for number, row in enumerate(zip(*columns.values(), strict=True))
    ]
    named = f' class="{kind}"' if kind else ""
    return f'<div class="wide"><table{named}><tr>{head}</tr>{"".join(rows)}</table></div>'


def facts(lines: Mapping[str, Sequence[str]]) -> str:
    """Return a table of facts, each a name and lines of text."""
    rows = "".join(
        f"<tr><td>{escape(name)}</td><td>{'<br>'.join(map(escape, several))}</td></tr>"
        for name, several in lines.items()
    )
    return f'<table class="facts">{rows}</table>'
