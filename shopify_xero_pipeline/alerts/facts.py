"""Facts from the state store: conflicts, blocked orders, limits, the sign-in, latencies.

This module only collects; the rules that turn facts into alerts are in `rules.py`.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta
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
from shopify_xero_pipeline.pipeline.api_quota import daily_quota
from shopify_xero_pipeline.pipeline.reconciled_days import last_reconciled_at
from shopify_xero_pipeline.pipeline.sync import SyncService
from shopify_xero_pipeline.reconciliation.orphans import OrphanCause, OrphanedOrder
from shopify_xero_pipeline.reconciliation.verdict import Standing, count_of
from shopify_xero_pipeline.state.store import StateStore

ONE_DAY = timedelta(days=1)
WRITING_OUTCOMES = ("created", "updated", "adopted", "deleted")


def store_facts(sync_service: SyncService, now: datetime) -> dict[str, Any]:
    """Return the facts that the state store holds, as fields of `Facts`.

    Args:
        sync_service: the service whose store is read; nothing is requested from Shopify or Xero.
        now: the present instant in UTC.
    """
    store = sync_service.connections.store
    figures, budget, sign_in = store.metrics(), daily_quota(store), sync_service.connections.sign_in
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
        "last_synced": _last_synced(store, sync_service.connections.days()),
        "attempted": written + failed,
        "failed": failed,
        "durations": [timedelta(seconds=seconds) for seconds in figures.latencies],
        "clocks": figures.standing.clocks_ahead,
    }


def _last_synced(store: StateStore, days: Sequence[date]) -> datetime | None:
    """Return when the newest reconciled day, or the one before it, was last reconciled."""
    instants = (at for day in reversed(days) for at in last_reconciled_at(store, [day]).values())
    return max(islice(instants, 2), default=None)  # the newest two days: today's may not have run yet


def _undecided(orphans: Iterable[OrphanedOrder]) -> list[UndecidedOrders]:
    """Return the number of orders that await a decision, by day."""
    counts = Counter((orphan.day, orphan.cause is OrphanCause.BEFORE_START) for orphan in orphans if orphan.is_open)
    return [UndecidedOrders(day, count, before_start) for (day, before_start), count in sorted(counts.items())]


def _blocked(store: StateStore) -> Iterator[UnpostedOrders]:
    for day, issues in day_issues.days_in_disagreement(store).items():
        if (orders := issues.agreement.of("blocked")).count:
            yield UnpostedOrders(day, f"{orders.sentence} {orders.are}", orders.named)


def _in_conflict(store: StateStore) -> Iterator[UnpostedOrders]:
    """Yield the days with conflicts; a record is named by its order or kind, because its key may be a personal name."""
    for day, pairs in groupby(conflict_lines(day_issues.held_lines(store)), key=itemgetter(0)):
        names = [line.order_name or f"a {line.kind.value}" for _, line in pairs]
        yield UnpostedOrders(
            day, f"{count_of(len(names), 'record')} in conflict", [*dict.fromkeys(names)][:MAX_NAMES_LISTED]
        )


def exclude_unfinished_days(checks: Iterable[FailedCheck], store: StateStore) -> list[FailedCheck]:
    """Return the failed checks without those of days whose writes are only unfinished: a later run continues them.

    A write whose outcome stays unknown has an alert of its own.

    Args:
        checks: failed checks, by day or over all days.
        store: holds the reconciliation of each day.
    """
    days = day_issues.days_in_disagreement(store).items()
    unfinished = {day for day, issues in days if issues.agreement.standing is Standing.UNFINISHED}
    return [check for check in checks if check.day not in unfinished]
