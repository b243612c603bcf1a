"""Shopify's rate limit as a leaky bucket of points, seen from our side (docs/contracts/shopify.md §3.1, §3.3, §3.4).

What the last answer said about the bucket, what each document asked for, and how long to wait belong here. Sleeping
does not.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

SINGLE_QUERY_LIMIT = 1000
"""Points one query may ask for, on every plan."""

SHORTEST_WAIT = 1.0
"""Seconds to wait at least after THROTTLED."""


@dataclass(frozen=True)
class QueryCost:
    """The `extensions.cost` of one answer, in points.

    `maximum`, `available` and `restored` (per second) describe the bucket after the query ran or was refused.
    """

    requested: int
    actual: int | None
    maximum: float
    available: float
    restored: float

    def seconds_until(self, points: float) -> float:
        """Return the whole seconds until so many points are there; a bucket is never asked for more than it holds."""
        missing = min(points, self.maximum) - self.available
        return float(max(0, math.ceil(missing / self.restored)))


def cost_of(answer: Mapping[str, Any]) -> QueryCost | None:
    """Read the cost an answer reports; None if it reports none or an unreadable one."""
    extensions = answer.get("extensions")
    cost = extensions.get("cost") if isinstance(extensions, dict) else None
    status = cost.get("throttleStatus") if isinstance(cost, dict) else None
    if not isinstance(cost, dict) or not isinstance(status, dict):
        return None
    requested = _number(cost.get("requestedQueryCost"))
    actual = _number(cost.get("actualQueryCost"))
    maximum, available, restored = (
        _number(status.get(key)) for key in ("maximumAvailable", "currentlyAvailable", "restoreRate")
    )
    if requested is None or maximum is None or available is None or not restored:
        return None
    return QueryCost(math.ceil(requested), None if actual is None else math.ceil(actual), maximum, available, restored)


def _number(value: object) -> float | None:
    """Read a count of points, which Shopify prints as 46 or as 1000.0."""
    return float(value) if isinstance(value, int | Decimal) and not isinstance(value, bool) else None


class Bucket:
    """What we know of the bucket, so that a query that cannot fit yet is held back rather than refused."""

    def __init__(self) -> None:
        self._last: QueryCost | None = None
        self._at: float | None = None
        self._asked: dict[str, int] = {}

    def learn(self, document: str, cost: QueryCost | None, now: float) -> None:
        """Take note of an answer's cost, at a moment by `Clock.elapsed`."""
        if cost is not None:
            self._last, self._at = cost, now
            if cost.requested <= SINGLE_QUERY_LIMIT:  # a dearer one is never sent again as it was
                self._asked[document] = cost.requested

    def requested_points(self, document: str) -> int | None:
        """Return the points a document asked for when it was sent last."""
        return self._asked.get(document)

    def wait_before(self, document: str, now: float) -> float:
        """Return the seconds until a document is expected to fit, 0.0 where that is unknown; `now` as in `learn`."""
        if self._last is None or self._at is None:
            return 0.0
        return max(0.0, self._last.seconds_until(self._asked.get(document, 0)) - (now - self._at))
