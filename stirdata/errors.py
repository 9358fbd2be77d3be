"""Every error that stirdata raises on purpose.

Each derives from :class:`StirdataError` and from the built-in type that fits it, so that callers can
catch either. A message says what happened, where, what was expected, what was found and what to do.
"""

from typing import Any


class StirdataError(Exception):
    """Base of all errors raised by stirdata.

    Args:
        what: One sentence that says what is wrong.
        where: The file, argument or URL it concerns.
        expected: What would have been right.
        got: What was found instead.
        hint: What to do next.

    Examples:
        >>> print(ParameterError("the seed is negative", where="seed", expected="0 or more", got=-1))
        the seed is negative
          where:    seed
          expected: 0 or more
          got:      -1
    """

    def __init__(
        self, what: str, *, where: object = None, expected: object = None, got: object = None, hint: str = ""
    ) -> None:
        details = {"where": where, "expected": expected, "got": got, "next": hint or None}
        lines = [f"  {name + ':':<9} {value}" for name, value in details.items() if value is not None]
        super().__init__("\n".join([what, *lines]))
        self.what = what
        self.where = where
        self.expected = expected
        self.got = got
        self.hint = hint

    def __str__(self) -> str:
        return str(self.args[0])

    def __reduce__(self) -> tuple[Any, ...]:
        # Keyword-only arguments do not survive the default pickling of exceptions, which brings
        # errors back from worker processes.
        details = {"where": self.where, "expected": self.expected, "got": self.got, "hint": self.hint}
        return _rebuild, (type(self), self.what, details)


def _rebuild(kind: type[StirdataError], what: str, details: dict[str, Any]) -> StirdataError:
    return kind(what, **details)


class ParameterError(StirdataError, ValueError):
    """An argument has a value that makes no sense."""


class SourceError(StirdataError, ValueError):
    """Raw material is there but is not what it should be (truncated, corrupt, another file)."""


class SourceUnavailableError(StirdataError, ConnectionError):
    """Raw material is neither on this machine nor could it be downloaded."""


class FormatError(StirdataError, ValueError):
    """A dataset file cannot be read as what its name says."""


class ManifestError(StirdataError, ValueError):
    """A manifest is not valid: not JSON, an unknown schema, a dangerous path, a missing field."""


class LockError(StirdataError, ValueError):
    """A lock file is damaged, or what is published is no longer what it says."""


class MissingFileError(StirdataError, FileNotFoundError):
    """A file or folder that was named does not exist."""


class TargetExistsError(StirdataError, FileExistsError):
    """The output exists and is something else than what was asked for."""


class TargetError(StirdataError, OSError):
    """The output cannot be written (no space, no permission, not a folder)."""


class NotEnoughMemoryError(StirdataError, MemoryError):
    """What was asked for does not fit into the memory of the machine or the device."""


class MissingLibraryError(StirdataError, ImportError):
    """An optional library, or a system library that it needs, is not installed."""


class WorkersUnavailableError(StirdataError, ConnectionError):
    """The processes or machines that do the work cannot be reached, or died."""
