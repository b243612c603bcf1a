"""The pauses before another attempt of a request, the same for Shopify, Xero and Xero's sign-in service.

This module reads Retry-After, draws the back-off and repeats requests. Each client has a policy and decides which
requests it may repeat: a read may be repeated at any time, a write only within the replay horizon of its idempotency
key, so `loading/batch_sender.py` repeats writes with the pauses of the policy.
"""

import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception_type

from shopify_xero_pipeline.clock import Clock, parse_http_date

T = TypeVar("T")

_SECONDS = re.compile(r"[0-9]+(\.[0-9]+)?")


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds of a response's Retry-After, or None if it has none that can be read.

    A date counts from the response's own Date, never from this machine's clock.
    Source: RFC 9110 §10.2.3; Shopify sends decimal seconds (docs/contracts/shopify.md §2.3).

    Args:
        headers: headers of the response, by name in lower case.
    """
    text = headers.get("retry-after", "")
    if _SECONDS.fullmatch(text):
        return float(text)
    until, now = (parse_http_date(date) for date in (text, headers.get("date", "")))
    return max(0.0, (until - now).total_seconds()) if until is not None and now is not None else None


def back_off(rng: random.Random, failures: int, *, first: float, longest: float, min_share: float = 0.0) -> float:
    """Return the seconds of an exponential back-off with jitter.

    Args:
        rng: draws the pause, up to its upper bound.
        failures: number of failures before the last one; each doubles the upper bound.
        first: upper bound in seconds after the first failure.
        longest: limit of the upper bound in seconds.
        min_share: the shortest pause as a share of the upper bound; 0 is full jitter.
    """
    upper_bound = min(longest, first * 2**failures)
    return rng.uniform(min_share * upper_bound, upper_bound)


class RetryableError(Exception):
    """A failed attempt of a request that may be repeated.

    Attributes:
        pause: the seconds before the next attempt that the server or a rate limiter sets; None for the back-off.
    """

    def __init__(self, message: str, pause: float | None = None) -> None:
        super().__init__(message)
        self.pause = pause


@dataclass(frozen=True)
class RetryPolicy:
    """The attempts of a request and the pauses between them.

    Attributes:
        attempts: maximum number of attempts.
        first: upper bound in seconds of the pause after the first failure; each further failure doubles it.
        longest: limit of the upper bound in seconds.
        min_share: as in `back_off`.
    """

    attempts: int
    first: float
    longest: float
    min_share: float = 0.0

    def pause(self, rng: random.Random, failures: int, headers: Mapping[str, str] | None = None) -> float:
        """Return the seconds before another attempt: those of Retry-After, or else of the back-off.

        Args:
            rng: as in `back_off`.
            failures: as in `back_off`.
            headers: headers of the response, by name in lower case; None if no response arrived. Their Retry-After may
                be longer than `longest`.
        """
        seconds = retry_after(headers) if headers is not None else None
        if seconds is not None:
            return seconds
        return back_off(rng, failures, first=self.first, longest=self.longest, min_share=self.min_share)

    def run(self, attempt: Callable[[int], T], clock: Clock, rng: random.Random) -> T:
        """Return the result of a request that may be repeated at any time.

        Args:
            attempt: sends the request; its argument is the number of the attempt, from 1.
            clock: the pauses.
            rng: as in `back_off`.

        Raises:
            RetryableError: every attempt failed, or the server wants a longer pause than `longest`.
        """

        def wait(state: RetryCallState) -> float:
            error = state.outcome.exception() if state.outcome else None
            pause = error.pause if isinstance(error, RetryableError) else None
            return self.pause(rng, state.attempt_number - 1) if pause is None else pause

        retrying = Retrying(
            sleep=clock.sleep,
            stop=lambda state: state.attempt_number >= self.attempts or state.upcoming_sleep > self.longest,
            wait=wait,
            retry=retry_if_exception_type(RetryableError),
            reraise=True,
        )
        return retrying(lambda: attempt(retrying.statistics["attempt_number"]))
