"""Invariants of a live state store, checked on its own tables (docs/reliability.md, "Invariants").

`pipeline/diagnostics.py` checks the invariants that need Xero or Dagster's files. `verification.py` detects damage, and
a damaged store is not checked here.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine, Table, func, select

from shopify_xero_pipeline.state.canonical import digest
from shopify_xero_pipeline.state.records import BatchState, OperationState
from shopify_xero_pipeline.state.tables import (
    api_call,
    batch,
    entity_mapping,
    evidence,
    oauth_token,
    operation,
    xero_mirror,
)

REPLAY_HORIZON, DEADLINE, QUIESCENCE = timedelta(seconds=120), timedelta(seconds=30), timedelta(seconds=600)
# Duplicated on purpose: a check must not use the constant of the code that it checks.
GRACE = timedelta(minutes=30)
"""Age at which an unfinished token refresh counts as stuck."""

CALLS_PER_MINUTE, MAX_CONCURRENT_CALLS = 60, 5
GONE = ("VOIDED", "DELETED", "ARCHIVED")
ENDED = (BatchState.CONFIRMED, BatchState.RESOLVED)
Check = Callable[[Connection, datetime], Iterator[str]]
INVARIANTS: list[tuple[str, str, Table, Check]] = []
"""Number, words, table of the checked rows, and check of each invariant, in the order of numbers."""


@dataclass(frozen=True)
class InvariantResult:
    """The result of one check.

    Attributes:
        number: the number of the invariant, such as `I3`.
        description: the invariant in words.
        checked: the number of rows checked.
        violations: the rows that violate the invariant, named by their ids.
        noted: facts that violate nothing but that a person should know.
    """

    number: str
    description: str
    checked: int
    violations: Sequence[str]
    noted: Sequence[str] = ()


def check_invariants(engine: Engine, now: datetime) -> list[InvariantResult]:
    """Return the result of every check, from one transaction.

    Args:
        engine: the engine of the state store.
        now: the present time, in UTC.
    """
    with engine.begin() as connection:
        return [
            InvariantResult(
                number,
                description,
                connection.scalar(select(func.count()).select_from(table)) or 0,
                tuple(violations(connection, now)),
            )
            for number, description, table, violations in INVARIANTS
        ]


def _invariant(number: str, description: str, table: Table) -> Callable[[Check], Check]:
    """Return the decorator that adds the check of an invariant.

    Args:
        number: the number of the invariant.
        description: the invariant in words.
        table: the table whose rows are checked.
    """

    def add(check: Check) -> Check:
        INVARIANTS.append((number, description, table, check))
        return check

    return add


@_invariant("I1", "no two live records in Xero have the same key of this project", xero_mirror)
def _duplicates(connection: Connection, _now: datetime) -> Iterator[str]:
    """Yield natural keys of this project that more than one live record in Xero has."""
    m, e = xero_mirror, entity_mapping
    ours = select(e.c.kind, e.c.natural_key).distinct().subquery()
    query = (
        select(m.c.kind, m.c.natural_key, func.count())
        .join(ours, (ours.c.kind == m.c.kind) & (ours.c.natural_key == m.c.natural_key))
        .where(m.c.status.not_in(GONE))
        .group_by(m.c.kind, m.c.natural_key)
        .having(func.count() > 1)
    )
    for kind, key, count in connection.execute(query):
        yield f"{kind} {key}: {count} records"


@_invariant("I3", "every planned record is in a known state, and waits only for a batch that can end", operation)
def _unknown_states(connection: Connection, _now: datetime) -> Iterator[str]:
    known = [*OperationState]
    for row in connection.execute(select(operation.c.id, operation.c.state).where(operation.c.state.not_in(known))):
        yield f"operation {row.id}: {row.state}"
    lost = select(operation.c.id).outerjoin(batch, batch.c.id == operation.c.batch_id)
    waiting = operation.c.state == OperationState.IN_BATCH
    for row in connection.execute(lost.where(waiting, batch.c.id.is_(None) | batch.c.state.in_(ENDED))):
        yield f"operation {row.id} waits for a batch that has ended"


@_invariant("I4", "the body of a request is the one its Idempotency-Key was created for", batch)
def _changed_bodies(connection: Connection, _now: datetime) -> Iterator[str]:
    for row in connection.execute(select(batch.c.id, batch.c.body, batch.c.body_hash).where(batch.c.body != b"")):
        if digest(row.body) != row.body_hash:
            yield f"batch {row.id}"


@_invariant("I5", "no request left before the journal marked its batch SENT", batch)
def _sent_without_mark(connection: Connection, _now: datetime) -> Iterator[str]:
    sent = batch.c.http_status.is_not(None) | batch.c.state.in_([BatchState.SENT, BatchState.AMBIGUOUS])
    for row in connection.execute(select(batch.c.id).where(sent, batch.c.first_sent_at.is_(None))):
        yield f"batch {row.id}"


@_invariant("I6", "no request was sent again after its replay window of 120 s", batch)
def _sent_too_late(connection: Connection, _now: datetime) -> Iterator[str]:
    """Yield batches whose response came so late, by Xero's clock, that a byte left after the replay window."""
    answered = (batch.c.state == BatchState.CONFIRMED, batch.c.not_before.is_(None), batch.c.xero_sent_at.is_not(None))
    for row in connection.execute(select(batch.c.id, batch.c.xero_sent_at, batch.c.xero_settled_at).where(*answered)):
        duration = row.xero_settled_at - row.xero_sent_at if row.xero_settled_at is not None else timedelta()
        if duration > REPLAY_HORIZON + 2 * DEADLINE:
            yield f"batch {row.id}: answered {duration} after it was marked SENT"


@_invariant(
    "I7", "no batch with an unknown outcome was settled before its quiet time of 600 s, or without a read-back", batch
)
def _settled_too_early(connection: Connection, _now: datetime) -> Iterator[str]:
    """Yield batches of unknown outcome settled before the end of their quiet time, by Xero's clock, or unread."""
    unknown = (batch.c.not_before.is_not(None), batch.c.state.in_(ENDED))
    early = batch.c.xero_settled_at < func.coalesce(batch.c.xero_quiet_at, batch.c.xero_settled_at)
    for row in connection.execute(select(batch.c.id).where(*unknown, early)):
        yield f"batch {row.id}: settled before the end of its quiet time"
    sent = select(batch.c.id, batch.c.xero_sent_at, batch.c.xero_quiet_at).where(*unknown)
    for row in connection.execute(sent.where(batch.c.xero_sent_at.is_not(None))):
        if row.xero_quiet_at is None or row.xero_quiet_at < row.xero_sent_at + QUIESCENCE:
            yield f"batch {row.id}: its quiet time is too short"
    with_evidence = select(evidence.c.operation_id).where(evidence.c.batch_id == batch.c.id)
    settled = select(operation.c.id).join(batch, batch.c.id == operation.c.batch_id)
    adopted = (
        operation.c.outcome == "adopted",
        *unknown,
        operation.c.id.not_in(with_evidence),
        operation.c.verb == "create",
    )
    for row in connection.execute(settled.where(*adopted)):
        yield f"operation {row.id}: settled without evidence"


@_invariant("I8", "every open batch has the fence of an owner", batch)
def _unfenced(connection: Connection, _now: datetime) -> Iterator[str]:
    """Yield open batches with an owner but without a fence; batches of older versions have no owner."""
    unfenced = (batch.c.state.not_in(ENDED), batch.c.fence < 1, batch.c.owner != "")
    for row in connection.execute(select(batch.c.id).where(*unfenced)):
        yield f"batch {row.id}"


@_invariant("I10", "a refresh token is stored, and no token refresh is stuck", oauth_token)
def _stuck_tokens(connection: Connection, now: datetime) -> Iterator[str]:
    for row in connection.execute(select(oauth_token.c.name, oauth_token.c.refresh, oauth_token.c.refresh_started_at)):
        if not row.refresh:
            yield f"{row.name}: no refresh token"
        if row.refresh_started_at is not None and now - row.refresh_started_at > GRACE:
            yield f"{row.name}: a token refresh of {row.refresh_started_at:%d %b %H:%M} UTC never finished"


@_invariant("I11", "Xero gets at most 60 calls in any minute and 5 at once", api_call)
def _exceeded_limits(connection: Connection, _now: datetime) -> Iterator[str]:
    rows = connection.execute(select(api_call.c.started_at, api_call.c.ended_at).order_by(api_call.c.started_at)).all()
    starts = [row.started_at for row in rows]
    for first, last in zip(starts, starts[CALLS_PER_MINUTE:], strict=False):
        if last < first + timedelta(seconds=60):
            yield f"{CALLS_PER_MINUTE + 1} calls within a minute from {first:%H:%M:%S} UTC"
    for row in rows:
        concurrent = sum(other.started_at <= row.started_at < (other.ended_at or row.started_at) for other in rows)
        if concurrent > MAX_CONCURRENT_CALLS:
            yield f"{concurrent} calls at once at {row.started_at:%H:%M:%S} UTC"
