"""Load of change-sets, with the log of its outcomes, and the retention of the payloads of settled writes.

The write protocol is in `loading/`.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from shopify_xero_pipeline.changes.models import ChangeSet
from shopify_xero_pipeline.clock import is_recent
from shopify_xero_pipeline.loading.load_report import COUNTED_OUTCOMES, LoadOutcome, LoadReport, LoadResult
from shopify_xero_pipeline.loading.loader import Loader
from shopify_xero_pipeline.observability import events
from shopify_xero_pipeline.pipeline.connections import FORCE_REFRESH, Connections
from shopify_xero_pipeline.pipeline.mirror_refresh import LAST_WRITE_KEY, WRITE_MARK

LINES_IN_HAND = 5_000
"""Lines of change-sets in memory at a time."""

PURGE_INTERVAL, LAST_PURGE_KEY = timedelta(days=1), "payloads.last_purge"


class DayLoader:
    """Loads change-sets.

    Args:
        connections: the connections of the run.
    """

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def load(
        self, change_sets: Sequence[ChangeSet], run_id: str, *, respect_retry_schedule: bool = False
    ) -> dict[date, list[LoadResult]]:
        """Write change-sets to Xero and return the result of each record by day; see `load_range`."""
        results: dict[date, list[LoadResult]] = {}

        def report(day: date, results_of_day: list[LoadResult]) -> None:
            results.setdefault(day, []).extend(results_of_day)

        kinds = " and ".join(dict.fromkeys(change_set.kind for change_set in change_sets))
        days = {change_set.day for change_set in change_sets}
        with events.log_operation(self._connections.clock, "sync", kinds, days) as log_fields:
            log_fields |= self._load(change_sets, run_id, report, respect_retry_schedule=respect_retry_schedule)
        return results

    def load_range(
        self,
        plans: Mapping[date, ChangeSet],
        run_id: str,
        report: Callable[[date, list[LoadResult]], None],
        *,
        respect_retry_schedule: bool = False,
    ) -> None:
        """Write the change-sets of one kind to Xero; see `Loader.load_portions`.

        Args:
            plans: the plans in the order of their days. Each is read twice, and about `LINES_IN_HAND` of their lines
                are in memory at a time, if the mapping reads a plan only when it is accessed.
            run_id: the id of the run, stored with each operation.
            report: receives the results of each day, after everything is sent.
            respect_retry_schedule: skip failed records until their next attempt.

        Raises:
            XeroError: Xero could not be reached.
        """
        kind = next((plan.kind for plan in plans.values()), "")
        with events.log_operation(self._connections.clock, "sync", kind, plans) as log_fields:
            log_fields |= self._load(plans.values(), run_id, report, respect_retry_schedule=respect_retry_schedule)

    def _load(
        self,
        change_sets: Collection[ChangeSet],
        run_id: str,
        report: Callable[[date, list[LoadResult]], None],
        *,
        respect_retry_schedule: bool,
    ) -> dict[str, int]:
        """Load, and return the number of calls to Xero and of the records by outcome."""
        connections, counts = self._connections, Counter[LoadOutcome]()

        def report_portion(portion: LoadReport) -> None:
            counts.update(result.outcome for result in portion.results)
            for day, results in _by_day(portion).items():
                report(day, results)

        # A call completes an unfinished token refresh.
        connections.organisation(FORCE_REFRESH if connections.unfinished_token_refresh() is not None else None)
        client, store = connections.xero_client, connections.store
        loader, before = Loader(client, store, connections.clock, connections.rng, connections.workers), client.calls
        portions = _Portions(change_sets)
        loader.load_portions(portions, run_id, report_portion, respect_retry_schedule=respect_retry_schedule)
        if client.calls > before:
            store.put_value(LAST_WRITE_KEY, f"{WRITE_MARK}{store.journal.last_batch()}")
        if counts[LoadOutcome.FAILED]:
            connections.doubt_settings()
        self._purge_expired_payloads()
        return {"calls": client.calls - before} | {outcome.value: counts[outcome] for outcome in COUNTED_OUTCOMES}

    def _purge_expired_payloads(self) -> None:
        """Empty payloads of settled writes after their retention, at most once per `PURGE_INTERVAL`."""
        store, now = self._connections.store, self._connections.clock.now()
        known = store.get_value(LAST_PURGE_KEY)
        if known is None or not is_recent(known[1], now, PURGE_INTERVAL):
            count = store.privacy.forget_payloads(now - self._connections.payload_retention)
            store.put_value(LAST_PURGE_KEY, f"{count} payloads")


@dataclass(frozen=True)
class _Portions:
    """The change-sets in portions of about `LINES_IN_HAND` lines."""

    change_sets: Collection[ChangeSet]

    def __iter__(self) -> Iterator[list[ChangeSet]]:
        portion, lines = list[ChangeSet](), 0
        for change_set in self.change_sets:
            portion.append(change_set)
            lines += len(change_set.changes)
            if lines >= LINES_IN_HAND:
                yield portion
                portion, lines = [], 0
        if portion:
            yield portion


def _by_day(report: LoadReport) -> dict[date, list[LoadResult]]:
    results: dict[date, list[LoadResult]] = {day: [] for day in report.days}
    for result in report.results:
        results[result.day].append(result)
    return results
