"""The loader: carries change-sets out in Xero, each record exactly once, whatever happens on the way.

It decides which records are written now, in which order, and what is said of each in the end. How one request is made
safe is in `batch_writer.py`. Everything to be written is in the journal before the first request leaves, so that a load
that stops, for whatever reason, is taken up where it stopped by the next one.
"""

import logging
import random
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeAlias

from shopify_xero_pipeline.changes.models import ChangeSet
from shopify_xero_pipeline.clock import Clock, is_recent
from shopify_xero_pipeline.loading import batch_requests, load_report, outcomes, refusals
from shopify_xero_pipeline.loading.batch_requests import BatchDraft, JournalledWrite
from shopify_xero_pipeline.loading.batch_sender import QUIESCENCE
from shopify_xero_pipeline.loading.batch_writer import BatchResult, BatchWriter
from shopify_xero_pipeline.loading.load_report import LoadReport, LoadResult
from shopify_xero_pipeline.loading.parent_ids import ParentIds
from shopify_xero_pipeline.loading.safe_mode import SafeMode
from shopify_xero_pipeline.loading.work_list import WorkList, planned_write
from shopify_xero_pipeline.observability import events
from shopify_xero_pipeline.state.canonical import parse_exact_json
from shopify_xero_pipeline.state.records import (
    MirrorRecord,
    Operation,
    OperationOutcome,
    OperationState,
    PlannedWrite,
    SyncError,
)
from shopify_xero_pipeline.state.store import StateStore
from shopify_xero_pipeline.xero import serialization
from shopify_xero_pipeline.xero.client import XeroClient
from shopify_xero_pipeline.xero.errors import DailyQuotaExceededError, XeroUnavailableError
from shopify_xero_pipeline.xero.models import Kind

Key: TypeAlias = tuple[str, str]
"""Kind and Shopify id."""

Planned: TypeAlias = Mapping[Kind, Sequence[PlannedWrite]]

DELETE_VERB = "delete"
UNCONFIRMED_STATES = (OperationState.IN_BATCH, OperationState.NEEDS_CHECK, OperationState.NEEDS_REVIEW)
MAX_ATTEMPTS, FIRST_PAUSE_SECONDS = 3, 2.0
MAX_CONSECUTIVE_UNKNOWN = 3
MAX_CONSECUTIVE_RATE_LIMITED = 5


class Loader:
    """Writes change-sets to Xero.

    Args:
        client: of the organisation that the store belongs to.
        store: mapping, journal, failures, history and mirror.
        clock: paces and dates.
        rng: draws Idempotency-Keys and jitter; the system's source of randomness if left out.
    """

    def __init__(self, client: XeroClient, store: StateStore, clock: Clock, rng: random.Random | None = None) -> None:
        self._client = client
        self._store = store
        self._journal = store.journal
        self._clock = clock
        self._rng = rng or random.SystemRandom()
        self._writer = BatchWriter(client, store, clock, self._rng)
        self._safe_mode = SafeMode(client, store, clock)
        self._stopped, self._unknown, self._busy = "", 0, 0
        self._held: set[str | None] = set()

    def load(
        self, change_sets: Sequence[ChangeSet], run_id: str, *, respect_retry_schedule: bool = False
    ) -> LoadReport:
        """Carry out the plan of one family of kinds for any number of days; one bad record never stops the others.

        What cannot be sent now, because a parent is missing, the day's budget is spent or Xero is not available, is
        postponed: it stays planned and is sent by the next load.

        Args:
            change_sets: the plan.
            run_id: the run that asks.
            respect_retry_schedule: nobody waits for it, so what failed before rests until its next try is due.

        Raises:
            XeroDeniedError: Xero does not let this connection write.
            XeroSignInError: Xero does not accept the credentials.
        """
        began, calls = self._clock.elapsed(), self._client.calls
        self.recover()
        work = WorkList(change_sets)
        planned, resting = self._plan(work, run_id, respect_retry_schedule=respect_retry_schedule)
        events.log_event("load_planned", level=logging.DEBUG, records=sum(len(writes) for writes in planned.values()))
        self._held = set()
        for kind, writes in _stages(planned):
            self._load_kind(kind, [write.shopify_id for write in writes])
            self._block(kind, writes)
        results = (*work.unchanged, *self._results(work, planned, resting))
        loaded = LoadReport(results=results, calls=self._client.calls - calls)
        took = int((self._clock.elapsed() - began) * 1000)
        self._store.record_history(loaded.history(run_id, self._clock.now(), took))
        return loaded

    def recover(self) -> None:
        """Settle what earlier loads left behind, without writing anything new.

        Raises:
            XeroDeniedError: Xero does not let this connection read or write.
        """
        self._stopped, self._unknown, self._busy = "", 0, 0
        self._unless_stopped(self._recover_and_check)
        if not self._stopped:
            self._unless_stopped(self._writer.recover)

    def _recover_and_check(self) -> None:
        self._stopped = self._safe_mode.reason()

    def _plan(
        self, work: WorkList, run_id: str, *, respect_retry_schedule: bool
    ) -> tuple[Planned, dict[Key, SyncError]]:
        """Bring the journal in line with what is wanted; return what is to be written, and what rests instead."""
        before = self._journal.planned_of(work.kinds, work.days)
        planned = {kind: self._planned(kind, work, run_id) for kind in Kind}
        writes = {(write.kind, write.shopify_id): write for some in planned.values() for write in some}
        unchanged = {(one.kind.value, one.shopify_id) for one in work.unchanged if one.xero_id}
        self._store.resolve_errors(unchanged | (work.wanted() - writes.keys()))
        resting = self._store.retry_queue.deferred(writes.values(), respect_retry_schedule=respect_retry_schedule)
        wanted = writes.keys() - resting.keys()
        unwanted = [one for one in before if (one.kind, one.shopify_id) not in wanted]
        self._journal.withdraw(work.kinds, work.days, unwanted=unwanted, listed=work.listed)
        self._journal.plan([write for key, write in writes.items() if key in wanted])
        self._journal.skip(work.left_out(run_id), "the plan leaves it out")
        due = {kind: [one for one in some if (one.kind, one.shopify_id) in wanted] for kind, some in planned.items()}
        return due, resting

    def _planned(self, kind: Kind, work: WorkList, run_id: str) -> list[PlannedWrite]:
        wanted = work.of(kind)
        if not wanted:
            return []
        mapped = self._store.mapped(kind, wanted)
        shown = self._store.mirror_by_xero_id(kind, [row.xero_id for row in mapped.values()])
        writes = (planned_write(one, mapped.get(key), shown, run_id) for key, one in wanted.items())
        return [write for write in writes if write is not None]

    def _load_kind(self, kind: Kind, shopify_ids: Sequence[str]) -> None:
        """Settle what needs no sending, then send; a Contact given another name comes up a second time."""
        if not shopify_ids:
            return
        operations = self._recheck_reviewed(kind, shopify_ids)
        writes = _sendable(operations)
        for settled in (self._reject_taken_keys, self._adopt, self._adopt_existing):
            over = settled(kind, writes)
            writes = [one for one in writes if one.operation.id not in over]
        tried: set[int] = set()
        while writes:
            tried |= {one.operation.id for one in writes}
            self._send_all(kind, writes)
            operations = self._journal.latest(kind, shopify_ids)
            writes = [one for one in _sendable(operations) if one.operation.id not in tried]
        self._try_again(kind, operations)
        if self._stopped:
            left = _sendable(self._journal.latest(kind, shopify_ids))
            self._journal.postpone({one.operation.id: self._stopped for one in left})

    def _try_again(self, kind: Kind, operations: Mapping[str, Operation]) -> None:
        """Try what was refused for a cause that passes within seconds up to three times in all."""
        for attempt in range(MAX_ATTEMPTS - 1):
            rejected = [one for one in operations.values() if one.state is OperationState.REJECTED]
            refused = [one for one in rejected if refusals.is_transient(one.reason)]
            if self._stopped or not refused:
                return
            self._clock.sleep(FIRST_PAUSE_SECONDS * 2**attempt * self._rng.uniform(0.5, 1.0))
            self._journal.plan([PlannedWrite.model_validate(one.model_dump()) for one in refused])
            ids = [one.shopify_id for one in refused]
            self._send_all(kind, _sendable(self._journal.latest(kind, ids)))
            operations = self._journal.latest(kind, ids)

    def _recheck_reviewed(self, kind: Kind, shopify_ids: Sequence[str]) -> dict[str, Operation]:
        """See whether what a person was asked to look at has been put right since; return the newest operations."""
        now = self._clock.now()
        operations = self._journal.latest(kind, shopify_ids)
        operations = {key: operations[key] for key in shopify_ids}
        waiting = [one for one in operations.values() if one.state is OperationState.NEEDS_REVIEW]
        reviewed = [one for one in waiting if not is_recent(one.updated_at, now, QUIESCENCE)]
        if not reviewed or self._stopped:
            return operations
        self._unless_stopped(lambda: self._writer.read_back.check(kind, reviewed))
        return operations | self._journal.latest(kind, [one.shopify_id for one in reviewed])

    # What needs no sending is settled first. Each step returns the ids of the operations it has settled.

    def _reject_taken_keys(self, kind: Kind, writes: Sequence[JournalledWrite]) -> set[int]:
        """Refuse a record whose natural key already stands for another one: Xero would take both for the same."""
        holders = self._store.ids_by_natural_key(kind, [one.operation.natural_key for one in writes])
        verdicts = []
        for one in writes:
            holder = holders.setdefault(one.operation.natural_key, one.operation.shopify_id)
            if holder != one.operation.shopify_id:
                reason = f"{one.operation.natural_key} already stands for Shopify's {kind} {holder}; make them differ."
                verdicts.append(outcomes.rejection_outcome(one, reason, retryable=False))
        return self._settle(verdicts)

    def _adopt(self, kind: Kind, writes: Sequence[JournalledWrite]) -> set[int]:
        """Map what Xero already holds; only a Contact without our number is written to, which `_send_all` does."""
        adopted = [one for one in writes if one.operation.verb == "adopt"]
        xero_ids = [str(one.operation.xero_id) for one in adopted]
        shown = self._store.mirror_by_xero_id(kind, xero_ids)
        desk = outcomes.OutcomeContext(self._clock.now(), self._store.ids_by_xero_id(kind, xero_ids))
        rows = [shown.get(str(one.operation.xero_id)) for one in adopted]
        pairs = zip(self._with_codes_shown(adopted, rows), rows, strict=True)
        verdicts = [outcomes.adoption_outcome(one, row, desk) for one, row in pairs]
        return self._settle([verdict for verdict in verdicts if verdict is not None])

    def _adopt_existing(self, kind: Kind, writes: Sequence[JournalledWrite]) -> set[int]:
        """Settle what Xero shows under our key, although it is to be created: a lost or older store did that."""
        new = [one for one in writes if one.operation.verb == "create"]
        shown = self._writer.read_back.mirrored_rows(kind, new)
        hits = [[row for row in rows if row.status not in serialization.REMOVED_STATUSES] for rows in shown]
        owners = self._store.ids_by_xero_id(kind, [row.xero_id for rows in hits for row in rows])
        desk = outcomes.OutcomeContext(self._clock.now(), owners)
        new = self._with_codes_shown(new, [rows[0] if rows else None for rows in hits])
        return self._settle(
            [outcomes.outcome_from_mirror(one, rows, desk) for one, rows in zip(new, hits, strict=True) if rows]
        )

    def _with_codes_shown(
        self, writes: Sequence[JournalledWrite], shown: Sequence[MirrorRecord | None]
    ) -> list[JournalledWrite]:
        """Return writes that need no sending with the codes of Items that Xero shows on their lines."""
        pairs = list(zip(writes, shown, strict=True))
        ids = ParentIds(self._store, [one.record for one, row in pairs if row is not None])
        return [
            one
            if row is None
            else batch_requests.with_record(one, ids.with_codes_in_xero(one.record, parse_exact_json(row.payload)))
            for one, row in pairs
        ]

    def _settle(self, verdicts: Sequence[OperationOutcome]) -> set[int]:
        self._journal.settle(verdicts)
        return {one.operation_id for one in verdicts}

    def _send_all(self, kind: Kind, writes: Sequence[JournalledWrite]) -> None:
        ids = ParentIds(self._store, [one.record for one in writes])
        waiting = {one.operation.id: reason for one in writes if (reason := ids.missing(one.record))}
        waiting |= self._blocked_by_pending_allocation(kind, writes)
        self._journal.postpone(waiting)
        ready = self._completed([one for one in writes if one.operation.id not in waiting], ids)
        queue = deque(batch_requests.build_drafts(kind, ready, ids))
        while queue and not self._stopped:
            draft = queue.popleft()
            queue.extendleft(reversed(self._send(draft, ids)))

    def _completed(self, writes: Sequence[JournalledWrite], ids: ParentIds) -> list[JournalledWrite]:
        """Return the writes as they will be sent; what was added to them is in the journal when this returns."""
        completed = [batch_requests.with_record(one, ids.with_item_codes(one.record)) for one in writes]
        pairs = zip(writes, completed, strict=True)
        new = {one.operation.id: one.operation.payload for before, one in pairs if one is not before}
        self._journal.complete(new)
        return completed

    def _block(self, kind: Kind, writes: Sequence[PlannedWrite]) -> None:
        """Hold the orders whose Allocations were to be taken back and still stand."""
        taken_back = [one for one in writes if one.verb == DELETE_VERB]
        standing = self._store.mapped(kind, [one.shopify_id for one in taken_back])
        self._held |= {one.order_id for one in taken_back if one.shopify_id in standing}

    def _blocked_by_pending_allocation(self, kind: Kind, writes: Sequence[JournalledWrite]) -> dict[int, str]:
        """An order's money waits while it is not known which credit stands on its documents."""
        if kind not in (Kind.PAYMENT, Kind.ALLOCATION):
            return {}
        unsure = [one for one in self._journal.in_state(*UNCONFIRMED_STATES) if one.kind == Kind.ALLOCATION]
        orders = self._held | {one.order_id for one in unsure}
        behind = [one.operation for one in writes if one.operation.order_id in orders]
        reason = "waits until it is known which credit stands on the order's documents"
        return {one.id: reason for one in behind if one.verb != DELETE_VERB}

    def _send(self, draft: BatchDraft, ids: ParentIds) -> Sequence[BatchDraft]:
        """Send one request; return what is to be sent next in its place."""
        steps: list[BatchResult] = []
        self._unless_stopped(lambda: steps.append(self._writer.write(draft, ids)))
        step = steps[0] if steps else BatchResult()
        self._unknown = self._unknown + 1 if step.is_unknown else 0
        self._busy = self._busy + 1 if step.is_rate_limited else 0
        if step.stop_reason:
            self._stopped = step.stop_reason
        elif self._unknown == MAX_CONSECUTIVE_UNKNOWN:
            self._stopped = (
                f"Xero gave no usable answer {MAX_CONSECUTIVE_UNKNOWN} times in a row; the rest is sent later"
            )
        elif self._busy == MAX_CONSECUTIVE_RATE_LIMITED:
            self._stopped = "Xero's limit of calls stayed reached; the rest is sent later"
        return [draft] if step.is_rate_limited else step.split_into

    def _results(self, work: WorkList, planned: Planned, resting: Mapping[Key, SyncError]) -> Iterator[LoadResult]:
        """Yield what became of each record that was wanted."""
        # As the mapping has it, but an earlier write may still change it; or as this load left it.
        latest = {(one.kind, one.shopify_id): one for one in self._journal.in_state(*UNCONFIRMED_STATES[:2])}
        for kind, writes in planned.items():
            newest = self._journal.latest(kind, [write.shopify_id for write in writes])
            latest |= {(kind.value, key): one for key, one in newest.items()}
        for key, wanted in work.wanted().items():
            if key in latest:
                yield from load_report.written_results(wanted.days, wanted.change, latest[key])
            elif key in resting:
                yield from (load_report.deferred_result(day, wanted.change, resting[key]) for day in wanted.days)
            else:
                yield from (load_report.unchanged_result(day, wanted.change) for day in wanted.days)

    def _unless_stopped(self, act: Callable[[], None]) -> None:
        """Do something in Xero; a spent budget or an unavailable Xero ends this load's sending, not the load."""
        try:
            act()
        except (DailyQuotaExceededError, XeroUnavailableError) as error:
            self._stopped = str(error)


def _sendable(operations: Mapping[str, Operation]) -> list[JournalledWrite]:
    return [batch_requests.parse_operation(one) for one in operations.values() if one.state is OperationState.PLANNED]


def _stages(planned: Planned) -> Iterator[tuple[Kind, list[PlannedWrite]]]:
    """Yield what is written after what: parents first, and credit that gives way before money that needs its place."""
    for kind, writes in planned.items():
        if kind is Kind.PAYMENT:
            yield Kind.ALLOCATION, [one for one in planned[Kind.ALLOCATION] if one.verb == DELETE_VERB]
        yield kind, [one for one in writes if one.verb != DELETE_VERB]
