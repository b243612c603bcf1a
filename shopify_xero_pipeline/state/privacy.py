"""Removal of personal data from the state store, for old payloads and for redacted customers.

The payload of a write is needed until its outcome is known; after that, hash, ids and amounts are enough, and the
payload is emptied. The content of a Contact is needed to detect changes while the Contact is in Xero. When its customer
is redacted, it is emptied at once, and later content from Xero is not stored. The caller decides which fields are
personal. This module changes no other data.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Table, TextClause, and_, or_, select

from shopify_xero_pipeline.clock import Clock
from shopify_xero_pipeline.state.canonical import canonical_json, digest, parse_exact_json
from shopify_xero_pipeline.state.key_rows import put_keys
from shopify_xero_pipeline.state.queries import with_prefix
from shopify_xero_pipeline.state.records import BatchState, MirrorRecord, OperationState
from shopify_xero_pipeline.state.row_checksums import put_rows, read, update_rows
from shopify_xero_pipeline.state.tables import (
    HAS_PAYLOAD,
    batch,
    entity_mapping,
    key_value,
    mapping_key,
    mirror_key,
    operation,
    sync_errors,
    xero_mirror,
)

CONTACT = "contact"
NOTE = "redacted_contact."
"""Prefix of the key of a redaction note, before the Contact's Shopify id; its value is `{"keys": [...], ...}`."""

NOTES = select(key_value).where(with_prefix(key_value.c.key, NOTE))

CONTACT_FIELDS_RETAINED = ("ContactID", "ContactNumber", "ContactStatus", "MergedToContactID", "UpdatedDateUTC")
EMPTY: Mapping[str, Any] = {"payload": ""}
SETTLED = (OperationState.CONFIRMED, OperationState.REJECTED, OperationState.WITHDRAWN)
ON_ITS_WAY = (OperationState.IN_BATCH, OperationState.NEEDS_CHECK)
NOT_SENT = (OperationState.PLANNED, OperationState.NEEDS_REVIEW)
MAX_ROWS = 2_000
"""Rows of a table that one transaction changes, so that a transaction stays short."""


class ContactOnItsWayError(Exception):
    """A write of the Contact is in progress, and its payload is needed until the outcome is known."""


class Privacy:
    """Removal of personal data from a store; see `StateStore.privacy`. Each method uses short transactions."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    def forget_payloads(self, before: datetime) -> int:
        """Empty the payloads of writes settled before an instant, in short transactions; return their number.

        A record on the list of failures keeps its payload.

        Raises:
            StoreDamagedError: a row does not match its checksum; it is not changed.
        """
        total = 0
        while True:
            with self._engine.begin() as connection:
                count = _forget_chunk(connection, before)
            total += count
            if not count:
                return total

    def redact_contact(self, shopify_id: str, payload: str) -> dict[str, int]:
        """Empty all stored personal data of a Contact.

        Args:
            shopify_id: the Contact's Shopify id.
            payload: the new payload of its mapping row.

        Returns:
            The number of emptied rows by table.

        Raises:
            ContactOnItsWayError: a write of the Contact is in progress; nothing was changed.
            StoreDamagedError: a row does not match its checksum; nothing was changed.
        """
        own = (operation.c.kind == CONTACT, operation.c.shopify_id == shopify_id)
        mapped = (entity_mapping.c.kind == CONTACT, entity_mapping.c.shopify_id == shopify_id)
        failed = (sync_errors.c.kind == CONTACT, sync_errors.c.shopify_id == shopify_id)
        posted = {"payload": payload, "checksum": digest(payload)}
        withdrawn = {**EMPTY, "state": OperationState.WITHDRAWN, "reason": "redacted before it was written"}
        written, planned = (*own, operation.c.state.in_(SETTLED)), (*own, operation.c.state.in_(NOT_SENT))
        with self._engine.begin() as connection:
            if connection.execute(select(operation.c.id).where(*own, operation.c.state.in_(ON_ITS_WAY))).first():
                raise ContactOnItsWayError(shopify_id)
            keys = _mirror_keys(connection, shopify_id)
            self._write_note(connection, shopify_id, {"keys": sorted(keys)})
            return {
                "mapping": _redact_mapping(connection, [*mapped, entity_mapping.c.payload != payload], posted),
                "operations": _update(connection, operation, [*written, operation.c.payload != ""], EMPTY)
                + _update(connection, operation, planned, withdrawn),
                "failed records": _update(connection, sync_errors, [*failed, sync_errors.c.payload != ""], EMPTY),
                "mirror": _redact_stored_mirror(connection, keys),
            }

    def note_redaction(self, shopify_id: str, facts: Mapping[str, object]) -> None:
        """Merge facts, none of them personal, into the redaction note of a Contact.

        Args:
            shopify_id: the Contact's Shopify id.
            facts: JSON values by name.
        """
        with self._engine.begin() as connection:
            self._write_note(connection, shopify_id, facts)

    def redacted_customers(self) -> dict[str, dict[str, Any]]:
        """Return the notes of all redacted Contacts, by Shopify id."""
        with self._engine.begin() as connection:
            return _read_notes(connection)

    def _write_note(self, connection: Connection, shopify_id: str, facts: Mapping[str, object]) -> None:
        note = {**_read_notes(connection).get(shopify_id, {}), **facts}
        row = {"key": f"{NOTE}{shopify_id}", "value": canonical_json(note), "updated_at": self._clock.now()}
        put_rows(connection, key_value, [row])


def redact_mirror_rows(connection: Connection, records: Iterable[MirrorRecord]) -> list[MirrorRecord]:
    """Return records from Xero, with the personal data of redacted Contacts removed.

    Args:
        connection: a connection in a transaction.
        records: records of any kind.
    """
    rows = list(records)
    if not any(record.kind == CONTACT for record in rows):
        return rows
    keys = {key for note in _read_notes(connection).values() for key in note["keys"]}
    return [
        record.model_copy(update={"payload": _redact_payload(record.payload)})
        if record.kind == CONTACT and {record.xero_id, record.natural_key} & keys
        else record
        for record in rows
    ]


def _read_notes(connection: Connection) -> dict[str, dict[str, Any]]:
    rows = read(connection, NOTES)
    return {row["key"].removeprefix(NOTE): parse_exact_json(row["value"]) for row in rows}


def _forget_chunk(connection: Connection, before: datetime) -> int:
    listed = select(sync_errors.c.kind).where(
        sync_errors.c.kind == operation.c.kind,
        sync_errors.c.shopify_id == operation.c.shopify_id,
        sync_errors.c.resolved_at.is_(None),
        sync_errors.c.dismissed_at.is_(None),
    )
    settled = (operation.c.state.in_(SETTLED), operation.c.updated_at < before, ~listed.exists())
    ended = (batch.c.state.in_((BatchState.CONFIRMED, BatchState.RESOLVED)), batch.c.updated_at < before)
    has_content = or_(batch.c.body != b"", batch.c.response.is_not(None))
    closed = or_(
        sync_errors.c.resolved_at < before,
        and_(sync_errors.c.dismissed_at.is_not(None), sync_errors.c.dismissed_at < before),
    )
    return (
        _update(connection, operation, [*settled, HAS_PAYLOAD], EMPTY)
        + _update(connection, batch, [*ended, has_content], {"body": b"", "response": None})
        + _update(connection, sync_errors, [closed, sync_errors.c.payload != ""], EMPTY)
    )


def _update(
    connection: Connection, table: Table, where: Collection[ColumnElement[bool] | TextClause], values: Mapping[str, Any]
) -> int:
    """Set the same values in at most `MAX_ROWS` rows of a checksummed table; return the number of rows."""
    rows = read(connection, select(table).where(*where).limit(MAX_ROWS))
    return len(update_rows(connection, table, rows, lambda _: values))


def _mirror_keys(connection: Connection, shopify_id: str) -> set[str]:
    """Return the keys of a Contact in the mirror: its Xero id and its ContactNumber."""
    table = entity_mapping
    own = (table.c.kind == CONTACT, table.c.shopify_id == shopify_id)
    rows = connection.execute(select(table.c.xero_id, table.c.natural_key).where(*own)).all()
    return {f"shopify:{shopify_id}", *(key for row in rows for key in row)}


def _redact_stored_mirror(connection: Connection, keys: Collection[str]) -> int:
    table = xero_mirror
    own = (table.c.kind == CONTACT, or_(table.c.xero_id.in_(keys), table.c.natural_key.in_(keys)))
    rows = read(connection, select(table).where(*own))
    personal = [row for row in rows if row["payload"] != _redact_payload(row["payload"])]
    redacted = update_rows(connection, table, personal, lambda row: {"payload": _redact_payload(row["payload"])})
    put_keys(connection, mirror_key, redacted)
    return len(redacted)


def _redact_mapping(connection: Connection, where: Collection[ColumnElement[bool]], values: Mapping[str, Any]) -> int:
    rows = read(connection, select(entity_mapping).where(*where))
    redacted = update_rows(connection, entity_mapping, rows, lambda _: values)
    put_keys(connection, mapping_key, redacted)
    return len(redacted)


def _redact_payload(payload: str) -> str:
    fields = parse_exact_json(payload)
    return canonical_json({name: fields[name] for name in CONTACT_FIELDS_RETAINED if name in fields})
