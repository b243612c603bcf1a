"""Looking in Xero for records whose fate an answer did not show, and settling them by what is found.

A record that Xero refused is looked for at once; a request without a usable answer is read back only after a quiet
time, when nothing of it can still be under way. Nothing is sent again, or called refused, without the look-up and its
evidence.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from shopify_xero_pipeline import events
from shopify_xero_pipeline.clock import Clock
from shopify_xero_pipeline.state.canonical import checksum, exact
from shopify_xero_pipeline.state.records import (
    Batch,
    BatchState,
    MirrorRecord,
    Operation,
    OperationState,
    PlannedWrite,
    Verdict,
)
from shopify_xero_pipeline.state.store import StateStore
from shopify_xero_pipeline.xero import failures, requests, settle, wire
from shopify_xero_pipeline.xero.client import XeroClient
from shopify_xero_pipeline.xero.delivery import QUIESCENCE
from shopify_xero_pipeline.xero.mirror import Mirror
from shopify_xero_pipeline.xero.models import Allocation, Contact, Document, Kind
from shopify_xero_pipeline.xero.parents import KnownIds
from shopify_xero_pipeline.xero.requests import Write
from shopify_xero_pipeline.xero.wire import Element

MARGIN = timedelta(hours=1)
"""How far before its sending a record is looked for: more than two clocks may differ."""


class ReadBack:
    """Settles what an answer left open. It reads Xero and writes only the journal."""

    def __init__(self, client: XeroClient, store: StateStore, clock: Clock) -> None:
        self._client = client
        self._store = store
        self._clock = clock
        self._mirror = Mirror(client, store, clock)

    def read_back(self, batch: Batch) -> None:
        """Settle a request whose outcome is unknown, if its quiet time is over; otherwise note until when it lasts.

        Raises:
            XeroError: Xero does not answer; nothing is changed.
        """
        first = batch.first_sent_at or self._clock.now()
        if batch.state is BatchState.SENT:
            reason = f"not answered; whether it is in Xero is read back after {first + QUIESCENCE:%H:%M:%S} UTC"
            self._store.journal.mark_ambiguous(batch, not_before=first + QUIESCENCE, reason=reason)
        if self._clock.now() < first + QUIESCENCE:
            return
        writes = [requests.read(operation) for operation in self._store.journal.operations_of(batch.id)]
        verdicts = self._verdicts(Kind(batch.kind), writes, first, checking=False)
        self._store.journal.settle(verdicts, batch)
        events.note("batch_read_back", entity_type=batch.kind, batch=batch.id, **_counts(verdicts))

    def check(self, kind: Kind, operations: Sequence[Operation], sent_at: datetime | None = None) -> None:
        """Settle records that Xero refused, or that a person was asked to look at.

        Raises:
            XeroError: Xero does not answer; nothing is changed.
        """
        writes = [requests.read(operation) for operation in operations]
        if not writes:
            return
        verdicts = self._verdicts(kind, writes, sent_at, checking=True)
        self._store.journal.settle(verdicts)
        events.note("records_checked", entity_type=kind.value, records=len(writes), **_counts(verdicts))
        self._give_other_names(writes, verdicts)

    def _verdicts(
        self, kind: Kind, writes: Sequence[Write], sent_at: datetime | None, *, checking: bool
    ) -> list[Verdict]:
        hits = self._allocations(writes) if kind is Kind.ALLOCATION else self._mirrored(kind, writes, sent_at)
        found_ids = [str(wire.id_of(kind, hit)) for several in hits for hit in several]
        desk = settle.Desk(self._clock.now(), self._store.owners(kind, found_ids))
        how = (
            "the Credit Note's allocations"
            if kind is Kind.ALLOCATION
            else "what changed since, by natural key and mark"
        )
        return [
            settle.looked_up(
                write,
                several,
                desk,
                how=how,
                sent_at=sent_at or write.operation.created_at,
                checking=checking and write.operation.state is OperationState.CHECK,
            )
            for write, several in zip(writes, hits, strict=True)
        ]

    def _mirrored(self, kind: Kind, writes: Sequence[Write], sent_at: datetime | None) -> list[list[Element]]:
        """Bring the mirror up to date, one call for all, and find the records in it."""
        self._mirror.sweep(kind, back_to=(sent_at or self._clock.now()) - MARGIN)
        return [[exact(row.payload) for row in rows] for rows in self.shown(kind, writes)]

    def shown(self, kind: Kind, writes: Sequence[Write]) -> list[list[MirrorRecord]]:
        """Return, for each write, what Xero last showed under its natural key, and documents that bear its mark.

        A person may give a document another number; the order's mark in its reference still says whose it is.
        """
        marks = {one.record.reference for one in writes if isinstance(one.record, Document)}
        rows = [
            *self._store.mirror(kind, {write.operation.natural_key for write in writes}),
            *self._store.referring(kind, marks),
        ]
        known = {row.xero_id: row for row in rows}.values()
        return [[row for row in known if _stands_for(row, write)] for write in writes]

    def _allocations(self, writes: Sequence[Write]) -> list[list[Element]]:
        """Read each Credit Note once: it lists its allocations, and that list is always up to date."""
        ids = KnownIds(self._store, [write.record for write in writes])
        notes = [self._note_id(write, ids) for write in writes]
        shown = {note: self.allocations_of(note) for note in dict.fromkeys(notes)}
        keys = [wire.sent_key(Kind.ALLOCATION, write.element(ids)) for write in writes]
        return [
            [one for one in shown[note] if wire.sent_key(Kind.ALLOCATION, one) == key]
            for note, key in zip(notes, keys, strict=True)
        ]

    @staticmethod
    def _note_id(write: Write, ids: KnownIds) -> str:
        assert isinstance(write.record, Allocation)
        return ids.xero_id(Kind.CREDIT_NOTE, write.record.credit_note_id)

    def allocations_of(self, note_id: str) -> list[Element]:
        """Return what a Credit Note is allocated to, as Xero shows it now."""
        answer = self._client.get(f"/CreditNotes/{note_id}", {"unitdp": "4"})
        return [one for found in answer.get("CreditNotes") or [] for one in wire.allocations_of(found)]

    def _give_other_names(self, writes: Sequence[Write], verdicts: Sequence[Verdict]) -> None:
        """Plan a Contact whose name another one bears afresh, with its customer's id in the name (books.md §5)."""
        for write, verdict in zip(writes, verdicts, strict=True):
            record, operation = write.record, write.operation
            if not isinstance(record, Contact) or verdict.state is not OperationState.REJECTED:
                continue
            suffix = f" ({record.shopify_id})"
            if not failures.is_name_clash(operation.reason) or record.name.endswith(suffix):
                continue
            renamed = record.model_copy(update={"name": record.name + suffix})
            values = {name: getattr(operation, name) for name in PlannedWrite.model_fields}
            values |= {"payload": requests.payload(renamed), "checksum": checksum(renamed.content())}
            self._store.journal.plan([PlannedWrite.model_validate(values)])


def _stands_for(row: MirrorRecord, write: Write) -> bool:
    record = write.record
    marked = isinstance(record, Document) and row.reference == record.reference
    return marked or row.natural_key == write.operation.natural_key


def _counts(verdicts: Sequence[Verdict]) -> dict[str, int]:
    """Return how many records ended in which state."""
    return dict(Counter(verdict.state.value for verdict in verdicts))
