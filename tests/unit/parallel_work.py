"""What the pool's tests let workers do; workers import it by name."""

from __future__ import annotations

import os
import signal
import time

from mcusim.errors import InputError


def late_if_early(number: int) -> tuple[int, int]:
    """The first tasks take longest, so that they end last."""
    time.sleep(0.2 if number < 2 else 0)
    return number, os.getpid()


def fail_on_odd(number: int) -> int:
    """The first failure comes after the second."""
    if number % 2 == 0:
        return number
    time.sleep(0.4 if number == 1 else 0)
    raise InputError(f"{number} is odd")


def vanish_on_two(number: int) -> int:
    """As if there were no memory left."""
    if number == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def sleep_long(_: int) -> None:
    """Longer than any test."""
    time.sleep(600)


def unpicklable(_: int) -> object:
    """A result that cannot be sent."""
    return lambda: None
