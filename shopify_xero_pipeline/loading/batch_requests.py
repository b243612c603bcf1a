"""Batch requests: the route, the number of elements and the exact bytes of each.

A create is PUT. An update is POST to the collection with the id in each element, never with a number or name, which
would overwrite a person's record (docs/contracts/xero.md §3). Allocations are PUT below their Credit Note and deleted
one by one with DELETE, which has no body. This module only builds requests; `batch_sender.py` sends them.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from shopify_xero_pipeline.state.canonical import canonical_json
from shopify_xero_pipeline.state.records import Operation
from shopify_xero_pipeline.xero import serialization
from shopify_xero_pipeline.xero.elements import COLLECTION, Element
from shopify_xero_pipeline.xero.models import RECORD, Allocation, AnyRecord, Contact, Kind

MAX_ELEMENTS = 50  # Xero's recommendation (docs/contracts/xero.md §3)
ATTEMPTS_BEFORE_SPLIT = (MAX_ELEMENTS, 10, 1)
"""Maximum elements of a batch by attempt: after a batch without a usable response, its records go in smaller ones."""

MAX_BYTES = 3_400_000  # of elements; Xero accepts bodies of 3.5 MB (docs/contracts/xero.md §3)
KINDS_WITH_UNIT_PRICES = (Kind.ITEM, Kind.INVOICE, Kind.CREDIT_NOTE)
"""Sent with `unitdp=4`: otherwise Xero rounds UnitAmount to 2 decimals (docs/contracts/xero.md A.10)."""


@dataclass(frozen=True)
class JournalledWrite:
    """An operation with its parsed record."""

    operation: Operation
    record: AnyRecord

    def correlation_key(self, ids: serialization.IdResolver) -> str:
        """Return the key that matches the write with its element in a response."""
        return Element(self.record.kind, self.element(ids)).correlation_key

    def element(self, ids: serialization.IdResolver) -> dict[str, Any]:
        """Return the JSON element; a delete does not send it, as its route has the id."""
        if self.operation.verb == "adopt" and isinstance(self.record, Contact):
            return serialization.to_contact_adoption(self.record, str(self.operation.xero_id))
        return serialization.to_xero(self.record, ids, self.operation.xero_id)


@dataclass(frozen=True)
class BatchDraft:
    """A request that is not in the journal yet, with its writes in order and its bytes."""

    kind: Kind
    method: str
    path: str
    writes: tuple[JournalledWrite, ...]
    body: bytes


def parse_operation(operation: Operation) -> JournalledWrite:
    """Return an operation with its parsed record."""
    return JournalledWrite(operation, RECORD.validate_json(operation.payload))


def with_record(write: JournalledWrite, record: AnyRecord) -> JournalledWrite:
    """Return a write with a completed version of its record; the same object if the record is equal."""
    if record == write.record:
        return write
    return JournalledWrite(write.operation.model_copy(update={"payload": serialize_payload(record)}), record)


def serialize_payload(record: AnyRecord) -> str:
    """Return the whole record as the canonical JSON of the journal."""
    return canonical_json(record.model_dump(mode="json", exclude_none=True))


def build_drafts(kind: Kind, writes: Iterable[JournalledWrite], ids: serialization.IdResolver) -> Iterator[BatchDraft]:
    """Yield the requests for writes of one kind, in their order; writes with the same route share requests.

    Args:
        kind: kind of all writes.
        writes: journalled writes whose parents are in Xero.
        ids: Xero ids of the parents.
    """
    groups: dict[tuple[str, str, int], list[JournalledWrite]] = {}
    for write in writes:
        max_elements = ATTEMPTS_BEFORE_SPLIT[min(write.operation.attempts, len(ATTEMPTS_BEFORE_SPLIT) - 1)]
        groups.setdefault((*_route(write, ids), max_elements), []).append(write)
    for (method, path, max_elements), group in groups.items():
        encoded = [(write, canonical_json(write.element(ids)).encode()) for write in group]
        for portion in _portions(encoded, max_elements):
            yield _draft(kind, method, path, portion)


def split_in_half(draft: BatchDraft, ids: serialization.IdResolver) -> list[BatchDraft]:
    """Return a rejected request as two, so that one bad record is isolated and the others are written."""
    encoded = [(write, canonical_json(write.element(ids)).encode()) for write in draft.writes]
    middle = len(encoded) // 2
    return [_draft(draft.kind, draft.method, draft.path, part) for part in (encoded[:middle], encoded[middle:])]


def _route(write: JournalledWrite, ids: serialization.IdResolver) -> tuple[str, str]:
    record = write.record
    unitdp = "&unitdp=4" if record.kind in KINDS_WITH_UNIT_PRICES else ""
    if isinstance(record, Allocation):
        note = ids.xero_id(Kind.CREDIT_NOTE, record.credit_note_id)
        if write.operation.verb == "delete":
            return "DELETE", f"/CreditNotes/{note}/Allocations/{write.operation.xero_id}"
        return "PUT", f"/CreditNotes/{note}/Allocations?summarizeErrors=false"
    method = "PUT" if write.operation.verb == "create" else "POST"
    return method, f"/{COLLECTION[record.kind]}?summarizeErrors=false{unitdp}"


def _portions(
    encoded: Sequence[tuple[JournalledWrite, bytes]], max_elements: int
) -> Iterator[list[tuple[JournalledWrite, bytes]]]:
    portion: list[tuple[JournalledWrite, bytes]] = []
    size = 0
    for write, text in encoded:
        if portion and (len(portion) == max_elements or size + len(text) > MAX_BYTES):
            yield portion
            portion, size = [], 0
        portion.append((write, text))
        size += len(text) + 1  # the comma
    if portion:
        yield portion


def _draft(kind: Kind, method: str, path: str, encoded: Sequence[tuple[JournalledWrite, bytes]]) -> BatchDraft:
    body = b'{"%s":[%s]}' % (COLLECTION[kind].encode(), b",".join(text for _, text in encoded))
    if method == "DELETE":
        body = b""
    return BatchDraft(kind, method, path, tuple(write for write, _ in encoded), body)
