"""Trying again after a failure that may pass: how often, how long to wait, and when to stop."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from stirdata.errors import SourceUnavailableError

ATTEMPTS = 6  # in a row that bring nothing
ATTEMPTS_UNREACHED = 2  # while nobody has answered yet: somebody without a network wants to know it soon
FIRST_WAIT, LONGEST_WAIT = 1.0, 30.0  # seconds; doubled every time
LONGEST_TOLD_WAIT = 120.0  # seconds, whatever a server asks for
LONGEST_WAIT_IN_ALL = 600.0  # seconds, per mirror
LOWEST_SPEED, UNHURRIED = 100.0, 10.0  # bytes per second, which count after so many seconds of an attempt

_sleep = time.sleep
_clock = time.monotonic
_jitter = random.Random().uniform  # clients that failed at the same time must not come back at the same time

Result = TypeVar("Result")


class RefusalError(SourceUnavailableError):
    """A server does not deliver, and asking it again is of no use."""


class PassingError(SourceUnavailableError):
    """Something failed that may work when it is tried again.

    Attributes:
        told: Seconds that the server asked to wait, if it did.
        reached: Whether somebody answered.
    """

    def __init__(self, what: str, *, told: float | None = None, reached: bool = True) -> None:
        super().__init__(what)
        self.told = told
        self.reached = reached


def persist(
    attempt: Callable[[], Result],
    *,
    progress: Callable[[], int] = lambda: 0,
    say: Callable[[str], None] = lambda message: None,
) -> Result:
    """Make attempts until one succeeds, with pauses that grow while nothing is gained.

    Args:
        attempt: Raises PassingError if it is to be made again; any other error ends it.
        progress: How far the attempts have come, in bytes; one that comes farther than all before, and not
            at a crawl, sets the count of failures back.
        say: Told what failed and how long the pause is.

    Raises:
        RefusalError: Too many attempts failed; it has the reason of the last one.
    """
    count, patience = 0, _Patience(progress())
    while True:
        count += 1
        started = _clock()
        try:
            return attempt()
        except PassingError as error:
            seconds = patience.wait_after(error, progress(), _clock() - started)
            if seconds is None:
                raise RefusalError(error.what + (f" ({count} attempts)" if count > 1 else "")) from error
            say(f"{error.what}; trying again in {seconds:.0f} s")
            _sleep(seconds)


class _Patience:
    """Counts the failures and the waiting."""

    def __init__(self, progress: int) -> None:
        self._farthest = progress
        self._failures = 0
        self._waited = 0.0
        self._reached = False

    def wait_after(self, error: PassingError, progress: int, lasted: float) -> float | None:
        """Return the seconds to wait after an attempt that lasted so long, None if it was one too many."""
        least = LOWEST_SPEED * max(0.0, lasted - UNHURRIED)
        self._failures = 1 if progress - self._farthest > least else self._failures + 1
        self._farthest = max(self._farthest, progress)
        self._reached = self._reached or error.reached
        seconds = _seconds(self._failures, error.told)
        self._waited += seconds
        attempts = ATTEMPTS if self._reached else ATTEMPTS_UNREACHED
        return None if self._failures >= attempts or self._waited > LONGEST_WAIT_IN_ALL else seconds


def _seconds(failures: int, told: float | None) -> float:
    longest = min(FIRST_WAIT * 2 ** (failures - 1), LONGEST_WAIT)
    return max(_jitter(longest / 2, longest), min(told or 0, LONGEST_TOLD_WAIT))
