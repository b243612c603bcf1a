"""Xero's own words without the customers they name: a refusal may repeat a name, an address or an e-mail.

Cleared is what Xero says of a request, before anyone reads it: of the Contacts that the request is of, or whose
documents it is of, everything we know, and whatever looks like an e-mail address or a telephone number. Nothing is
interpreted here.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from shopify_xero_pipeline.loading.batch_requests import JournalledWrite
from shopify_xero_pipeline.loading.batch_sender import DeliveryResult
from shopify_xero_pipeline.loading.refusals import mask
from shopify_xero_pipeline.state.canonical import canonical_json, parse_exact_json
from shopify_xero_pipeline.state.store import StateStore
from shopify_xero_pipeline.xero.client import XeroResponse
from shopify_xero_pipeline.xero.models import AnyRecord, Contact, Document, Kind

MESSAGE_FIELDS = ("Message", "Detail")
NOT_PERSONAL = frozenset({"kind", "shopify_id", "contact_number", "country"})


def redact_response(reply: DeliveryResult, writes: Sequence[JournalledWrite], store: StateStore) -> DeliveryResult:
    """Return the reply to a request with messages that name nobody; the records in it stay as they are."""
    if reply.answer is None or not _speaks(reply.answer):
        return reply
    personal = list(personal_values(store, writes))
    return replace(reply, reason=mask(reply.reason, personal), answer=_cleared_answer(reply.answer, personal))


def personal_values(store: StateStore, writes: Sequence[JournalledWrite]) -> Iterator[str]:
    """Yield what is known of the customers that some writes are for."""
    records = [write.record for write in writes]
    yield from (text for record in records if isinstance(record, Contact) for text in _texts(record.content()))
    bearers = _bearers(store, records, {write.operation.order_id for write in writes} - {None})
    mapped = store.mapped(Kind.CONTACT, bearers)
    yield from (text for row in mapped.values() for text in _texts(parse_exact_json(row.payload)))
    shown = store.mirror_by_xero_id(Kind.CONTACT, [row.xero_id for row in mapped.values()])
    names = (parse_exact_json(row.payload).get("Name") for row in shown.values())
    yield from (str(name) for name in names if name)


def _speaks(answer: XeroResponse) -> bool:
    return any(f'"{name}"'.encode() in answer.body for name in MESSAGE_FIELDS)


def _cleared_answer(answer: XeroResponse, personal: Sequence[str]) -> XeroResponse:
    try:
        content = parse_exact_json(answer.body)
    except ValueError:
        return answer
    return replace(answer, body=canonical_json(_cleared_messages(content, personal)).encode())


def _bearers(store: StateStore, records: Iterable[AnyRecord], order_ids: Iterable[str | None]) -> set[str]:
    """Return the Shopify ids of the Contacts; money names an order, whose documents name the Contact."""
    own = {record.contact_id for record in records if isinstance(record, Document)}
    own |= {record.shopify_id for record in records if isinstance(record, Contact)}
    rows = store.mapped_of_orders([one for one in order_ids if one is not None])
    return own | {str(bearer) for row in rows if (bearer := parse_exact_json(row.payload).get("contact_id"))}


def _texts(content: Mapping[str, Any]) -> Iterator[str]:
    for name, value in content.items():
        if isinstance(value, Mapping):
            yield from _texts(value)
        elif name not in NOT_PERSONAL and value is not None:
            yield str(value)


def _cleared_messages(content: Any, personal: Sequence[str]) -> Any:
    if isinstance(content, Mapping):
        return {
            name: mask(value, personal)
            if name in MESSAGE_FIELDS and isinstance(value, str)
            else _cleared_messages(value, personal)
            for name, value in content.items()
        }
    return [_cleared_messages(one, personal) for one in content] if isinstance(content, list) else content
