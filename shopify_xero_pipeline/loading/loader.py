"""The loader, which writes each record of the change-sets to Xero exactly once.

It chooses the records to write now, their order, and the result of each. The safety of one request is in
`batch_writer.py`. All planned writes are in the journal before the first request leaves, so the next load continues a
load that stopped for any reason.
"""

import logging
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from functools import partial

from shopify_xero_pipeline.changes.models import ChangeSet
from shopify_xero_pipeline.clock import Clock, is_recent
from shopify_xero_pipeline.loading import batch_requests, load_report, outcomes, refusals
from shopify_xero_pipeline.loading.batch_requests import BatchDraft, JournalledWrite
from shopify_xero_pipeline.loading.batch_sender import QUIESCENCE
from shopify_xero_pipeline.loading.batch_writer import BatchResult, BatchWriter
from shopify_xero_pipeline.loading.in_flight import OneAtATime, Workers, send_drafts
from shopify_xero_pipeline.loading.load_report import LoadReport, LoadResult
from shopify_xero_pipeline.loading.parent_ids import ParentIds
from shopify_xero_pipeline.loading.safe_mode import SafeMode
from shopify_xero_pipeline.loading.work_list import DELETE_VERB, DueWrite, LoadPlan, WorkList, planned_write
from shopify_xero_pipeline.observability import events
from shopify_xero_pipeline.state.records import (
    Operation,
    OperationOutcome,
    OperationState,
    PlannedWrite,
)
from shopify_xero_pipeline.state.store import StateStore
from shopify_xero_pipeline.xero.client import XeroClient
from shopify_xero_pipeline.xero.elements import REMOVED_STATUSES, Element
from shopify_xero_pipeline.xero.errors import DailyQuotaExceededError, XeroUnavailableError
from shopify_xero_pipeline.xero.models import Kind
from shopify_xero_pipeline.xero.rate_limiter import REFUSAL_RETRIES

WRITES_IN_HAND = 2_500
"""Writes of a kind whose contents are in memory: 50 full batches, so that at most one in 50 is not full."""

MIRROR_LOOKUP = "the whole mirror, by natural key and reference"
UNCONFIRMED_STATES = (OperationState.IN_BATCH, OperationState.NEEDS_CHECK, OperationState.NEEDS_REVIEW)
MAX_CONSECUTIVE_UNKNOWN = 3  # batches without a usable response, after which the load stops sending
MAX_CONSECUTIVE_RATE_LIMITED = 5  # batches at the rate limit, after which the load stops sending


class Loader:
    """Writes change-sets to Xero.

    Args:
        client: client of the organisation that the store belongs to.
        store: mapping, journal, failed records, history and mirror.
        clock: time and pauses.
        rng: draws idempotency keys and jitter; the system's source of randomness by default.
        workers: send requests side by side; one at a time by default.
    """

    _stop_reason: str
    _consecutive_unknown: int
    _consecutive_rate_limited: int
    _blocked_orders: set[str | None]

    def __init__(
        self,
        client: XeroClient,
        store: StateStore,
        clock: Clock,
        rng: random.Random | None = None,
        workers: Workers | None = None,
    ) -> None:
        self._client = client
        self._store = store
        self._journal = store.journal
        self._clock = clock
        self._rng = rng or random.SystemRandom()
        self._writer = BatchWriter(client, store, clock, self._rng)
        self._workers = workers or OneAtATime()
        self._safe_mode = SafeMode(client, store, clock)

    def load(
        self, change_sets: Sequence[ChangeSet], run_id: str, *, respect_retry_schedule: bool = False
    ) -> LoadReport:
        """Write change-sets and return their report; see `load_portions`."""
        reports: list[LoadReport] = []
        self.load_portions([change_sets], run_id, reports.append, respect_retry_schedule=respect_retry_schedule)
        return reports[0]

    def load_portions(
        self,
        portions: Iterable[Sequence[ChangeSet]],
        run_id: str,
        report: Callable[[LoadReport], None],
        *,
        respect_retry_schedule: bool = False,
    ) -> None:
        """Write the change-sets of one family of kinds; a failed record never stops the others.

        Memory holds the contents of one portion and of `WRITES_IN_HAND` writes; batches are filled across portions. The
        loader postpones records that it cannot send now, because a parent is missing, the daily quota is used up or
        Xero is unavailable. They stay planned and the next load sends them.

        Args:
            portions: the plan, for any number of days in order; it is read once before the first request and once
                after the last one.
            run_id: the Dagster run or the command.
            report: receives the report of each portion after everything is sent.
            respect_retry_schedule: defer failed records until their next try is due, as for runs without a person.

        Raises:
            XeroDeniedError: Xero does not allow this connection to write.
            XeroSignInError: Xero does not accept the credentials.
        """
        started, calls, plan = self._clock.elapsed(), self._client.calls, LoadPlan()
        # The unsettled writes come first: their outcome decides what is still to be planned.
        self.recover()
        for change_sets in portions:
            self._plan(change_sets, plan, run_id, respect_retry_schedule=respect_retry_schedule)
        events.log_event("load_planned", level=logging.DEBUG, records=sum(len(writes) for writes in plan.due.values()))
        self._send(plan)
        calls, duration_ms = self._client.calls - calls, int((self._clock.elapsed() - started) * 1000)
        for change_sets in portions:
            report_of_portion = self._report(change_sets, plan, calls)
            self._store.record_history(report_of_portion.history(run_id, self._clock.now(), duration_ms))
            report(report_of_portion)

    def recover(self) -> None:
        """Settle the unsettled writes of earlier loads without sending a new one.

        Raises:
            XeroDeniedError: Xero does not allow this connection to read or write.
        """
        self._stop_reason, self._consecutive_unknown, self._consecutive_rate_limited = "", 0, 0
        with self._stop_if_unavailable():
            self._stop_reason = self._safe_mode.reason()
            if not self._stop_reason:
                self._writer.recover()

    def _plan(
        self, change_sets: Sequence[ChangeSet], plan: LoadPlan, run_id: str, *, respect_retry_schedule: bool
    ) -> None:
        """Bring the journal in line with a portion, and add its writes and deferred failures to the plan."""
        work = WorkList(change_sets, plan.first_days)
        before = self._journal.planned_of(work.kinds, work.days)
        writes = {
            (write.kind, write.shopify_id): write for kind in Kind for write in self._build_writes(kind, work, run_id)
        }
        unchanged = {(result.kind.value, result.shopify_id) for result in work.unchanged if result.xero_id}
        self._store.retry_queue.resolve(unchanged | (work.wanted() - writes.keys()))
        deferred = self._store.retry_queue.deferred(writes.values(), respect_retry_schedule=respect_retry_schedule)
        due = [write for key, write in writes.items() if key not in deferred]
        due_keys = writes.keys() - deferred.keys()
        unwanted = [operation for operation in before if (operation.kind, operation.shopify_id) not in due_keys]
        self._journal.withdraw(work.kinds, work.days, unwanted=unwanted, is_listed=work.is_listed)
        self._journal.plan(due)
        self._journal.skip(work.left_out(run_id), "the plan excludes it")
        plan.add(due)
        plan.deferred |= deferred

    def _send(self, plan: LoadPlan) -> None:
        """Send the writes of a plan, stage by stage."""
        self._blocked_orders = set()
        for kind, writes in plan.stages():
            for start in range(0, len(writes), WRITES_IN_HAND):
                self._load_kind(kind, [write.shopify_id for write in writes[start : start + WRITES_IN_HAND]])
            self._block(kind, writes)

    def _build_writes(self, kind: Kind, work: WorkList, run_id: str) -> list[PlannedWrite]:
        wanted = work.of(kind)
        if not wanted:
            return []
        mapped = self._store.mapped(kind, wanted)
        mirrored = self._store.mirror_by_xero_id(kind, [row.xero_id for row in mapped.values()])
        writes = (planned_write(record, mapped.get(key), mirrored, run_id) for key, record in wanted.items())
        return [write for write in writes if write is not None]

    def _load_kind(self, kind: Kind, shopify_ids: Sequence[str]) -> None:
        """Settle the writes that need no request, then send the others.

        The loop runs again for Contacts that the read-back plans under another name.
        """
        if not shopify_ids:
            return
        operations = self._recheck_reviewed(kind, shopify_ids)
        writes = _planned_writes(operations)
        for settle in (self._reject_taken_keys, self._adopt, self._adopt_existing):
            settled_ids = settle(kind, writes)
            writes = [write for write in writes if write.operation.id not in settled_ids]
        tried_ids: set[int] = set()
        while writes:
            tried_ids |= {write.operation.id for write in writes}
            self._send_all(kind, writes)
            operations = self._journal.latest(kind, shopify_ids)
            writes = [write for write in _planned_writes(operations) if write.operation.id not in tried_ids]
        self._retry_transient(kind, operations)
        if self._stop_reason:
            unsent = _planned_writes(self._journal.latest(kind, shopify_ids))
            self._journal.postpone({write.operation.id: self._stop_reason for write in unsent})

    def _retry_transient(self, kind: Kind, operations: Mapping[str, Operation]) -> None:
        """Retry transient refusals."""
        for attempt in range(REFUSAL_RETRIES.attempts - 1):
            rejected = [operation for operation in operations.values() if operation.state is OperationState.REJECTED]
            transient = [operation for operation in rejected if refusals.is_transient(operation.reason)]
            if self._stop_reason or not transient:
                return
            self._clock.sleep(REFUSAL_RETRIES.pause(self._rng, attempt))
            self._journal.plan([PlannedWrite.model_validate(operation.model_dump()) for operation in transient])
            shopify_ids = [operation.shopify_id for operation in transient]
            self._send_all(kind, _planned_writes(self._journal.latest(kind, shopify_ids)))
            operations = self._journal.latest(kind, shopify_ids)

    def _recheck_reviewed(self, kind: Kind, shopify_ids: Sequence[str]) -> dict[str, Operation]:
        """Check whether a person has corrected the records under review; return the newest operations."""
        now = self._clock.now()
        operations = self._journal.latest(kind, shopify_ids)
        operations = {key: operations[key] for key in shopify_ids}
        under_review = [
            operation for operation in operations.values() if operation.state is OperationState.NEEDS_REVIEW
        ]
        due = [operation for operation in under_review if not is_recent(operation.updated_at, now, QUIESCENCE)]
        if not due or self._stop_reason:
            return operations
        with self._stop_if_unavailable():
            self._writer.read_back.check(kind, due)
        return operations | self._journal.latest(kind, [operation.shopify_id for operation in due])

    # The next three steps settle writes that need no request. Each returns the ids of the operations that it settled.

    def _reject_taken_keys(self, kind: Kind, writes: Sequence[JournalledWrite]) -> set[int]:
        """Reject a record whose natural key belongs to another record: Xero would treat them as one."""
        owners = self._store.ids_by_natural_key(kind, [write.operation.natural_key for write in writes])
        rejections = []
        for write in writes:
            natural_key = write.operation.natural_key
            owner = owners.setdefault(natural_key, write.operation.shopify_id)
            if owner != write.operation.shopify_id:
                reason = f"{natural_key} already stands for Shopify's {kind} {owner}; make them differ."
                rejections.append(outcomes.rejection_outcome(write, reason, retryable=False))
        return self._settle(rejections)

    def _adopt(self, kind: Kind, writes: Sequence[JournalledWrite]) -> set[int]:
        """Map the records that Xero already holds; only a Contact without our ContactNumber still needs a request."""
        adoptions = [write for write in writes if write.operation.verb == "adopt"]
        xero_ids = [str(write.operation.xero_id) for write in adoptions]
        rows = self._store.mirror_by_xero_id(kind, xero_ids)
        elements = [Element.from_row(rows[xero_id]) if xero_id in rows else None for xero_id in xero_ids]
        context = outcomes.OutcomeContext(self._clock.now(), self._store.ids_by_xero_id(kind, xero_ids))
        pairs = zip(self._with_mirrored_codes(adoptions, elements), elements, strict=True)
        adopted = [outcomes.adoption_outcome(write, element, context) for write, element in pairs]
        return self._settle([outcome for outcome in adopted if outcome is not None])

    def _adopt_existing(self, kind: Kind, writes: Sequence[JournalledWrite]) -> set[int]:
        """Map records to be created that the mirror holds under our key: a lost or older store created them."""
        creates = [write for write in writes if write.operation.verb == "create"]
        mirrored = self._writer.read_back.mirrored(kind, creates)
        hits = [[element for element in elements if element.status not in REMOVED_STATUSES] for elements in mirrored]
        owners = self._store.ids_by_xero_id(kind, [str(element.xero_id) for elements in hits for element in elements])
        context = outcomes.OutcomeContext(self._clock.now(), owners)
        creates = self._with_mirrored_codes(creates, [elements[0] if elements else None for elements in hits])
        pairs = [(write, elements) for write, elements in zip(creates, hits, strict=True) if elements]
        return self._settle(
            [outcomes.outcome_from_lookup(write, elements, context, how=MIRROR_LOOKUP) for write, elements in pairs]
        )

    def _with_mirrored_codes(
        self, writes: Sequence[JournalledWrite], elements: Sequence[Element | None]
    ) -> list[JournalledWrite]:
        """Return writes with the Item codes on their lines in the mirror; a write without an element is unchanged."""
        pairs = list(zip(writes, elements, strict=True))
        ids = ParentIds(self._store, [write.record for write, element in pairs if element is not None])
        return [
            write
            if element is None
            else batch_requests.with_record(write, ids.with_codes_in_xero(write.record, element))
            for write, element in pairs
        ]

    def _settle(self, record_outcomes: Sequence[OperationOutcome]) -> set[int]:
        self._journal.settle(record_outcomes)
        return {outcome.operation_id for outcome in record_outcomes}

    def _send_all(self, kind: Kind, writes: Sequence[JournalledWrite]) -> None:
        ids = ParentIds(self._store, [write.record for write in writes])
        waiting = {write.operation.id: reason for write in writes if (reason := ids.missing(write.record))}
        waiting |= self._blocked_by_pending_allocation(kind, writes)
        self._journal.postpone(waiting)
        ready = self._complete([write for write in writes if write.operation.id not in waiting], ids)
        drafts = batch_requests.build_drafts(kind, ready, ids)
        send_drafts(drafts, self._workers, prepare=partial(self._prepare, ids=ids), conclude=self._conclude)

    def _prepare(self, draft: BatchDraft, ids: ParentIds) -> Callable[[], BatchResult] | None:
        """Return the job that sends a draft, once it may leave; None if this load sends nothing more."""
        with self._stop_if_unavailable():
            if not self._stop_reason:
                return partial(self._writer.write, draft, ids, self._client.ready())
        return None

    def _complete(self, writes: Sequence[JournalledWrite], ids: ParentIds) -> list[JournalledWrite]:
        """Return the writes with their Item codes, after storing the codes in the journal."""
        completed = [batch_requests.with_record(write, ids.with_item_codes(write.record)) for write in writes]
        pairs = zip(writes, completed, strict=True)
        payloads = {write.operation.id: write.operation.payload for before, write in pairs if write is not before}
        self._journal.complete(payloads)
        return completed

    def _block(self, kind: Kind, writes: Sequence[DueWrite]) -> None:
        """Block the orders whose Allocations should be deleted but are still in Xero."""
        deletes = [write for write in writes if write.verb == DELETE_VERB]
        mapped = self._store.mapped(kind, [write.shopify_id for write in deletes])
        self._blocked_orders |= {write.order_id for write in deletes if write.shopify_id in mapped}

    def _blocked_by_pending_allocation(self, kind: Kind, writes: Sequence[JournalledWrite]) -> dict[int, str]:
        """Return reasons by operation id: an order's money waits while an Allocation of the order is unconfirmed."""
        if kind not in (Kind.PAYMENT, Kind.ALLOCATION):
            return {}
        unconfirmed = self._journal.in_state(*UNCONFIRMED_STATES)
        pending = {operation.order_id for operation in unconfirmed if operation.kind == Kind.ALLOCATION}
        order_ids = self._blocked_orders | pending
        reason = "waits until the credit on the order's documents is known"
        return {
            write.operation.id: reason
            for write in writes
            if write.operation.order_id in order_ids and write.operation.verb != DELETE_VERB
        }

    def _conclude(self, draft: BatchDraft, sent: Future[BatchResult]) -> Sequence[BatchDraft]:
        """Read back what Xero refused in a batch; return the drafts to send next in its place."""
        result = BatchResult()
        with self._stop_if_unavailable():
            result = sent.result()
            self._writer.read_back.check(draft.kind, result.to_check)
        self._consecutive_unknown = self._consecutive_unknown + 1 if result.is_unknown else 0
        self._consecutive_rate_limited = self._consecutive_rate_limited + 1 if result.is_rate_limited else 0
        if result.stop_reason:
            self._stop_reason = result.stop_reason
        elif self._consecutive_unknown == MAX_CONSECUTIVE_UNKNOWN:
            self._stop_reason = (
                f"Xero gave no usable response {MAX_CONSECUTIVE_UNKNOWN} times in a row; the rest is sent later"
            )
        elif self._consecutive_rate_limited == MAX_CONSECUTIVE_RATE_LIMITED:
            self._stop_reason = "Xero's rate limit stayed reached; the rest is sent later"
        return [draft] if result.is_rate_limited else result.split_into

    def _report(self, change_sets: Sequence[ChangeSet], plan: LoadPlan, calls: int) -> LoadReport:
        work = WorkList(change_sets, plan.first_days)
        results = (*work.unchanged, *self._results(work, plan))
        return LoadReport(days=tuple(sorted(work.days)), results=results, calls=calls)

    def _results(self, work: WorkList, plan: LoadPlan) -> Iterator[LoadResult]:
        """Yield the result of each wanted record."""
        # An unconfirmed earlier write may still change a mapped record; an operation of this load replaces it.
        unconfirmed = self._journal.in_state(*UNCONFIRMED_STATES[:2])
        latest = {(operation.kind, operation.shopify_id): operation for operation in unconfirmed}
        for kind, due in plan.due.items():
            newest = self._journal.latest(kind, [shopify_id for shopify_id in work.of(kind) if shopify_id in due])
            latest |= {(kind.value, shopify_id): operation for shopify_id, operation in newest.items()}
        for key, wanted in work.wanted().items():
            days, first_day, change = wanted.days, wanted.first_day, wanted.change
            if key in latest:
                yield from load_report.written_results(days, first_day, change, latest[key])
            elif key in plan.deferred:
                yield from (load_report.deferred_result(day, change, plan.deferred[key]) for day in days)
            else:
                yield from (load_report.unchanged_result(day, change) for day in days)

    @contextmanager
    def _stop_if_unavailable(self) -> Iterator[None]:
        """Run a step; a used-up quota or an unavailable Xero stops the sending of this load, not the load."""
        try:
            yield
        except (DailyQuotaExceededError, XeroUnavailableError) as error:
            self._stop_reason = str(error)


def _planned_writes(operations: Mapping[str, Operation]) -> list[JournalledWrite]:
    planned = (operation for operation in operations.values() if operation.state is OperationState.PLANNED)
    return [batch_requests.parse_operation(operation) for operation in planned]
