"""Hints: what a webhook said may have changed, kept until somebody has looked, and requests about customers' data.

A hint names a record and nothing more; what is true of it is read from its own side. A delivery is known again by its
name and by its content, so that it counts once however often it is sent, under whatever name. Hints are forgotten in
time, as polling finds what they said; privacy requests never are. Nothing personal is kept of either.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from sqlalchemy import Connection, Engine, delete, insert, or_, select

from shopify_xero_pipeline.clock import Clock
from shopify_xero_pipeline.state.database import chunks
from shopify_xero_pipeline.state.records import Row
from shopify_xero_pipeline.state.row_checksums import read, update_rows, with_checksum
from shopify_xero_pipeline.state.tables import webhook_hint as table

REDACT_CUSTOMER = "customers/redact"
PRIVACY = ("customers/data_request", REDACT_CUSTOMER, "shop/redact")
"""Topics by which Shopify passes on what a person may ask for by law (docs/contracts/shopify.md §7)."""

AT_ONCE = 1_000
_OPEN = table.c.processed_at.is_(None)
REQUESTS = select(table).where(table.c.topic.in_(PRIVACY)).order_by(table.c.received_at, table.c.id)


class WebhookHint(Row):
    """Something that may have changed. `source`: shopify or xero; `record`: what kind of record `record_id` is.

    Attributes:
        id: a hash of what was delivered, by which a delivery under another name is known again.
        delivery: a hash of the name under which it was delivered.
        orders: of a privacy request, the digits of the orders it names, divided by spaces.
        occurred_at: when it happened, as the sender says.
        processed_at: when somebody looked, or did what was requested.
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
    """The hints of a store. Obtained from `StateStore.hints`; every method is one short transaction."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    def add(self, hints: Sequence[WebhookHint]) -> list[bool]:
        """Keep hints, and return of each whether it is new; when this has returned, they outlive a power cut."""
        with self._engine.begin() as connection:
            ids, deliveries = _known(connection, hints)
            new = []
            for one in hints:
                new.append(one.id not in ids and one.delivery not in deliveries)
                ids.add(one.id)
                deliveries.add(one.delivery)
            rows = [with_checksum(one.model_dump()) for one, is_new in zip(hints, new, strict=True) if is_new]
            if rows:
                connection.execute(insert(table), rows)
        return new

    def open(self, source: str | None = None) -> list[WebhookHint]:
        """Return hints at which nobody has looked, oldest first, at most a thousand; no privacy requests."""
        mine = [_OPEN, table.c.topic.not_in(PRIVACY), *([] if source is None else [table.c.source == source])]
        query = select(table).where(*mine).order_by(table.c.received_at, table.c.id).limit(AT_ONCE)
        with self._engine.begin() as connection:
            return [WebhookHint.model_validate(row) for row in read(connection, table, query)]

    def requests(self, *, open_only: bool = True) -> list[WebhookHint]:
        """Return privacy requests, oldest first; by default those that nobody has seen to yet."""
        query = REQUESTS.where(_OPEN) if open_only else REQUESTS
        with self._engine.begin() as connection:
            return [WebhookHint.model_validate(row) for row in read(connection, table, query)]

    def mark_processed(self, hints: Iterable[WebhookHint]) -> None:
        """Note that somebody looked at just these, or did what was requested; what came since stays open."""
        now = self._clock.now()
        for some in chunks(one.id for one in hints):
            with self._engine.begin() as connection:
                found = read(connection, table, select(table).where(table.c.id.in_(some), _OPEN))
                update_rows(connection, table, found, lambda _: {"processed_at": now})

    def purge_before(self, before: datetime) -> int:
        """Delete hints received before an instant, and return how many; privacy requests stay."""
        old = (table.c.received_at < before, table.c.topic.not_in(PRIVACY))
        with self._engine.begin() as connection:
            return connection.execute(delete(table).where(*old)).rowcount


def _known(connection: Connection, hints: Collection[WebhookHint]) -> tuple[set[str], set[str]]:
    """Return which ids and names of deliveries are among those kept."""
    ids, deliveries = set[str](), set[str]()
    for some in chunks(hints):
        mine = or_(table.c.id.in_([one.id for one in some]), table.c.delivery.in_([one.delivery for one in some]))
        for row in connection.execute(select(table.c.id, table.c.delivery).where(mine)):
            ids.add(row.id)
            deliveries.add(row.delivery)
    return ids, deliveries
