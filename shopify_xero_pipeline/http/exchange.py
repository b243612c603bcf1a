"""The time limit and the size limit of one exchange, which is a request with its response.

This module only holds the limits. The socket operations are in `sockets.py`, the requests in `transport.py`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import httpx

from shopify_xero_pipeline.clock import Clock


class AnswerTooLargeError(httpx.TransportError):
    """A response above the size limit. After a write, its outcome is unknown."""


class Exchange:
    """One request and its response, from name resolution to the last byte.

    Args:
        clock: its `elapsed` counts, so a step of the wall clock neither extends nor cuts an exchange, and suspension
            counts.
        seconds: time limit of the whole exchange.
        max_bytes: limit of received bytes; `set_limit` replaces it.
    """

    def __init__(self, clock: Clock, seconds: float, max_bytes: int) -> None:
        self._clock = clock
        self._ends_at = clock.elapsed() + seconds
        self._bytes_left = max_bytes

    def seconds(self, at_most: float | None = None) -> float:
        """Return the seconds left for the next operation.

        Args:
            at_most: the operation's own limit in seconds, or None.

        Raises:
            TimeoutError: the exchange has used up its time.
        """
        seconds_left = self._ends_at - self._clock.elapsed()
        if seconds_left <= 0:
            raise TimeoutError("the exchange exceeded its time limit")
        return seconds_left if at_most is None else min(seconds_left, at_most)

    def check_time(self) -> None:
        """Refuse what a transport without these sockets delivers after the time limit.

        Raises:
            httpx.ReadTimeout: the exchange has used up its time.
        """
        try:
            self.seconds()
        except TimeoutError as error:
            raise httpx.ReadTimeout(str(error)) from None

    def set_limit(self, max_bytes: int) -> None:
        """Set the number of bytes that may still be received."""
        self._bytes_left = max_bytes

    def bytes_left(self, at_most: int) -> int:
        """Return the number of bytes that the next read may take.

        Raises:
            AnswerTooLargeError: the limit is used up.
        """
        if self._bytes_left <= 0:
            raise AnswerTooLargeError("the response is too large")
        return min(at_most, self._bytes_left)

    def count_received(self, count: int) -> None:
        """Subtract received bytes from the limit."""
        self._bytes_left -= count


_current: ContextVar[Exchange] = ContextVar("exchange")


@contextmanager
def in_exchange(exchange: Exchange) -> Iterator[None]:
    """Make an exchange the current one of this thread while the block runs.

    A connection outlives its exchanges, and httpcore passes a socket only the time-out of one operation.
    """
    token = _current.set(exchange)
    try:
        yield
    finally:
        _current.reset(token)


def current_exchange() -> Exchange:
    """Return the current exchange of this thread."""
    return _current.get()
