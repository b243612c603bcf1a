"""The tables of the state store, plain to read with `sqlite3`: instants and days are ISO text, money is JSON text.

Only columns, keys and the two column types belong here; the statements stand in `rows.py`, `store.py` and `journal.py`.
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

meta = Table("meta", metadata, Column("name", Text, primary_key=True), Column("value", Text, nullable=False))

entity_mapping = Table(
    "entity_mapping",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("shopify_id", Text, primary_key=True),
    Column("xero_id", Text, nullable=False),
    Column("natural_key", Text, nullable=False),
    Column("checksum", Text, nullable=False),
    Column("payload", Text, nullable=False),
    Column("order_id", Text, index=True),
    Column("partition", Day, nullable=False),
    Column("run_id", Text, nullable=False),
    Column("posted_at", Instant, nullable=False),
    UniqueConstraint("kind", "xero_id"),
)

sync_errors = Table(
    "sync_errors",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("shopify_id", Text, primary_key=True),
    Column("natural_key", Text, nullable=False),
    Column("order_id", Text),
    Column("partition", Day, nullable=False, index=True),
    Column("run_id", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("retryable", Boolean, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("payload", Text, nullable=False),
    Column("correlation_id", Text),
    Column("first_failed_at", Instant, nullable=False),
    Column("last_failed_at", Instant, nullable=False),
    Column("resolved_at", Instant),
)

sync_history = Table(
    "sync_history",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("partition", Day, primary_key=True),
    Column("kind", Text, primary_key=True),
    *(
        Column(count, Integer, nullable=False)
        for count in ("created", "updated", "adopted", "unchanged", "failed", "postponed", "calls", "duration_ms")
    ),
    Column("finished_at", Instant, nullable=False),
    Column("deleted", Integer, nullable=False, server_default="0"),
)

operation = Table(
    "operation",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("shopify_id", Text, nullable=False),
    Column("natural_key", Text, nullable=False),
    Column("order_id", Text, index=True),
    Column("order_name", Text),
    Column("partition", Day, nullable=False),
    Column("run_id", Text, nullable=False),
    Column("verb", Text, nullable=False),
    Column("payload", Text, nullable=False),
    Column("checksum", Text, nullable=False),
    Column("state", Text, nullable=False, index=True),
    Column("outcome", Text),
    Column("reason", Text, nullable=False),
    Column("retryable", Boolean, nullable=False),
    Column("xero_id", Text),
    Column("batch_id", Integer, index=True),
    Column("attempts", Integer, nullable=False),
    Column("correlation_id", Text),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
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
    Column("kind", Text, nullable=False),
    Column("method", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("body_hash", Text, nullable=False),
    Column("idempotency_key", Text, nullable=False, unique=True),
    Column("state", Text, nullable=False, index=True),
    Column("first_sent_at", Instant),
    Column("not_before", Instant),
    Column("http_status", Integer),
    Column("response", LargeBinary),
    Column("reason", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
)

evidence = Table(
    "evidence",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("operation_id", Integer, nullable=False, index=True),
    Column("batch_id", Integer),
    Column("natural_key", Text, nullable=False),
    Column("looked_up_at", Instant, nullable=False),
    Column("how", Text, nullable=False),
    Column("hits", Integer, nullable=False),
    Column("fingerprint", Text, nullable=False),
)

xero_mirror = Table(
    "xero_mirror",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("xero_id", Text, primary_key=True),
    Column("natural_key", Text, nullable=False),
    Column("reference", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("payload", Text, nullable=False),
    Index("mirror_by_natural_key", "kind", "natural_key"),
)

remembered = Table(
    "remembered",
    metadata,
    Column("name", Text, primary_key=True),
    Column("text", Text, nullable=False),
    Column("at", Instant, nullable=False),
)
