"""Shopify's rate limit, a leaky bucket of points, as seen by the client (docs/contracts/shopify.md §3.1, §3.3, §3.4).

This module stores the state of the bucket and the cost of each document, and computes waits. `client.py` sleeps.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

SINGLE_QUERY_LIMIT = 1000
"""Limit of the requested cost of one query in points, on every plan."""

SHORTEST_WAIT = 1.0
"""Shortest wait after THROTTLED, in seconds."""


@dataclass(frozen=True)
class QueryCost:
    """The cost of one query in points, from `extensions.cost`.

    Attributes:
        requested: the requested cost, for which the bucket must have room.
        actual: the actual cost; None if the query was refused.
        maximum: the size of the bucket.
        available: the points in the bucket after the query.
        restored: the points restored in each second.
    """

    requested: int
    actual: int | None
    maximum: float
    available: float
    restored: float

    def seconds_until(self, points: float) -> float:
        """Return the whole seconds until this many points, at most a full bucket, are available."""
        missing = min(points, self.maximum) - self.available
        return float(max(0, math.ceil(missing / self.restored)))


def cost_of(answer: Mapping[str, Any]) -> QueryCost | None:
    """Return the cost in a response; None if it is missing or invalid.

    Args:
        answer: the JSON object of a response.
    """
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
    """Return a number of points, which Shopify writes as 46 or 1000.0; None for other values."""
    return float(value) if isinstance(value, int | Decimal) and not isinstance(value, bool) else None


class Bucket:
    """State of the bucket after the last response, so that a query waits instead of being refused."""

    def __init__(self) -> None:
        self._last: QueryCost | None = None
        self._at: float | None = None
        self._requested: dict[str, int] = {}

    def learn(self, document: str, cost: QueryCost | None, now: float) -> None:
        """Store the cost in a response.

        Args:
            document: the document of the query.
            cost: its cost; None if the response has none.
            now: the present time, from `Clock.elapsed`.
        """
        if cost is not None:
            self._last, self._at = cost, now
            if cost.requested <= SINGLE_QUERY_LIMIT:  # a more expensive query is sent again with a smaller page
                self._requested[document] = cost.requested

    def requested_points(self, document: str) -> int | None:
        """Return the last requested cost of a document in points; None if unknown."""
        return self._requested.get(document)

    def wait_before(self, document: str, now: float) -> float:
        """Return the seconds until the bucket has room for a document, 0.0 if unknown; `now` as in `learn`."""
        if self._last is None or self._at is None:
            return 0.0
        return max(0.0, self._last.seconds_until(self._requested.get(document, 0)) - (now - self._at))
