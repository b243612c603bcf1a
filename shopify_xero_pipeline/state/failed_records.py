"""Failed records: when each is tried again by itself, and what a person decided about it.

A failure leaves the list only when its record is in Xero as wanted, when no plan wants it any more, or when a person
dismisses it, whose reason is kept. Writing a failure down belongs to the journal, which does it with everything else
that settles a record; whether a try may help is Xero's table in `loading/refusals.py`.
"""

from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import Engine, select

from shopify_xero_pipeline.clock import Clock, is_due
from shopify_xero_pipeline.state import row_writes
from shopify_xero_pipeline.state.database import chunks
from shopify_xero_pipeline.state.records import PlannedWrite, SyncError
from shopify_xero_pipeline.state.row_checksums import read, update_rows
from shopify_xero_pipeline.state.tables import sync_errors

FIRST_PAUSE = timedelta(minutes=5)
GROWTH = 4
LONGEST_PAUSE = timedelta(days=1)


def next_attempt_at(failed_at: datetime, attempts: int, *, retryable: bool) -> datetime:
    """Return when a record is tried again by itself: after 5, 20, 80 minutes and so on, at last once a day.

    One that only a person can mend is looked at once a day, because what it waits for may have been put right in Xero.
    """
    pause = FIRST_PAUSE * GROWTH ** min(attempts - 1, 9) if retryable else LONGEST_PAUSE
    return failed_at + min(pause, LONGEST_PAUSE)


class FailedRecords:
    """What may be done about failures. Obtained from `StateStore.failed`."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    def find(
        self, *, kind: str | None = None, shopify_id: str | None = None, natural_key: str | None = None
    ) -> list[SyncError]:
        """Return the open failures that meet all that is given, dismissed ones among them, oldest first."""
        table, given = sync_errors, {"kind": kind, "shopify_id": shopify_id, "natural_key": natural_key}
        wanted = [table.c[name] == value for name, value in given.items() if value is not None]
        query = select(table).where(table.c.resolved_at.is_(None), *wanted).order_by(table.c.first_failed_at)
        with self._engine.begin() as connection:
            return [SyncError.model_validate(row) for row in read(connection, table, query)]

    def deferred(self, writes: Collection[PlannedWrite], *, patient: bool) -> dict[tuple[str, str], SyncError]:
        """Return, by kind and Shopify id, which of these writes are not tried now and the failure that says so.

        Args:
            writes: what a plan wants; with another content than the one that failed a record is tried at once.
            patient: leave out what is not due yet; otherwise only what a person dismissed.
        """
        wanted = {(write.kind, write.shopify_id): (write.checksum, write.natural_key) for write in writes}
        found = {}
        for error in self._open_of(wanted.keys()):
            key = (error.kind, error.shopify_id)
            early = patient and not is_due(error.next_attempt_at, self._clock.now(), LONGEST_PAUSE)
            if wanted[key] == (error.payload_hash, error.natural_key) and (early or error.dismissed_at is not None):
                found[key] = error
        return found

    def of_orders(self, order_ids: Collection[str]) -> list[SyncError]:
        """Return the open failures of orders, dismissed ones among them."""
        found, table = [], sync_errors
        for some in chunks(order_ids):
            mine = table.c.resolved_at.is_(None), table.c.order_id.in_(some)
            with self._engine.begin() as connection:
                found += read(connection, table, select(table).where(*mine).order_by(table.c.first_failed_at))
        return [SyncError.model_validate(row) for row in found]

    def dismissed(self, kind: str, shopify_ids: Collection[str]) -> set[str]:
        """Return which of these records a person took off the list of failures."""
        found = self._open_of([(kind, shopify_id) for shopify_id in shopify_ids])
        return {error.shopify_id for error in found if error.dismissed_at is not None}

    def dismiss(self, errors: Collection[SyncError], because: str) -> None:
        """Take failures off the list for a reason, until their record is wanted with another content."""
        now = self._clock.now()
        for error in errors:
            self._decide(error, dismissed_at=now, dismissal_reason=because)

    def retry_now(self, errors: Collection[SyncError]) -> None:
        """Have records tried with the next load of their day, dismissed ones too."""
        for error in errors:
            self._decide(error, next_attempt_at=self._clock.now(), dismissed_at=None, dismissal_reason="")

    def _open_of(self, records: Collection[tuple[str, str]]) -> list[SyncError]:
        with self._engine.begin() as connection:
            return [SyncError.model_validate(row) for row in row_writes.open_errors(connection, records)]

    def _decide(self, error: SyncError, **values: object) -> None:
        mine = (sync_errors.c.kind == error.kind, sync_errors.c.shopify_id == error.shopify_id)
        with self._engine.begin() as connection:
            found = read(connection, sync_errors, select(sync_errors).where(*mine))
            update_rows(connection, sync_errors, found, lambda _: values)
