"""Tables of the state store, readable with plain SQL: instants and days are ISO text, money is JSON text.

This module only defines columns, keys and the two column types; the statements are in `row_writes.py`, `store.py` and
`journal.py`.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

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

from shopify_xero_pipeline.state.database_errors import StoreDamagedError
from shopify_xero_pipeline.state.records import OPEN

INSTANT = "%Y-%m-%dT%H:%M:%S.%fZ"
# The collation C sorts by bytes, as SQLite does; the default collation of Postgres depends on its locale.
SortableText = Text().with_variant(Text(collation="C"), "postgresql")


class UtcDateTime(TypeDecorator[datetime]):
    """An instant in UTC, as text of fixed width whose order is the order of time. Naive instants are refused."""

    impl = SortableText
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        """Return the instant as ISO text in UTC.

        Raises:
            ValueError: the instant is naive.
        """
        if value is not None and value.tzinfo is None:
            raise ValueError("an instant without a time zone cannot be stored")
        return None if value is None else value.astimezone(UTC).strftime(INSTANT)

    def process_result_value(self, value: str | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Return the instant as an aware datetime in UTC.

        Raises:
            StoreDamagedError: the text does not have exactly the stored format; this project writes no other.
        """
        if value is None:
            return None
        try:
            if value[10] == "T" and value[19] == "." and value[-1] == "Z":
                return datetime.fromisoformat(value)
        except (LookupError, TypeError, ValueError):
            pass
        raise StoreDamagedError("an instant in it cannot be read")


class Date(TypeDecorator[date]):
    """A calendar day as ISO text."""

    impl = SortableText
    cache_ok = True

    def process_bind_param(self, value: date | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        """Return the day as `YYYY-MM-DD`."""
        return None if value is None else value.isoformat()

    def process_result_value(self, value: str | None, dialect: Dialect) -> date | None:  # noqa: ARG002
        """Return the day as a date.

        Raises:
            StoreDamagedError: the text is not a day.
        """
        try:
            return None if value is None else date.fromisoformat(value)
        except (TypeError, ValueError):
            raise StoreDamagedError("a day in it cannot be read") from None


class Flag(TypeDecorator[bool]):
    """A truth value, as a Boolean."""

    impl = Boolean
    cache_ok = True

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], bool | None]:  # noqa: ARG002
        """Return the conversion of the driver's value; the one of SQLAlchemy accepts any number on SQLite."""
        return _parse_flag


def _parse_flag(value: Any) -> bool | None:
    if value not in (None, 0, 1):
        raise StoreDamagedError("a truth value in it cannot be read")
    return None if value is None else bool(value)


metadata = MetaData()


def checksum_column() -> Column[str]:
    """Return the checksum column, which contains a hash of all other columns (`row_checksums.py`)."""
    return Column("row_hash", SortableText, nullable=False, server_default="")


def texts(*names: str, nullable: bool = False, primary_key: bool = False) -> list[Column[str]]:
    """Return columns of text.

    Args:
        names: the names of the columns.
        nullable: whether their values may be missing.
        primary_key: whether they are the primary key.
    """
    return [Column(name, SortableText, nullable=nullable, primary_key=primary_key) for name in names]


def instants(*names: str, nullable: bool = False) -> list[Column[datetime]]:
    """Return columns of instants.

    Args:
        names: the names of the columns.
        nullable: whether their values may be missing.
    """
    return [Column(name, UtcDateTime, nullable=nullable) for name in names]


meta = Table(
    "meta", metadata, Column("name", SortableText, primary_key=True), Column("value", SortableText, nullable=False)
)

entity_mapping = Table(
    "entity_mapping",
    metadata,
    *texts("kind", "shopify_id", primary_key=True),
    *texts("xero_id", "natural_key", "checksum", "payload"),
    Column("order_id", SortableText, index=True),
    Column("partition", Date, nullable=False),
    Column("run_id", SortableText, nullable=False),
    Column("posted_at", UtcDateTime, nullable=False),
    checksum_column(),
    UniqueConstraint("kind", "xero_id"),
)
mapped_on_day = Index("mapped_on_day", entity_mapping.c.partition, entity_mapping.c.posted_at)
"""The index that answers whether a record of a day was posted after an instant."""

sync_errors = Table(
    "sync_errors",
    metadata,
    *texts("kind", "shopify_id", primary_key=True),
    Column("natural_key", SortableText, nullable=False),
    Column("order_id", SortableText),
    Column("partition", Date, nullable=False, index=True),
    *texts("run_id", "reason"),
    Column("retryable", Flag, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("payload", SortableText, nullable=False),
    Column("correlation_id", SortableText),
    *instants("first_failed_at", "last_failed_at"),
    Column("resolved_at", UtcDateTime),
    Column("payload_hash", SortableText, nullable=False, server_default=""),
    *instants("next_attempt_at", "dismissed_at", nullable=True),
    Column("dismissal_reason", SortableText, nullable=False, server_default=""),
    checksum_column(),
)

open_errors = Index(
    "open_errors",
    sync_errors.c.kind,
    sync_errors.c.shopify_id,
    sqlite_where=sync_errors.c.resolved_at.is_(None),
    postgresql_where=sync_errors.c.resolved_at.is_(None),
)

sync_history = Table(
    "sync_history",
    metadata,
    Column("run_id", SortableText, primary_key=True),
    Column("partition", Date, primary_key=True),
    Column("kind", SortableText, primary_key=True),
    *(
        Column(count, Integer, nullable=False)
        for count in ("created", "updated", "adopted", "unchanged", "failed", "postponed", "calls", "duration_ms")
    ),
    Column("finished_at", UtcDateTime, nullable=False),
    Column("deleted", Integer, nullable=False, server_default="0"),
    checksum_column(),
    Index("history_of_day", "partition"),
)

operation = Table(
    "operation",
    metadata,
    Column("id", Integer, primary_key=True),
    *texts("kind", "shopify_id", "natural_key"),
    Column("order_id", SortableText, index=True),
    Column("order_name", SortableText),
    Column("partition", Date, nullable=False),
    *texts("run_id", "verb", "payload", "checksum"),
    Column("state", SortableText, nullable=False),
    Column("outcome", SortableText),
    Column("reason", SortableText, nullable=False),
    Column("retryable", Flag, nullable=False),
    Column("xero_id", SortableText),
    Column("batch_id", Integer, index=True),
    Column("attempts", Integer, nullable=False),
    Column("correlation_id", SortableText),
    *instants("created_at", "updated_at"),
    checksum_column(),
    Index("operation_of_record", "kind", "shopify_id", "id"),
    Index("operation_by_state", "state", "partition", "kind", "shopify_id"),
)

HAS_PAYLOAD = text("payload <> ''")
operation_with_payload = Index(
    "operation_with_payload",
    operation.c.state,
    operation.c.updated_at,
    sqlite_where=HAS_PAYLOAD,
    postgresql_where=HAS_PAYLOAD,
)
"""The operations whose payloads are not yet emptied; the condition is literal, or SQLite would not use the index."""

_is_open = text(f"state IN ({', '.join(repr(str(state)) for state in OPEN)})")

one_open_operation = Index(
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
    *texts("kind", "method", "path"),
    Column("body", LargeBinary, nullable=False),
    Column("body_hash", SortableText, nullable=False),
    Column("idempotency_key", SortableText, nullable=False, unique=True),
    Column("state", SortableText, nullable=False, index=True),
    *instants("first_sent_at", "not_before", nullable=True),
    Column("http_status", Integer),
    Column("response", LargeBinary),
    Column("reason", SortableText, nullable=False),
    *instants("created_at", "updated_at"),
    Column("owner", SortableText, nullable=False, server_default=""),
    Column("fence", Integer, nullable=False, server_default="0"),
    Column("lease_until", UtcDateTime),
    checksum_column(),
    *instants("xero_sent_at", "xero_quiet_at", "xero_settled_at", nullable=True),
)

evidence = Table(
    "evidence",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("operation_id", Integer, nullable=False, index=True),
    Column("batch_id", Integer),
    Column("natural_key", SortableText, nullable=False),
    Column("looked_up_at", UtcDateTime, nullable=False),
    Column("how", SortableText, nullable=False),
    Column("hits", Integer, nullable=False),
    Column("fingerprint", SortableText, nullable=False),
    checksum_column(),
    Column("xero_looked_up_at", UtcDateTime),
)

xero_mirror = Table(
    "xero_mirror",
    metadata,
    *texts("kind", "xero_id", primary_key=True),
    *texts("natural_key", "reference", "status"),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("payload", SortableText, nullable=False),
    checksum_column(),
    Index("mirror_by_natural_key", "kind", "natural_key"),
    Index("mirror_by_reference", "kind", "reference"),
)

mapping_key = Table(
    "mapping_key",
    metadata,
    *texts("kind", "shopify_id", "key", primary_key=True),
    Index("mapped_by_key", "kind", "key", "shopify_id"),
)
"""The keys of the rows of the mapping (`record_keys.py`)."""

mirror_key = Table(
    "mirror_key",
    metadata,
    *texts("kind", "xero_id", "key", primary_key=True),
    Index("mirrored_by_key", "kind", "key", "xero_id"),
)
"""The keys of the rows of the mirror (`record_keys.py`)."""

key_value = Table(
    "key_value",
    metadata,
    Column("key", SortableText, primary_key=True),
    Column("value", SortableText, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    checksum_column(),
)

oauth_token = Table(
    "oauth_token",
    metadata,
    Column("name", SortableText, primary_key=True),
    Column("generation", Integer, nullable=False),
    *texts("access", "refresh", "previous_refresh"),
    *instants("expires_at", "refreshed_at"),
    *instants("refresh_started_at", "verified_at", nullable=True),
)

api_call = Table(
    "api_call",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("started_at", UtcDateTime, nullable=False, index=True),
    Column("ended_at", UtcDateTime),
)

webhook_hint = Table(
    "webhook_hint",
    metadata,
    Column("id", SortableText, primary_key=True),
    *texts("source", "topic", "record", "record_id"),
    Column("delivery", SortableText, nullable=False, unique=True),
    Column("orders", SortableText, nullable=False),
    Column("occurred_at", UtcDateTime),
    Column("received_at", UtcDateTime, nullable=False, index=True),
    Column("processed_at", UtcDateTime),
    checksum_column(),
)

unprocessed_hints = Index(
    "unprocessed_hints",
    webhook_hint.c.received_at,
    webhook_hint.c.id,
    sqlite_where=webhook_hint.c.processed_at.is_(None),
    postgresql_where=webhook_hint.c.processed_at.is_(None),
)

orphaned_order = Table(
    "orphaned_order",
    metadata,
    Column("order_id", SortableText, primary_key=True),
    Column("partition", Date, nullable=False, index=True),
    *texts("cause", "detail"),
    *instants("noted_at", "looked_up_at"),
    checksum_column(),
)

kept_record = Table(
    "kept_record",
    metadata,
    Column("xero_id", SortableText, primary_key=True),
    *texts("kind", "natural_key"),
    Column("order_id", SortableText, nullable=False, index=True),
    Column("because", SortableText, nullable=False),
    Column("decided_at", UtcDateTime, nullable=False),
    checksum_column(),
)

CHECKSUMMED_TABLES = (
    entity_mapping, sync_errors, sync_history, operation, batch, evidence, xero_mirror, key_value, webhook_hint,
    orphaned_order, kept_record,
)  # fmt: skip
"""The tables whose rows have a checksum."""
