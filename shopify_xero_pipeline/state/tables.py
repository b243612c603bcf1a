"""The tables of the state store, plain to read: instants and days are ISO text, money is JSON text.

Only columns, keys and the two column types belong here; the statements stand in `row_writes.py`, `store.py` and
`journal.py`.
"""

from datetime import UTC, date, datetime

from sqlalchemy import (
    Boolean,
    Column,
    Dialect,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)

from shopify_xero_pipeline.state.records import OPEN

INSTANT = "%Y-%m-%dT%H:%M:%S.%fZ"
# Sorted by its bytes, as in SQLite; Postgres would else sort by the rules of the language it was set up with.
Words = Text().with_variant(Text(collation="C"), "postgresql")


class Instant(TypeDecorator[datetime]):
    """A UTC instant as text of fixed width, so that text order is time order. Naive instants are refused."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        """Write as ISO text in UTC."""
        if value is not None and value.tzinfo is None:
            raise ValueError("an instant without a time zone cannot be stored")
        return None if value is None else value.astimezone(UTC).strftime(INSTANT)

    def process_result_value(self, value: str | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Read back as an aware UTC datetime."""
        return None if value is None else datetime.fromisoformat(value)


class Day(TypeDecorator[date]):
    """A calendar day as ISO text."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: date | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        """Write as `YYYY-MM-DD`."""
        return None if value is None else value.isoformat()

    def process_result_value(self, value: str | None, dialect: Dialect) -> date | None:  # noqa: ARG002
        """Read back as a date."""
        return None if value is None else date.fromisoformat(value)


metadata = MetaData()


def seal() -> Column[str]:
    """Return the column that holds the hash of all others, by which a damaged row is known (`row_checksums.py`)."""
    return Column("row_hash", Words, nullable=False, server_default="")


meta = Table("meta", metadata, Column("name", Words, primary_key=True), Column("value", Words, nullable=False))

entity_mapping = Table(
    "entity_mapping",
    metadata,
    Column("kind", Words, primary_key=True),
    Column("shopify_id", Words, primary_key=True),
    Column("xero_id", Words, nullable=False),
    Column("natural_key", Words, nullable=False),
    Column("checksum", Words, nullable=False),
    Column("payload", Words, nullable=False),
    Column("order_id", Words, index=True),
    Column("partition", Day, nullable=False, index=True),
    Column("run_id", Words, nullable=False),
    Column("posted_at", Instant, nullable=False),
    seal(),
    UniqueConstraint("kind", "xero_id"),
)

sync_errors = Table(
    "sync_errors",
    metadata,
    Column("kind", Words, primary_key=True),
    Column("shopify_id", Words, primary_key=True),
    Column("natural_key", Words, nullable=False),
    Column("order_id", Words),
    Column("partition", Day, nullable=False, index=True),
    Column("run_id", Words, nullable=False),
    Column("reason", Words, nullable=False),
    Column("retryable", Boolean, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("payload", Words, nullable=False),
    Column("correlation_id", Words),
    Column("first_failed_at", Instant, nullable=False),
    Column("last_failed_at", Instant, nullable=False),
    Column("resolved_at", Instant),
    Column("payload_hash", Words, nullable=False, server_default=""),
    Column("next_try", Instant),
    Column("dismissed_at", Instant),
    Column("dismissed_because", Words, nullable=False, server_default=""),
    seal(),
)

sync_history = Table(
    "sync_history",
    metadata,
    Column("run_id", Words, primary_key=True),
    Column("partition", Day, primary_key=True),
    Column("kind", Words, primary_key=True),
    *(
        Column(count, Integer, nullable=False)
        for count in ("created", "updated", "adopted", "unchanged", "failed", "postponed", "calls", "duration_ms")
    ),
    Column("finished_at", Instant, nullable=False),
    Column("deleted", Integer, nullable=False, server_default="0"),
    seal(),
)

operation = Table(
    "operation",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("kind", Words, nullable=False),
    Column("shopify_id", Words, nullable=False),
    Column("natural_key", Words, nullable=False),
    Column("order_id", Words, index=True),
    Column("order_name", Words),
    Column("partition", Day, nullable=False),
    Column("run_id", Words, nullable=False),
    Column("verb", Words, nullable=False),
    Column("payload", Words, nullable=False),
    Column("checksum", Words, nullable=False),
    Column("state", Words, nullable=False, index=True),
    Column("outcome", Words),
    Column("reason", Words, nullable=False),
    Column("retryable", Boolean, nullable=False),
    Column("xero_id", Words),
    Column("batch_id", Integer, index=True),
    Column("attempts", Integer, nullable=False),
    Column("correlation_id", Words),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    seal(),
    Index("operation_of_record", "kind", "shopify_id", "id"),
)

_is_open = text(f"state IN ({', '.join(repr(str(state)) for state in OPEN)})")

Index(
    "one_open_operation",
    operation.c.kind,
    operation.c.shopify_id,
    unique=True,
    sqlite_where=_is_open,
    postgresql_where=_is_open,
)

batch = Table(
    "batch",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("kind", Words, nullable=False),
    Column("method", Words, nullable=False),
    Column("path", Words, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("body_hash", Words, nullable=False),
    Column("idempotency_key", Words, nullable=False, unique=True),
    Column("state", Words, nullable=False, index=True),
    Column("first_sent_at", Instant),
    Column("not_before", Instant),
    Column("http_status", Integer),
    Column("response", LargeBinary),
    Column("reason", Words, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("owner", Words, nullable=False, server_default=""),
    Column("fence", Integer, nullable=False, server_default="0"),
    Column("lease_until", Instant),
    seal(),
    Column("xero_sent_at", Instant),
    Column("xero_quiet_at", Instant),
    Column("xero_settled_at", Instant),
)

evidence = Table(
    "evidence",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("operation_id", Integer, nullable=False, index=True),
    Column("batch_id", Integer),
    Column("natural_key", Words, nullable=False),
    Column("looked_up_at", Instant, nullable=False),
    Column("how", Words, nullable=False),
    Column("hits", Integer, nullable=False),
    Column("fingerprint", Words, nullable=False),
    seal(),
    Column("xero_looked_up_at", Instant),
)

xero_mirror = Table(
    "xero_mirror",
    metadata,
    Column("kind", Words, primary_key=True),
    Column("xero_id", Words, primary_key=True),
    Column("natural_key", Words, nullable=False),
    Column("reference", Words, nullable=False),
    Column("status", Words, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("payload", Words, nullable=False),
    seal(),
    Index("mirror_by_natural_key", "kind", "natural_key"),
    Index("mirror_by_reference", "kind", "reference"),
)

remembered = Table(
    "remembered",
    metadata,
    Column("name", Words, primary_key=True),
    Column("text", Words, nullable=False),
    Column("at", Instant, nullable=False),
    seal(),
)

token_set = Table(
    "token_set",
    metadata,
    Column("name", Words, primary_key=True),
    Column("generation", Integer, nullable=False),
    Column("access", Words, nullable=False),
    Column("refresh", Words, nullable=False),
    Column("previous_refresh", Words, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("refreshed_at", Instant, nullable=False),
    Column("refresh_started_at", Instant),
    Column("verified_at", Instant),
)

call = Table(
    "call",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("started_at", Instant, nullable=False, index=True),
    Column("ended_at", Instant),
)

hint = Table(
    "hint",
    metadata,
    Column("id", Words, primary_key=True),
    Column("source", Words, nullable=False),
    Column("topic", Words, nullable=False),
    Column("record", Words, nullable=False),
    Column("record_id", Words, nullable=False),
    Column("delivery", Words, nullable=False, unique=True),
    Column("orders", Words, nullable=False),
    Column("happened_at", Instant),
    Column("received_at", Instant, nullable=False, index=True),
    Column("looked_at", Instant),
    seal(),
)

orphaned_order = Table(
    "orphaned_order",
    metadata,
    Column("order_id", Words, primary_key=True),
    Column("partition", Day, nullable=False, index=True),
    Column("cause", Words, nullable=False),
    Column("detail", Words, nullable=False),
    Column("noted_at", Instant, nullable=False),
    Column("asked_at", Instant, nullable=False),
    seal(),
)

kept_record = Table(
    "kept_record",
    metadata,
    Column("xero_id", Words, primary_key=True),
    Column("kind", Words, nullable=False),
    Column("natural_key", Words, nullable=False),
    Column("order_id", Words, nullable=False, index=True),
    Column("because", Words, nullable=False),
    Column("decided_at", Instant, nullable=False),
    seal(),
)

SEALED = (
    entity_mapping, sync_errors, sync_history, operation, batch, evidence, xero_mirror, remembered, hint,
    orphaned_order, kept_record,
)  # fmt: skip
"""The tables whose rows bear a hash."""
