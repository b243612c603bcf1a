"""Redaction of Xero's messages, which may repeat a customer's name, address or e-mail.

Before any other step reads a response, this module masks in its messages all known data of the Contacts that the batch
writes or whose documents it writes, and every e-mail address and telephone number. It interprets no message.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from shopify_xero_pipeline.loading.batch_requests import JournalledWrite
from shopify_xero_pipeline.loading.batch_sender import DeliveryResult
from shopify_xero_pipeline.loading.refusals import mask
from shopify_xero_pipeline.state.canonical import canonical_json, parse_exact_json
from shopify_xero_pipeline.state.store import StateStore
from shopify_xero_pipeline.xero.elements import Element
from shopify_xero_pipeline.xero.models import AnyRecord, Contact, Document, Kind

MESSAGE_FIELDS = ("Message", "Detail")
NOT_PERSONAL = frozenset({"kind", "shopify_id", "contact_number", "country"})


def redact_response(reply: DeliveryResult, writes: Sequence[JournalledWrite], store: StateStore) -> DeliveryResult:
    """Return the result of a delivery with masked messages; the records in its response are unchanged.

    Args:
        reply: the result.
        writes: the writes of the batch.
        store: mapping and mirror, for the data of the customers.
    """
    answer = reply.answer
    if answer is None or not any(f'"{name}"'.encode() in answer.body for name in MESSAGE_FIELDS):
        return reply
    personal = list(_personal_values(store, writes))
    with suppress(ValueError):  # no step reads messages from a body that is not JSON
        redacted = _redact_messages(parse_exact_json(answer.body), personal)
        answer = replace(answer, body=canonical_json(redacted).encode())
    return replace(reply, reason=mask(reply.reason, personal), answer=answer)


def _personal_values(store: StateStore, writes: Sequence[JournalledWrite]) -> Iterator[str]:
    """Yield the known personal data of the customers of a batch."""
    records = [write.record for write in writes]
    yield from (text for record in records if isinstance(record, Contact) for text in _texts(record.content()))
    contact_ids = _contact_ids(store, records, {write.operation.order_id for write in writes} - {None})
    mapped = store.mapped(Kind.CONTACT, contact_ids)
    yield from (text for row in mapped.values() for text in _texts(parse_exact_json(row.payload)))
    mirrored = store.mirror_by_xero_id(Kind.CONTACT, [row.xero_id for row in mapped.values()])
    yield from (name for row in mirrored.values() if (name := Element.from_row(row).text("Name")))


def _contact_ids(store: StateStore, records: Iterable[AnyRecord], order_ids: Iterable[str | None]) -> set[str]:
    """Return the Shopify ids of the Contacts; money has only an order, whose documents have the Contact."""
    own_ids = {record.contact_id for record in records if isinstance(record, Document)}
    own_ids |= {record.shopify_id for record in records if isinstance(record, Contact)}
    rows = store.mapped_of_orders([order_id for order_id in order_ids if order_id is not None])
    contact_ids = (parse_exact_json(row.payload).get("contact_id") for row in rows)
    return own_ids | {str(contact_id) for contact_id in contact_ids if contact_id}


def _texts(content: Mapping[str, Any]) -> Iterator[str]:
    for name, value in content.items():
        if isinstance(value, Mapping):
            yield from _texts(value)
        elif name not in NOT_PERSONAL and value is not None:
            yield str(value)


def _redact_messages(content: Any, personal: Sequence[str]) -> Any:
    if isinstance(content, Mapping):
        return {
            name: mask(value, personal)
            if name in MESSAGE_FIELDS and isinstance(value, str)
            else _redact_messages(value, personal)
            for name, value in content.items()
        }
    return [_redact_messages(item, personal) for item in content] if isinstance(content, list) else content
