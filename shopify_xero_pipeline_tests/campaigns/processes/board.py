"""What the campaign and its workers tell each other, in memory they share: no lock that a killed one could take along.

The campaign writes how many days there are, whether all is over, and what it aims at; each worker writes at its own
place what it is doing.
"""

import ctypes
from collections.abc import Sequence
from enum import IntEnum
from multiprocessing.sharedctypes import RawArray, RawValue

PLACES = 4_096


class Aim(IntEnum):
    """What a worker is to do to itself at its next write, or at its next one of Payments, which nothing guards."""

    NOTHING = 0
    STOP_WHEN_SENDING = 1
    STOP_WHEN_PAYING = 2
    DIE_WHEN_SENDING = 3
    DIE_WHEN_ANSWERED = 4


class Phase(IntEnum):
    """What a worker is doing."""

    ELSEWHERE = 0
    SENDING = 1
    ANSWERED = 2


class Place(ctypes.Structure):
    """One worker's place: `aim` is written by the campaign and taken by the worker, the rest by the worker alone."""

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
        """How many days have orders so far; the next ones come as the round goes on."""
        return int(self._days.value)

    @days.setter
    def days(self, number: int) -> None:
        self._days.value = number

    @property
    def over(self) -> bool:
        """Whether all days are there and nothing goes wrong any more: whoever finds all done may go."""
        return bool(self._over.value)

    def end(self) -> None:
        """Say that it is over."""
        self._over.value = 1

    def total(self, name: str) -> int:
        """Return the sum over all places."""
        return sum(int(getattr(place, name)) for place in self.places)
