"""Journal of writes, with the operations, the batches, their states and the evidence for each outcome.

This module only stores states and enforces their order; `loading/` interprets Xero's responses. An operation is the
write of one record, a batch is one request. A record has at most one open operation. Each method is one committed
transaction, so a step is durable when its method returns.

Several processes may work on one journal. The last process to raise a batch's fence owns the batch; other processes may
take it over only after its lease expires. An operation changes only if it is still in the state that was read.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta

from sqlalchemy import Connection, Engine, insert, select

from shopify_xero_pipeline.clock import Clock
from shopify_xero_pipeline.state import queries, row_writes
from shopify_xero_pipeline.state.canonical import digest, parse_exact_json
from shopify_xero_pipeline.state.database_errors import StoreDamagedError
from shopify_xero_pipeline.state.records import (
    LEASE,
    Batch,
    BatchRequest,
    BatchState,
    Operation,
    OperationOutcome,
    OperationState,
    PlannedWrite,
)
from shopify_xero_pipeline.state.row_checksums import (
    Row,
    Values,
    insert_rows,
    read,
    read_models,
    update_rows,
)
from shopify_xero_pipeline.state.send_watermark import SendWatermark
from shopify_xero_pipeline.state.tables import batch, operation
from shopify_xero_pipeline.state.verification import DELETED, LOST_FROM_MAPPING

CHANGES = ("update", "delete")
"""Verbs of writes to a record that is already mapped."""

MAX_RESPONSE_BYTES = 65_536
"""Bytes of a response that the journal stores."""


class JournalOrderError(Exception):
    """The state of a batch does not allow the step; nothing was changed."""


class FenceLostError(JournalOrderError):
    """Another process has taken over the batch and settles it; nothing was changed."""


class Journal:
    """Operations, batches and evidence; see `StateStore.journal`.

    Args:
        engine: the engine of the state store.
        clock: stamps rows and decides when a lease has expired.
        owner: the name of this process in messages; the fence, not the name, protects a lease.
        send_watermark: the watermark of the last batch sent.
    """

    def __init__(self, engine: Engine, clock: Clock, owner: str, send_watermark: SendWatermark) -> None:
        self._engine = engine
        self._clock = clock
        self._owner = owner
        self.send_watermark = send_watermark

    # -- reading -------------------------------------------------------------------------------------------------------

    def latest(self, kind: str, shopify_ids: Collection[str]) -> dict[str, Operation]:
        """Return the newest operation of each record of a kind, by Shopify id.

        Args:
            kind: the kind of the records.
            shopify_ids: their Shopify ids.
        """
        newest = read_models(self._engine, Operation, queries.NEWEST, kind=kind, ids=shopify_ids)
        return {operation.shopify_id: operation for operation in newest}

    def in_state(self, *states: OperationState) -> list[Operation]:
        """Return all operations in one of these states, oldest first."""
        return read_models(self._engine, Operation, queries.BY_STATE, states=states)

    def operations_of(self, batch_id: int) -> list[Operation]:
        """Return the operations that wait for the outcome of a batch, in the order of the request."""
        return read_models(self._engine, Operation, queries.WAITING, batch=batch_id)

    def of_order(self, order_id: str) -> list[Operation]:
        """Return all operations of an order, oldest first."""
        query = select(operation).where(operation.c.order_id == order_id).order_by(operation.c.id)
        return read_models(self._engine, Operation, query)

    def batch(self, batch_id: int) -> Batch:
        """Return a batch."""
        with self._engine.begin() as connection:
            return self._batch(connection, batch_id)

    def batches_of(self, operations: Iterable[Operation]) -> list[Batch]:
        """Return the last batch of each operation, oldest first.

        Args:
            operations: operations; those that were never in a batch are ignored.
        """
        batch_ids = sorted({operation.batch_id for operation in operations if operation.batch_id is not None})
        return read_models(self._engine, Batch, queries.BATCHES, ids=batch_ids)

    def unsettled(self) -> list[Batch]:
        """Return the batches whose outcome is unknown, oldest first."""
        return read_models(self._engine, Batch, queries.UNSETTLED_BATCHES)

    def last_batch(self) -> int:
        """Return the id of the newest batch, 0 if there is none."""
        with self._engine.begin() as connection:
            return connection.scalar(queries.LAST_BATCH) or 0

    def documents_since(self, batch_id: int) -> set[str]:
        """Return the kinds of the documents that the batches after one have written, paid or allocated."""
        with self._engine.begin() as connection:
            rows = connection.execute(queries.WRITTEN_SINCE, {"id": batch_id}).all()
        return {kind for row in rows for kind in _documents(row.kind, row.payload)}

    # -- planning ------------------------------------------------------------------------------------------------------

    def plan(self, writes: Iterable[PlannedWrite]) -> None:
        """Add an operation for each write, or update the open operation of its record.

        An operation that may already be in Xero (in a batch, needs check, needs review) is not changed. A write is
        ignored if its record was written or deleted since the plan was made, because the mapping has changed since.

        Args:
            writes: the writes; the last of several for one record counts.
        """
        with self._engine.begin() as connection:
            for kind, writes_of_kind in row_writes.by_kind(writes).items():
                last = {write.shopify_id: write for write in writes_of_kind}
                self._plan_kind(connection, kind, self._select_current(connection, kind, [*last.values()]))

    def planned_of(self, kinds: Collection[str], days: Collection[date]) -> list[Operation]:
        """Return the planned operations of these kinds and days, oldest first. None of them is in a batch.

        Args:
            kinds: the kinds of the operations.
            days: their days.
        """
        scope = (operation.c.kind.in_(kinds), operation.c.partition.in_(days))
        planned = select(operation).where(*scope, operation.c.state == OperationState.PLANNED).order_by(operation.c.id)
        return read_models(self._engine, Operation, planned)

    def withdraw(
        self,
        kinds: Collection[str],
        days: Collection[date],
        *,
        unwanted: Sequence[Operation],
        is_listed: Callable[[tuple[str, str]], bool],
    ) -> None:
        """Withdraw the operations that a new plan of these kinds and days no longer contains.

        Args:
            kinds: the kinds of the plan.
            days: the days of the plan.
            unwanted: the planned operations missing from the plan, as read before; an operation that another process
                has changed since is not withdrawn.
            is_listed: whether a record, by its (kind, Shopify id), is in the plan; the failures of others are resolved.
        """
        scope = (operation.c.kind.in_(kinds), operation.c.partition.in_(days))
        under_review = select(operation.c.kind, operation.c.shopify_id).where(
            *scope, operation.c.state == OperationState.NEEDS_REVIEW
        )
        as_read = {operation.id: operation.model_dump() for operation in unwanted}
        withdrawn = {"state": OperationState.WITHDRAWN, "reason": "no longer in the plan"}
        with self._engine.begin() as connection:
            rows = self._by_id(connection, as_read)
            self._change(connection, [row for row in rows if row == as_read[row["id"]]], lambda _: withdrawn)
            reviewed = {(row.kind, row.shopify_id) for row in connection.execute(under_review)}
            now = self._clock.now()
            row_writes.resolve_errors_except(
                connection, kinds, days, lambda record: is_listed(record) or record in reviewed, now
            )

    def postpone(self, reasons: Mapping[int, str]) -> None:
        """Store why operations are not sent now; their state does not change.

        Args:
            reasons: the reasons by operation id, for people.
        """
        if not reasons:
            return
        with self._engine.begin() as connection:
            self._change(connection, self._by_id(connection, reasons), lambda row: {"reason": reasons[row["id"]]})

    def complete(self, payloads: Mapping[int, str]) -> None:
        """Replace the payloads of planned operations just before they are sent.

        The new payloads contain values that a plan cannot know, such as the codes of Items.

        Args:
            payloads: canonical JSON texts by operation id.
        """
        if not payloads:
            return
        with self._engine.begin() as connection:
            planned = self._planned(connection, list(payloads))
            self._change(connection, planned, lambda row: {"payload": payloads[row["id"]]})

    def skip(self, writes: Iterable[PlannedWrite], reason: str) -> None:
        """Add withdrawn operations for records that need no write, unless the journal already has one for them.

        Args:
            writes: the writes that are not needed.
            reason: the reason, for people.
        """
        by_kind, now = row_writes.by_kind(writes), self._clock.now()
        if not by_kind:
            return
        withdrawn = {"state": OperationState.WITHDRAWN, "retryable": False, "attempts": 0, "created_at": now}
        with self._engine.begin() as connection:
            for kind, writes_of_kind in by_kind.items():
                last = {write.shopify_id: write.model_dump() for write in writes_of_kind}
                newest = read(connection, queries.NEWEST, kind=kind, ids=last)
                present = {row["shopify_id"] for row in newest if row["state"] != OperationState.REJECTED}
                new = {key: row for key, row in last.items() if key not in present}
                rows = [row | withdrawn | {"updated_at": now, "reason": reason} for row in new.values()]
                insert_rows(connection, operation, rows, queries.NEWEST, kind=kind, ids=new)

    # -- one request ---------------------------------------------------------------------------------------------------

    def intend(self, request: BatchRequest, operations: Sequence[Operation]) -> Batch:
        """Store a request with its operations as a batch in state INTENT, leased to this process.

        Args:
            request: the request to send.
            operations: the operations in the request, as read when it was built.

        Raises:
            JournalOrderError: an operation is no longer planned, or its content has changed.
        """
        now = self._clock.now()
        with self._engine.begin() as connection:
            planned = self._planned(connection, [operation.id for operation in operations])
            payloads = {operation.id: operation.payload for operation in operations}
            if {row["id"]: row["payload"] for row in planned} != payloads:
                raise JournalOrderError("another process has taken over, or changed, an operation of the request")
            values = request.model_dump() | {"body_hash": digest(request.body), "state": BatchState.INTENT}
            values |= {"owner": self._owner, "fence": 1, "lease_until": now + LEASE}
            values |= {"reason": "", "created_at": now, "updated_at": now}
            result = connection.execute(insert(batch).values(**values))
            batch_id = int((result.inserted_primary_key or [0])[0])
            in_batch = {"state": OperationState.IN_BATCH, "batch_id": batch_id}
            self._change(connection, planned, lambda row: in_batch | {"attempts": row["attempts"] + 1})
            whole = dict.fromkeys(batch.columns.keys()) | values | {"id": batch_id}
            (row,) = update_rows(connection, batch, [whole], lambda _: {})
            return Batch.model_validate(row)

    def mark_sent(
        self, mine: Batch, *, xero_sent_at: datetime | None = None, xero_quiet_at: datetime | None = None
    ) -> Batch:
        """Mark a batch SENT. No byte of it may leave before this method returns.

        Args:
            mine: the batch.
            xero_sent_at: an upper bound of the present time by Xero's clock; None if unknown.
            xero_quiet_at: the end of the batch's quiet time, by Xero's clock; None if unknown.

        Raises:
            JournalOrderError: the batch was sent before.
            FenceLostError: another process has taken over the batch.
        """
        now = self._clock.now()
        sent = {"state": BatchState.SENT, "first_sent_at": now, "lease_until": now + LEASE}
        sent |= {"xero_sent_at": xero_sent_at, "xero_quiet_at": xero_quiet_at}
        with self._engine.begin() as connection:
            return self._step(connection, mine, [BatchState.INTENT], **sent)

    def renew_lease(self, mine: Batch, pause: timedelta) -> None:
        """Extend the lease of a sent batch by a pause and one more attempt.

        Raises:
            FenceLostError: another process has taken over the batch.
        """
        with self._engine.begin() as connection:
            until = self._clock.now() + pause + LEASE
            self._step(connection, mine, [BatchState.SENT], lease_until=until)

    def take_over(self, unsettled: Batch) -> Batch | None:
        """Take over an unsettled batch whose lease has expired; return None if another process owns it."""
        now = self._clock.now()
        with self._engine.begin() as connection:
            present = self._batch(connection, unsettled.id)
            if present.is_leased(now) or present.fence != unsettled.fence or present.state not in queries.UNSETTLED:
                return None
            lease = {"owner": self._owner, "fence": present.fence + 1, "lease_until": now + LEASE}
            return self._step(connection, present, queries.UNSETTLED, **lease)

    def mark_ambiguous(
        self,
        mine: Batch,
        *,
        not_before: datetime,
        reason: str,
        xero_quiet_at: datetime | None = None,
        status: int | None = None,
        answer: bytes = b"",
    ) -> None:
        """Mark the outcome of a batch as unknown until its read-back; its operations stay in the batch.

        Args:
            mine: the batch.
            not_before: the approximate time of the read-back, by our clock.
            reason: why the outcome is unknown, for people.
            xero_quiet_at: the end of the quiet time, by Xero's clock, if known. The value of `mark_sent` takes
                precedence, so that the wait never becomes shorter: each response narrows the estimate of Xero's time.
            status: the status of the response, if there was one.
            answer: the body of the response.

        Raises:
            FenceLostError: another process has taken over the batch.
        """
        unknown = {"state": BatchState.AMBIGUOUS, "not_before": not_before, "reason": reason, "lease_until": None}
        response = {"http_status": status, "response": answer[:MAX_RESPONSE_BYTES] or None}
        with self._engine.begin() as connection:
            quiet_at = self._batch(connection, mine.id).xero_quiet_at or xero_quiet_at
            allowed = [BatchState.SENT, BatchState.AMBIGUOUS]
            self._step(connection, mine, allowed, **unknown, **response, xero_quiet_at=quiet_at)
            waiting = read(connection, queries.WAITING, batch=mine.id)
            self._change(connection, waiting, lambda _: {"reason": reason})

    def wait(self, mine: Batch, *, not_before: datetime, xero_quiet_at: datetime) -> None:
        """Set a new time for the read-back of an ambiguous batch.

        Args:
            mine: the batch.
            not_before: the approximate time of the read-back, by our clock.
            xero_quiet_at: the end of the quiet time, by Xero's clock.

        Raises:
            FenceLostError: another process has taken over the batch.
        """
        until = {"not_before": not_before, "xero_quiet_at": xero_quiet_at, "lease_until": None}
        with self._engine.begin() as connection:
            self._step(connection, mine, [BatchState.AMBIGUOUS], **until)

    def release(self, mine: Batch, reason: str) -> None:
        """Return the operations of a batch to the plan, because Xero certainly executed none of them.

        Raises:
            FenceLostError: another process has taken over the batch.
        """
        resolved = {"state": BatchState.RESOLVED, "reason": reason, "body": b"", "lease_until": None}
        planned = {"state": OperationState.PLANNED, "reason": reason}
        with self._engine.begin() as connection:
            self._step(connection, mine, [BatchState.INTENT, BatchState.SENT], **resolved)
            waiting = read(connection, queries.WAITING, batch=mine.id)
            self._change(connection, waiting, lambda row: planned | {"attempts": row["attempts"] - 1})

    def settle(
        self,
        outcomes: Sequence[OperationOutcome],
        mine: Batch | None = None,
        *,
        status: int | None = None,
        xero_settled_at: datetime | None = None,
        over: bool = True,
    ) -> None:
        """Store outcomes with their mapping rows, mirror rows, failures and evidence, in one transaction.

        An outcome is ignored if its operation is no longer in the batch or, without a batch, in the expected state:
        another process has settled the operation since.

        Args:
            outcomes: one outcome for each operation.
            mine: the batch whose response or read-back gives the outcomes; None if there is none.
            status: the status of the response, if the response gives the outcomes.
            xero_settled_at: the present time by Xero's clock, if known.
            over: whether the batch ends. An ended batch loses its body, which may contain personal data; its hash
                stays.

        Raises:
            FenceLostError: another process has taken over the batch.
        """
        if not outcomes and mine is None:
            return
        with self._engine.begin() as connection:
            if mine is not None:
                values: dict[str, object] = {"http_status": status, "xero_settled_at": xero_settled_at}
                if over:
                    state = BatchState.CONFIRMED if status == 200 else BatchState.RESOLVED
                    values |= {"state": state, "body": b"", "response": None, "lease_until": None}
                self._step(connection, mine, [BatchState.SENT, BatchState.AMBIGUOUS], **values)
            ids = [outcome.operation_id for outcome in outcomes]
            rows = {row["id"]: row for row in self._by_id(connection, ids)}
            expected = self._select_expected(rows, outcomes, mine)
            row_writes.write_outcomes(connection, expected, rows, self._clock.now())

    # ------------------------------------------------------------------------------------------------------------------

    def _plan_kind(self, connection: Connection, kind: str, writes: Sequence[PlannedWrite]) -> None:
        now = self._clock.now()
        values = {write.shopify_id: write.model_dump() | {"updated_at": now, "reason": ""} for write in writes}
        unfinished = {row["shopify_id"]: row for row in read(connection, queries.UNFINISHED, kind=kind, ids=values)}
        planned = {"state": OperationState.PLANNED, "retryable": False, "attempts": 0, "created_at": now}
        new = {key: row | planned for key, row in values.items() if key not in unfinished}
        insert_rows(connection, operation, [*new.values()], queries.PLANNED, kind=kind, ids=new)
        states = (OperationState.PLANNED, OperationState.REJECTED)
        changed = [row for row in unfinished.values() if row["state"] in states]
        reset = {"state": OperationState.PLANNED, "outcome": None}
        self._change(connection, changed, lambda row: values[row["shopify_id"]] | reset)

    def _select_current(self, connection: Connection, kind: str, writes: Sequence[PlannedWrite]) -> list[PlannedWrite]:
        """Return the writes whose record is mapped as planned: not at all, or to the Xero id that they change.

        Raises:
            StoreDamagedError: a record was written and is missing from the mapping.
        """
        ids = [write.shopify_id for write in writes]
        rows = read(connection, queries.MAPPED, kind=kind, ids=ids)
        mapped = {row["shopify_id"]: row["xero_id"] for row in rows}
        confirmed = read(connection, queries.NEWEST_CONFIRMED, kind=kind, ids={*ids} - mapped.keys())
        if any(row["outcome"] != DELETED for row in confirmed):
            raise StoreDamagedError(LOST_FROM_MAPPING)
        return [
            write
            for write in writes
            if mapped.get(write.shopify_id) == (write.xero_id if write.verb in CHANGES else None)
        ]

    def _select_expected(
        self, rows: Mapping[int, Row], outcomes: Sequence[OperationOutcome], mine: Batch | None
    ) -> list[OperationOutcome]:
        """Return the outcomes of operations that are still in the batch or in the expected state."""
        present = {key: (row["state"], row["batch_id"]) for key, row in rows.items()}
        in_batch = None if mine is None else (OperationState.IN_BATCH, mine.id)
        return [
            outcome for outcome in outcomes if present.get(outcome.operation_id) == (in_batch or outcome.expected_state)
        ]

    def _change(self, connection: Connection, rows: Sequence[Row], new: Values) -> None:
        """Update operations with the columns that `new` returns for each row."""
        now = self._clock.now()
        update_rows(connection, operation, rows, lambda row: {**new(row), "updated_at": now})

    def _step(self, connection: Connection, mine: Batch, allowed: Sequence[BatchState], **values: object) -> Batch:
        """Update a batch if this process still owns it and its state is allowed."""
        (row,) = read(connection, queries.BATCH, id=mine.id)
        if row["fence"] != mine.fence:
            raise FenceLostError(f"batch {mine.id} has been taken over by {row['owner']}")
        if row["state"] not in allowed:
            raise JournalOrderError(f"batch {mine.id} is {row['state']}, not {' or '.join(allowed)}")
        values["updated_at"] = self._clock.now()
        (changed,) = update_rows(connection, batch, [row], lambda _: values)
        return Batch.model_validate(changed)

    def _batch(self, connection: Connection, batch_id: int) -> Batch:
        (row,) = read(connection, queries.BATCH, id=batch_id)
        return Batch.model_validate(row)

    def _planned(self, connection: Connection, operation_ids: Sequence[int]) -> list[Row]:
        return [row for row in self._by_id(connection, operation_ids) if row["state"] == OperationState.PLANNED]

    def _by_id(self, connection: Connection, operation_ids: Collection[int]) -> list[Row]:
        return [*read(connection, queries.BY_ID, ids=operation_ids)]


def _documents(kind: str, payload: str) -> Collection[str]:
    """Return the kinds of the documents that a write changes; both for money whose payload is emptied."""
    if kind == "payment" and payload:
        return [parse_exact_json(payload)["document_kind"]]
    return queries.DOCUMENTS if kind in ("payment", "allocation") else [kind]
