"""The read-back of operations whose outcome no response shows, and their settlement.

A record that Xero refused is looked up at once. A request without a usable response is read back after the quiet time,
when no byte of it can still arrive. No operation is planned again or rejected without a look-up and its evidence.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import TypeAlias

from shopify_xero_pipeline.clock import Clock
from shopify_xero_pipeline.loading import batch_requests, outcomes, refusals
from shopify_xero_pipeline.loading.batch_requests import JournalledWrite
from shopify_xero_pipeline.loading.batch_sender import QUIESCENCE
from shopify_xero_pipeline.loading.parent_ids import ParentIds
from shopify_xero_pipeline.observability import events
from shopify_xero_pipeline.state.canonical import checksum
from shopify_xero_pipeline.state.records import (
    Batch,
    BatchState,
    MirrorRecord,
    Operation,
    OperationOutcome,
    OperationState,
    PlannedWrite,
)
from shopify_xero_pipeline.state.store import StateStore
from shopify_xero_pipeline.xero.client import XeroClient, XeroResponse
from shopify_xero_pipeline.xero.elements import EPOCH, REMOVED_STATUSES, Element
from shopify_xero_pipeline.xero.mirror import Mirror
from shopify_xero_pipeline.xero.models import Allocation, Contact, Document, Kind, Payment

MIRROR_LOOKUP = "changes since the request, by natural key and reference"
ALLOCATIONS_LOOKUP = "the Credit Note's allocations"

Copies: TypeAlias = tuple[Sequence[Element], str]
"""What explains a refusal: the record itself, or else the state of its document in words; both may be empty."""

NOTHING: Copies = ((), "")


class ReadBack:
    """Settles operations with unknown outcomes. It reads Xero and writes only the journal and the mirror."""

    def __init__(self, client: XeroClient, store: StateStore, clock: Clock) -> None:
        self._client = client
        self._store = store
        self._clock = clock
        self._mirror = Mirror(client, store, clock)

    def read_back(self, batch: Batch) -> None:
        """Settle a batch whose outcome is unknown once its quiet time is over; until then record its end.

        Xero's clock decides, because ours may have been set since the request left.

        Raises:
            XeroError: Xero does not respond; the journal is unchanged.
        """
        now = self._client.ensure_server_time()
        if batch.state is BatchState.SENT:
            self.leave_open(batch, "no response")
        if now < (quiet_at := self._quiet_at(batch)):
            if batch.state is BatchState.AMBIGUOUS:
                self._store.journal.wait(batch, not_before=self._by_our_clock(quiet_at), xero_quiet_at=quiet_at)
            return
        writes = [
            batch_requests.parse_operation(operation) for operation in self._store.journal.operations_of(batch.id)
        ]
        record_outcomes = self._look_up(Kind(batch.kind), writes, [batch], now, checking=False)
        self._store.journal.settle(record_outcomes, batch, xero_settled_at=self._client.time.earliest)
        events.log_event("batch_read_back", entity_type=batch.kind, batch=batch.id, **_count_states(record_outcomes))

    def leave_open(self, batch: Batch, why: str, answer: XeroResponse | None = None) -> None:
        """Mark a batch AMBIGUOUS, with the time of its read-back.

        Args:
            batch: the request.
            why: the cause, in words for people without a full stop.
            answer: the unusable response, if one arrived.

        Raises:
            XeroError: the time of the request is unknown and Xero gives no time; the journal is unchanged.
        """
        quiet_at = self._quiet_at(batch)
        not_before = self._by_our_clock(quiet_at)
        self._store.journal.mark_ambiguous(
            batch,
            not_before=not_before,
            xero_quiet_at=quiet_at,
            reason=f"{why}; Xero is read back after {not_before:%H:%M:%S} UTC",
            status=answer.status if answer else None,
            answer=answer.body if answer else b"",
        )

    def _by_our_clock(self, quiet_at: datetime) -> datetime:
        """Return an instant of Xero's clock by our clock, for people and the retry schedule; it is approximate."""
        now = self._client.time.earliest
        return self._clock.now() + (quiet_at - now if now is not None else QUIESCENCE)

    def _quiet_at(self, batch: Batch) -> datetime:
        """Return the end of a batch's quiet time by Xero's clock; the batch was sent before the present time."""
        if batch.xero_quiet_at is not None:
            return batch.xero_quiet_at
        return max(self._client.ensure_server_time(), self._client.time.latest or EPOCH) + QUIESCENCE

    def check(self, kind: Kind, operations: Sequence[Operation]) -> None:
        """Settle records that Xero refused or that are under review.

        Args:
            kind: kind of all operations.
            operations: newest operations in state NEEDS_CHECK or NEEDS_REVIEW.

        Raises:
            XeroError: Xero does not respond; the journal is unchanged.
        """
        writes = [batch_requests.parse_operation(operation) for operation in operations]
        if not writes:
            return
        batches, now = self._store.journal.batches_of(operations), self._client.ensure_server_time()
        record_outcomes = self._look_up(kind, writes, batches, now, checking=True)
        self._store.journal.settle(record_outcomes)
        counts = _count_states(record_outcomes)
        events.log_event("records_checked", entity_type=kind.value, records=len(writes), **counts)
        self._rename_contacts(writes, record_outcomes)

    def _look_up(
        self, kind: Kind, writes: Sequence[JournalledWrite], batches: Sequence[Batch], now: datetime, *, checking: bool
    ) -> list[OperationOutcome]:
        is_allocation = kind is Kind.ALLOCATION
        hits = self._find_allocations(writes) if is_allocation else self._find_in_mirror(kind, writes, batches)
        document_states = [""] * len(writes)
        for index, write in enumerate(writes):
            if checking and not hits[index]:
                hits[index], document_states[index] = self._find_copies(write)
        owners = self._store.ids_by_xero_id(kind, [str(hit.xero_id) for own_hits in hits for hit in own_hits])
        context = outcomes.OutcomeContext(self._clock.now(), owners, xero_now=now)
        sent_at = {batch.id: batch.xero_sent_at for batch in batches}
        record_outcomes = []
        for write, own_hits, document_state in zip(writes, hits, document_states, strict=True):
            outcome = outcomes.outcome_from_lookup(
                write,
                own_hits,
                context,
                how=ALLOCATIONS_LOOKUP if is_allocation else MIRROR_LOOKUP,
                sent_at=sent_at.get(write.operation.batch_id or 0),
                checking=checking and write.operation.state is OperationState.NEEDS_CHECK,
            )
            if document_state and outcome.state is OperationState.REJECTED:  # people see both sides
                outcome = outcome.model_copy(update={"reason": f"{outcome.reason} {document_state}"})
            record_outcomes.append(outcome)
        return record_outcomes

    def _find_in_mirror(
        self, kind: Kind, writes: Sequence[JournalledWrite], batches: Sequence[Batch]
    ) -> list[Sequence[Element]]:
        """Refresh the mirror with one sweep, and return the elements for each write.

        Xero's lists lag and a request may arrive late, so the sweep goes back to the earliest request, whatever later
        sweep there was. If the time of a request is unknown, the sweep reads everything.
        """
        sent_at = [batch.xero_sent_at for batch in batches if batch.xero_sent_at is not None]
        self._mirror.sweep(kind, back_to=min(sent_at, default=None), full=len(sent_at) < len(batches))
        return self.mirrored(kind, writes)

    def _find_copies(self, write: JournalledWrite) -> Copies:
        """Return what explains a refusal, read by id, because lists lag and single records do not.

        A Payment is looked up in its document, any other record under its own key.
        """
        if write.operation.state is not OperationState.NEEDS_CHECK or not refusals.may_be_copy(write.operation.reason):
            return NOTHING
        if isinstance(write.record, Payment):
            return self._find_payments(write.record)
        kind, natural_key = write.record.kind, write.operation.natural_key
        elements = self._mirror.read_record(kind, natural_key)
        return [element for element in elements if element.natural_key == natural_key], ""

    def _find_payments(self, record: Payment) -> Copies:
        """Return the live Payments of a document with our reference, or else the state of the document."""
        ids = ParentIds(self._store, [record])
        if ids.missing(record):
            return NOTHING
        kind = Kind(record.document_kind)
        documents = self._mirror.read_record(kind, ids.xero_id(kind, record.document_id))
        if not documents:
            return NOTHING
        own_ids = [str(payment.xero_id) for payment in documents[0].payments if payment.reference == record.reference]
        own_payments = [payment for own_id in own_ids for payment in self._mirror.read_record(Kind.PAYMENT, own_id)]
        live = [payment for payment in own_payments if payment.status not in REMOVED_STATUSES]
        return live, "" if live else _describe_document(documents[0])

    def mirrored(self, kind: Kind, writes: Sequence[JournalledWrite]) -> list[Sequence[Element]]:
        """Return the elements of the mirror with each write's natural key or, for documents, with its reference.

        A person may have changed a document's number; its reference still names the order.

        Args:
            kind: kind of all writes.
            writes: the writes; the result has one list for each, in the same order.
        """
        references = {write.record.reference for write in writes if isinstance(write.record, Document)}
        rows = [
            *self._store.mirror(kind, {write.operation.natural_key for write in writes}),
            *self._store.mirror_by_reference(kind, references),
        ]
        unique_rows = {row.xero_id: row for row in rows}.values()
        return [[Element.from_row(row) for row in unique_rows if _matches(row, write)] for write in writes]

    def _find_allocations(self, writes: Sequence[JournalledWrite]) -> list[Sequence[Element]]:
        """Return the Allocations for each write, from one read of each Credit Note, whose own list does not lag."""
        ids = ParentIds(self._store, [write.record for write in writes])
        records = [write.record for write in writes if isinstance(write.record, Allocation)]
        note_ids = [ids.xero_id(Kind.CREDIT_NOTE, record.credit_note_id) for record in records]
        allocations = {note_id: self.allocations_of(note_id) for note_id in dict.fromkeys(note_ids)}
        keys = [write.correlation_key(ids) for write in writes]
        return [
            [allocation for allocation in allocations[note_id] if allocation.correlation_key == key]
            for note_id, key in zip(note_ids, keys, strict=True)
        ]

    def allocations_of(self, note_id: str) -> list[Element]:
        """Return the present Allocations of a Credit Note, read from Xero."""
        answer = self._client.get(f"/CreditNotes/{note_id}", {"unitdp": "4"})
        notes = [Element(Kind.CREDIT_NOTE, fields) for fields in answer.get("CreditNotes") or []]
        return [allocation for note in notes for allocation in note.allocations]

    def _rename_contacts(self, writes: Sequence[JournalledWrite], record_outcomes: Sequence[OperationOutcome]) -> None:
        """Plan each refused Contact with a taken name again, with the customer's id in its name (docs/books.md §7)."""
        for write, outcome in zip(writes, record_outcomes, strict=True):
            record, operation = write.record, write.operation
            if not isinstance(record, Contact) or outcome.state is not OperationState.REJECTED:
                continue
            suffix = f" ({record.shopify_id})"
            if not refusals.is_name_clash(operation.reason) or record.name.endswith(suffix):
                continue
            renamed = record.model_copy(update={"name": record.name + suffix})
            values = {name: getattr(operation, name) for name in PlannedWrite.model_fields}
            values |= {"payload": batch_requests.serialize_payload(renamed), "checksum": checksum(renamed.content())}
            self._store.journal.plan([PlannedWrite.model_validate(values)])


def _describe_document(document: Element) -> str:
    """Return the state of a document in Xero for people, without references, which may name customers."""
    amounts = [f"{payment.amount} on {payment.date:%Y-%m-%d}" for payment in document.payments if payment.date]
    state = f"{document.natural_key} is {document.status} with {document.outstanding} outstanding"
    return f"In Xero {state}; payments: {', '.join(amounts) or 'none'}."


def _matches(row: MirrorRecord, write: JournalledWrite) -> bool:
    record = write.record
    has_reference = isinstance(record, Document) and row.reference == record.reference
    return has_reference or row.natural_key == write.operation.natural_key


def _count_states(record_outcomes: Sequence[OperationOutcome]) -> dict[str, int]:
    """Return the number of outcomes by state."""
    return dict(Counter(outcome.state.value for outcome in record_outcomes))
