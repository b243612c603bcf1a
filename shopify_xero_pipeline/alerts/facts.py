"""What the state store knows that may call for a person: conflicts, blocked orders, limits, the sign-in, latencies.

Only gathering belongs here; what of it is an alert stands in `rules.py`.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import groupby, islice
from operator import itemgetter
from typing import Any

from shopify_xero_pipeline.alerts.rules import (
    MAX_NAMES_LISTED,
    FailedCheck,
    RemainingCalls,
    UndecidedOrders,
    UnpostedOrders,
)
from shopify_xero_pipeline.changes.unwritten_records import conflict_lines
from shopify_xero_pipeline.pipeline import day_issues
from shopify_xero_pipeline.pipeline.sync import SyncService
from shopify_xero_pipeline.reconciliation.orphans import OrphanCause, OrphanedOrder
from shopify_xero_pipeline.reconciliation.verdict import Standing, count_of
from shopify_xero_pipeline.state.store import StateStore

ONE_DAY = timedelta(days=1)
WRITING_OUTCOMES = ("created", "updated", "adopted", "deleted")


def store_facts(sync_service: SyncService, now: datetime) -> dict[str, Any]:
    """Return what the state store says now, as fields of `Facts`."""
    store = sync_service.store
    figures, budget, sign_in = store.metrics(), sync_service.daily_quota(), sync_service.sign_in
    failed = sum(error.last_failed_at > now - ONE_DAY for error in store.failed_records())
    written = sum(load.records[outcome] for load in figures.loads for outcome in WRITING_OUTCOMES)
    return {
        "undecided": _undecided(sync_service.record_ownership.orphans()),
        "blocked": [*_blocked(store)],
        "in_conflict": [*_in_conflict(store)],
        "unsettled_since": figures.unsettled_since,
        "sign_in": (sign_in.warning(now) if sign_in else None) or "",
        "sign_in_lapsed": sign_in is not None and (sign_in.refused or now >= sign_in.lapses_at),
        "remaining_calls": None if budget.remaining is None else RemainingCalls(budget.remaining, budget.limit),
        "last_synced": _last_synced(sync_service),
        "attempted": written + failed,
        "failed": failed,
        "durations": [timedelta(seconds=seconds) for seconds in figures.latencies],
        "clocks": figures.standing.clocks_ahead,
    }


def _last_synced(sync_service: SyncService) -> datetime | None:
    """Return when the newest day that ever was compared, or the one before it, was compared last."""
    compared = (at for day in reversed(sync_service.days()) for at in sync_service.last_reconciled_at([day]).values())
    return max(islice(compared, 2), default=None)


def _undecided(orphans: Iterable[OrphanedOrder]) -> list[UndecidedOrders]:
    """Return how many orders a person has to decide about, by day."""
    counts = Counter((one.day, one.cause is OrphanCause.BEFORE_START) for one in orphans if one.is_open)
    return [UndecidedOrders(day, count, before_start) for (day, before_start), count in sorted(counts.items())]


def _blocked(store: StateStore) -> Iterator[UnpostedOrders]:
    for day, found in day_issues.days_in_disagreement(store).items():
        if (orders := found.agreement.of("blocked")).count:
            yield UnpostedOrders(day, f"{orders.sentence} {orders.are}", orders.named)


def _in_conflict(store: StateStore) -> Iterator[UnpostedOrders]:
    """Yield the days with conflicts. Records are named by their order or kind, as a key may be a person's words."""
    for day, pairs in groupby(conflict_lines(day_issues.held_lines(store)), key=itemgetter(0)):
        found = [line.order_name or f"a {line.kind.value}" for _, line in pairs]
        yield UnpostedOrders(
            day, f"{count_of(len(found), 'record')} in conflict", [*dict.fromkeys(found)][:MAX_NAMES_LISTED]
        )


def exclude_unfinished_days(checks: Iterable[FailedCheck], store: StateStore) -> list[FailedCheck]:
    """Return failed checks without those of days of which writes are only unfinished: a later run goes on by itself.

    A write that stays in doubt is a cause of its own.
    """
    days = day_issues.days_in_disagreement(store).items()
    waiting = {day for day, one in days if one.agreement.standing is Standing.UNFINISHED}
    return [check for check in checks if check.day not in waiting]
