"""The comparison of a system with an undisturbed sync of the same days, and with the product's own reconciliation."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path

from shopify_xero_pipeline.pipeline.connections import Connections
from shopify_xero_pipeline.pipeline.sync import SyncService
from shopify_xero_pipeline.settings import Settings
from shopify_xero_pipeline_tests.campaigns.dagster_runs.clock import START, SharedClock
from shopify_xero_pipeline_tests.campaigns.dagster_runs.house import House
from shopify_xero_pipeline_tests.campaigns.dagster_runs.sandbox import shop
from shopify_xero_pipeline_tests.campaigns.proof.content import content_of
from shopify_xero_pipeline_tests.support.stage import Stage, staged
from shopify_xero_pipeline_tests.support.sync_round import carry


class Judge:
    """The comparison of a system with one without interruptions."""

    def __init__(self, house: House, undisturbed: Stage) -> None:
        self._house = house
        self._undisturbed = undisturbed
        self._days: set[date] = set()

    def sees_each_record_once(self, *days: date) -> int:
        """Compare all days synced so far, with these; return the number of documents and payments."""
        self._undisturbed.clock.move_to(self._house.now())
        new = [day for day in days if day not in self._days]
        self._days |= set(new)
        if new:
            carry(self._undisturbed.sync_service, new)
        actual, expected = self._house.content(), content_of(self._undisturbed.sandbox.books)
        for name in ("contacts", "items", "documents", "payments", "allocations"):
            assert getattr(actual, name) == getattr(expected, name), name
        self._check_reconciliation(days)
        return len(actual.documents) + len(actual.payments)

    def _check_reconciliation(self, days: Sequence[date]) -> None:
        settings = Settings.from_environment(self._house.environ, dotenv=None)
        sync_service = SyncService(Connections(settings, SharedClock()))
        try:
            for day in sync_service.reconciliations.of_days(days):
                assert (day.unequal, day.unaccounted, day.lost, day.extra, day.count("failed")) == ([], [], 0, 0, 0)
            assert len(sync_service.reconciliations.of_days(days)) == len(days)
            assert sync_service.connections.store.failed_records() == []
            assert sync_service.record_ownership.unfinished_days() == set()
        finally:
            sync_service.connections.close()


@contextmanager
def judged(house: House, folder: Path) -> Iterator[Judge]:
    with staged(folder, START, shop()) as undisturbed:
        yield Judge(house, undisturbed)
