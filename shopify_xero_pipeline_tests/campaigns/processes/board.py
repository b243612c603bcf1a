"""The shared memory of the campaign and its workers, without a lock that a killed process could hold.

The campaign writes the number of days, the end of the round and its aims; each worker writes its state at its own
place.
"""

import ctypes
from collections.abc import Sequence
from enum import IntEnum
from multiprocessing.sharedctypes import RawArray, RawValue

PLACES = 4_096  # more than the workers of a round


class Aim(IntEnum):
    """The action of a worker on itself at its next write, or at its next write of Payments, which nothing guards."""

    NOTHING = 0
    STOP_WHEN_SENDING = 1
    STOP_WHEN_PAYING = 2
    DIE_WHEN_SENDING = 3
    DIE_WHEN_ANSWERED = 4


class Phase(IntEnum):
    """The current phase of a worker."""

    ELSEWHERE = 0
    SENDING = 1
    ANSWERED = 2


class Place(ctypes.Structure):
    """One worker's place: the campaign writes `aim` and the worker resets it, the worker writes the rest."""

    _fields_: Sequence[tuple[str, type]] = (  # type: ignore[misc]
        ("aim", ctypes.c_int),
        ("phase", ctypes.c_int),
        ("loads", ctypes.c_int),
        ("writes", ctypes.c_int),
        ("put_off", ctypes.c_int),
        ("broken", ctypes.c_int),
        ("timeouts", ctypes.c_int),
    )
    aim: int
    phase: int
    loads: int
    writes: int
    put_off: int
    broken: int
    timeouts: int


class Board:
    """The shared memory of a round."""

    def __init__(self) -> None:
        self._days = RawValue(ctypes.c_int, 0)
        self._over = RawValue(ctypes.c_int, 0)
        self.places = RawArray(Place, PLACES)

    @property
    def days(self) -> int:
        """The number of days with orders; it grows during the round."""
        return int(self._days.value)

    @days.setter
    def days(self, number: int) -> None:
        self._days.value = number

    @property
    def over(self) -> bool:
        """Whether all days exist and the faults have ended, so that a worker without work may exit."""
        return bool(self._over.value)

    def end(self) -> None:
        """Set the end of the round."""
        self._over.value = 1

    def total(self, name: str) -> int:
        """Return the sum of a field over all places."""
        return sum(int(getattr(place, name)) for place in self.places)
