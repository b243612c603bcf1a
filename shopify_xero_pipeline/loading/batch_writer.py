"""The write of one batch: intend, send, settle.

The order of the steps guarantees a single effect; each step is committed before the next begins. Delivery is in
`batch_sender.py`, the outcomes in `outcomes.py`, the read-back in `readback.py`, the choice of records in `loader.py`.
"""

import logging
import random
from collections.abc import Sequence
from dataclasses import dataclass

from shopify_xero_pipeline.clock import Clock, is_due
from shopify_xero_pipeline.loading import batch_requests, outcomes
from shopify_xero_pipeline.loading.batch_requests import BatchDraft
from shopify_xero_pipeline.loading.batch_sender import MAX_QUIET_TIME, BatchSender, DeliveryResult, DeliveryStatus
from shopify_xero_pipeline.loading.parent_ids import ParentIds
from shopify_xero_pipeline.loading.readback import ReadBack
from shopify_xero_pipeline.loading.response_redaction import redact_response
from shopify_xero_pipeline.observability import events
from shopify_xero_pipeline.state.api_calls import Call
from shopify_xero_pipeline.state.canonical import digest
from shopify_xero_pipeline.state.journal import JournalOrderError
from shopify_xero_pipeline.state.records import Batch, BatchRequest, BatchState, Operation, OperationState
from shopify_xero_pipeline.state.store import StateStore
from shopify_xero_pipeline.xero.client import XeroClient, XeroResponse
from shopify_xero_pipeline.xero.elements import COLLECTION, Element
from shopify_xero_pipeline.xero.errors import XeroDeniedError, XeroError
from shopify_xero_pipeline.xero.models import Kind


@dataclass(frozen=True)
class BatchResult:
    """The consequences of one batch for the load.

    Attributes:
        split_into: drafts to send in its place.
        stop_reason: why the load must stop sending; empty if it may go on.
        is_unknown: the outcome of the batch is unknown.
        is_rate_limited: the batch was not executed and may be sent again.
        to_check: operations that Xero refused, to be read back.
    """

    split_into: Sequence[BatchDraft] = ()
    stop_reason: str = ""
    is_unknown: bool = False
    is_rate_limited: bool = False
    to_check: Sequence[Operation] = ()


class BatchWriter:
    """Writes batches, each in any thread, and recovers the unsettled batches of earlier runs."""

    def __init__(self, client: XeroClient, store: StateStore, clock: Clock, rng: random.Random) -> None:
        self._client = client
        self._store = store
        self._journal = store.journal
        self._clock = clock
        self._rng = rng
        self._sender = BatchSender(client, store.journal, clock)
        self.read_back = ReadBack(client, store, clock)

    def write(self, draft: BatchDraft, ids: ParentIds, slot: Call) -> BatchResult:
        """Send one batch and settle the outcomes in its response.

        Args:
            draft: the request.
            ids: Xero ids of the parents of its records.
            slot: the slot of the request in the rate limits, from `XeroClient.ready`.

        Raises:
            XeroDeniedError: the connection may not write; nothing was executed.
            XeroError: Xero's time is not known after a lost response; the batch is settled by a later load.
        """
        request = BatchRequest(
            kind=draft.kind,
            method=draft.method,
            path=draft.path,
            body=draft.body,
            idempotency_key=self._create_key(draft),
        )
        try:
            batch = self._journal.intend(request, [write.operation for write in draft.writes])
        except JournalOrderError as error:
            self._client.release(slot)
            events.log_event("left_to_another_process", reason=str(error))
            return BatchResult()
        try:
            return self._conclude(batch, self._sender.send(batch, slot), draft, ids)
        except JournalOrderError as error:
            events.log_event("left_to_another_process", reason=str(error))
            return BatchResult()

    def recover(self) -> None:
        """Settle the batches of earlier runs: never sent, in flight, or without a usable response.

        Batches with a lease of another process are skipped.

        Raises:
            XeroError: Xero does not respond, or denies the connection; unsettled batches stay as they are.
        """
        for batch in self._journal.unsettled():
            # The read-back may be due; Xero's clock decides.
            may_be_due = is_due(batch.not_before, self._clock.now(), MAX_QUIET_TIME)
            own_batch = self._journal.take_over(batch) if may_be_due else None
            if own_batch is not None:
                try:
                    self._finish(own_batch)
                except JournalOrderError as error:
                    events.log_event("left_to_another_process", reason=str(error))
        operations = self._journal.in_state(OperationState.NEEDS_CHECK)
        for kind in Kind:
            self.read_back.check(kind, [operation for operation in operations if operation.kind == kind])

    def _finish(self, batch: Batch) -> None:
        if batch.state is BatchState.INTENT:
            self._journal.release(batch, "the run ended before the batch was sent")
        else:
            self.read_back.read_back(batch)

    def _conclude(self, batch: Batch, reply: DeliveryResult, draft: BatchDraft, ids: ParentIds) -> BatchResult:
        reply = redact_response(reply, draft.writes, self._store)
        if reply.status is DeliveryStatus.ANSWERED:
            assert reply.answer is not None
            if draft.method == "DELETE":
                return self._settle_deletion(batch, reply.answer, draft, reply.reason)
            return self._settle(batch, reply.answer, draft, ids)
        if reply.status in (DeliveryStatus.UNKNOWN, DeliveryStatus.IDEMPOTENCY_CONFLICT):
            return self._leave_open(batch, reply)
        _log_warning("batch_not_executed", batch, reply.reason)
        correlation_id = reply.answer.correlation_id if reply.answer else None
        if reply.status is DeliveryStatus.REJECTED and len(draft.writes) == 1:
            self._journal.settle([outcomes.refusal_outcome(draft.writes[0], reply.reason, correlation_id)], batch)
            return BatchResult()
        self._journal.release(batch, reply.reason)
        if reply.status is DeliveryStatus.DENIED:
            raise XeroDeniedError(
                f"{reply.reason}. Check the connection and its scopes.", correlation_id=correlation_id
            )
        if reply.status is DeliveryStatus.REJECTED:
            return BatchResult(split_into=batch_requests.split_in_half(draft, ids))
        if reply.status is DeliveryStatus.RATE_LIMITED:
            return BatchResult(is_rate_limited=True)
        return BatchResult(stop_reason=reply.reason)

    def _settle(self, batch: Batch, answer: XeroResponse, draft: BatchDraft, ids: ParentIds) -> BatchResult:
        """Settle the records in a response; the batch stays open if the response lacks one of them."""
        elements = self._read_elements(answer, draft)
        owners = self._store.ids_by_xero_id(draft.kind, [element.xero_id for element in elements if element.xero_id])
        context = outcomes.OutcomeContext(self._clock.now(), owners, correlation_id=answer.correlation_id)
        record_outcomes = outcomes.outcomes_from_response(draft.writes, elements, ids, context)
        counts = {"records": len(draft.writes), "settled": len(record_outcomes)}
        events.log_event("batch_settled", entity_type=batch.kind, batch=batch.id, **counts)
        is_complete = len(record_outcomes) == len(draft.writes)
        settled_at = self._client.time.earliest
        self._journal.settle(record_outcomes, batch, status=answer.status, xero_settled_at=settled_at, over=is_complete)
        if not is_complete:
            unknown = DeliveryResult(DeliveryStatus.UNKNOWN, "the response lacks the outcome", answer)
            return self._leave_open(batch, unknown)
        check_ids = {outcome.operation_id for outcome in record_outcomes if outcome.state is OperationState.NEEDS_CHECK}
        operations = self._journal.in_state(OperationState.NEEDS_CHECK) if check_ids else ()
        return BatchResult(to_check=[operation for operation in operations if operation.id in check_ids])

    def _settle_deletion(self, batch: Batch, answer: XeroResponse, draft: BatchDraft, reason: str) -> BatchResult:
        """Settle a delete by a read-back, whatever its response: only the state in Xero counts."""
        record_outcomes = [outcomes.needs_check(write, reason, answer.correlation_id) for write in draft.writes]
        self._journal.settle(record_outcomes, batch, status=answer.status)
        operations = self._journal.latest(draft.kind, [write.operation.shopify_id for write in draft.writes])
        return BatchResult(to_check=list(operations.values()))

    def _read_elements(self, answer: XeroResponse, draft: BatchDraft) -> list[Element]:
        """Return the response's elements; Allocations without an id are read from their Credit Note."""
        content = answer.parsed().get(COLLECTION[draft.kind])
        content = content if isinstance(content, list) else []
        elements = [Element(draft.kind, fields) for fields in content if isinstance(fields, dict)]
        if draft.kind is not Kind.ALLOCATION:
            return elements
        note_id = draft.path.split("/")[2]  # /CreditNotes/<id>/Allocations
        if any(element.xero_id or element.fields.get("ValidationErrors") for element in elements):
            return [
                Element(draft.kind, {**element.fields, "CreditNote": {"CreditNoteID": note_id}}) for element in elements
            ]
        try:
            return self.read_back.allocations_of(note_id)
        except XeroError:
            return []

    def _leave_open(self, batch: Batch, reply: DeliveryResult) -> BatchResult:
        self.read_back.leave_open(batch, reply.reason, reply.answer)
        _log_warning("batch_left_open", batch, reply.reason)
        if reply.status is DeliveryStatus.IDEMPOTENCY_CONFLICT:
            raise XeroError(f"batch {batch.id}: {reply.reason}.")
        return BatchResult(is_unknown=True)

    def _create_key(self, draft: BatchDraft) -> str:
        """Return an idempotency key of 128 characters, Xero's maximum; half is random, half a hash of the batch."""
        random_half = f"{self._rng.getrandbits(256):064x}"
        return random_half + digest(
            f"{self._journal.last_batch()}|{self._clock.now().isoformat()}|{digest(draft.body)}"
        )


def _log_warning(event: str, batch: Batch, reason: str) -> None:
    events.log_event(event, level=logging.WARNING, entity_type=batch.kind, batch=batch.id, reason=reason)
