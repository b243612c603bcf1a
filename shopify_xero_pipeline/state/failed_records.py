"""Failed records, with the time of their next attempt and people's decisions about them.

A failure leaves the list only if its record is in Xero as planned, if no plan contains it any more, or if a person
dismisses it with a reason. The journal writes failures, in the transaction that settles the record; the table in
`loading/refusals.py` decides whether a failure is transient.
"""

from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import Engine, select

from shopify_xero_pipeline.clock import Clock, is_due
from shopify_xero_pipeline.state import queries
from shopify_xero_pipeline.state.queries import one_of
from shopify_xero_pipeline.state.records import PlannedWrite, SyncError
from shopify_xero_pipeline.state.row_checksums import Row, read, read_models, update_rows
from shopify_xero_pipeline.state.tables import sync_errors

FIRST_PAUSE = timedelta(minutes=5)
GROWTH = 4
"""Factor by which each pause is longer than the one before."""

LONGEST_PAUSE = timedelta(days=1)


def next_attempt_at(failed_at: datetime, attempts: int, *, retryable: bool) -> datetime:
    """Return the time of the next automatic attempt, by exponential back-off.

    The pauses are 5, 20 and 80 minutes and so on, at most one day. A failure that only a person can fix is retried once
    a day, because the person may have fixed its cause in Xero.

    Args:
        failed_at: the time of the last failure.
        attempts: the number of attempts so far, at least 1.
        retryable: whether the failure is transient.
    """
    pause = FIRST_PAUSE * GROWTH ** min(attempts - 1, 9) if retryable else LONGEST_PAUSE  # 9 prevents an overflow
    return failed_at + min(pause, LONGEST_PAUSE)


class FailedRecords:
    """Queue of failed records; see `StateStore.retry_queue`."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    def find(
        self, *, kind: str | None = None, shopify_id: str | None = None, natural_key: str | None = None
    ) -> list[SyncError]:
        """Return the open failures that match all arguments, dismissed ones included, oldest first.

        Args:
            kind: the kind of record; None for all.
            shopify_id: the record's Shopify id; None for all.
            natural_key: the record's natural key; None for all.
        """
        table, filters = sync_errors, {"kind": kind, "shopify_id": shopify_id, "natural_key": natural_key}
        conditions = [table.c[name] == value for name, value in filters.items() if value is not None]
        query = select(table).where(table.c.resolved_at.is_(None), *conditions).order_by(table.c.first_failed_at)
        return read_models(self._engine, SyncError, query)

    def deferred(
        self, writes: Collection[PlannedWrite], *, respect_retry_schedule: bool
    ) -> dict[tuple[str, str], SyncError]:
        """Return the failures whose records are not retried now.

        Args:
            writes: the planned writes. A write whose content or natural key changed since the failure is not deferred.
            respect_retry_schedule: defer failures that are not due yet; False defers dismissed failures only.

        Returns:
            The failures by (kind, Shopify id).
        """
        contents = {(write.kind, write.shopify_id): (write.checksum, write.natural_key) for write in writes}
        deferred = {}
        for error in self._open_errors(contents.keys()):
            key = (error.kind, error.shopify_id)
            early = respect_retry_schedule and not is_due(error.next_attempt_at, self._clock.now(), LONGEST_PAUSE)
            if contents[key] == (error.payload_hash, error.natural_key) and (early or error.dismissed_at is not None):
                deferred[key] = error
        return deferred

    def of_orders(self, order_ids: Collection[str]) -> list[SyncError]:
        """Return the open failures of orders, dismissed ones included.

        Args:
            order_ids: Shopify ids of orders.
        """
        conditions = sync_errors.c.resolved_at.is_(None), one_of(sync_errors.c.order_id)
        query = select(sync_errors).where(*conditions).order_by(sync_errors.c.first_failed_at)
        return read_models(self._engine, SyncError, query, ids=order_ids)

    def dismissed(self, kind: str, shopify_ids: Collection[str]) -> set[str]:
        """Return the Shopify ids, among those of a kind, whose failure a person dismissed.

        Args:
            kind: the kind of the records.
            shopify_ids: their Shopify ids.
        """
        errors = self._open_errors([(kind, shopify_id) for shopify_id in shopify_ids])
        return {error.shopify_id for error in errors if error.dismissed_at is not None}

    def dismiss(self, errors: Collection[SyncError], because: str) -> None:
        """Dismiss failures with a reason, until the content of their record changes.

        Args:
            errors: the failures.
            because: the reason, for people.
        """
        self._update(_keys(errors), {"dismissed_at": self._clock.now(), "dismissal_reason": because})

    def retry_now(self, errors: Collection[SyncError]) -> None:
        """Make failures, dismissed ones included, due for the next load of their day.

        Args:
            errors: the failures.
        """
        again = {"next_attempt_at": self._clock.now(), "dismissed_at": None, "dismissal_reason": ""}
        self._update(_keys(errors), again)

    def resolve(self, records: Collection[tuple[str, str]]) -> None:
        """Resolve the open failures of records that are in Xero as planned.

        Args:
            records: pairs of kind and Shopify id.
        """
        self._update(records, {"resolved_at": self._clock.now()})

    def _open_errors(self, records: Collection[tuple[str, str]]) -> list[SyncError]:
        errors = read_models(self._engine, SyncError, queries.FAILED) if records else []
        return [error for error in errors if (error.kind, error.shopify_id) in records]

    def _update(self, records: Collection[tuple[str, str]], values: Row) -> None:
        if not records:
            return
        with self._engine.begin() as connection:
            rows = [row for row in read(connection, queries.FAILED) if (row["kind"], row["shopify_id"]) in records]
            update_rows(connection, sync_errors, rows, lambda _: values)


def _keys(errors: Collection[SyncError]) -> set[tuple[str, str]]:
    return {(error.kind, error.shopify_id) for error in errors}
