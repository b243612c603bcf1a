"""The one place that decides which failed request is sent again, after how long, and how often.

Every request this room sends only reads, so sending it again is always safe; the question is only whether it helps
(docs/contracts/shopify.md §8). A refused token is not decided here: the client replaces it once.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass

from tenacity import RetryCallState, Retrying, retry_if_exception

from shopify_xero_pipeline.clock import Clock
from shopify_xero_pipeline.shopify.errors import ShopifyError, ShopifyUnavailableError, ThrottledError

UNAVAILABLE_ATTEMPTS = 5
THROTTLED_ATTEMPTS = 30
"""Several jobs may share the limit, and nobody is served in turn; whoever gives up early loses its whole run."""

FIRST_PAUSE_SECONDS = 1.0
MAX_PAUSE_SECONDS = 30.0
"""Seconds; the pause before the n-th retry is drawn between 0 and FIRST_PAUSE doubled n - 1 times, at most this."""

MAX_RETRY_AFTER_SECONDS = 300.0
"""Seconds; a server that asks for more than this is answered by giving up, so that a run cannot hang on it."""


def build_retrying(clock: Clock, rng: random.Random, seconds_left: Callable[[], float]) -> Retrying:
    """Return the policy: call it with what to do and its arguments; the last error comes out as it is.

    Args:
        clock: what waits.
        rng: where jitter comes from.
        seconds_left: how many seconds there are; a pause that does not fit is not taken.
    """
    return Retrying(
        retry=retry_if_exception(lambda error: max_attempts(error) > 1),
        stop=lambda state: _enough(state) or state.upcoming_sleep >= seconds_left(),
        wait=_Pause(rng),
        sleep=clock.sleep,
        reraise=True,
    )


def max_attempts(error: BaseException) -> int:
    """Return how often a request may be sent in all when it fails like this; 1 means once only."""
    if isinstance(error, ShopifyError) and (error.retry_after or 0) > MAX_RETRY_AFTER_SECONDS:
        return 1
    if isinstance(error, ThrottledError):
        return THROTTLED_ATTEMPTS
    return UNAVAILABLE_ATTEMPTS if isinstance(error, ShopifyUnavailableError) else 1


def _failure(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None


def _enough(state: RetryCallState) -> bool:
    error = _failure(state)
    return error is None or state.attempt_number >= max_attempts(error)


@dataclass(frozen=True)
class _Pause:
    """What the server asked for, plus full jitter that grows, so that those who failed together return apart."""

    rng: random.Random

    def __call__(self, state: RetryCallState) -> float:
        error = _failure(state)
        asked = error.retry_after if isinstance(error, ShopifyError) else None
        return (asked or 0.0) + self.rng.uniform(
            0, min(MAX_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** (state.attempt_number - 1))
        )
