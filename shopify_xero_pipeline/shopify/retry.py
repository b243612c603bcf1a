"""Retry policy of the Shopify client (docs/contracts/shopify.md §8).

This module decides which requests are retried, after what pause and how often. A read is safe to repeat. The start of
a bulk operation is repeated only if Shopify did not execute it. The client itself replaces a refused token once.
"""

import random
from collections.abc import Callable

from tenacity import RetryCallState, Retrying, retry_if_exception

from shopify_xero_pipeline.clock import Clock
from shopify_xero_pipeline.http.retries import back_off
from shopify_xero_pipeline.shopify.errors import (
    ShopifyError,
    ShopifyUnavailableError,
    ShopifyUnreachableError,
    ThrottledError,
)

UNAVAILABLE_ATTEMPTS = 5
THROTTLED_ATTEMPTS = 30
"""Several jobs may share the rate limit, which has no queue; a job that gives up early loses its whole run."""

FIRST_PAUSE_SECONDS = 1.0
MAX_PAUSE_SECONDS = 30.0
"""Limit of the exponential back-off with full jitter. The n-th pause is random, from 0 to
FIRST_PAUSE_SECONDS * 2 ** (n - 1)."""

MAX_RETRY_AFTER_SECONDS = 300.0
"""Limit of `Retry-After`; a request with a longer one is not retried, so that a run does not hang."""


def build_retrying(
    clock: Clock, rng: random.Random, seconds_left: Callable[[], float], *, is_read: bool = True
) -> Retrying:
    """Return the retry policy, a callable that takes a function and its arguments and raises the last error.

    The pause is the server's `Retry-After` plus growing full jitter, which spreads the retries of several jobs.

    Args:
        clock: the waits.
        rng: the source of jitter.
        seconds_left: returns the time budget in seconds; a retry whose pause exceeds it is not made.
        is_read: whether a request may be repeated although Shopify may have executed it.
    """

    def attempts(error: BaseException | None) -> int:
        is_executed = not isinstance(error, ThrottledError | ShopifyUnreachableError)
        return 1 if is_executed and not is_read else max_attempts(error)

    def pause(state: RetryCallState) -> float:
        error = _failure(state)
        retry_after = error.retry_after if isinstance(error, ShopifyError) else None
        failures = state.attempt_number - 1
        return (retry_after or 0.0) + back_off(rng, failures, first=FIRST_PAUSE_SECONDS, longest=MAX_PAUSE_SECONDS)

    def is_last(state: RetryCallState) -> bool:
        return state.attempt_number >= attempts(_failure(state)) or state.upcoming_sleep >= seconds_left()

    return Retrying(
        retry=retry_if_exception(lambda error: attempts(error) > 1),
        stop=is_last,
        wait=pause,
        sleep=clock.sleep,
        reraise=True,
    )


def max_attempts(error: BaseException | None) -> int:
    """Return the number of attempts for a request with this error; 1 means no retry."""
    if isinstance(error, ShopifyError) and (error.retry_after or 0) > MAX_RETRY_AFTER_SECONDS:
        return 1
    if isinstance(error, ThrottledError):
        return THROTTLED_ATTEMPTS
    return UNAVAILABLE_ATTEMPTS if isinstance(error, ShopifyUnavailableError) else 1


def _failure(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None
