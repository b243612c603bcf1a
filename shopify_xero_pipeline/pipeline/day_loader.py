"""Load of change-sets, with the log of its outcomes, and the retention of the payloads of settled writes.

The write protocol is in `loading/`.
"""

from collections.abc import Sequence
from datetime import date, timedelta

from shopify_xero_pipeline.changes.models import ChangeSet
from shopify_xero_pipeline.clock import is_recent
from shopify_xero_pipeline.loading.load_report import COUNTED_OUTCOMES, LoadOutcome, LoadResult
from shopify_xero_pipeline.loading.loader import Loader
from shopify_xero_pipeline.observability import events
from shopify_xero_pipeline.pipeline.connections import FORCE_REFRESH, Connections
from shopify_xero_pipeline.pipeline.mirror_refresh import LAST_WRITE_KEY, WRITE_MARK

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
        """Write change-sets to Xero and return the result of each record by day; see `Loader.load`.

        Args:
            change_sets: the plans.
            run_id: the id of the run, stored with each operation.
            respect_retry_schedule: skip failed records until their next attempt.

        Raises:
            XeroError: Xero could not be reached.
        """
        connections = self._connections
        results: dict[date, list[LoadResult]] = {change_set.day: [] for change_set in change_sets}
        kinds = " and ".join(dict.fromkeys(change_set.kind for change_set in change_sets))
        with events.log_operation(connections.clock, "sync", kinds, results) as log_fields:
            # A call completes an unfinished token refresh.
            connections.organisation(FORCE_REFRESH if connections.unfinished_token_refresh() is not None else None)
            loader = Loader(
                connections.xero_client, connections.store, connections.clock, connections.rng, connections.workers
            )
            loaded = loader.load(change_sets, run_id, respect_retry_schedule=respect_retry_schedule)
            log_fields |= {"calls": loaded.calls}
            log_fields |= {outcome.value: loaded.count(outcome) for outcome in COUNTED_OUTCOMES}
        if loaded.calls:
            connections.store.put_value(LAST_WRITE_KEY, f"{WRITE_MARK}{connections.store.journal.last_batch()}")
        if any(result.outcome is LoadOutcome.FAILED for result in loaded.results):
            connections.doubt_settings()
        for result in loaded.results:
            results[result.day].append(result)
        self._purge_expired_payloads()
        return results

    def _purge_expired_payloads(self) -> None:
        """Empty payloads of settled writes after their retention, at most once per `PURGE_INTERVAL`."""
        store, now = self._connections.store, self._connections.clock.now()
        known = store.get_value(LAST_PURGE_KEY)
        if known is None or not is_recent(known[1], now, PURGE_INTERVAL):
            count = store.privacy.forget_payloads(now - self._connections.payload_retention)
            store.put_value(LAST_PURGE_KEY, f"{count} payloads")
