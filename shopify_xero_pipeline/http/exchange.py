"""One request and its answer: how long both may take together, and how much may still be received.

The limits themselves belong here. What is done on a socket is in `sockets.py`, what is sent is in `transport.py`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import httpx

from shopify_xero_pipeline.clock import Clock


class AnswerTooLargeError(httpx.TransportError):
    """An answer is larger than any that is expected. For a write this leaves its outcome open."""


class Exchange:
    """One request and its answer, from the resolution of the name to the last byte.

    Args:
        clock: `elapsed` decides, so no step of the wall clock extends or cuts an exchange, and suspension counts.
        seconds: what the whole exchange may take.
        most_bytes: what may be received; `expect` sets it anew.
    """

    def __init__(self, clock: Clock, seconds: float, most_bytes: int) -> None:
        self._clock = clock
        self._ends_at = clock.elapsed() + seconds
        self._bytes_left = most_bytes

    def seconds(self, at_most: float | None = None) -> float:
        """Return the seconds that the next operation may take.

        Args:
            at_most: the limit of this operation; None if it has none of its own.

        Raises:
            TimeoutError: the time of the whole exchange is over.
        """
        left = self._ends_at - self._clock.elapsed()
        if left <= 0:
            raise TimeoutError("the exchange took too long")
        return left if at_most is None else min(left, at_most)

    def set_limit(self, most_bytes: int) -> None:
        """Set how many bytes may be received from now on."""
        self._bytes_left = most_bytes

    def bytes_left(self, at_most: int) -> int:
        """Return how many bytes the next read may take.

        Raises:
            AnswerTooLargeError: as much as is allowed was received already.
        """
        if self._bytes_left <= 0:
            raise AnswerTooLargeError("the answer is too large")
        return min(at_most, self._bytes_left)

    def count_received(self, count: int) -> None:
        """Take note of bytes that were received."""
        self._bytes_left -= count


_present: ContextVar[Exchange] = ContextVar("exchange")


@contextmanager
def in_exchange(exchange: Exchange) -> Iterator[None]:
    """Make this the exchange that sockets of this thread work for while the block runs.

    A connection outlives its exchanges, and httpcore hands a socket nothing but the time-out of one operation.
    """
    token = _present.set(exchange)
    try:
        yield
    finally:
        _present.reset(token)


def current_exchange() -> Exchange:
    """Return the exchange that is under way in this thread."""
    return _present.get()
