"""The journal of writes: what is planned, what was sent under which key, what became of it, and the evidence for it.

It keeps the states of operations and batches and the order in which they may change; what an answer of Xero means is
decided in `xero/`. Each method is one committed transaction, and a step that must be durable before the next one begins
has returned when it is. An operation is one record's write, a batch is one request. There is at most one open operation
of a record.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime

from sqlalchemy import Connection, Engine, Select, bindparam, func, insert, select, update

from shopify_xero_pipeline.clock import Clock
from shopify_xero_pipeline.state import rows
from shopify_xero_pipeline.state.canonical import digest
from shopify_xero_pipeline.state.database import chunks
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
from shopify_xero_pipeline.state.tables import batch, evidence, operation

UNSETTLED = (BatchState.INTENT, BatchState.SENT, BatchState.AMBIGUOUS)
FAILED = (OperationState.REJECTED, OperationState.REVIEW)
KEPT_RESPONSE = 65_536


class JournalOrderError(Exception):
    """A batch was asked to take a step that its state does not allow; nothing was changed."""


class Journal:
    """Operations, batches and evidence. Obtained from `StateStore.journal`."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

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
            return [Batch.model_validate(dict(row)) for row in connection.execute(query).mappings()]

    def last_batch(self) -> int:
        """Return the id of the newest batch, 0 if there is none."""
        with self._engine.begin() as connection:
            return connection.scalar(select(func.max(batch.c.id))) or 0

    def evidence_of(self, operation_id: int) -> list[Evidence]:
        """Return what look-ups found for an operation, oldest first."""
        query = select(evidence).where(evidence.c.operation_id == operation_id).order_by(evidence.c.id)
        with self._engine.begin() as connection:
            return [Evidence.model_validate(dict(row)) for row in connection.execute(query).mappings()]

    # -- planning ------------------------------------------------------------------------------------------------------

    def plan(self, writes: Iterable[PlannedWrite]) -> None:
        """Enter writes: a new operation each, or the record's open one brought up to date.

        An operation that may be in Xero (in a batch, under check, under review) is left alone.
        """
        by_kind: dict[str, dict[str, PlannedWrite]] = {}
        for write in writes:
            by_kind.setdefault(write.kind, {})[write.shopify_id] = write
        with self._engine.begin() as connection:
            for kind, same in by_kind.items():
                for some in chunks(same):
                    self._plan_some(connection, kind, [same[key] for key in some])

    def withdraw(
        self,
        kinds: Collection[str],
        days: Collection[date],
        *,
        wanted: Collection[tuple[str, str]],
        listed: Collection[tuple[str, str]],
    ) -> None:
        """Bring the journal in line with a new plan of these kinds and days.

        Args:
            kinds: the kinds the plan is of.
            days: the days it is of.
            wanted: (kind, Shopify id) of what it writes; other planned operations are withdrawn.
            listed: (kind, Shopify id) of all it names; failures of others are resolved, as nothing is left to do.
        """
        mine = (
            operation.c.kind.in_(kinds),
            operation.c.partition.in_(days),
            operation.c.state.in_((OperationState.PLANNED, OperationState.REVIEW)),
        )
        columns = (operation.c.id, operation.c.kind, operation.c.shopify_id, operation.c.state)
        with self._engine.begin() as connection:
            found = connection.execute(select(*columns).where(*mine)).all()
            planned = [row for row in found if row.state == OperationState.PLANNED]
            for some in chunks(row.id for row in planned if (row.kind, row.shopify_id) not in wanted):
                self._change(connection, some, state=OperationState.WITHDRAWN, reason="no longer wanted by the plan")
            reviewed = {(row.kind, row.shopify_id) for row in found if row.state == OperationState.REVIEW}
            rows.resolve_errors_except(connection, kinds, days, {*listed, *reviewed}, self._clock.now())

    def postpone(self, reasons: Mapping[int, str]) -> None:
        """Note why operations, by id, are not sent now; they stay where they are."""
        now = self._clock.now()
        with self._engine.begin() as connection:
            self._update(connection, {key: {"reason": reason, "updated_at": now} for key, reason in reasons.items()})

    # -- one request ---------------------------------------------------------------------------------------------------

    def intend(self, request: BatchRequest, operation_ids: Sequence[int]) -> Batch:
        """Freeze a request and put its operations in it: state INTENT.

        Raises:
            JournalOrderError: one of the operations is not planned.
        """
        now = self._clock.now()
        with self._engine.begin() as connection:
            values = request.model_dump() | {
                "body_hash": digest(request.body),
                "state": BatchState.INTENT,
                "reason": "",
            }
            result = connection.execute(insert(batch).values(**values, created_at=now, updated_at=now))
            batch_id = int((result.inserted_primary_key or [0])[0])
            claimed = (operation.c.id.in_(operation_ids), operation.c.state == OperationState.PLANNED)
            moved = connection.execute(
                update(operation)
                .where(*claimed)
                .values(
                    state=OperationState.IN_BATCH, batch_id=batch_id, attempts=operation.c.attempts + 1, updated_at=now
                )
            )
            if moved.rowcount != len(operation_ids):
                raise JournalOrderError(f"of {len(operation_ids)} operations only {moved.rowcount} are planned")
            return self._batch(connection, batch_id)

    def mark_sent(self, batch_id: int) -> Batch:
        """Commit that the first byte is about to leave. Nothing may be sent before this has returned.

        Raises:
            JournalOrderError: the batch was sent before.
        """
        now = self._clock.now()
        with self._engine.begin() as connection:
            self._step(connection, batch_id, [BatchState.INTENT], state=BatchState.SENT, first_sent_at=now)
            return self._batch(connection, batch_id)

    def mark_ambiguous(
        self, batch_id: int, *, not_before: datetime, reason: str, status: int | None = None, answer: bytes = b""
    ) -> None:
        """Note that the outcome is unknown and when it may be read back; the operations stay in the batch."""
        kept = {"http_status": status, "response": answer[:KEPT_RESPONSE] or None}
        with self._engine.begin() as connection:
            allowed = [BatchState.SENT, BatchState.AMBIGUOUS]
            self._step(
                connection, batch_id, allowed, state=BatchState.AMBIGUOUS, not_before=not_before, reason=reason, **kept
            )
            waiting = (operation.c.batch_id == batch_id, operation.c.state == OperationState.IN_BATCH)
            connection.execute(update(operation).where(*waiting).values(reason=reason, updated_at=self._clock.now()))

    def release(self, batch_id: int, reason: str) -> None:
        """Plan the operations of a batch afresh, because Xero certainly executed nothing of it."""
        now = self._clock.now()
        with self._engine.begin() as connection:
            allowed = [BatchState.INTENT, BatchState.SENT]
            self._step(connection, batch_id, allowed, state=BatchState.RESOLVED, reason=reason, body=b"")
            mine = (operation.c.batch_id == batch_id, operation.c.state == OperationState.IN_BATCH)
            again = {"state": OperationState.PLANNED, "reason": reason, "attempts": operation.c.attempts - 1}
            connection.execute(update(operation).where(*mine).values(**again, updated_at=now))

    def settle(self, verdicts: Sequence[Verdict], batch_id: int | None = None, *, status: int | None = None) -> None:
        """Record what became of operations, with mapping rows, mirror rows, failures and evidence, in one transaction.

        With a batch, the batch is over as well; its bytes, which may hold personal data, are dropped and their hash
        kept.
        """
        if not verdicts and batch_id is None:
            return
        with self._engine.begin() as connection:
            if batch_id is not None:
                over = BatchState.CONFIRMED if status == 200 else BatchState.RESOLVED
                allowed = [BatchState.SENT, BatchState.AMBIGUOUS]
                self._step(connection, batch_id, allowed, state=over, http_status=status, body=b"", response=None)
            self._settle_some(connection, verdicts)

    # ------------------------------------------------------------------------------------------------------------------

    def _plan_some(self, connection: Connection, kind: str, writes: Sequence[PlannedWrite]) -> None:
        ids = [write.shopify_id for write in writes]
        resumed = (operation.c.state == OperationState.REJECTED) & (operation.c.outcome == UNANSWERED)
        mine = (operation.c.kind == kind, operation.c.shopify_id.in_(ids), operation.c.state.in_(OPEN) | resumed)
        known = {row.shopify_id: row for row in connection.execute(select(operation).where(*mine))}
        now = self._clock.now()
        fresh = {"state": OperationState.PLANNED, "retryable": False, "attempts": 0, "created_at": now}
        values = {write.shopify_id: write.model_dump() | {"updated_at": now, "reason": ""} for write in writes}
        new = [one | fresh for key, one in values.items() if key not in known]
        if new:
            connection.execute(insert(operation), new)
        again = {"state": OperationState.PLANNED, "outcome": None}
        planned = [row for row in known.values() if row.state in (OperationState.PLANNED, OperationState.REJECTED)]
        self._update(connection, {row.id: values[row.shopify_id] | again for row in planned})

    def _settle_some(self, connection: Connection, verdicts: Sequence[Verdict]) -> None:
        now = self._clock.now()
        rows.write_mapping(connection, [one.mapped for one in verdicts if one.mapped], now)
        rows.write_mirror(connection, [one.mirrored for one in verdicts if one.mirrored])
        self._drop(connection, [one.operation_id for one in verdicts if one.removed])
        seen = [one.evidence.model_dump() for one in verdicts if one.evidence]
        if seen:
            connection.execute(insert(evidence), seen)
        wanted = {"state", "outcome", "reason", "retryable", "correlation_id"}
        said = {one.operation_id: one.model_dump(include=wanted) | {"updated_at": now} for one in verdicts}
        mapped = {one.operation_id: one.mapped.xero_id for one in verdicts if one.mapped}
        self._update(connection, {key: one | {"xero_id": mapped[key]} for key, one in said.items() if key in mapped})
        self._update(connection, {key: one for key, one in said.items() if key not in mapped})
        for one in verdicts:
            if one.state in FAILED:
                rows.write_error(connection, self._error(connection, one.operation_id))

    def _drop(self, connection: Connection, operation_ids: Sequence[int]) -> None:
        for one in connection.execute(select(operation).where(operation.c.id.in_(operation_ids))):
            rows.drop_record(connection, one.kind, one.shopify_id, one.xero_id, self._clock.now())

    def _update(self, connection: Connection, values: Mapping[int, Mapping[str, object]]) -> None:
        """Change operations, by id, all in the same columns."""
        if values:
            columns: dict[str, object] = {name: bindparam(name) for name in next(iter(values.values()))}
            statement = update(operation).where(operation.c.id == bindparam("operation_id")).values(columns)
            connection.execute(statement, [{"operation_id": key, **one} for key, one in values.items()])

    def _error(self, connection: Connection, operation_id: int) -> SyncError:
        failed = connection.execute(select(operation).where(operation.c.id == operation_id)).mappings().one()
        same = {name: failed[name] for name in SyncError.model_fields if name in failed}
        mine = (operation.c.kind == failed["kind"], operation.c.shopify_id == failed["shopify_id"])
        written = select(func.max(operation.c.id)).where(*mine, operation.c.state == OperationState.CONFIRMED)
        since = operation.c.id > func.coalesce(written.scalar_subquery(), 0)
        attempts = connection.scalar(select(func.sum(operation.c.attempts)).where(*mine, since))
        now = self._clock.now()
        return SyncError.model_validate(same | {"attempts": attempts, "first_failed_at": now, "last_failed_at": now})

    def _change(self, connection: Connection, ids: Sequence[int], **values: object) -> None:
        found = update(operation).where(operation.c.id.in_(ids))
        connection.execute(found.values(**values, updated_at=self._clock.now()))

    def _step(self, connection: Connection, batch_id: int, allowed: Sequence[BatchState], **values: object) -> None:
        moved = connection.execute(
            update(batch)
            .where(batch.c.id == batch_id, batch.c.state.in_(allowed))
            .values(**values, updated_at=self._clock.now())
        )
        if moved.rowcount != 1:
            raise JournalOrderError(
                f"batch {batch_id} cannot become {values['state']}: it is not {' or '.join(allowed)}"
            )

    def _batch(self, connection: Connection, batch_id: int) -> Batch:
        return Batch.model_validate(
            dict(connection.execute(select(batch).where(batch.c.id == batch_id)).mappings().one())
        )

    def _operations(self, query: Select[tuple[object, ...]]) -> list[Operation]:
        with self._engine.begin() as connection:
            return [Operation.model_validate(dict(row)) for row in connection.execute(query).mappings()]
