"""The pauses before another attempt of a request, the same for Shopify, Xero and Xero's sign-in service.

This module reads Retry-After and draws the back-off. Each client decides which requests it may repeat and how often: a
read may be repeated at any time, a write only within the replay horizon of its idempotency key.
"""

import random
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

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
    try:
        until, now = (parsedate_to_datetime(date) for date in (text, headers.get("date", "")))
        return max(0.0, (until - now).total_seconds())
    except (ValueError, TypeError):  # no date, or one with a time zone and one without
        return None


def back_off(rng: random.Random, failures: int, *, first: float, longest: float) -> float:
    """Return the seconds of an exponential back-off with full jitter.

    Args:
        rng: draws the pause, from 0 to its upper bound.
        failures: number of failures before the last one; each doubles the upper bound.
        first: upper bound in seconds after the first failure.
        longest: limit of the upper bound in seconds.
    """
    return rng.uniform(0, min(longest, first * 2**failures))


def pause(
    headers: Mapping[str, str] | None, rng: random.Random, failures: int, *, first: float, longest: float
) -> float:
    """Return the seconds before another attempt: those of Retry-After, or else of the back-off.

    Args:
        headers: headers of the response, by name in lower case; None if no response arrived.
        rng: as in `back_off`.
        failures: as in `back_off`.
        first: as in `back_off`.
        longest: as in `back_off`; Retry-After may be longer.
    """
    seconds = retry_after(headers) if headers is not None else None
    return back_off(rng, failures, first=first, longest=longest) if seconds is None else seconds
