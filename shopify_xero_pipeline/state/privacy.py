"""Taking personal data out of the state store: payloads that have served their time, and customers to be forgotten.

A written record's payload is needed until its outcome is known. After that hash, ids and amounts are enough, and it is
emptied. A Contact's content is kept while Xero holds the Contact, as changes are found by it; if its customer is to be
forgotten, it is emptied at once, and whatever Xero still shows of the Contact is not kept any more. Which fields are
personal is said by the caller; nothing else of a row ever changes here.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Table, and_, insert, or_, select

from shopify_xero_pipeline.state.canonical import canonical_json, digest, parse_exact_json
from shopify_xero_pipeline.state.records import BatchState, MirrorRecord, OperationState
from shopify_xero_pipeline.state.row_checksums import read, update_rows, with_checksum
from shopify_xero_pipeline.state.tables import batch, entity_mapping, key_value, operation, sync_errors, xero_mirror

CONTACT = "contact"
NOTE = "redacted_contact."
"""Under this name and the Contact's Shopify id stands what was redacted: `{"keys": [...], ...}`."""

NOTES = select(key_value).where(key_value.c.key.startswith(NOTE, autoescape=True))

CONTACT_FIELDS_RETAINED = ("ContactID", "ContactNumber", "ContactStatus", "MergedToContactID", "UpdatedDateUTC")
EMPTY: Mapping[str, Any] = {"payload": ""}
SETTLED = (OperationState.CONFIRMED, OperationState.REJECTED, OperationState.WITHDRAWN)
ON_ITS_WAY = (OperationState.IN_BATCH, OperationState.NEEDS_CHECK)
NOT_SENT = (OperationState.PLANNED, OperationState.NEEDS_REVIEW)
AT_ONCE = 2_000


class ContactOnItsWayError(Exception):
    """A write of the Contact is under way, and its bytes are needed until it is known what became of it."""


def forget_payloads(engine: Engine, before: datetime) -> int:
    """Empty the payloads of what was settled before an instant, in short transactions; return how many there were.

    What is still listed as failed keeps its payload.

    Raises:
        StoreDamagedError: a row does not say what was written there; it is not touched.
    """
    emptied = 0
    while True:
        with engine.begin() as connection:
            some = _forget_some(connection, before)
        emptied += some
        if not some:
            return emptied


def redact_contact(connection: Connection, shopify_id: str, payload: str, at: datetime) -> dict[str, int]:
    """Empty everything personal that is kept of a Contact, for good; return how many rows were emptied, by table.

    Args:
        connection: inside a transaction.
        shopify_id: the Contact's.
        payload: what its mapping row shall say from now on.
        at: now.

    Raises:
        ContactOnItsWayError: nothing was changed; it can be done once the write is settled.
        StoreDamagedError: a row does not say what was written there; nothing was changed.
    """
    own = (operation.c.kind == CONTACT, operation.c.shopify_id == shopify_id)
    if connection.execute(select(operation.c.id).where(*own, operation.c.state.in_(ON_ITS_WAY))).first():
        raise ContactOnItsWayError(shopify_id)
    mapped = (entity_mapping.c.kind == CONTACT, entity_mapping.c.shopify_id == shopify_id)
    failed = (sync_errors.c.kind == CONTACT, sync_errors.c.shopify_id == shopify_id)
    posted = {"payload": payload, "checksum": digest(payload)}
    withdrawn = {**EMPTY, "state": OperationState.WITHDRAWN, "reason": "redacted before it was written"}
    written, planned = (*own, operation.c.state.in_(SETTLED)), (*own, operation.c.state.in_(NOT_SENT))
    keys = _keys(connection, shopify_id)
    write_note(connection, shopify_id, {"keys": sorted(keys)}, at)
    return {
        "mapping": _change(connection, entity_mapping, [*mapped, entity_mapping.c.payload != payload], posted),
        "operations": _change(connection, operation, [*written, operation.c.payload != ""], EMPTY)
        + _change(connection, operation, planned, withdrawn),
        "failed records": _change(connection, sync_errors, [*failed, sync_errors.c.payload != ""], EMPTY),
        "mirror": _strip_mirror(connection, keys),
    }


def write_note(connection: Connection, shopify_id: str, told: Mapping[str, object], at: datetime) -> None:
    """Write down what became of a redaction, beside what is there; the caller sees to it that nothing is personal."""
    name = f"{NOTE}{shopify_id}"
    earlier = read(connection, key_value, select(key_value).where(key_value.c.key == name))
    known = parse_exact_json(earlier[0]["value"] if earlier else "{}")
    values = {"value": canonical_json({**known, **told}), "updated_at": at}
    update_rows(connection, key_value, earlier, lambda _: values)
    if not earlier:
        connection.execute(insert(key_value), [with_checksum({"key": name, **values})])


def redacted_customers(connection: Connection) -> dict[str, dict[str, Any]]:
    """Return the notes of all redacted Contacts by Shopify id."""
    found = read(connection, key_value, NOTES)
    return {row["key"].removeprefix(NOTE): parse_exact_json(row["value"]) for row in found}


def redact_mirror_rows(connection: Connection, records: Iterable[MirrorRecord]) -> list[MirrorRecord]:
    """Return what Xero shows without what it still shows of redacted Contacts."""
    found = list(records)
    if not any(record.kind == CONTACT for record in found):
        return found
    keys = {key for note in redacted_customers(connection).values() for key in note["keys"]}
    return [
        record.model_copy(update={"payload": _stripped(record.payload)})
        if record.kind == CONTACT and {record.xero_id, record.natural_key} & keys
        else record
        for record in found
    ]


def _forget_some(connection: Connection, before: datetime) -> int:
    listed = select(sync_errors.c.kind).where(
        sync_errors.c.kind == operation.c.kind,
        sync_errors.c.shopify_id == operation.c.shopify_id,
        sync_errors.c.resolved_at.is_(None),
        sync_errors.c.dismissed_at.is_(None),
    )
    done = (operation.c.state.in_(SETTLED), operation.c.updated_at < before, ~listed.exists())
    over = (batch.c.state.in_((BatchState.CONFIRMED, BatchState.RESOLVED)), batch.c.updated_at < before)
    left = or_(batch.c.body != b"", batch.c.response.is_not(None))
    gone = or_(
        sync_errors.c.resolved_at < before,
        and_(sync_errors.c.dismissed_at.is_not(None), sync_errors.c.dismissed_at < before),
    )
    return (
        _change(connection, operation, [*done, operation.c.payload != ""], EMPTY)
        + _change(connection, batch, [*over, left], {"body": b"", "response": None})
        + _change(connection, sync_errors, [gone, sync_errors.c.payload != ""], EMPTY)
    )


def _change(
    connection: Connection, table: Table, where: Collection[ColumnElement[bool]], values: Mapping[str, Any]
) -> int:
    """Change some rows of a sealed table in the same way."""
    found = read(connection, table, select(table).where(*where).limit(AT_ONCE))
    return len(update_rows(connection, table, found, lambda _: values))


def _keys(connection: Connection, shopify_id: str) -> set[str]:
    """Return by what Xero's copy of a Contact is known: its Xero id and its ContactNumber."""
    table = entity_mapping
    own = (table.c.kind == CONTACT, table.c.shopify_id == shopify_id)
    rows = connection.execute(select(table.c.xero_id, table.c.natural_key).where(*own)).all()
    return {f"shopify:{shopify_id}", *(key for row in rows for key in row)}


def _strip_mirror(connection: Connection, keys: Collection[str]) -> int:
    table = xero_mirror
    own = (table.c.kind == CONTACT, or_(table.c.xero_id.in_(keys), table.c.natural_key.in_(keys)))
    found = read(connection, table, select(table).where(*own))
    full = [row for row in found if row["payload"] != _stripped(row["payload"])]
    return len(update_rows(connection, table, full, lambda row: {"payload": _stripped(row["payload"])}))


def _stripped(payload: str) -> str:
    shown = parse_exact_json(payload)
    return canonical_json({name: shown[name] for name in CONTACT_FIELDS_RETAINED if name in shown})
