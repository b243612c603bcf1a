"""What a store shows of itself in figures: counts and times, computed when somebody asks, in one short transaction.

Only counting belongs here; whether a figure is good is for `service/health.py`, how it is shown for
`service/metrics.py`. No figure names a record, so nothing personal is among them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, Select, Table, func, select

from shopify_xero_pipeline.state import queries
from shopify_xero_pipeline.state.api_calls import CALL_RETENTION, STANDING, LimitStatus, read_standing
from shopify_xero_pipeline.state.records import OperationState
from shopify_xero_pipeline.state.tables import (
    api_call,
    batch,
    entity_mapping,
    key_value,
    operation,
    sync_errors,
    sync_history,
    webhook_hint,
)
from shopify_xero_pipeline.state.webhook_hints import PRIVACY

RECENT_PERIOD = timedelta(days=1)
COUNTED = ("created", "updated", "adopted", "deleted", "unchanged", "failed", "postponed")
COMPARED = "reconciliation."


@dataclass(frozen=True)
class Load:
    """One load: of which run, when it ended, how long it took, the calls it made, and its records by outcome."""

    run_id: str
    finished_at: datetime
    duration: timedelta
    calls: int
    records: Mapping[str, int]

    @property
    def is_clean(self) -> bool:
        """Whether nothing of it failed or was left for later."""
        return not self.records["failed"] and not self.records["postponed"]


@dataclass(frozen=True)
class StoreMetrics:
    """A store in figures. Instants are UTC.

    Attributes:
        operations: how many writes stand in each state.
        mapped: how many records of each kind are in Xero.
        failed: how many open failures there are, by kind and by whether trying again can help.
        unsettled: how many requests to Xero have an outcome that is not known yet.
        unsettled_since: since when the oldest of them, or of the records to be read back, is in doubt.
        loads: those of the last 24 hours, oldest first.
        last_whole_load: when a load last ended with nothing failed or left.
        last_comparison: when a day was last compared, which ends each sync.
        latencies: seconds of each call to Xero that ended, of those that began within the last ten minutes.
        calls: how many calls to Xero began within the last ten minutes.
        standing: what Xero's answers said of its limits.
        hints: how many hints nobody has looked at, by source.
        requests: how many privacy requests nobody has seen to, and since when the oldest one waits.
    """

    operations: Mapping[str, int]
    mapped: Mapping[str, int]
    failed: Mapping[tuple[str, bool], int]
    unsettled: int
    unsettled_since: datetime | None
    loads: Sequence[Load]
    last_whole_load: datetime | None
    last_comparison: datetime | None
    latencies: Sequence[float]
    calls: int
    standing: LimitStatus
    hints: Mapping[str, int]
    requests: tuple[int, datetime | None]


def read_metrics(engine: Engine, now: datetime) -> StoreMetrics:
    """Compute the figures of a store."""
    with engine.begin() as connection:
        unsettled, since = connection.execute(_UNSETTLED).one()
        requests, oldest = connection.execute(_REQUESTS).one()
        in_doubt = connection.scalar(_IN_DOUBT)
        calls = connection.execute(
            select(api_call.c.started_at, api_call.c.ended_at).where(api_call.c.started_at > now - CALL_RETENTION)
        )
        took = [row.ended_at and (row.ended_at - row.started_at).total_seconds() for row in calls]
        return StoreMetrics(
            operations=_counts(connection, operation, operation.c.state),
            mapped=_counts(connection, entity_mapping, entity_mapping.c.kind),
            failed={(row.kind, row.retryable): row.found for row in connection.execute(_FAILED)},
            unsettled=unsettled,
            unsettled_since=min(filter(None, (since, in_doubt)), default=None),
            loads=_loads(connection, now - RECENT_PERIOD),
            last_whole_load=connection.scalar(_LAST_WHOLE),
            last_comparison=connection.scalar(_LAST_COMPARED),
            latencies=[seconds for seconds in took if seconds is not None],
            calls=len(took),
            standing=read_standing(connection.scalar(_STANDING)),
            hints=_counts(
                connection,
                webhook_hint,
                webhook_hint.c.source,
                webhook_hint.c.processed_at.is_(None),
                webhook_hint.c.topic.not_in(PRIVACY),
            ),
            requests=(requests, oldest),
        )


_UNSETTLED: Select[int, Any] = select(func.count(), func.min(batch.c.created_at)).where(
    batch.c.state.in_(queries.UNSETTLED)
)
_IN_DOUBT = select(func.min(operation.c.updated_at)).where(operation.c.state == OperationState.NEEDS_CHECK)
_FAILED: Select[Any] = (
    select(sync_errors.c.kind, sync_errors.c.retryable, func.count().label("found"))
    .where(sync_errors.c.resolved_at.is_(None), sync_errors.c.dismissed_at.is_(None))
    .group_by(sync_errors.c.kind, sync_errors.c.retryable)
)
_LOAD = (sync_history.c.run_id, sync_history.c.finished_at)
_HISTORY: Select[Any] = select(
    *_LOAD,
    func.max(sync_history.c.duration_ms).label("duration_ms"),
    func.max(sync_history.c.calls).label("calls"),
    *(func.sum(sync_history.c[name]).label(name) for name in COUNTED),
).group_by(*_LOAD)
_WHOLE = (
    select(sync_history.c.finished_at)
    .group_by(*_LOAD)
    .having(func.sum(sync_history.c.failed + sync_history.c.postponed) == 0)
    .subquery()
)
_LAST_WHOLE = select(func.max(_WHOLE.c.finished_at))
_LAST_COMPARED = select(func.max(key_value.c.updated_at)).where(key_value.c.key.startswith(COMPARED))
_STANDING = select(key_value.c.value).where(key_value.c.key == STANDING)
_REQUESTS: Select[int, Any] = select(func.count(), func.min(webhook_hint.c.received_at)).where(
    webhook_hint.c.processed_at.is_(None), webhook_hint.c.topic.in_(PRIVACY)
)


def _counts(connection: Connection, table: Table, by: Any, *where: Any) -> dict[str, int]:
    found = connection.execute(select(by, func.count()).select_from(table).where(*where).group_by(by))
    return {key: count for key, count in found}


def _loads(connection: Connection, after: datetime) -> list[Load]:
    query = _HISTORY.where(sync_history.c.finished_at > after).order_by(sync_history.c.finished_at)
    return [
        Load(
            run_id=row.run_id,
            finished_at=row.finished_at,
            duration=timedelta(milliseconds=row.duration_ms),
            calls=row.calls,
            records={name: int(getattr(row, name)) for name in COUNTED},
        )
        for row in connection.execute(query)
    ]
