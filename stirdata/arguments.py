"""Checks of single arguments, whatever they are of: integers, flags, functions."""

from __future__ import annotations

import operator
from pathlib import Path
from typing import Any

from stirdata.errors import ParameterError


def as_integer(value: Any) -> int | None:
    """Return a scalar integer of Python, NumPy or torch as an int; None for anything else, and for bool.

    Examples:
        >>> as_integer(17), as_integer(17.0), as_integer(True), as_integer([17])
        (17, None, None, None)
    """
    is_bool = isinstance(value, bool) or str(getattr(value, "dtype", "")).endswith("bool")
    if is_bool or getattr(value, "ndim", 0) != 0:
        return None
    try:
        return operator.index(value)
    except (TypeError, ValueError, RuntimeError):  # torch raises the last for numbers it cannot convert
        return None


def checked_integer(name: str, value: Any, least: int) -> int:
    """Return an argument as int, or raise ParameterError if it is none or below ``least``."""
    number = as_integer(value)
    if number is None or number < least:
        raise ParameterError(
            f"{name} is out of range or no integer",
            where=name,
            expected=f"an integer of {least} or more",
            got=repr(value),
        )
    return number


def checked_path(name: str, value: Any) -> Path:
    """Return an argument as a path, or raise ParameterError if it cannot be one."""
    try:
        return Path(value)
    except TypeError as error:
        raise ParameterError(
            f"{name} is no path", where=name, expected="a file or folder", got=repr(value)
        ) from error


def checked_flag(name: str, value: Any) -> bool:
    """Return an argument that is true or false, also of NumPy or as 0 or 1; else raise ParameterError.

    Anything else was meant for another argument, such as a device in the place of ``shuffle``.
    """
    if isinstance(value, bool) or str(getattr(value, "dtype", "")).endswith("bool"):
        return bool(value)
    if as_integer(value) in (0, 1):
        return bool(value)
    raise ParameterError(
        f"{name} is neither true nor false",
        where=name,
        expected="True or False",
        got=repr(value),
        hint="was it meant for another argument? give arguments by name",
    )


def checked_function(name: str, value: Any) -> Any:
    """Return an argument that is None or can be called, or raise ParameterError."""
    if value is None or callable(value):
        return value
    raise ParameterError(
        f"{name} cannot be called", where=name, expected="a function, or None", got=repr(value)
    )
