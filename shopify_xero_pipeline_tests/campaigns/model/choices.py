"""Where a history's choices come from: a seed, or hypothesis, which can then make a failing history smaller.

Only the drawing of single choices belongs here. The smallest number is always the plainest choice, as hypothesis
shrinks towards it.
"""

from collections.abc import Sequence
from random import Random
from typing import Protocol, TypeVar

from hypothesis import strategies as st

T = TypeVar("T")


class Choices(Protocol):
    """Whoever decides."""

    def whole(self, low: int, high: int) -> int:
        """Return a whole number from `low` to `high`, both included."""
        ...


class Dice:
    """Choices that follow from a seed."""

    def __init__(self, seed: str) -> None:
        self._random = Random(seed)

    def whole(self, low: int, high: int) -> int:
        """See `Choices`."""
        return low + int(self._random.random() * (high - low + 1))


class Drawn:
    """Choices drawn by hypothesis."""

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw

    def whole(self, low: int, high: int) -> int:
        """See `Choices`."""
        return self._draw(st.integers(low, high))


def pick(choices: Choices, among: Sequence[T]) -> T:
    """Return one of several; the first is the plainest."""
    return among[choices.whole(0, len(among) - 1)]


def chance(choices: Choices, percent: int) -> bool:
    """Return True so often in a hundred."""
    return choices.whole(0, 99) >= 100 - percent
