"""Addresses of servers: those that make sense, and what of them may be shown."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from stirdata.errors import ParameterError


def checked_address(address: str, where: str) -> str:
    """Return the address of a server or a folder on it.

    Raises:
        ParameterError: It is no http or https address, or has a query.
    """
    try:
        parts = urlsplit(address)
        valid = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        valid = False
    if not valid or set(address) & set("?#\\") or re.search(r"\s", address):
        raise ParameterError(
            "this is no address of a server", where=where, expected="https://HOST/…", got=repr(address)
        )
    return address


def without_password(address: str) -> str:
    """Return an address without the name and the password that may be in it.

    Example:
        >>> without_password("https://me:secret@host/file")
        'https://host/file'
    """
    try:
        parts = urlsplit(address)
    except ValueError:
        return address
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
