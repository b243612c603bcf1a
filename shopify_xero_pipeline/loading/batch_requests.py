"""Writes made into requests: which route, how many to a request, and the exact bytes.

Creating is PUT, updating is POST to the collection with the id in each element, never by number or name, which would
overwrite what a person made (docs/contracts/xero.md §3). Allocations are PUT below their Credit Note, and taken back
one by one with DELETE, which has no body. Nothing is sent here.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter

from shopify_xero_pipeline.state.canonical import canonical_json
from shopify_xero_pipeline.state.records import Operation
from shopify_xero_pipeline.xero import serialization
from shopify_xero_pipeline.xero.models import Allocation, AnyRecord, Contact, Kind

MAX_ELEMENTS = 50
ATTEMPTS_BEFORE_SPLIT = (MAX_ELEMENTS, 10, 1)
"""A record in a request that Xero could not answer is sent in smaller company next time, until it is alone."""

MAX_BYTES = 3_400_000
ROUNDED_TO_FOUR = (Kind.ITEM, Kind.INVOICE, Kind.CREDIT_NOTE)

_RECORD: TypeAdapter[AnyRecord] = TypeAdapter(AnyRecord, config={"hide_input_in_errors": True})


@dataclass(frozen=True)
class JournalledWrite:
    """An operation with its record read."""

    operation: Operation
    record: AnyRecord

    def element(self, ids: serialization.IdResolver) -> dict[str, Any]:
        """Return what is sent of it; to take something back nothing is sent but its id, in the route."""
        if self.operation.verb == "adopt" and isinstance(self.record, Contact):
            return serialization.to_contact_adoption(self.record, str(self.operation.xero_id))
        return serialization.to_xero(self.record, ids, self.operation.xero_id)


@dataclass(frozen=True)
class BatchDraft:
    """A request that may be sent: the writes in it, in order, and their bytes."""

    kind: Kind
    method: str
    path: str
    writes: tuple[JournalledWrite, ...]
    body: bytes


def parse_operation(operation: Operation) -> JournalledWrite:
    """Return an operation with its record."""
    return JournalledWrite(operation, _RECORD.validate_json(operation.payload))


def with_record(write: JournalledWrite, record: AnyRecord) -> JournalledWrite:
    """Return a write of the same record with more known of it; the same write if nothing is."""
    if record == write.record:
        return write
    return JournalledWrite(write.operation.model_copy(update={"payload": serialize_payload(record)}), record)


def serialize_payload(record: AnyRecord) -> str:
    """Return the whole record as the journal keeps it."""
    return canonical_json(record.model_dump(mode="json", exclude_none=True))


def build_drafts(kind: Kind, writes: Iterable[JournalledWrite], ids: serialization.IdResolver) -> Iterator[BatchDraft]:
    """Yield requests of one kind, in the order of the writes; those that can share one do."""
    groups: dict[tuple[str, str, int], list[JournalledWrite]] = {}
    for write in writes:
        most = ATTEMPTS_BEFORE_SPLIT[min(write.operation.attempts, len(ATTEMPTS_BEFORE_SPLIT) - 1)]
        groups.setdefault((*_route(write, ids), most), []).append(write)
    for (method, path, most), group in groups.items():
        encoded = [(write, canonical_json(write.element(ids)).encode()) for write in group]
        for some in _portions(encoded, most):
            yield _draft(kind, method, path, some)


def split_in_half(draft: BatchDraft, ids: serialization.IdResolver) -> list[BatchDraft]:
    """Return a request that Xero cannot accept as two, so that one bad record is found and the others get through."""
    encoded = [(write, canonical_json(write.element(ids)).encode()) for write in draft.writes]
    middle = len(encoded) // 2
    return [_draft(draft.kind, draft.method, draft.path, part) for part in (encoded[:middle], encoded[middle:])]


def _route(write: JournalledWrite, ids: serialization.IdResolver) -> tuple[str, str]:
    record = write.record
    unitdp = "&unitdp=4" if record.kind in ROUNDED_TO_FOUR else ""
    if isinstance(record, Allocation):
        note = ids.xero_id(Kind.CREDIT_NOTE, record.credit_note_id)
        if write.operation.verb == "delete":
            return "DELETE", f"/CreditNotes/{note}/Allocations/{write.operation.xero_id}"
        return "PUT", f"/CreditNotes/{note}/Allocations?summarizeErrors=false"
    method = "PUT" if write.operation.verb == "create" else "POST"
    return method, f"/{serialization.COLLECTION[record.kind]}?summarizeErrors=false{unitdp}"


def _portions(
    encoded: Sequence[tuple[JournalledWrite, bytes]], most: int
) -> Iterator[list[tuple[JournalledWrite, bytes]]]:
    portion: list[tuple[JournalledWrite, bytes]] = []
    size = 0
    for write, text in encoded:
        if portion and (len(portion) == most or size + len(text) > MAX_BYTES):
            yield portion
            portion, size = [], 0
        portion.append((write, text))
        size += len(text) + 1
    if portion:
        yield portion


def _draft(kind: Kind, method: str, path: str, encoded: Sequence[tuple[JournalledWrite, bytes]]) -> BatchDraft:
    body = b'{"%s":[%s]}' % (serialization.COLLECTION[kind].encode(), b",".join(text for _, text in encoded))
    if method == "DELETE":
        body = b""
    return BatchDraft(kind, method, path, tuple(write for write, _ in encoded), body)
