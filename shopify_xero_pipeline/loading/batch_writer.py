"""One request from its draft to its end: intend, send, settle, and what is to be done with the rest of the work.

The order of the steps is the promise of exactly one effect; each is committed before the next begins. How a request
travels is in `batch_sender.py`, what its answer means in `outcomes.py`, what is looked up in `readback.py`, which
records are written at all in `loader.py`.
"""

import logging
import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from shopify_xero_pipeline.clock import Clock, is_due
from shopify_xero_pipeline.loading import batch_requests, outcomes
from shopify_xero_pipeline.loading.batch_requests import BatchDraft
from shopify_xero_pipeline.loading.batch_sender import MAX_QUIET_SECONDS, BatchSender, DeliveryResult, DeliveryStatus
from shopify_xero_pipeline.loading.parent_ids import ParentIds
from shopify_xero_pipeline.loading.readback import ReadBack
from shopify_xero_pipeline.loading.response_redaction import redact_response
from shopify_xero_pipeline.observability import events
from shopify_xero_pipeline.state.canonical import digest
from shopify_xero_pipeline.state.journal import JournalOrderError
from shopify_xero_pipeline.state.records import Batch, BatchRequest, BatchState, OperationState
from shopify_xero_pipeline.state.store import StateStore
from shopify_xero_pipeline.xero import serialization
from shopify_xero_pipeline.xero.client import XeroClient
from shopify_xero_pipeline.xero.errors import XeroDeniedError, XeroError
from shopify_xero_pipeline.xero.models import Kind


@dataclass(frozen=True)
class BatchResult:
    """What follows from one request: drafts to send instead, why to stop sending, whether its fate is unknown."""

    split_into: Sequence[BatchDraft] = ()
    stop_reason: str = ""
    is_unknown: bool = False
    is_rate_limited: bool = False


class BatchWriter:
    """Carries requests out, and recovers those that an earlier run left behind."""

    def __init__(self, client: XeroClient, store: StateStore, clock: Clock, rng: random.Random) -> None:
        self._client = client
        self._store = store
        self._journal = store.journal
        self._clock = clock
        self._rng = rng
        self._delivery = BatchSender(client, store.journal, clock)
        self.read_back = ReadBack(client, store, clock)

    def write(self, draft: BatchDraft, ids: ParentIds) -> BatchResult:
        """Send one request and settle what its answer shows.

        Raises:
            DayBudgetSpent: nothing was sent; only the reserve of today's calls is left.
            XeroDeniedError: the connection may not write; nothing was executed.
        """
        self._client.ready()
        request = BatchRequest(
            kind=draft.kind, method=draft.method, path=draft.path, body=draft.body, idempotency_key=self._key(draft)
        )
        try:
            batch = self._journal.intend(request, [write.operation for write in draft.writes])
            return self._conclude(batch, self._delivery.send(batch), draft, ids)
        except JournalOrderError as overtaken:
            events.log_event("left_to_another_process", reason=str(overtaken))
            return BatchResult()

    def recover(self) -> None:
        """Settle what runs left behind: requests never sent, on their way, or without a usable answer.

        What another process may still be working on is left alone.

        Raises:
            XeroError: Xero does not answer, or not to this connection; what is not settled stays as it is.
        """
        for batch in self._journal.unsettled():
            mine = self._journal.take_over(batch) if self._is_due(batch) else None
            if mine is not None:
                try:
                    self._finish(mine)
                except JournalOrderError as overtaken:
                    events.log_event("left_to_another_process", reason=str(overtaken))
        unsure = self._journal.in_state(OperationState.NEEDS_CHECK)
        for kind in Kind:
            self.read_back.check(kind, [one for one in unsure if one.kind == kind])

    def _is_due(self, batch: Batch) -> bool:
        """Tell whether it is worth asking Xero whether a request may be read back."""
        return is_due(batch.not_before, self._clock.now(), MAX_QUIET_SECONDS)

    def _finish(self, batch: Batch) -> None:
        if batch.state is BatchState.INTENT:
            self._journal.release(batch, "the run stopped before it was sent")
        else:
            self.read_back.read_back(batch)

    def _conclude(self, batch: Batch, reply: DeliveryResult, draft: BatchDraft, ids: ParentIds) -> BatchResult:
        reply = redact_response(reply, draft.writes, self._store)
        if reply.status is DeliveryStatus.ANSWERED:
            return self._settle(batch, reply, draft, ids)
        if reply.status in (DeliveryStatus.UNKNOWN, DeliveryStatus.IDEMPOTENCY_CONFLICT):
            return self._leave_open(batch, reply)
        _tell("batch_not_executed", batch, reply.reason)
        named = reply.answer.correlation_id if reply.answer else None
        if reply.status is DeliveryStatus.REJECTED and len(draft.writes) == 1:
            self._journal.settle([outcomes.refusal_outcome(draft.writes[0], reply.reason, named)], batch)
            return BatchResult()
        self._journal.release(batch, reply.reason)
        if reply.status is DeliveryStatus.DENIED:
            raise XeroDeniedError(f"{reply.reason}. Check the connection and its scopes.", correlation_id=named)
        if reply.status is DeliveryStatus.REJECTED:
            return BatchResult(split_into=batch_requests.split_in_half(draft, ids))
        return (
            BatchResult(is_rate_limited=True)
            if reply.status is DeliveryStatus.RATE_LIMITED
            else BatchResult(stop_reason=reply.reason)
        )

    def _settle(self, batch: Batch, reply: DeliveryResult, draft: BatchDraft, ids: ParentIds) -> BatchResult:
        """Settle the records an answer shows; the batch stays open while one of them is not shown."""
        assert reply.answer is not None
        if draft.method == "DELETE":
            return self._settle_deletion(batch, reply, draft)
        named = reply.answer.correlation_id
        found = self._elements(reply, draft)
        real_ids = [xero_id for one in found if (xero_id := serialization.id_of(draft.kind, one))]
        desk = outcomes.OutcomeContext(self._clock.now(), self._store.ids_by_xero_id(draft.kind, real_ids))
        settle_batch = partial(
            self._journal.settle, mine=batch, status=reply.answer.status, xero_settled_at=self._client.time.earliest
        )
        verdicts = outcomes.outcomes_from_response(draft.kind, draft.writes, found, ids, desk, named)
        records = {"records": len(draft.writes), "settled": len(verdicts)}
        events.log_event("batch_settled", entity_type=batch.kind, batch=batch.id, **records)
        if len(verdicts) < len(draft.writes):
            settle_batch(verdicts, over=False)
            unknown = DeliveryResult(DeliveryStatus.UNKNOWN, "the answer does not show what became of it", reply.answer)
            return self._leave_open(batch, unknown)
        settle_batch(verdicts)
        unsure = {verdict.operation_id for verdict in verdicts if verdict.state is OperationState.NEEDS_CHECK}
        if unsure:
            operations = [one for one in self._journal.in_state(OperationState.NEEDS_CHECK) if one.id in unsure]
            self.read_back.check(draft.kind, operations)
        return BatchResult()

    def _settle_deletion(self, batch: Batch, reply: DeliveryResult, draft: BatchDraft) -> BatchResult:
        """Whatever Xero says of something to be taken back, what it shows afterwards counts."""
        assert reply.answer is not None
        verdicts = [outcomes.needs_check(one, reply.reason, reply.answer.correlation_id) for one in draft.writes]
        self._journal.settle(verdicts, batch, status=reply.answer.status)
        operations = self._journal.latest(draft.kind, [one.operation.shopify_id for one in draft.writes])
        self.read_back.check(draft.kind, list(operations.values()))
        return BatchResult()

    def _elements(self, reply: DeliveryResult, draft: BatchDraft) -> list[dict[str, Any]]:
        """Return the answer's elements; Allocations are read from their Credit Note where the answer names no ids."""
        assert reply.answer is not None
        elements = reply.answer.parsed().get(serialization.COLLECTION[draft.kind])
        found = [one for one in elements if isinstance(one, dict)] if isinstance(elements, list) else []
        nameless = draft.kind is Kind.ALLOCATION and not any(
            serialization.id_of(draft.kind, one) or one.get("ValidationErrors") for one in found
        )
        if draft.kind is not Kind.ALLOCATION:
            return found
        note = draft.path.split("/")[2]
        if not nameless:
            return [one | {"CreditNote": {"CreditNoteID": note}} for one in found]
        try:
            return [dict(one) for one in self.read_back.allocations_of(note)]
        except XeroError:
            return []

    def _leave_open(self, batch: Batch, reply: DeliveryResult) -> BatchResult:
        self.read_back.leave_open(batch, reply.reason, reply.answer)
        _tell("batch_left_open", batch, reply.reason)
        if reply.status is DeliveryStatus.IDEMPOTENCY_CONFLICT:
            raise XeroError(f"batch {batch.id}: {reply.reason}.")
        return BatchResult(is_unknown=True)

    def _key(self, draft: BatchDraft) -> str:
        """Return a key of 128 characters, the most Xero takes; half is drawn, the rest differs with every batch."""
        drawn = f"{self._rng.getrandbits(256):064x}"
        return drawn + digest(f"{self._journal.last_batch()}|{self._clock.now().isoformat()}|{digest(draft.body)}")


def _tell(event: str, batch: Batch, reason: str) -> None:
    events.log_event(event, level=logging.WARNING, entity_type=batch.kind, batch=batch.id, reason=reason)
