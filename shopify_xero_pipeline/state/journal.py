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

from sqlalchemy import Connection, Engine, Select, func, insert, select

from shopify_xero_pipeline.clock import Clock
from shopify_xero_pipeline.state import queries, row_writes
from shopify_xero_pipeline.state.canonical import digest
from shopify_xero_pipeline.state.database import chunks
from shopify_xero_pipeline.state.failed_records import next_attempt_at
from shopify_xero_pipeline.state.records import (
    LEASE,
    Batch,
    BatchRequest,
    BatchState,
    Evidence,
    Operation,
    OperationOutcome,
    OperationState,
    PlannedWrite,
    SyncError,
)
from shopify_xero_pipeline.state.row_checksums import Row, Values, add_checksums, read, update_rows
from shopify_xero_pipeline.state.send_watermark import SendWatermark
from shopify_xero_pipeline.state.tables import batch, entity_mapping, evidence, operation

CHANGES = ("update", "delete")
FAILED = (OperationState.REJECTED, OperationState.NEEDS_REVIEW)
KEPT_RESPONSE = 65_536


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

    def __init__(self, engine: Engine, clock: Clock, owner: str, witness: SendWatermark) -> None:
        self._engine = engine
        self._clock = clock
        self._owner = owner
        self.witness = witness

    # -- reading -------------------------------------------------------------------------------------------------------

    def latest(self, kind: str, shopify_ids: Collection[str]) -> dict[str, Operation]:
        """Return the newest operation of each of these records, by Shopify id."""
        found: dict[str, Operation] = {}
        for some in chunks(shopify_ids):
            found |= {one.shopify_id: one for one in self._operations(queries.NEWEST, kind=kind, ids=some)}
        return found

    def in_state(self, *states: OperationState) -> list[Operation]:
        """Return all operations in one of these states, oldest first."""
        return self._operations(queries.BY_STATE, states=states)

    def operations_of(self, batch_id: int) -> list[Operation]:
        """Return the operations still waiting for the outcome of a batch, in the order in which they were sent."""
        return self._operations(queries.WAITING, batch=batch_id)

    def of_order(self, order_id: str) -> list[Operation]:
        """Return all operations of an order, oldest first."""
        mine = operation.c.order_id == order_id
        return self._operations(select(operation).where(mine).order_by(operation.c.id))

    def batch(self, batch_id: int) -> Batch:
        """Return a request."""
        with self._engine.begin() as connection:
            return self._batch(connection, batch_id)

    def batches_of(self, operations: Iterable[Operation]) -> list[Batch]:
        """Return the requests that these operations last left in, oldest first."""
        ids = sorted({one.batch_id for one in operations if one.batch_id is not None})
        with self._engine.begin() as connection:
            found = [row for some in chunks(ids) for row in read(connection, batch, queries.BATCHES, ids=some)]
        return [Batch.model_validate(row) for row in found]

    def unsettled(self) -> list[Batch]:
        """Return the batches whose outcome is not known, oldest first."""
        with self._engine.begin() as connection:
            return [Batch.model_validate(row) for row in read(connection, batch, queries.UNSETTLED_BATCHES)]

    def last_batch(self) -> int:
        """Return the id of the newest batch, 0 if there is none."""
        with self._engine.begin() as connection:
            return connection.scalar(queries.LAST_BATCH) or 0

    def evidence_of(self, operation_id: int) -> list[Evidence]:
        """Return what look-ups found for an operation, oldest first."""
        with self._engine.begin() as connection:
            found = read(connection, evidence, queries.EVIDENCE, operation=operation_id)
            return [Evidence.model_validate(row) for row in found]

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

    def planned_of(self, kinds: Collection[str], days: Collection[date]) -> list[Operation]:
        """Return the operations of these kinds and days that are planned and in no batch, oldest first."""
        mine = (operation.c.kind.in_(kinds), operation.c.partition.in_(days))
        planned = select(operation).where(*mine, operation.c.state == OperationState.PLANNED).order_by(operation.c.id)
        return self._operations(planned)

    def withdraw(
        self,
        kinds: Collection[str],
        days: Collection[date],
        *,
        unwanted: Sequence[Operation],
        listed: Collection[tuple[str, str]],
    ) -> None:
        """Bring the journal in line with a new plan of these kinds and days.

        Args:
            kinds: the kinds the plan is of.
            days: the days it is of.
            unwanted: planned operations that it does not name, as they were read when it was brought in; one that
                another process has changed since is left to it.
            listed: (kind, Shopify id) of all it names; failures of others are resolved, as nothing is left to do.
        """
        mine = (operation.c.kind.in_(kinds), operation.c.partition.in_(days))
        under_review = select(operation.c.kind, operation.c.shopify_id).where(
            *mine, operation.c.state == OperationState.NEEDS_REVIEW
        )
        as_read = {one.id: one.model_dump() for one in unwanted}
        over = {"state": OperationState.WITHDRAWN, "reason": "no longer wanted by the plan"}
        with self._engine.begin() as connection:
            present = self._by_id(connection, as_read)
            self._change(connection, [row for row in present if row == as_read[row["id"]]], lambda _: over)
            reviewed = {(row.kind, row.shopify_id) for row in connection.execute(under_review)}
            row_writes.resolve_errors_except(connection, kinds, days, {*listed, *reviewed}, self._clock.now())

    def postpone(self, reasons: Mapping[int, str]) -> None:
        """Note why operations, by id, are not sent now; they stay where they are."""
        if not reasons:
            return
        with self._engine.begin() as connection:
            self._change(connection, self._by_id(connection, reasons), lambda row: {"reason": reasons[row["id"]]})

    def complete(self, payloads: Mapping[int, str]) -> None:
        """Put into planned operations, by id, what only became known when they can be sent, such as codes of Items."""
        if not payloads:
            return
        with self._engine.begin() as connection:
            planned = self._planned(connection, list(payloads))
            self._change(connection, planned, lambda row: {"payload": payloads[row["id"]]})

    def skip(self, writes: Iterable[PlannedWrite], reason: str) -> None:
        """Enter records that a plan finds nothing is to be written of, unless the journal knows it already."""
        known = {(write.kind, write.shopify_id): write for write in writes}
        now = self._clock.now()
        with self._engine.begin() as connection:
            for kind in {kind for kind, _ in known}:
                ids = [shopify_id for one, shopify_id in known if one == kind]
                newest = read(connection, operation, queries.NEWEST, kind=kind, ids=ids)
                there = {row["shopify_id"] for row in newest if row["state"] != OperationState.REJECTED}
                fresh = {"state": OperationState.WITHDRAWN, "retryable": False, "attempts": 0, "created_at": now}
                rows_of = [known[kind, key].model_dump() for key in ids if key not in there]
                new = [row | fresh | {"updated_at": now, "reason": reason} for row in rows_of]
                if new:
                    connection.execute(insert(operation), new)
                    add_checksums(
                        connection, operation, queries.NEWEST, kind=kind, ids=[row["shopify_id"] for row in new]
                    )

    # -- one request ---------------------------------------------------------------------------------------------------

    def intend(self, request: BatchRequest, operations: Sequence[Operation]) -> Batch:
        """Freeze a request and put its operations in it: state INTENT, ours for the time of a lease.

        Args:
            request: what will be sent.
            operations: what it writes, as read when the request was made.

        Raises:
            JournalOrderError: one of the operations is not planned any more, or planned with another content.
        """
        now = self._clock.now()
        with self._engine.begin() as connection:
            planned = self._planned(connection, [one.id for one in operations])
            if {row["id"]: row["payload"] for row in planned} != {one.id: one.payload for one in operations}:
                raise JournalOrderError("another process has taken on, or changed, what was to be sent")
            values = request.model_dump() | {"body_hash": digest(request.body), "state": BatchState.INTENT}
            leased = {"owner": self._owner, "fence": 1, "lease_until": now + LEASE, "reason": ""}
            result = connection.execute(insert(batch).values(**values, **leased, created_at=now, updated_at=now))
            batch_id = int((result.inserted_primary_key or [0])[0])
            taken = {"state": OperationState.IN_BATCH, "batch_id": batch_id}
            self._change(connection, planned, lambda row: taken | {"attempts": row["attempts"] + 1})
            (made,) = add_checksums(connection, batch, queries.BATCH, id=batch_id)
            return Batch.model_validate(made)

    def mark_sent(
        self, mine: Batch, *, xero_sent_at: datetime | None = None, xero_quiet_at: datetime | None = None
    ) -> Batch:
        """Commit that the first byte is about to leave. Nothing may be sent before this has returned.

        Args:
            mine: the batch.
            xero_sent_at: the present time by Xero's clock, at the latest, if it is known.
            xero_quiet_at: from when on, by Xero's clock, nothing of it can be under way any more.

        Raises:
            JournalOrderError: the batch was sent before.
            FenceLostError: another process has taken it over.
        """
        now = self._clock.now()
        sent = {"state": BatchState.SENT, "first_sent_at": now, "lease_until": now + LEASE}
        sent |= {"xero_sent_at": xero_sent_at, "xero_quiet_at": xero_quiet_at}
        with self._engine.begin() as connection:
            return self._step(connection, mine, [BatchState.INTENT], **sent)

    def renew_lease(self, mine: Batch, pause: timedelta) -> None:
        """Keep a sent batch for one more attempt after a pause.

        Raises:
            FenceLostError: another process has taken it over.
        """
        with self._engine.begin() as connection:
            until = self._clock.now() + pause + LEASE
            self._step(connection, mine, [BatchState.SENT], lease_until=until)

    def take_over(self, found: Batch) -> Batch | None:
        """Take over an unsettled batch whose owner's lease is over; None if somebody has it, or was quicker."""
        now = self._clock.now()
        with self._engine.begin() as connection:
            present = self._batch(connection, found.id)
            if present.is_leased(now) or present.fence != found.fence or present.state not in queries.UNSETTLED:
                return None
            taken = {"owner": self._owner, "fence": present.fence + 1, "lease_until": now + LEASE}
            return self._step(connection, present, queries.UNSETTLED, **taken)

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
        """Note that the outcome is unknown and when it can be read back; the operations stay in the batch.

        Args:
            mine: the batch.
            not_before: about when that is, by our clock.
            reason: why the outcome is unknown, in words for people.
            xero_quiet_at: when that is, by Xero's clock, if it is known; what was noted when it left stands, as Xero's
                time is known more closely with every answer and the wait never becomes shorter.
            status: of the answer, if there was one.
            answer: its body.

        Raises:
            FenceLostError: another process has taken it over.
        """
        unknown = {"state": BatchState.AMBIGUOUS, "not_before": not_before, "reason": reason, "lease_until": None}
        kept = {"http_status": status, "response": answer[:KEPT_RESPONSE] or None}
        with self._engine.begin() as connection:
            quiet_at = self._batch(connection, mine.id).xero_quiet_at or xero_quiet_at
            seen = [BatchState.SENT, BatchState.AMBIGUOUS]
            self._step(connection, mine, seen, **unknown, **kept, xero_quiet_at=quiet_at)
            waiting = read(connection, operation, queries.WAITING, batch=mine.id)
            self._change(connection, waiting, lambda _: {"reason": reason})

    def wait(self, mine: Batch, *, not_before: datetime, xero_quiet_at: datetime) -> None:
        """Note anew when a request of unknown outcome can be read back; see `mark_ambiguous`.

        Raises:
            FenceLostError: another process has taken it over.
        """
        until = {"not_before": not_before, "xero_quiet_at": xero_quiet_at, "lease_until": None}
        with self._engine.begin() as connection:
            self._step(connection, mine, [BatchState.AMBIGUOUS], **until)

    def release(self, mine: Batch, reason: str) -> None:
        """Plan the operations of a batch afresh, because Xero certainly executed nothing of it.

        Raises:
            FenceLostError: another process has taken it over.
        """
        over = {"state": BatchState.RESOLVED, "reason": reason, "body": b"", "lease_until": None}
        again = {"state": OperationState.PLANNED, "reason": reason}
        with self._engine.begin() as connection:
            self._step(connection, mine, [BatchState.INTENT, BatchState.SENT], **over)
            waiting = read(connection, operation, queries.WAITING, batch=mine.id)
            self._change(connection, waiting, lambda row: again | {"attempts": row["attempts"] - 1})

    def settle(
        self,
        verdicts: Sequence[OperationOutcome],
        mine: Batch | None = None,
        *,
        status: int | None = None,
        xero_settled_at: datetime | None = None,
        over: bool = True,
    ) -> None:
        """Record what became of operations, with mapping rows, mirror rows, failures and evidence, in one transaction.

        A verdict counts only while the operation still is where it was found: in the batch, or, without one, in the
        state and the batch in which it was read. Otherwise another process has settled it since.

        Args:
            verdicts: one for each operation.
            mine: the batch whose answer, or whose read-back, shows all this.
            status: of the answer, if that shows it.
            xero_settled_at: the present time by Xero's clock, if it is known.
            over: with a batch: it is over; its bytes, which may hold personal data, are dropped and their hash kept.

        Raises:
            FenceLostError: another process has taken the batch over.
        """
        if not verdicts and mine is None:
            return
        with self._engine.begin() as connection:
            if mine is not None:
                answered = {"http_status": status, "xero_settled_at": xero_settled_at}
                self._conclude(connection, mine, answered, over)
            found = {row["id"]: row for row in self._by_id(connection, [one.operation_id for one in verdicts])}
            self._settle_some(connection, self._counting(found, verdicts, mine), found)

    # ------------------------------------------------------------------------------------------------------------------

    def _plan_some(self, connection: Connection, kind: str, writes: Sequence[PlannedWrite]) -> None:
        ids = [write.shopify_id for write in writes]
        known = {row["shopify_id"]: row for row in read(connection, operation, queries.UNFINISHED, kind=kind, ids=ids)}
        now = self._clock.now()
        fresh = {"state": OperationState.PLANNED, "retryable": False, "attempts": 0, "created_at": now}
        values = {write.shopify_id: write.model_dump() | {"updated_at": now, "reason": ""} for write in writes}
        new = [one | fresh for key, one in values.items() if key not in known]
        if new:
            connection.execute(insert(operation), new)
            add_checksums(connection, operation, queries.PLANNED, kind=kind, ids=[one["shopify_id"] for one in new])
        again = {"state": OperationState.PLANNED, "outcome": None}
        planned = [row for row in known.values() if row["state"] in (OperationState.PLANNED, OperationState.REJECTED)]
        self._change(connection, planned, lambda row: values[row["shopify_id"]] | again)

    def _fitting(self, connection: Connection, kind: str, writes: Sequence[PlannedWrite]) -> list[PlannedWrite]:
        """Return the writes whose record is mapped as they suppose: not at all, or to the Xero id they change."""
        ids = [write.shopify_id for write in writes]
        found = read(connection, entity_mapping, queries.MAPPED, kind=kind, ids=ids)
        mapped = {row["shopify_id"]: row["xero_id"] for row in found}
        return [
            write
            for write in writes
            if mapped.get(write.shopify_id) == (write.xero_id if write.verb in CHANGES else None)
        ]

    def _counting(
        self, found: Mapping[int, Row], verdicts: Sequence[OperationOutcome], mine: Batch | None
    ) -> list[OperationOutcome]:
        """Return the verdicts on operations that still are where they were found."""
        there = {key: (row["state"], row["batch_id"]) for key, row in found.items()}
        in_batch = None if mine is None else (OperationState.IN_BATCH, mine.id)
        return [one for one in verdicts if there.get(one.operation_id) == (in_batch or one.expected_state)]

    def _conclude(self, connection: Connection, mine: Batch, answered: Mapping[str, object], over: bool) -> None:
        allowed = [BatchState.SENT, BatchState.AMBIGUOUS]
        if not over:
            self._step(connection, mine, allowed, **answered)
            return
        state = BatchState.CONFIRMED if answered["http_status"] == 200 else BatchState.RESOLVED
        gone = {"body": b"", "response": None, "lease_until": None}
        self._step(connection, mine, allowed, state=state, **answered, **gone)

    def _settle_some(
        self, connection: Connection, verdicts: Sequence[OperationOutcome], found: Mapping[int, Row]
    ) -> None:
        now = self._clock.now()
        row_writes.write_mapping(connection, [one.mapped for one in verdicts if one.mapped], now)
        row_writes.write_mirror(connection, [one.mirrored for one in verdicts if one.mirrored])
        for removed in (found[one.operation_id] for one in verdicts if one.removed):
            row_writes.delete_record(connection, removed["kind"], removed["shopify_id"], removed["xero_id"], now)
        seen = [one.evidence.model_dump() for one in verdicts if one.evidence]
        if seen:
            connection.execute(insert(evidence), seen)
            add_checksums(connection, evidence, queries.UNSEALED_EVIDENCE, ids=[*{one["operation_id"] for one in seen}])
        wanted = {"state", "outcome", "reason", "retryable", "correlation_id"}
        said = {one.operation_id: one.model_dump(include=wanted) for one in verdicts}
        mapped = {one.operation_id: one.mapped.xero_id for one in verdicts if one.mapped}
        self._change(
            connection,
            [found[key] for key in said],
            lambda row: said[row["id"]] | {"xero_id": mapped.get(row["id"], row["xero_id"])},
        )
        for one in verdicts:
            if one.state in FAILED:
                row_writes.write_error(connection, self._error(connection, one.operation_id))

    def _error(self, connection: Connection, operation_id: int) -> SyncError:
        failed = connection.execute(select(operation).where(operation.c.id == operation_id)).mappings().one()
        same = {name: failed[name] for name in SyncError.model_fields if name in failed}
        mine = (operation.c.kind == failed["kind"], operation.c.shopify_id == failed["shopify_id"])
        written = select(func.max(operation.c.id)).where(*mine, operation.c.state == OperationState.CONFIRMED)
        since = operation.c.id > func.coalesce(written.scalar_subquery(), 0)
        attempts = connection.scalar(select(func.sum(operation.c.attempts)).where(*mine, since))
        now = self._clock.now()
        counted = {"attempts": attempts, "payload_hash": failed["checksum"]}
        again = next_attempt_at(now, attempts, retryable=failed["retryable"])
        told = {"first_failed_at": now, "last_failed_at": now, "next_attempt_at": again}
        return SyncError.model_validate(same | counted | told)

    def _change(self, connection: Connection, found: Sequence[Row], new: Values) -> None:
        """Change operations as they were read, each as `new` says of it."""
        now = self._clock.now()
        update_rows(connection, operation, found, lambda row: {**new(row), "updated_at": now})

    def _step(self, connection: Connection, mine: Batch, allowed: Sequence[BatchState], **values: object) -> Batch:
        """Change a batch, if it is still ours and in one of the states allowed."""
        (found,) = read(connection, batch, queries.BATCH, id=mine.id)
        if found["fence"] != mine.fence:
            raise FenceLostError(f"batch {mine.id} has been taken over by {found['owner']}")
        if found["state"] not in allowed:
            raise JournalOrderError(f"batch {mine.id} is {found['state']}, not {' or '.join(allowed)}")
        values["updated_at"] = self._clock.now()
        (changed,) = update_rows(connection, batch, [found], lambda _: values)
        return Batch.model_validate(changed)

    def _batch(self, connection: Connection, batch_id: int) -> Batch:
        (found,) = read(connection, batch, queries.BATCH, id=batch_id)
        return Batch.model_validate(found)

    def _planned(self, connection: Connection, ids: Sequence[int]) -> list[Row]:
        return [row for row in self._by_id(connection, ids) if row["state"] == OperationState.PLANNED]

    def _by_id(self, connection: Connection, ids: Collection[int]) -> list[Row]:
        return [row for some in chunks(ids) for row in read(connection, operation, queries.BY_ID, ids=some)]

    def _operations(self, query: Select[Any], **given: object) -> list[Operation]:
        with self._engine.begin() as connection:
            return [Operation.model_validate(row) for row in read(connection, operation, query, **given)]
