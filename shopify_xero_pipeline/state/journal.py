"""The journal of writes: what is planned, what was sent under which key, what became of it, and the evidence for it.

It keeps the states of operations and batches and the order in which they may change; what an answer of Xero means is
decided in `xero/`. Each method is one committed transaction, and a step that must be durable before the next one begins
has returned when it is. An operation is one record's write, a batch is one request. There is at most one open operation
of a record.

Several processes may work on one journal. A batch belongs to whoever took it last, told by its fence; the others leave
it alone until its lease is over. Operations are only ever moved on from the state in which they were read.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, RowMapping, Select, func, insert, select

from shopify_xero_pipeline.clock import Clock
from shopify_xero_pipeline.state import rows
from shopify_xero_pipeline.state.canonical import digest
from shopify_xero_pipeline.state.database import chunks
from shopify_xero_pipeline.state.failed import next_try
from shopify_xero_pipeline.state.records import (
    OPEN,
    UNANSWERED,
    Batch,
    BatchRequest,
    BatchState,
    Evidence,
    Operation,
    OperationState,
    PlannedWrite,
    SyncError,
    Verdict,
)
from shopify_xero_pipeline.state.seals import Values, rewrite, seal, sound
from shopify_xero_pipeline.state.tables import batch, entity_mapping, evidence, operation
from shopify_xero_pipeline.state.witness import Witness

UNSETTLED = (BatchState.INTENT, BatchState.SENT, BatchState.AMBIGUOUS)
CHANGES = ("update", "delete")
FAILED = (OperationState.REJECTED, OperationState.REVIEW)
KEPT_RESPONSE = 65_536
LEASE = timedelta(seconds=45)
"""How long a batch is left to its owner: one attempt of 30 s and what it takes to settle it."""


LONGEST_LEASE = LEASE + timedelta(seconds=120)


class JournalOrderError(Exception):
    """A batch was asked to take a step that its state does not allow; nothing was changed."""


class FenceLostError(JournalOrderError):
    """Another process has taken the batch over, and settles it; nothing was changed."""


class Journal:
    """Operations, batches and evidence. Obtained from `StateStore.journal`.

    Args:
        engine: of the state store.
        clock: stamps, and tells when a lease is over.
        owner: who takes leases, in words for people; what holds a lease is its fence.
    """

    def __init__(self, engine: Engine, clock: Clock, owner: str, witness: Witness) -> None:
        self._engine = engine
        self._clock = clock
        self._owner = owner
        self.witness = witness

    # -- reading -------------------------------------------------------------------------------------------------------

    def latest(self, kind: str, shopify_ids: Collection[str]) -> dict[str, Operation]:
        """Return the newest operation of each of these records, by Shopify id."""
        found: dict[str, Operation] = {}
        for some in chunks(shopify_ids):
            mine = (operation.c.kind == kind, operation.c.shopify_id.in_(some))
            newest = select(func.max(operation.c.id)).where(*mine).group_by(operation.c.shopify_id)
            found |= {
                one.shopify_id: one for one in self._operations(select(operation).where(operation.c.id.in_(newest)))
            }
        return found

    def in_state(self, state: OperationState) -> list[Operation]:
        """Return all operations in one state, oldest first."""
        return self._operations(select(operation).where(operation.c.state == state).order_by(operation.c.id))

    def operations_of(self, batch_id: int) -> list[Operation]:
        """Return the operations still waiting for the outcome of a batch, in the order in which they were sent."""
        mine = (operation.c.batch_id == batch_id, operation.c.state == OperationState.IN_BATCH)
        return self._operations(select(operation).where(*mine).order_by(operation.c.id))

    def unsettled(self) -> list[Batch]:
        """Return the batches whose outcome is not known, oldest first."""
        query = select(batch).where(batch.c.state.in_(UNSETTLED)).order_by(batch.c.id)
        with self._engine.begin() as connection:
            return [Batch.model_validate(row) for row in sound(batch, _all(connection, query))]

    def last_batch(self) -> int:
        """Return the id of the newest batch, 0 if there is none."""
        with self._engine.begin() as connection:
            return connection.scalar(select(func.max(batch.c.id))) or 0

    def evidence_of(self, operation_id: int) -> list[Evidence]:
        """Return what look-ups found for an operation, oldest first."""
        query = select(evidence).where(evidence.c.operation_id == operation_id).order_by(evidence.c.id)
        with self._engine.begin() as connection:
            return [Evidence.model_validate(row) for row in sound(evidence, _all(connection, query))]

    # -- planning ------------------------------------------------------------------------------------------------------

    def plan(self, writes: Iterable[PlannedWrite]) -> None:
        """Enter writes: a new operation each, or the record's open one brought up to date.

        An operation that may be in Xero (in a batch, under check, under review) is left alone. So is a record that was
        written, or taken back, since the plan was made: then the mapping no longer is what the write was planned upon.
        """
        by_kind: dict[str, dict[str, PlannedWrite]] = {}
        for write in writes:
            by_kind.setdefault(write.kind, {})[write.shopify_id] = write
        with self._engine.begin() as connection:
            for kind, same in by_kind.items():
                for some in chunks(same):
                    fitting = self._fitting(connection, kind, [same[key] for key in some])
                    self._plan_some(connection, kind, fitting)

    def withdraw(
        self,
        kinds: Collection[str],
        days: Collection[date],
        *,
        wanted: Collection[tuple[str, str]],
        listed: Collection[tuple[str, str]],
        planned_by: datetime,
    ) -> None:
        """Bring the journal in line with a new plan of these kinds and days.

        Args:
            kinds: the kinds the plan is of.
            days: the days it is of.
            wanted: (kind, Shopify id) of what it writes; other planned operations are withdrawn.
            listed: (kind, Shopify id) of all it names; failures of others are resolved, as nothing is left to do.
            planned_by: what another process has planned since is left to it.
        """
        mine = (
            operation.c.updated_at <= planned_by,
            operation.c.kind.in_(kinds),
            operation.c.partition.in_(days),
            operation.c.state.in_((OperationState.PLANNED, OperationState.REVIEW)),
        )
        columns = (operation.c.id, operation.c.kind, operation.c.shopify_id, operation.c.state)
        with self._engine.begin() as connection:
            found = connection.execute(select(*columns).where(*mine)).all()
            planned = [row for row in found if row.state == OperationState.PLANNED]
            unwanted = [row.id for row in planned if (row.kind, row.shopify_id) not in wanted]
            over = {"state": OperationState.WITHDRAWN, "reason": "no longer wanted by the plan"}
            self._change(connection, unwanted, lambda _: over)
            reviewed = {(row.kind, row.shopify_id) for row in found if row.state == OperationState.REVIEW}
            rows.resolve_errors_except(connection, kinds, days, {*listed, *reviewed}, self._clock.now())

    def postpone(self, reasons: Mapping[int, str]) -> None:
        """Note why operations, by id, are not sent now; they stay where they are."""
        with self._engine.begin() as connection:
            self._change(connection, reasons, lambda row: {"reason": reasons[row["id"]]})

    # -- one request ---------------------------------------------------------------------------------------------------

    def intend(self, request: BatchRequest, operations: Sequence[Operation]) -> Batch:
        """Freeze a request and put its operations in it: state INTENT, ours for the time of a lease.

        Args:
            request: what will be sent.
            operations: what it writes, as read when the request was made.

        Raises:
            JournalOrderError: one of the operations is not planned any more, or planned with another content.
        """
        now, ids = self._clock.now(), [one.id for one in operations]
        with self._engine.begin() as connection:
            planned = {row["id"]: row["payload"] for row in self._rows_of(connection, ids, OperationState.PLANNED)}
            if planned != {one.id: one.payload for one in operations}:
                raise JournalOrderError("another process has taken on, or changed, what was to be sent")
            values = request.model_dump() | {"body_hash": digest(request.body), "state": BatchState.INTENT}
            leased = {"owner": self._owner, "fence": 1, "lease_until": now + LEASE, "reason": ""}
            result = connection.execute(insert(batch).values(**values, **leased, created_at=now, updated_at=now))
            batch_id = int((result.inserted_primary_key or [0])[0])
            taken = {"state": OperationState.IN_BATCH, "batch_id": batch_id}
            self._change(connection, ids, lambda row: taken | {"attempts": row["attempts"] + 1})
            seal(connection, batch, batch.c.id == batch_id)
            return self._batch(connection, batch_id)

    def mark_sent(self, mine: Batch) -> Batch:
        """Commit that the first byte is about to leave. Nothing may be sent before this has returned.

        Raises:
            JournalOrderError: the batch was sent before.
            FenceLostError: another process has taken it over.
        """
        now = self._clock.now()
        sent = {"state": BatchState.SENT, "first_sent_at": now, "lease_until": now + LEASE}
        with self._engine.begin() as connection:
            self._step(connection, mine, [BatchState.INTENT], **sent)
            return self._batch(connection, mine.id)

    def keep(self, mine: Batch, pause: timedelta) -> None:
        """Keep a sent batch for one more attempt after a pause.

        Raises:
            FenceLostError: another process has taken it over.
        """
        with self._engine.begin() as connection:
            until = self._clock.now() + pause + LEASE
            self._step(connection, mine, [BatchState.SENT], state=BatchState.SENT, lease_until=until)

    def take(self, found: Batch) -> Batch | None:
        """Take over an unsettled batch whose owner's lease is over; None if somebody has it, or was quicker."""
        now = self._clock.now()
        with self._engine.begin() as connection:
            present = self._batch(connection, found.id)
            end = present.lease_until
            leased = end is not None and now <= end <= now + LONGEST_LEASE  # unless the clock was put back since
            if leased or present.fence != found.fence or present.state not in UNSETTLED:
                return None
            self._step(
                connection, present, UNSETTLED, owner=self._owner, fence=present.fence + 1, lease_until=now + LEASE
            )
            return self._batch(connection, found.id)

    def mark_ambiguous(
        self, mine: Batch, *, not_before: datetime, reason: str, status: int | None = None, answer: bytes = b""
    ) -> None:
        """Note that the outcome is unknown and when anybody may read it back; the operations stay in the batch.

        Raises:
            FenceLostError: another process has taken it over.
        """
        unknown = {"state": BatchState.AMBIGUOUS, "not_before": not_before, "reason": reason, "lease_until": None}
        kept = {"http_status": status, "response": answer[:KEPT_RESPONSE] or None}
        with self._engine.begin() as connection:
            self._step(connection, mine, [BatchState.SENT, BatchState.AMBIGUOUS], **unknown, **kept)
            self._change(connection, self._waiting(connection, mine.id), lambda _: {"reason": reason})

    def release(self, mine: Batch, reason: str) -> None:
        """Plan the operations of a batch afresh, because Xero certainly executed nothing of it.

        Raises:
            FenceLostError: another process has taken it over.
        """
        over = {"state": BatchState.RESOLVED, "reason": reason, "body": b"", "lease_until": None}
        again = {"state": OperationState.PLANNED, "reason": reason}
        with self._engine.begin() as connection:
            self._step(connection, mine, [BatchState.INTENT, BatchState.SENT], **over)
            waiting = self._waiting(connection, mine.id)
            self._change(connection, waiting, lambda row: again | {"attempts": row["attempts"] - 1})

    def settle(
        self, verdicts: Sequence[Verdict], mine: Batch | None = None, *, status: int | None = None, over: bool = True
    ) -> None:
        """Record what became of operations, with mapping rows, mirror rows, failures and evidence, in one transaction.

        A verdict counts only while the operation still is where it was found: in the batch, or, without one, in the
        state and the batch in which it was read. Otherwise another process has settled it since.

        Args:
            verdicts: one for each operation.
            mine: the batch whose answer, or whose read-back, shows all this.
            status: of the answer, if that shows it.
            over: with a batch: it is over; its bytes, which may hold personal data, are dropped and their hash kept.

        Raises:
            FenceLostError: another process has taken the batch over.
        """
        if not verdicts and mine is None:
            return
        with self._engine.begin() as connection:
            if mine is not None:
                self._conclude(connection, mine, status, over)
            self._settle_some(connection, self._counting(connection, verdicts, mine))

    # ------------------------------------------------------------------------------------------------------------------

    def _plan_some(self, connection: Connection, kind: str, writes: Sequence[PlannedWrite]) -> None:
        ids = [write.shopify_id for write in writes]
        resumed = (operation.c.state == OperationState.REJECTED) & (operation.c.outcome == UNANSWERED)
        mine = (operation.c.kind == kind, operation.c.shopify_id.in_(ids), operation.c.state.in_(OPEN) | resumed)
        known = {row["shopify_id"]: row for row in sound(operation, _all(connection, select(operation).where(*mine)))}
        now = self._clock.now()
        fresh = {"state": OperationState.PLANNED, "retryable": False, "attempts": 0, "created_at": now}
        values = {write.shopify_id: write.model_dump() | {"updated_at": now, "reason": ""} for write in writes}
        new = [one | fresh for key, one in values.items() if key not in known]
        if new:
            connection.execute(insert(operation), new)
            entered = [one["shopify_id"] for one in new]
            unsealed = (operation.c.shopify_id.in_(entered), operation.c.state == OperationState.PLANNED)
            seal(connection, operation, operation.c.kind == kind, *unsealed)
        again = {"state": OperationState.PLANNED, "outcome": None}
        planned = [row for row in known.values() if row["state"] in (OperationState.PLANNED, OperationState.REJECTED)]
        self._change(connection, [row["id"] for row in planned], lambda row: values[row["shopify_id"]] | again)

    def _fitting(self, connection: Connection, kind: str, writes: Sequence[PlannedWrite]) -> list[PlannedWrite]:
        """Return the writes whose record is mapped as they suppose: not at all, or to the Xero id they change."""
        ids = [write.shopify_id for write in writes]
        query = select(entity_mapping).where(entity_mapping.c.kind == kind, entity_mapping.c.shopify_id.in_(ids))
        mapped = {row["shopify_id"]: row["xero_id"] for row in sound(entity_mapping, _all(connection, query))}
        return [
            write
            for write in writes
            if mapped.get(write.shopify_id) == (write.xero_id if write.verb in CHANGES else None)
        ]

    def _counting(self, connection: Connection, verdicts: Sequence[Verdict], mine: Batch | None) -> list[Verdict]:
        """Return the verdicts on operations that still are where they were found."""
        columns = (operation.c.id, operation.c.state, operation.c.batch_id)
        found: dict[int, tuple[str, int | None]] = {}
        for some in chunks(one.operation_id for one in verdicts):
            for row in connection.execute(select(*columns).where(operation.c.id.in_(some))):
                found[row.id] = (row.state, row.batch_id)
        if mine is not None:
            there = (OperationState.IN_BATCH, mine.id)
            return [one for one in verdicts if found.get(one.operation_id) == there]
        return [one for one in verdicts if found.get(one.operation_id) == one.found]

    def _conclude(self, connection: Connection, mine: Batch, status: int | None, over: bool) -> None:
        allowed = [BatchState.SENT, BatchState.AMBIGUOUS]
        if not over:
            self._step(connection, mine, allowed, http_status=status)
            return
        state = BatchState.CONFIRMED if status == 200 else BatchState.RESOLVED
        gone = {"body": b"", "response": None, "lease_until": None}
        self._step(connection, mine, allowed, state=state, http_status=status, **gone)

    def _settle_some(self, connection: Connection, verdicts: Sequence[Verdict]) -> None:
        now = self._clock.now()
        rows.write_mapping(connection, [one.mapped for one in verdicts if one.mapped], now)
        rows.write_mirror(connection, [one.mirrored for one in verdicts if one.mirrored])
        self._drop(connection, [one.operation_id for one in verdicts if one.removed])
        seen = [one.evidence.model_dump() for one in verdicts if one.evidence]
        if seen:
            looked_up = {one["operation_id"] for one in seen}
            connection.execute(insert(evidence), seen)
            seal(connection, evidence, evidence.c.operation_id.in_([*looked_up]), evidence.c.row_hash == "")
        wanted = {"state", "outcome", "reason", "retryable", "correlation_id"}
        said = {one.operation_id: one.model_dump(include=wanted) for one in verdicts}
        mapped = {one.operation_id: one.mapped.xero_id for one in verdicts if one.mapped}
        self._change(connection, said, lambda row: said[row["id"]] | {"xero_id": mapped.get(row["id"], row["xero_id"])})
        for one in verdicts:
            if one.state in FAILED:
                rows.write_error(connection, self._error(connection, one.operation_id))

    def _drop(self, connection: Connection, operation_ids: Sequence[int]) -> None:
        for one in connection.execute(select(operation).where(operation.c.id.in_(operation_ids))).all():
            rows.drop_record(connection, one.kind, one.shopify_id, one.xero_id, self._clock.now())

    def _error(self, connection: Connection, operation_id: int) -> SyncError:
        failed = connection.execute(select(operation).where(operation.c.id == operation_id)).mappings().one()
        same = {name: failed[name] for name in SyncError.model_fields if name in failed}
        mine = (operation.c.kind == failed["kind"], operation.c.shopify_id == failed["shopify_id"])
        written = select(func.max(operation.c.id)).where(*mine, operation.c.state == OperationState.CONFIRMED)
        since = operation.c.id > func.coalesce(written.scalar_subquery(), 0)
        attempts = connection.scalar(select(func.sum(operation.c.attempts)).where(*mine, since))
        now = self._clock.now()
        counted = {"attempts": attempts, "payload_hash": failed["checksum"]}
        again = next_try(now, attempts or 1, retryable=failed["retryable"])
        told = {"first_failed_at": now, "last_failed_at": now, "next_try": again}
        return SyncError.model_validate(same | counted | told)

    def _change(self, connection: Connection, ids: Collection[int], new: Values) -> None:
        """Change operations, each as `new` says of it."""
        now = self._clock.now()
        for some in chunks(ids):
            rewrite(connection, operation, lambda row: {**new(row), "updated_at": now}, operation.c.id.in_(some))

    def _step(self, connection: Connection, mine: Batch, allowed: Sequence[BatchState], **values: object) -> None:
        """Change a batch, if it is still ours and in one of the states allowed."""
        present = self._batch(connection, mine.id)
        if present.fence != mine.fence:
            raise FenceLostError(f"batch {mine.id} has been taken over by {present.owner}")
        if present.state not in allowed:
            raise JournalOrderError(f"batch {mine.id} is {present.state}, not {' or '.join(allowed)}")
        changed = values | {"updated_at": self._clock.now()}
        rewrite(connection, batch, lambda _: changed, batch.c.id == mine.id)

    def _batch(self, connection: Connection, batch_id: int) -> Batch:
        (found,) = sound(batch, _all(connection, select(batch).where(batch.c.id == batch_id)))
        return Batch.model_validate(found)

    def _waiting(self, connection: Connection, batch_id: int) -> list[int]:
        mine = (operation.c.batch_id == batch_id, operation.c.state == OperationState.IN_BATCH)
        return list(connection.scalars(select(operation.c.id).where(*mine)))

    def _rows_of(self, connection: Connection, ids: Sequence[int], state: OperationState) -> list[dict[str, Any]]:
        query = select(operation).where(operation.c.id.in_(ids), operation.c.state == state)
        return sound(operation, _all(connection, query))

    def _operations(self, query: Select[tuple[object, ...]]) -> list[Operation]:
        with self._engine.begin() as connection:
            return [Operation.model_validate(row) for row in sound(operation, _all(connection, query))]


def _all(connection: Connection, query: Select[Any]) -> Sequence[RowMapping]:
    return connection.execute(query).mappings().all()
