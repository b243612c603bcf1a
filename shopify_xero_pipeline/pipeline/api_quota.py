"""Xero's calls as a budget: what is left of its day, and what carrying a plan out will take of it.

Counted is what plans hold and what a run of them reads before and after; nothing is measured against Xero here. The
limits themselves are kept in `xero/rate_limiter.py`, the write calls of one run are counted in `changes/cost.py`.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from shopify_xero_pipeline.changes import cost
from shopify_xero_pipeline.changes.models import Action, Change, ChangeSet
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

PAGE = 1_000
SETTINGS = 4
LOOK = (Kind.CONTACT, Kind.ITEM)
"""Kinds that are only read before a plan; documents and money are read back after every run that writes."""

READ_BACK = (Kind.INVOICE, Kind.CREDIT_NOTE, Kind.PAYMENT)
WRITES = frozenset({Action.CREATE, Action.UPDATE, Action.DELETE})


@dataclass(frozen=True)
class DailyQuota:
    """What Xero said last of its day.

    Attributes:
        left: calls left, None if Xero did not say so lately.
        size: calls of a whole day.
        fresh: whether what it said is recent enough for the limits to go by.
        held_until: before when a call would be of no use, as Xero said so itself; None if it may be asked.
    """

    remaining: int | None
    limit: int
    is_current: bool
    blocked_until: datetime | None

    @property
    def reserve(self) -> int:
        """Calls of a day that are kept for reading back."""
        return self.limit // RESERVED_SHARE

    @property
    def is_low(self) -> bool:
        """Whether only the reserve was left when Xero last said."""
        return self.remaining is not None and self.remaining <= self.reserve

    @property
    def is_exhausted(self) -> bool:
        """Whether nothing more is written now."""
        return self.blocked_until is not None or (self.is_low and self.is_current)


def daily_quota(store: StateStore) -> DailyQuota:
    """Return what is left of Xero's day, from what all processes on a store were told."""
    with store.calls.transaction() as traffic:
        standing, now = traffic.status, traffic.now
    age = now - standing.day_seen_at if standing.day_seen_at is not None else DAY
    ends = (standing.day_turns_at, standing.denied_until if standing.denied else None)
    held = max((at for at in ends if at is not None and now < at <= now + DAY), default=None)
    over = standing.day_turns_at is not None and now < standing.day_turns_at
    left = 0 if over else standing.day_left if abs(age) < DAY else None
    size = daily_limit(standing) if standing.day_most else LARGE_DAY
    return DailyQuota(left, size, abs(age) <= FORGET_DAY_AFTER, held)


@dataclass
class Forecast:
    """What runs over ranges of days will take, added up range by range in the order of the runs.

    Attributes:
        writes: calls that write.
        reads: calls that read before a plan and after a load.
        records: how many records are written.
        ranges: how many runs there are.
        seconds: what making the plans took; the runs read and plan once more.
    """

    writes: int = 0
    reads: int = 0
    records: int = 0
    ranges: int = 0
    seconds: float = 0.0
    _planned: set[tuple[Kind, str, Action]] = field(default_factory=set)
    _looked: int = 0

    def add(self, plans: Iterable[ChangeSet]) -> None:
        """Add the plans of a run. What an earlier run will have written, such as a Contact of both, counts once."""
        news = [plan.model_copy(update={"changes": tuple(self._new(plan))}) for plan in plans]
        lines = [line for plan in news for line in plan.changes]
        self.ranges += 1
        if not lines:
            return
        self.records += len(lines)
        self.writes += cost.count_write_calls(news)
        for kind in READ_BACK:
            self.reads += 1 + sum(line.kind is kind for line in lines) // PAGE
        if self.calls - self._looked > 10 * CALLS_PER_MINUTE:
            self._looked = self.calls
            self.reads += SETTINGS + len(LOOK)

    @property
    def calls(self) -> int:
        """Calls to Xero in all."""
        return self.writes + self.reads

    @property
    def minutes(self) -> int:
        """How long it takes at best, in whole minutes: planning again, and Xero's calls at its limit a minute."""
        return -(-round(self.seconds + 60 * self.calls / CALLS_PER_MINUTE) // 60)

    def days_of_quota(self, quota: DailyQuota) -> int:
        """Return on how many of Xero's days it falls; what is left of the present one is used first."""
        usable = quota.limit - quota.reserve
        left = usable if quota.remaining is None else max(0, quota.remaining - quota.reserve)
        return 1 + -(-max(0, self.calls - left) // usable)

    def summary(self, quota: DailyQuota) -> dict[str, object]:
        """Return the figures under the names that `--json` promises."""
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

    def _new(self, plan: ChangeSet) -> Iterable[Change]:
        for line in plan.changes:
            key = (line.kind, line.shopify_id, line.action)
            if line.action in WRITES and key not in self._planned:
                self._planned.add(key)
                yield line
