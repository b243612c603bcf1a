"""What must be true of a live state store at any moment, asked of the store itself: the journal's promises I1 to I12.

Only what our own tables can show belongs here; what Xero shows, and where secrets lie, is `pipeline/diagnostics.py`'s.
Damage is `verification.py`'s: a damaged store is not examined.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine, Select, func, select

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
# Written here once more, on purpose: the promises are not measured by the constants that are to keep them.
GRACE = timedelta(minutes=30)
CALLS_PER_MINUTE, MAX_CONCURRENT_CALLS = 60, 5
GONE = ("VOIDED", "DELETED", "ARCHIVED")
OVER = (BatchState.CONFIRMED, BatchState.RESOLVED)
Rows = Iterator[str]


@dataclass(frozen=True)
class InvariantResult:
    """One invariant: its number and words, how many rows it was asked of, and those that break it, named by ids.

    `noted` breaks nothing and has to be known all the same.
    """

    number: str
    description: str
    checked: int
    violations: Sequence[str]
    noted: Sequence[str] = ()


def check_invariants(engine: Engine, now: datetime) -> list[InvariantResult]:
    """Ask a store for its invariants, in one transaction."""
    with engine.begin() as connection:
        return [
            InvariantResult(number, says, _count(connection, asked), tuple(broken(connection, now)))
            for number, says, asked, broken in INVARIANTS
        ]


def _count(connection: Connection, query: Select[int]) -> int:
    return connection.scalar(query) or 0


def _doubles(connection: Connection, _now: datetime) -> Rows:
    """Yield natural keys that more than one live record of ours in Xero bears."""
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


def _states(connection: Connection, _now: datetime) -> Rows:
    known = [*OperationState]
    for row in connection.execute(select(operation.c.id, operation.c.state).where(operation.c.state.not_in(known))):
        yield f"operation {row.id}: {row.state}"
    lost = select(operation.c.id).outerjoin(batch, batch.c.id == operation.c.batch_id)
    waiting = operation.c.state == OperationState.IN_BATCH
    for row in connection.execute(lost.where(waiting, batch.c.id.is_(None) | batch.c.state.in_(OVER))):
        yield f"operation {row.id} waits for a batch that is over"


def _bodies(connection: Connection, _now: datetime) -> Rows:
    for row in connection.execute(select(batch.c.id, batch.c.body, batch.c.body_hash).where(batch.c.body != b"")):
        if digest(row.body) != row.body_hash:
            yield f"batch {row.id}"


def _unmarked(connection: Connection, _now: datetime) -> Rows:
    left = batch.c.http_status.is_not(None) | batch.c.state.in_([BatchState.SENT, BatchState.AMBIGUOUS])
    for row in connection.execute(select(batch.c.id).where(left, batch.c.first_sent_at.is_(None))):
        yield f"batch {row.id}"


def _late(connection: Connection, _now: datetime) -> Rows:
    """Yield batches answered so late, by Xero's clock, that a byte must have left after the time for it."""
    mine = (batch.c.state == BatchState.CONFIRMED, batch.c.not_before.is_(None), batch.c.xero_sent_at.is_not(None))
    for row in connection.execute(select(batch.c.id, batch.c.xero_sent_at, batch.c.xero_settled_at).where(*mine)):
        took = row.xero_settled_at - row.xero_sent_at if row.xero_settled_at is not None else timedelta()
        if took > REPLAY_HORIZON + 2 * DEADLINE:
            yield f"batch {row.id}: answered {took} after its mark"


def _too_early(connection: Connection, _now: datetime) -> Rows:
    """Yield batches of unknown outcome settled before their quiet time was over by Xero's clock, or without looking."""
    unknown = (batch.c.not_before.is_not(None), batch.c.state.in_(OVER))
    early = batch.c.xero_settled_at < func.coalesce(batch.c.xero_quiet_at, batch.c.xero_settled_at)
    for row in connection.execute(select(batch.c.id).where(*unknown, early)):
        yield f"batch {row.id}: before its time"
    sent = select(batch.c.id, batch.c.xero_sent_at, batch.c.xero_quiet_at).where(*unknown)
    for row in connection.execute(sent.where(batch.c.xero_sent_at.is_not(None))):
        if row.xero_quiet_at is None or row.xero_quiet_at < row.xero_sent_at + QUIESCENCE:
            yield f"batch {row.id}: its quiet time is too short"
    looked = select(evidence.c.operation_id).where(evidence.c.batch_id == batch.c.id)
    unseen = select(operation.c.id).join(batch, batch.c.id == operation.c.batch_id)
    adopted = (operation.c.outcome == "adopted", *unknown, operation.c.id.not_in(looked), operation.c.verb == "create")
    for row in connection.execute(unseen.where(*adopted)):
        yield f"operation {row.id}: settled without evidence"


def _unfenced(connection: Connection, _now: datetime) -> Rows:
    """Yield open batches that nobody took, written since batches have owners."""
    bad = (batch.c.state.not_in(OVER), batch.c.fence < 1, batch.c.owner != "")
    for row in connection.execute(select(batch.c.id).where(*bad)):
        yield f"batch {row.id}"


def _tokens(connection: Connection, now: datetime) -> Rows:
    for row in connection.execute(select(oauth_token.c.name, oauth_token.c.refresh, oauth_token.c.refresh_started_at)):
        if not row.refresh:
            yield f"{row.name}: no refresh token"
        if row.refresh_started_at is not None and now - row.refresh_started_at > GRACE:
            yield f"{row.name}: a renewal begun at {row.refresh_started_at:%d %b %H:%M} UTC never ended"


def _crowds(connection: Connection, _now: datetime) -> Rows:
    rows = connection.execute(select(api_call.c.started_at, api_call.c.ended_at).order_by(api_call.c.started_at)).all()
    starts = [row.started_at for row in rows]
    for first, last in zip(starts, starts[CALLS_PER_MINUTE:], strict=False):
        if last < first + timedelta(seconds=60):
            yield f"{CALLS_PER_MINUTE + 1} calls within a minute from {first:%H:%M:%S} UTC"
    for row in rows:
        beside = sum(other.started_at <= row.started_at < (other.ended_at or row.started_at) for other in rows)
        if beside > MAX_CONCURRENT_CALLS:
            yield f"{beside} calls at once at {row.started_at:%H:%M:%S} UTC"


ALL_OPERATIONS, ALL_BATCHES = select(func.count()).select_from(operation), select(func.count()).select_from(batch)
INVARIANTS: tuple[tuple[str, str, Select[int], Callable[[Connection, datetime], Rows]], ...] = (
    ("I1", "no two live records in Xero bear one key of ours", select(func.count()).select_from(xero_mirror), _doubles),
    ("I3", "every planned record is in a known state, and waits for something that can end", ALL_OPERATIONS, _states),
    ("I4", "the bytes of a request are those that its key was given to", ALL_BATCHES, _bodies),
    ("I5", "no request has left that was not marked first", ALL_BATCHES, _unmarked),
    ("I6", "no request was sent once more after its window", ALL_BATCHES, _late),
    ("I7", "nothing unknown was settled before the quiet time, or without looking", ALL_BATCHES, _too_early),
    ("I8", "every open request has an owner's fence", ALL_BATCHES, _unfenced),
    ("I10", "a refresh token is kept, and no renewal is stuck", select(func.count()).select_from(oauth_token), _tokens),
    ("I11", "at most 60 calls a minute and 5 at once", select(func.count()).select_from(api_call), _crowds),
)
