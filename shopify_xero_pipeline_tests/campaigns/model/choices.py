"""The source of a history's choices: a seed, or hypothesis, which can shrink a failing history.

This module only draws single choices. The smallest number is always the plainest choice, since hypothesis shrinks
towards it.
"""

from collections.abc import Sequence
from random import Random
from typing import Protocol, TypeVar

from hypothesis import strategies as st

T = TypeVar("T")


class Choices(Protocol):
    """A source of choices."""

    def whole(self, low: int, high: int) -> int:
        """Return a whole number from `low` to `high`, both included."""
        ...


class Dice:
    """Choices determined by a seed."""

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
    """Return one of several values; the first is the plainest."""
    return among[choices.whole(0, len(among) - 1)]


def chance(choices: Choices, percent: int) -> bool:
    """Return True with a probability in per cent."""
    return choices.whole(0, 99) >= 100 - percent
