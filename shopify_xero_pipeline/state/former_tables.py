"""Tables under their names before schema 7, for migrations and for quarantined stores of an older schema.

This module only contains renamed tables; tables whose names and columns did not change are in `tables.py`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Boolean, Column, Integer, MetaData, Table

from shopify_xero_pipeline.state import tables
from shopify_xero_pipeline.state.tables import Date, SortableText, UtcDateTime

Row = Mapping[Any, Any]

metadata = MetaData()


def _checksum_column() -> Column[str]:
    return Column("row_hash", SortableText, nullable=False, server_default="")


remembered = Table(
    "remembered",
    metadata,
    Column("name", SortableText, primary_key=True),
    Column("text", SortableText, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    _checksum_column(),
)

token_set = Table(
    "token_set",
    metadata,
    *(Column(column.name, column.type, primary_key=column.primary_key, nullable=column.nullable)
      for column in tables.oauth_token.columns),
)  # fmt: skip

call = Table(
    "call",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("started_at", UtcDateTime, nullable=False, index=True),
    Column("ended_at", UtcDateTime),
)

hint = Table(
    "hint",
    metadata,
    Column("id", SortableText, primary_key=True),
    Column("source", SortableText, nullable=False),
    Column("topic", SortableText, nullable=False),
    Column("record", SortableText, nullable=False),
    Column("record_id", SortableText, nullable=False),
    Column("delivery", SortableText, nullable=False, unique=True),
    Column("orders", SortableText, nullable=False),
    Column("happened_at", UtcDateTime),
    Column("received_at", UtcDateTime, nullable=False, index=True),
    Column("looked_at", UtcDateTime),
    _checksum_column(),
)

orphaned_order = Table(
    "orphaned_order",
    metadata,
    Column("order_id", SortableText, primary_key=True),
    Column("partition", Date, nullable=False, index=True),
    Column("cause", SortableText, nullable=False),
    Column("detail", SortableText, nullable=False),
    Column("noted_at", UtcDateTime, nullable=False),
    Column("asked_at", UtcDateTime, nullable=False),
    _checksum_column(),
)

sync_errors = Table(
    "sync_errors",
    metadata,
    Column("kind", SortableText, primary_key=True),
    Column("shopify_id", SortableText, primary_key=True),
    Column("natural_key", SortableText, nullable=False),
    Column("order_id", SortableText),
    Column("partition", Date, nullable=False, index=True),
    Column("run_id", SortableText, nullable=False),
    Column("reason", SortableText, nullable=False),
    Column("retryable", Boolean, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("payload", SortableText, nullable=False),
    Column("correlation_id", SortableText),
    Column("first_failed_at", UtcDateTime, nullable=False),
    Column("last_failed_at", UtcDateTime, nullable=False),
    Column("resolved_at", UtcDateTime),
    Column("payload_hash", SortableText, nullable=False, server_default=""),
    Column("next_try", UtcDateTime),
    Column("dismissed_at", UtcDateTime),
    Column("dismissed_because", SortableText, nullable=False, server_default=""),
    _checksum_column(),
)

FORMER_KEYS = {
    "shop": "shop.domain",
    "shop currency": "shop.currency",
    "organisation in Xero": "organisation.identity",
    "disagreements kept": "disagreements.stored",
    "last write": "write.last_batch",
    "last write read back": "write.last_readback",
    "payloads forgotten": "payloads.last_purge",
    "rebuild": "rebuild.state",
    "settings examined": "settings.reviewed",
    "days to compare again": "days.to_reconcile",
    "service looked": "service.probe",
    "limits of Xero": "xero.limits",
    "alerts told": "alerts.state",
}
FORMER_PREFIXES = {
    "organisation of the sign-in ": "organisation.tenant.",
    "organisation ": "organisation.settings.",
    "held lines ": "held_lines.",
    "disagreement ": "disagreement.",
    "decision ": "decision.",
    "pending money ": "pending.",
    "orders read up to ": "orders_read_up_to.",
    "orders compared up to ": "reconciled_up_to.",
    "redacted contact ": "redacted_contact.",
    "reconciliation ": "reconciliation.",
    "mirror:": "mirror.",
}
"""Order matters: a prefix stands before any shorter prefix of itself."""


def present_key(name: str) -> str:
    """Return the present name of a key of the former table `remembered`."""
    if name in FORMER_KEYS:
        return FORMER_KEYS[name]
    prefix = next((prefix for prefix in FORMER_PREFIXES if name.startswith(prefix)), None)
    return name if prefix is None else FORMER_PREFIXES[prefix] + name.removeprefix(prefix)


def _same(value: Any) -> Any:
    return value


@dataclass(frozen=True)
class Renaming:
    """The renaming of a table.

    Attributes:
        former: the table before the renaming.
        present: the table after it.
        columns: the present names of renamed columns, by their former names.
        values: the conversions of column values, by the present name of the column.
    """

    former: Table
    present: Table
    columns: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Callable[[Any], Any]] = field(default_factory=dict)

    def row(self, former: Row) -> dict[str, Any]:
        """Return a row of the former table as a row of the present table, without checksum."""
        renamed = {self.columns.get(name, name): value for name, value in former.items() if name != "row_hash"}
        return {name: self.values.get(name, _same)(value) for name, value in renamed.items()}


RENAMINGS: Sequence[Renaming] = (
    Renaming(
        remembered,
        tables.key_value,
        {"name": "key", "text": "value", "at": "updated_at"},
        {"key": present_key},
    ),
    Renaming(token_set, tables.oauth_token),
    Renaming(call, tables.api_call),
    Renaming(hint, tables.webhook_hint, {"happened_at": "occurred_at", "looked_at": "processed_at"}),
    Renaming(orphaned_order, tables.orphaned_order, {"asked_at": "looked_up_at"}),
    Renaming(sync_errors, tables.sync_errors, {"next_try": "next_attempt_at", "dismissed_because": "dismissal_reason"}),
)
FORMER_STATES = {"check": "needs_check", "review": "needs_review"}
"""Present states of operations, by their former names."""
