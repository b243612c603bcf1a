"""Looking in Xero for records whose fate an answer did not show, and settling them by what is found.

A record that Xero refused is looked for at once; a request without a usable answer is read back only after a quiet
time, when nothing of it can still be under way. Nothing is sent again, or called refused, without the look-up and its
evidence.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from shopify_xero_pipeline.clock import Clock
from shopify_xero_pipeline.loading import batch_requests, outcomes, refusals
from shopify_xero_pipeline.loading.batch_requests import JournalledWrite
from shopify_xero_pipeline.loading.batch_sender import QUIESCENCE
from shopify_xero_pipeline.loading.parent_ids import ParentIds
from shopify_xero_pipeline.observability import events
from shopify_xero_pipeline.state.canonical import checksum, parse_exact_json
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
from shopify_xero_pipeline.xero import serialization
from shopify_xero_pipeline.xero.client import XeroClient, XeroResponse
from shopify_xero_pipeline.xero.errors import XeroRefusedError
from shopify_xero_pipeline.xero.mirror import Mirror
from shopify_xero_pipeline.xero.models import Allocation, Contact, Document, Kind, Payment
from shopify_xero_pipeline.xero.serialization import EPOCH, Element


@dataclass(frozen=True)
class ReadBackCopies:
    """What a look by id found of a refused record: the record itself, or what stands in its place, in words."""

    hits: Sequence[Element] = ()
    others: str = ""


NOTHING = ReadBackCopies()


class ReadBack:
    """Settles what an answer left open. It reads Xero and writes only the journal."""

    def __init__(self, client: XeroClient, store: StateStore, clock: Clock) -> None:
        self._client = client
        self._store = store
        self._clock = clock
        self._mirror = Mirror(client, store, clock)

    def read_back(self, batch: Batch) -> None:
        """Settle a request whose outcome is unknown, if its quiet time is over; otherwise note until when it lasts.

        Whether it is over is asked of Xero's clock: ours may have been set since the request left.

        Raises:
            XeroError: Xero does not answer; nothing is changed.
        """
        now = self._client.ensure_server_time()
        if batch.state is BatchState.SENT:
            self.leave_open(batch, "not answered")
        if now < (quiet_at := self._quiet_at(batch)):
            if batch.state is BatchState.AMBIGUOUS:
                self._store.journal.wait(batch, not_before=self._by_our_clock(quiet_at), xero_quiet_at=quiet_at)
            return
        writes = [
            batch_requests.parse_operation(operation) for operation in self._store.journal.operations_of(batch.id)
        ]
        verdicts = self._verdicts(Kind(batch.kind), writes, [batch], now, checking=False)
        self._store.journal.settle(verdicts, batch, xero_settled_at=self._client.time.earliest)
        events.log_event("batch_read_back", entity_type=batch.kind, batch=batch.id, **_counts(verdicts))

    def leave_open(self, batch: Batch, why: str, answer: XeroResponse | None = None) -> None:
        """Note that the outcome of a request is unknown, and when it can be read back.

        Args:
            batch: the request.
            why: in words for people, without what follows from it.
            answer: what came instead of a usable answer.

        Raises:
            XeroError: it left at a time that is not known, and Xero does not say what time it is; nothing is changed.
        """
        quiet_at = self._quiet_at(batch)
        not_before = self._by_our_clock(quiet_at)
        self._store.journal.mark_ambiguous(
            batch,
            not_before=not_before,
            xero_quiet_at=quiet_at,
            reason=f"{why}; whether it is in Xero is read back after {not_before:%H:%M:%S} UTC",
            status=answer.status if answer else None,
            answer=answer.body if answer else b"",
        )

    def _by_our_clock(self, quiet_at: datetime) -> datetime:
        """Return about when it will be so late by Xero's clock, for people and for whoever starts the next run."""
        now = self._client.time.earliest
        return self._clock.now() + (quiet_at - now if now is not None else QUIESCENCE)

    def _quiet_at(self, batch: Batch) -> datetime:
        """Return from when on, by Xero's clock, nothing of a request can be under way; it left before now at least."""
        if batch.xero_quiet_at is not None:
            return batch.xero_quiet_at
        return max(self._client.ensure_server_time(), self._client.time.latest or EPOCH) + QUIESCENCE

    def check(self, kind: Kind, operations: Sequence[Operation]) -> None:
        """Settle records that Xero refused, or that a person was asked to look at.

        Raises:
            XeroError: Xero does not answer; nothing is changed.
        """
        writes = [batch_requests.parse_operation(operation) for operation in operations]
        if not writes:
            return
        batches, now = self._store.journal.batches_of(operations), self._client.ensure_server_time()
        verdicts = self._verdicts(kind, writes, batches, now, checking=True)
        self._store.journal.settle(verdicts)
        events.log_event("records_checked", entity_type=kind.value, records=len(writes), **_counts(verdicts))
        self._give_other_names(writes, verdicts)

    def _verdicts(
        self, kind: Kind, writes: Sequence[JournalledWrite], batches: Sequence[Batch], now: datetime, *, checking: bool
    ) -> list[OperationOutcome]:
        hits = self._allocations(writes) if kind is Kind.ALLOCATION else self._mirrored(kind, writes, batches)
        unseen = [write for write, several in zip(writes, hits, strict=True) if checking and not several]
        copies = {write.operation.id: self._copies(write) for write in unseen}
        pairs = zip(writes, hits, strict=True)
        hits = [several or [*copies.get(write.operation.id, NOTHING).hits] for write, several in pairs]
        found_ids = [str(serialization.id_of(kind, hit)) for several in hits for hit in several]
        owners, sent_at = self._store.ids_by_xero_id(kind, found_ids), {one.id: one.xero_sent_at for one in batches}
        desk = outcomes.OutcomeContext(self._clock.now(), owners, xero_now=now)
        how = (
            "the Credit Note's allocations"
            if kind is Kind.ALLOCATION
            else "what changed since, by natural key and mark"
        )
        verdicts = [
            outcomes.outcome_from_lookup(
                write,
                several,
                desk,
                how=how,
                sent_at=sent_at.get(write.operation.batch_id or 0),
                checking=checking and write.operation.state is OperationState.NEEDS_CHECK,
            )
            for write, several in zip(writes, hits, strict=True)
        ]
        return [outcomes.with_mirrored_copy(one, copies.get(one.operation_id, NOTHING).others) for one in verdicts]

    def _mirrored(self, kind: Kind, writes: Sequence[JournalledWrite], batches: Sequence[Batch]) -> list[list[Element]]:
        """Bring the mirror up to date, one call for all, and find the records in it.

        Lists lag, and a request may arrive late: what changed since the requests left is read once more, whatever was
        swept since. Where it is not known when one left, everything is.
        """
        known = [one.xero_sent_at for one in batches if one.xero_sent_at is not None]
        self._mirror.sweep(kind, back_to=min(known, default=None), anew=len(known) < len(batches))
        return [[parse_exact_json(row.payload) for row in rows] for rows in self.mirrored_rows(kind, writes)]

    def _copies(self, write: JournalledWrite) -> ReadBackCopies:
        """Read by its id what would explain a refusal: lists may lag, this does not.

        A Payment is looked for in its document, read whole; any other record under its own key.
        """
        if write.operation.state is not OperationState.NEEDS_CHECK or not refusals.may_be_copy(write.operation.reason):
            return NOTHING
        if isinstance(write.record, Payment):
            return self._paid(write.record)
        kind = write.record.kind
        found = self._read(kind, write.operation.natural_key)
        return ReadBackCopies(
            [one for one in found if serialization.natural_key(kind, one) == write.operation.natural_key]
        )

    def _paid(self, record: Payment) -> ReadBackCopies:
        """Return the Payments on a document that bear our reference, or else how the document stands in Xero."""
        ids = ParentIds(self._store, [record])
        if ids.missing(record):
            return NOTHING
        kind = Kind(record.document_kind)
        (document, *_) = (*self._read(kind, ids.xero_id(kind, record.document_id)), {})
        money = document.get("Payments") or []
        ours = [str(one.get("PaymentID")) for one in money if one.get("Reference") == record.reference]
        found = [payment for one in ours for payment in self._read(Kind.PAYMENT, one)]
        live = [
            one for one in found if serialization.status_of(Kind.PAYMENT, one) not in serialization.REMOVED_STATUSES
        ]
        return ReadBackCopies(live, "" if live or not document else _standing(kind, document, money))

    def _read(self, kind: Kind, name: str) -> list[dict[str, Any]]:
        """Read one record by its id or key, and keep what Xero shows; none if there is no such record."""
        try:
            answer = self._client.get(f"/{serialization.COLLECTION[kind]}/{quote(name, safe='')}", {"unitdp": "4"})
        except XeroRefusedError:
            return []
        found = [one for one in answer.get(serialization.COLLECTION[kind]) or [] if serialization.is_ours(kind, one)]
        carried = [
            serialization.mirror_record(Kind.ALLOCATION, one)
            for note in found
            for one in serialization.allocations_of(note)
        ]
        self._store.update_mirror(
            kind, [serialization.mirror_record(kind, one) for one in found], None, carried=carried
        )
        return found

    def mirrored_rows(self, kind: Kind, writes: Sequence[JournalledWrite]) -> list[list[MirrorRecord]]:
        """Return, for each write, what Xero last showed under its natural key, and documents that bear its mark.

        A person may give a document another number; the order's mark in its reference still says whose it is.
        """
        marks = {one.record.reference for one in writes if isinstance(one.record, Document)}
        rows = [
            *self._store.mirror(kind, {write.operation.natural_key for write in writes}),
            *self._store.mirror_by_reference(kind, marks),
        ]
        known = {row.xero_id: row for row in rows}.values()
        return [[row for row in known if _stands_for(row, write)] for write in writes]

    def _allocations(self, writes: Sequence[JournalledWrite]) -> list[list[Element]]:
        """Read each Credit Note once: it lists its allocations, and that list is always up to date."""
        ids = ParentIds(self._store, [write.record for write in writes])
        notes = [self._note_id(write, ids) for write in writes]
        shown = {note: self.allocations_of(note) for note in dict.fromkeys(notes)}
        keys = [serialization.correlation_key(Kind.ALLOCATION, write.element(ids)) for write in writes]
        return [
            [one for one in shown[note] if serialization.correlation_key(Kind.ALLOCATION, one) == key]
            for note, key in zip(notes, keys, strict=True)
        ]

    @staticmethod
    def _note_id(write: JournalledWrite, ids: ParentIds) -> str:
        assert isinstance(write.record, Allocation)
        return ids.xero_id(Kind.CREDIT_NOTE, write.record.credit_note_id)

    def allocations_of(self, note_id: str) -> list[Element]:
        """Return what a Credit Note is allocated to, as Xero shows it now."""
        answer = self._client.get(f"/CreditNotes/{note_id}", {"unitdp": "4"})
        return [one for found in answer.get("CreditNotes") or [] for one in serialization.allocations_of(found)]

    def _give_other_names(self, writes: Sequence[JournalledWrite], verdicts: Sequence[OperationOutcome]) -> None:
        """Plan a Contact whose name another one bears afresh, with its customer's id in the name (docs/books.md §7)."""
        for write, verdict in zip(writes, verdicts, strict=True):
            record, operation = write.record, write.operation
            if not isinstance(record, Contact) or verdict.state is not OperationState.REJECTED:
                continue
            suffix = f" ({record.shopify_id})"
            if not refusals.is_name_clash(operation.reason) or record.name.endswith(suffix):
                continue
            renamed = record.model_copy(update={"name": record.name + suffix})
            values = {name: getattr(operation, name) for name in PlannedWrite.model_fields}
            values |= {"payload": batch_requests.serialize_payload(renamed), "checksum": checksum(renamed.content())}
            self._store.journal.plan([PlannedWrite.model_validate(values)])


def _standing(kind: Kind, document: Element, money: Sequence[Element]) -> str:
    """Say how a document stands in Xero, so that both sides are seen; references may name people and are left out."""
    left = document.get("AmountDue", document.get("RemainingCredit"))
    number, status = serialization.natural_key(kind, document), serialization.status_of(kind, document)
    said = f"In Xero {number} is {status} with {left} left"
    placed = [
        f"{one.get('Amount')} on {day:%Y-%m-%d}"
        for one in money
        if (day := serialization.parse_instant(one.get("Date")))
    ]
    return f"{said}; payments on it: {', '.join(placed) or 'none'}."


def _stands_for(row: MirrorRecord, write: JournalledWrite) -> bool:
    record = write.record
    marked = isinstance(record, Document) and row.reference == record.reference
    return marked or row.natural_key == write.operation.natural_key


def _counts(verdicts: Sequence[OperationOutcome]) -> dict[str, int]:
    """Return how many records ended in which state."""
    return dict(Counter(verdict.state.value for verdict in verdicts))
