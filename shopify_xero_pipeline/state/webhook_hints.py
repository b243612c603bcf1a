"""Webhook hints, which name records that may have changed, and privacy requests about customers' data.

A hint only names a record; the current state comes from Shopify or Xero. A delivery is identified by its name and by
its content, so that a repeated delivery counts once, even under another name. Old hints are deleted, because polling
detects the same changes; privacy requests are never deleted. Neither contains personal data.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import Engine, delete, insert, select

from shopify_xero_pipeline.clock import Clock
from shopify_xero_pipeline.state.queries import one_of
from shopify_xero_pipeline.state.records import Row
from shopify_xero_pipeline.state.row_checksums import fetch, read, read_models, update_rows, with_checksum
from shopify_xero_pipeline.state.tables import webhook_hint as table

REDACT_CUSTOMER = "customers/redact"
PRIVACY = ("customers/data_request", REDACT_CUSTOMER, "shop/redact")
"""Topics of the mandatory privacy webhooks (docs/contracts/shopify.md §7)."""

MAX_HINTS = 1_000
"""Hints that one call of `WebhookHints.open` returns."""

_OPEN = table.c.processed_at.is_(None)
REQUESTS = select(table).where(table.c.topic.in_(PRIVACY)).order_by(table.c.received_at, table.c.id)


class WebhookHint(Row):
    """A webhook delivery, stored as the record to read. Instants are UTC.

    Attributes:
        id: a hash of the content, which identifies a repeated delivery under another name.
        source: shopify or xero.
        record: the kind of the record with the id `record_id`.
        delivery: a hash of the delivery's name.
        orders: for a privacy request, the Shopify ids (digits) of its orders, separated by spaces.
        occurred_at: the time of the change, according to the sender.
        processed_at: the time when the hint was processed or the privacy request was completed.
    """

    id: str
    source: str
    topic: str
    record: str
    record_id: str
    delivery: str
    orders: str = ""
    occurred_at: datetime | None = None
    received_at: datetime
    processed_at: datetime | None = None


class WebhookHints:
    """Hints of a store; see `StateStore.hints`. Each method is one short transaction."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    def add(self, hints: Sequence[WebhookHint]) -> list[bool]:
        """Store hints durably.

        Args:
            hints: the hints, in order of delivery.

        Returns:
            For each hint, whether it is new.
        """
        with self._engine.begin() as connection:
            keys = select(table.c.id, table.c.delivery)
            of_id = fetch(connection, keys.where(one_of(table.c.id)), ids=[hint.id for hint in hints])
            of_delivery = fetch(connection, keys.where(one_of(table.c.delivery)), ids=[hint.delivery for hint in hints])
            ids = {row["id"] for row in of_id}
            deliveries = {row["delivery"] for row in of_delivery}
            new = []
            for hint in hints:
                new.append(hint.id not in ids and hint.delivery not in deliveries)
                ids.add(hint.id)
                deliveries.add(hint.delivery)
            rows = [with_checksum(hint.model_dump()) for hint, is_new in zip(hints, new, strict=True) if is_new]
            if rows:
                connection.execute(insert(table), rows)
        return new

    def open(self, source: str | None = None) -> list[WebhookHint]:
        """Return unprocessed hints, oldest first, at most a thousand, without privacy requests."""
        conditions = [_OPEN, table.c.topic.not_in(PRIVACY), *([] if source is None else [table.c.source == source])]
        query = select(table).where(*conditions).order_by(table.c.received_at, table.c.id).limit(MAX_HINTS)
        return read_models(self._engine, WebhookHint, query)

    def requests(self, *, open_only: bool = True) -> list[WebhookHint]:
        """Return privacy requests, oldest first; by default only those that are not completed."""
        query = REQUESTS.where(_OPEN) if open_only else REQUESTS
        return read_models(self._engine, WebhookHint, query)

    def mark_processed(self, hints: Iterable[WebhookHint]) -> None:
        """Mark hints as processed, or privacy requests as completed; later deliveries stay open.

        Args:
            hints: the hints, as read from the store.
        """
        now = self._clock.now()
        with self._engine.begin() as connection:
            rows = read(connection, select(table).where(one_of(table.c.id), _OPEN), ids=[hint.id for hint in hints])
            update_rows(connection, table, rows, lambda _: {"processed_at": now})

    def purge_before(self, before: datetime) -> int:
        """Delete the hints received before an instant and return their number; privacy requests stay."""
        old = (table.c.received_at < before, table.c.topic.not_in(PRIVACY))
        with self._engine.begin() as connection:
            return connection.execute(delete(table).where(*old)).rowcount
