"""The loader: carries change-sets out in Xero, each record exactly once, whatever happens on the way.

It decides which records are written now, in which order, and what is said of each in the end. How one request is made
safe is in `writer.py`. Everything to be written is in the journal before the first request leaves, so that a load that
stops, for whatever reason, is taken up where it stopped by the next one.
"""

import logging
import random
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence

from shopify_xero_pipeline.changes.models import ChangeSet
from shopify_xero_pipeline.clock import Clock
from shopify_xero_pipeline.state.records import MirrorRecord, Operation, OperationState, PlannedWrite, SyncError
from shopify_xero_pipeline.state.store import StateStore
from shopify_xero_pipeline.xero import failures, report, requests, settle, wire
from shopify_xero_pipeline.xero.client import XeroClient
from shopify_xero_pipeline.xero.delivery import QUIESCENCE
from shopify_xero_pipeline.xero.errors import DayBudgetSpent, XeroUnavailableError
from shopify_xero_pipeline.xero.models import Kind
from shopify_xero_pipeline.xero.parents import KnownIds
from shopify_xero_pipeline.xero.report import LoadReport, LoadResult
from shopify_xero_pipeline.xero.requests import Draft, Write
from shopify_xero_pipeline.xero.safe_mode import SafeMode
from shopify_xero_pipeline.xero.worklist import Wanted, Worklist, planned_write
from shopify_xero_pipeline.xero.writer import Step, Writer

logger = logging.getLogger("shopify_xero_pipeline.xero")

TAKE_BACK = "delete"
UNSURE = (OperationState.IN_BATCH, OperationState.CHECK, OperationState.REVIEW)
TRIES, FIRST_PAUSE = 3, 2.0
UNKNOWN_IN_A_ROW = 3
BUSY_IN_A_ROW = 5


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
        self._writer = Writer(client, store, clock, self._rng)
        self._safe_mode = SafeMode(client, store, clock)
        self._stopped, self._unknown, self._busy = "", 0, 0
        self._held: set[str | None] = set()

    def load(self, change_sets: Sequence[ChangeSet], run_id: str, *, patient: bool = False) -> LoadReport:
        """Carry out the plan of one family of kinds for any number of days; one bad record never stops the others.

        What cannot be sent now, because a parent is missing, the day's budget is spent or Xero is not available, is
        postponed: it stays planned and is sent by the next load.

        Args:
            change_sets: the plan.
            run_id: the run that asks.
            patient: nobody waits for it, so what failed before rests until its next try is due.

        Raises:
            XeroDeniedError: Xero does not let this connection write.
            XeroSignInError: Xero does not accept the credentials.
        """
        began, calls = self._clock.now(), self._client.calls
        self._recover()
        recovered = self._clock.now()
        work = Worklist(change_sets)
        results = list(work.unchanged)
        for kind in Kind:
            done = [one.shopify_id for one in results if one.kind is kind and one.xero_id]
            self._store.resolve_errors(kind, done)
        planned = {kind: self._planned(kind, work, run_id) for kind in Kind}
        resting = {kind: self._store.failed.resting(kind, planned[kind], patient=patient) for kind in Kind}
        planned = {
            kind: [one for one in writes if one.shopify_id not in resting[kind]] for kind, writes in planned.items()
        }
        wanted = {(write.kind, write.shopify_id) for writes in planned.values() for write in writes}
        self._journal.withdraw(work.kinds, work.days, wanted=wanted, listed=work.listed, planned_by=recovered)
        self._journal.plan([write for writes in planned.values() for write in writes])
        self._held = set()
        for kind, writes in _stages(planned):
            self._load_kind(kind, [write.shopify_id for write in writes])
            self._hold(kind, writes)
        unsure = [one for state in UNSURE[:2] for one in self._journal.in_state(state)]
        for kind, writes in planned.items():
            # As the mapping has it, but an earlier write may still change it; or as this load left it.
            latest = {one.shopify_id: one for one in unsure if one.kind == kind}
            latest |= self._journal.latest(kind, {write.shopify_id for write in writes})
            results += _results(work.of(kind), latest, resting[kind])
        loaded = LoadReport(results=tuple(results), calls=self._client.calls - calls)
        now = self._clock.now()
        took = int((now - began).total_seconds() * 1000)
        self._store.record_history(loaded.history(run_id, now, took))
        return loaded

    def recover(self) -> None:
        """Settle what earlier loads left behind, without writing anything new.

        Raises:
            XeroDeniedError: Xero does not let this connection read or write.
        """
        self._recover()

    def _recover(self) -> None:
        self._stopped, self._unknown, self._busy = "", 0, 0
        self._unless_stopped(self._look_over)
        if not self._stopped:
            self._unless_stopped(self._writer.recover)

    def _look_over(self) -> None:
        self._stopped = self._safe_mode.reason()

    def _planned(self, kind: Kind, work: Worklist, run_id: str) -> list[PlannedWrite]:
        wanted = work.of(kind)
        if not wanted:
            return []
        mapped = self._store.mapped(kind, wanted)
        shown = self._store.mirrored(kind, [row.xero_id for row in mapped.values()])
        writes = [planned_write(one, mapped.get(key), shown, run_id) for key, one in wanted.items()]
        done = set(wanted) - {write.shopify_id for write in writes if write is not None}
        self._store.resolve_errors(kind, done)
        return [write for write in writes if write is not None]

    def _load_kind(self, kind: Kind, shopify_ids: Sequence[str]) -> None:
        """Settle what needs no sending, then send; a Contact given another name comes up a second time."""
        if not shopify_ids:
            return
        self._look_again(kind, shopify_ids)
        self._reject_taken_keys(kind, self._sendable(kind, shopify_ids))
        self._adopt(kind, self._sendable(kind, shopify_ids))
        self._recognise(kind, self._sendable(kind, shopify_ids))
        tried: set[int] = set()
        while writes := [one for one in self._sendable(kind, shopify_ids) if one.operation.id not in tried]:
            tried |= {one.operation.id for one in writes}
            self._send_all(kind, writes)
        self._try_again(kind, shopify_ids)
        if self._stopped:
            left = self._sendable(kind, shopify_ids)
            self._journal.postpone({one.operation.id: self._stopped for one in left})

    def _try_again(self, kind: Kind, shopify_ids: Sequence[str]) -> None:
        """Try what was refused for a cause that passes within seconds up to three times in all."""
        for attempt in range(TRIES - 1):
            latest = self._journal.latest(kind, shopify_ids).values()
            refused = [one for one in latest if one.state is OperationState.REJECTED and failures.passes(one.reason)]
            if self._stopped or not refused:
                return
            self._clock.sleep(FIRST_PAUSE * 2**attempt * self._rng.uniform(0.5, 1.0))
            fields = PlannedWrite.model_fields
            self._journal.plan([PlannedWrite.model_validate(one.model_dump(include=set(fields))) for one in refused])
            self._send_all(kind, self._sendable(kind, [one.shopify_id for one in refused]))

    def _sendable(self, kind: Kind, shopify_ids: Sequence[str]) -> list[Write]:
        operations = self._journal.latest(kind, shopify_ids)
        latest = (operations[key] for key in shopify_ids)
        return [requests.read(one) for one in latest if one.state is OperationState.PLANNED]

    def _look_again(self, kind: Kind, shopify_ids: Sequence[str]) -> None:
        """See whether what a person was asked to look at has been put right since."""
        before = self._clock.now() - QUIESCENCE
        operations = self._journal.latest(kind, shopify_ids).values()
        reviewed = [one for one in operations if one.state is OperationState.REVIEW and one.updated_at <= before]
        if reviewed and not self._stopped:
            self._unless_stopped(lambda: self._writer.read_back.check(kind, reviewed))

    def _reject_taken_keys(self, kind: Kind, writes: Sequence[Write]) -> None:
        """Refuse a record whose natural key already stands for another one: Xero would take both for the same."""
        holders = self._store.holders(kind, [one.operation.natural_key for one in writes])
        verdicts = []
        for one in writes:
            holder = holders.setdefault(one.operation.natural_key, one.operation.shopify_id)
            if holder != one.operation.shopify_id:
                reason = f"{one.operation.natural_key} already stands for Shopify's {kind} {holder}; make them differ."
                verdicts.append(settle.rejected(one, reason, retryable=False))
        self._journal.settle(verdicts)

    def _adopt(self, kind: Kind, writes: Sequence[Write]) -> None:
        """Map what Xero already holds; only a Contact without our number is written to, which `_send_all` does."""
        adopted = [one for one in writes if one.operation.verb == "adopt"]
        xero_ids = [str(one.operation.xero_id) for one in adopted]
        shown = self._store.mirrored(kind, xero_ids)
        desk = settle.Desk(self._clock.now(), self._store.owners(kind, xero_ids))
        verdicts = [settle.adopted(one, shown.get(str(one.operation.xero_id)), desk) for one in adopted]
        self._journal.settle([verdict for verdict in verdicts if verdict is not None])

    def _recognise(self, kind: Kind, writes: Sequence[Write]) -> None:
        """Settle what Xero shows under our key, although it is to be created: a lost or older store did that."""
        new = {one.operation.natural_key: one for one in writes if one.operation.verb == "create"}
        hits: dict[str, list[MirrorRecord]] = {}
        for row in self._store.mirror(kind, new):
            if row.status not in wire.GONE:
                hits.setdefault(row.natural_key, []).append(row)
        desk = settle.Desk(
            self._clock.now(), self._store.owners(kind, [row.xero_id for rows in hits.values() for row in rows])
        )
        self._journal.settle([settle.shown(new[key], rows, desk) for key, rows in hits.items()])

    def _send_all(self, kind: Kind, writes: Sequence[Write]) -> None:
        ids = KnownIds(self._store, [one.record for one in writes])
        waiting = {one.operation.id: reason for one in writes if (reason := ids.missing(one.record))}
        waiting |= self._behind_credit(kind, writes)
        self._journal.postpone(waiting)
        queue = deque(requests.drafts(kind, [one for one in writes if one.operation.id not in waiting], ids))
        while queue and not self._stopped:
            draft = queue.popleft()
            queue.extendleft(reversed(self._send(draft, ids)))

    def _hold(self, kind: Kind, writes: Sequence[PlannedWrite]) -> None:
        """Hold the orders whose Allocations were to be taken back and still stand."""
        taken_back = [one for one in writes if one.verb == TAKE_BACK]
        standing = self._store.mapped(kind, [one.shopify_id for one in taken_back])
        self._held |= {one.order_id for one in taken_back if one.shopify_id in standing}

    def _behind_credit(self, kind: Kind, writes: Sequence[Write]) -> dict[int, str]:
        """An order's money waits while it is not known which credit stands on its documents."""
        if kind not in (Kind.PAYMENT, Kind.ALLOCATION):
            return {}
        unsure = [one for state in UNSURE for one in self._journal.in_state(state) if one.kind == Kind.ALLOCATION]
        orders = self._held | {one.order_id for one in unsure}
        behind = [one.operation for one in writes if one.operation.order_id in orders]
        reason = "waits until it is known which credit stands on the order's documents"
        return {one.id: reason for one in behind if one.verb != TAKE_BACK}

    def _send(self, draft: Draft, ids: KnownIds) -> Sequence[Draft]:
        """Send one request; return what is to be sent next in its place."""
        steps: list[Step] = []
        self._unless_stopped(lambda: steps.append(self._writer.write(draft, ids)))
        step = steps[0] if steps else Step()
        self._unknown = self._unknown + 1 if step.unknown else 0
        self._busy = self._busy + 1 if step.busy else 0
        if step.stop:
            self._stopped = step.stop
        elif self._unknown == UNKNOWN_IN_A_ROW:
            self._stopped = f"Xero gave no usable answer {UNKNOWN_IN_A_ROW} times in a row; the rest is sent later"
        elif self._busy == BUSY_IN_A_ROW:
            self._stopped = "Xero's limit of calls stayed reached; the rest is sent later"
        return [draft] if step.busy else step.instead

    def _unless_stopped(self, act: Callable[[], None]) -> None:
        """Do something in Xero; a spent budget or an unavailable Xero ends this load's sending, not the load."""
        try:
            act()
        except (DayBudgetSpent, XeroUnavailableError) as error:
            self._stopped = str(error)


def _results(
    records: Mapping[str, Wanted], latest: Mapping[str, Operation], resting: Mapping[str, SyncError]
) -> list[LoadResult]:
    """Return what became of the records of one kind."""
    results: list[LoadResult] = []
    for key, wanted in records.items():
        if key in latest:
            results += report.written(wanted.days, wanted.change, latest[key])
        elif key in resting:
            results += [report.resting(day, wanted.change, resting[key]) for day in wanted.days]
        else:
            results += [report.unchanged(day, wanted.change) for day in wanted.days]
    return results


def _stages(planned: Mapping[Kind, Sequence[PlannedWrite]]) -> Iterator[tuple[Kind, list[PlannedWrite]]]:
    """Yield what is written after what: parents first, and credit that gives way before money that needs its place."""
    for kind, writes in planned.items():
        if kind is Kind.PAYMENT:
            yield Kind.ALLOCATION, [one for one in planned[Kind.ALLOCATION] if one.verb == TAKE_BACK]
        yield kind, [one for one in writes if one.verb != TAKE_BACK]
