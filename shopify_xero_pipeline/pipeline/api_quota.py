"""Xero's daily quota and the forecast of the calls that planned runs will make.

This module only counts, and makes no call to Xero. The rate limits are in `xero/rate_limiter.py`, the count of one
run's write calls is in `changes/cost.py`.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from shopify_xero_pipeline.changes import cost
from shopify_xero_pipeline.changes.models import WRITING_ACTIONS, Action, Change, ChangeSet
from shopify_xero_pipeline.state.store import StateStore
from shopify_xero_pipeline.xero.models import Kind
from shopify_xero_pipeline.xero.rate_limiter import (
    CALLS_PER_MINUTE,
    DAY,
    FORGET_DAY_AFTER,
    LARGE_DAY,
    RESERVED_SHARE,
    daily_limit,
)

RECORDS_PER_PAGE = 1_000
"""Records on one page of a sweep."""

SETTINGS_CALLS = 4
"""Calls for one read of the organisation's settings."""

KINDS_READ_BEFORE = (Kind.CONTACT, Kind.ITEM)
"""Kinds that a run reads only before it plans; it reads documents and payments back after each load that writes."""

KINDS_READ_BACK = (Kind.INVOICE, Kind.CREDIT_NOTE, Kind.PAYMENT)
SENT_ACTIONS = WRITING_ACTIONS - {Action.ADOPT}
"""The actions that a forecast counts as writes; an adoption needs one only for a Contact without our number."""


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


@dataclass
class Forecast:
    """The cost of runs over ranges of days, added range by range in the order of the runs.

    Attributes:
        writes: number of write calls.
        reads: number of read calls before a plan and after a load.
        records: number of records to write.
        ranges: number of runs.
        seconds: time that planning took; the runs read and plan once more.
    """

    writes: int = 0
    reads: int = 0
    records: int = 0
    ranges: int = 0
    seconds: float = 0.0
    _planned: set[tuple[Kind, str, Action]] = field(default_factory=set)
    _calls_at_refresh: int = 0

    def add(self, plans: Iterable[ChangeSet]) -> None:
        """Add the plans of a run; a record that several runs plan, such as a shared Contact, counts once.

        Args:
            plans: the change-sets of one run.
        """
        new_plans = [plan.model_copy(update={"changes": tuple(self._new_changes(plan))}) for plan in plans]
        lines = [line for plan in new_plans for line in plan.changes]
        self.ranges += 1
        if not lines:
            return
        self.records += len(lines)
        self.writes += cost.count_write_calls(new_plans)
        for kind in KINDS_READ_BACK:
            self.reads += 1 + sum(line.kind is kind for line in lines) // RECORDS_PER_PAGE
        if self.calls - self._calls_at_refresh > 10 * CALLS_PER_MINUTE:  # settings expire after ten minutes
            self._calls_at_refresh = self.calls
            self.reads += SETTINGS_CALLS + len(KINDS_READ_BEFORE)

    @property
    def calls(self) -> int:
        """Number of calls to Xero."""
        return self.writes + self.reads

    @property
    def minutes(self) -> int:
        """Shortest duration in whole minutes, which is planning again plus all calls at Xero's limit per minute."""
        return -(-round(self.seconds + 60 * self.calls / CALLS_PER_MINUTE) // 60)

    def days_of_quota(self, quota: DailyQuota) -> int:
        """Return the number of Xero's days that the calls need; the rest of the present day counts as the first."""
        usable = quota.limit - quota.reserve
        usable_today = usable if quota.remaining is None else max(0, quota.remaining - quota.reserve)
        return 1 + -(-max(0, self.calls - usable_today) // usable)

    def summary(self, quota: DailyQuota) -> dict[str, object]:
        """Return the figures under the keys of `--json`."""
        return {
            "records": self.records,
            "runs": self.ranges,
            "xero_write_calls": self.writes,
            "xero_read_calls": self.reads,
            "xero_calls": self.calls,
            "minutes": self.minutes,
            "days_of_quota": self.days_of_quota(quota),
            "xero_calls_left_today": quota.remaining,
        }

    def _new_changes(self, plan: ChangeSet) -> Iterable[Change]:
        for line in plan.changes:
            key = (line.kind, line.shopify_id, line.action)
            if line.action in SENT_ACTIONS and key not in self._planned:
                self._planned.add(key)
                yield line
