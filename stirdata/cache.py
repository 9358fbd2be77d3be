"""Where downloads and other things that can be made again are kept."""

from __future__ import annotations

import os
from pathlib import Path

HOME_VARIABLE = "STIRDATA_HOME"


def cache_folder(folder: Path | str | None = None) -> Path:
    """Return the folder of the cache, which need not exist yet.

    Args:
        folder: Taken if given; else the environment variable ``STIRDATA_HOME``; else the folder that
            the operating system has for a user's caches.

    Examples:
        >>> cache_folder("here").as_posix()
        'here'
    """
    if folder is not None:
        return Path(folder).expanduser()
    if home := os.environ.get(HOME_VARIABLE):
        return Path(home).expanduser()
    import platformdirs

    return Path(platformdirs.user_cache_path("stirdata", appauthor=False))
