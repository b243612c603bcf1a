"""Xero's daily quota.

This module only counts, and makes no call to Xero. The rate limits are in `xero/rate_limiter.py`, the forecast of the
calls of planned runs is in `call_forecast.py`.
"""

from dataclasses import dataclass
from datetime import datetime

from shopify_xero_pipeline.state.store import StateStore
from shopify_xero_pipeline.xero.rate_limiter import (
    DAY,
    FORGET_DAY_AFTER,
    LARGE_DAY,
    RESERVED_SHARE,
    daily_limit,
)


@dataclass(frozen=True)
class DailyQuota:
    """The last known state of Xero's daily quota.

    Attributes:
        remaining: calls left today; None without a recent response.
        limit: calls of a whole day.
        is_current: whether the last response is recent enough for the rate limiter.
        blocked_until: end of the time in which Xero refuses calls, UTC; None if it accepts them.
    """

    remaining: int | None
    limit: int
    is_current: bool
    blocked_until: datetime | None

    @property
    def reserve(self) -> int:
        """Calls of a day that are reserved for read-backs."""
        return self.limit // RESERVED_SHARE

    @property
    def is_low(self) -> bool:
        """Whether only the reserve was left at the last response."""
        return self.remaining is not None and self.remaining <= self.reserve

    @property
    def is_exhausted(self) -> bool:
        """Whether the loader writes nothing more now."""
        return self.blocked_until is not None or (self.is_low and self.is_current)

    def days_of(self, calls: int) -> int:
        """Return the number of Xero's days that calls need; the rest of the present day counts as the first."""
        usable = self.limit - self.reserve
        usable_today = usable if self.remaining is None else max(0, self.remaining - self.reserve)
        return 1 + -(-max(0, calls - usable_today) // usable)


def daily_quota(store: StateStore) -> DailyQuota:
    """Return Xero's daily quota, from the responses to all processes that share the store."""
    with store.calls.transaction() as traffic:
        status, now = traffic.status, traffic.now
    age = now - status.day_seen_at if status.day_seen_at is not None else DAY
    block_ends = (status.day_turns_at, status.denied_until if status.denied else None)
    blocked_until = max((at for at in block_ends if at is not None and now < at <= now + DAY), default=None)
    is_used_up = status.day_turns_at is not None and now < status.day_turns_at
    remaining = 0 if is_used_up else status.day_left if abs(age) < DAY else None
    limit = daily_limit(status) if status.day_most else LARGE_DAY
    return DailyQuota(remaining, limit, abs(age) <= FORGET_DAY_AFTER, blocked_until)
