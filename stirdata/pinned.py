"""The facts that ship with stirdata, from ``manifests/*.json``."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import Any


@cache
def pinned(name: str) -> dict[str, Any]:
    """Return the shipped manifest of that name; treat it as read-only.

    Example:
        >>> pinned("mnist")["license"]
        'CC BY-SA 3.0'
    """
    text = resources.files("stirdata.manifests").joinpath(f"{name}.json").read_text(encoding="utf-8")
    facts: dict[str, Any] = json.loads(text)
    return facts
