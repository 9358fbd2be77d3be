"""Refusing SVG files that could do more than draw.

A picture to be rendered must be complete in itself: no scripts, nothing fetched from files or the
network, no entities that expand. Every refusal says which line of the file is to blame.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from xml.parsers import expat

from stirdata.errors import SourceError

LARGEST_BYTES = 4 << 20
_MOST_ELEMENTS = 20_000
_REFUSED_ELEMENTS = {"script", "foreignobject", "iframe", "audio", "video", "handler", "listener"}
_REFERENCES = {"href", "src", "base", "data"}
_URL = re.compile(r"url\s*\(\s*['\"]?\s*([^'\")]*)", re.IGNORECASE)
_IMPORT = re.compile(r"@import|@font-face|expression\s*\(|javascript:", re.IGNORECASE)


def check_svg(data: bytes, where: object) -> None:
    """Raise SourceError unless the bytes are an SVG picture that needs nothing from outside.

    Args:
        data: Content of the file.
        where: Its name, for the message.

    Raises:
        SourceError: It is no well-formed SVG, or has scripts, references to anything but its own parts,
            entities, style sheets of other files, or is too large to be an icon.
    """
    if len(data) > LARGEST_BYTES:
        raise SourceError(
            "the SVG file is too large", where=where, expected=f"{LARGEST_BYTES} bytes", got=len(data)
        )
    checker = _Checker(where)
    try:
        checker.parser.Parse(data, True)
    except expat.ExpatError as error:
        raise SourceError("the SVG file is not well-formed XML", where=where, got=error) from error
    except (LookupError, ValueError) as error:
        raise SourceError("the SVG file cannot be parsed", where=where, got=error) from error


class _Checker:
    """Looks at every part of a document while it is parsed."""

    def __init__(self, where: object) -> None:
        self._where = where
        self._elements = 0
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True  # else text written with character references comes in pieces
        self.parser.StartElementHandler = self._start
        self.parser.CharacterDataHandler = self._style
        self.parser.EntityDeclHandler = self._entity
        self.parser.ProcessingInstructionHandler = self._instruction
        self.parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)

    def _refuse(self, what: str, got: str) -> None:
        raise SourceError(
            f"the SVG file {what}",
            where=f"{self._where}, line {self.parser.CurrentLineNumber}",
            expected="a picture that is complete in itself",
            got=got[:80],
            hint="save it as a plain SVG without scripts, entities and external parts",
        )

    def _entity(self, name: str, *_: object) -> None:
        self._refuse("declares an entity, which could expand without end or read files", name)

    def _instruction(self, target: str, data: str) -> None:
        self._refuse("has a processing instruction", f"<?{target} {data}?>")

    def _start(self, name: str, attributes: Mapping[str, str]) -> None:
        local = _local(name)
        self._elements += 1
        if self._elements == 1 and local != "svg":
            self._refuse("is another kind of XML", f"<{name}>")
        if self._elements > _MOST_ELEMENTS:
            self._refuse("has too many parts", f"more than {_MOST_ELEMENTS}")
        if local in _REFUSED_ELEMENTS:
            self._refuse("has active content", f"<{name}>")
        for key, value in attributes.items():
            self._attribute(key, value)

    def _attribute(self, key: str, value: str) -> None:
        local = _local(key)
        if local.startswith("on"):
            self._refuse("has a script", f'{key}="{value}"')
        if local in _REFERENCES and not value.strip().startswith("#"):
            self._refuse("refers to something outside itself", f'{key}="{value}"')
        self._style(value)

    def _style(self, text: str) -> None:
        """Refuse style that reaches outside, in attributes and in the text of style elements."""
        if found := _IMPORT.search(text):
            self._refuse("has style that reaches outside", found.group())
        for target in _URL.findall(text):
            if not target.strip().startswith("#"):
                self._refuse("refers to something outside itself", f"url({target})")


def _local(name: str) -> str:
    return name.rpartition(":")[2].lower()
