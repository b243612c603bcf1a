"""Metrics of a state store, computed on demand in one short transaction.

This module only counts; `service/health.py` judges the metrics and `service/metrics.py` formats them. No metric names a
record, so none is personal.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Engine, Select, func, select

from shopify_xero_pipeline.state import queries
from shopify_xero_pipeline.state.api_calls import CALL_RETENTION, LIMITS_KEY, LimitStatus, parse_limit_status
from shopify_xero_pipeline.state.queries import with_prefix
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
"""Age of the oldest load in `StoreMetrics.loads`."""

COUNTED = ("created", "updated", "adopted", "deleted", "unchanged", "failed", "postponed")
RECONCILIATION_PREFIX = "reconciliation."
"""Prefix of the keys under which reconciliations of days are stored."""


@dataclass(frozen=True)
class Load:
    """A load, with the run, the end (UTC), the duration, the calls to Xero and the number of records by outcome."""

    run_id: str
    finished_at: datetime
    duration: timedelta
    calls: int
    records: Mapping[str, int]

    @property
    def is_clean(self) -> bool:
        """Whether no record failed or was postponed."""
        return not self.records["failed"] and not self.records["postponed"]


@dataclass(frozen=True)
class StoreMetrics:
    """Metrics of a store. Instants are UTC.

    Attributes:
        operations: the number of operations by state.
        mapped: the number of mapped records by kind.
        failed: the number of open failures by (kind, whether the failure is transient).
        unsettled: the number of batches with an unknown outcome.
        unsettled_since: the creation of the oldest of these batches, or the last change of the oldest record that needs
            a check.
        loads: the loads of the last 24 hours, oldest first.
        last_whole_load: the end of the last load without failed or postponed records.
        last_comparison: the time of the last reconciliation of a day, which ends each sync.
        latencies: the duration in seconds of each ended call to Xero among `calls`.
        calls: the number of calls to Xero that began within the last ten minutes.
        standing: Xero's rate limits, from its responses.
        hints: the number of unprocessed hints by source.
        requests: the number of open privacy requests, and the time when the oldest was received.
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
    """Return the metrics of a store at an instant."""
    with engine.begin() as connection:
        unsettled, since = connection.execute(_UNSETTLED).one()
        requests, oldest = connection.execute(_REQUESTS).one()
        unchecked_since = connection.scalar(_UNCHECKED_SINCE)
        calls = connection.execute(
            select(api_call.c.started_at, api_call.c.ended_at).where(api_call.c.started_at > now - CALL_RETENTION)
        )
        durations = [row.ended_at and (row.ended_at - row.started_at).total_seconds() for row in calls]
        return StoreMetrics(
            operations=_count_by(connection, operation.c.state),
            mapped=_count_by(connection, entity_mapping.c.kind),
            failed={(row.kind, row.retryable): row.failures for row in connection.execute(_FAILED)},
            unsettled=unsettled,
            unsettled_since=min(filter(None, (since, unchecked_since)), default=None),
            loads=_read_loads(connection, now - RECENT_PERIOD),
            last_whole_load=connection.scalar(_LAST_CLEAN_LOAD),
            last_comparison=connection.scalar(_LAST_RECONCILIATION),
            latencies=[seconds for seconds in durations if seconds is not None],
            calls=len(durations),
            standing=parse_limit_status(connection.scalar(_LIMITS)),
            hints=_count_by(connection, webhook_hint.c.source, _IS_OPEN, webhook_hint.c.topic.not_in(PRIVACY)),
            requests=(requests, oldest),
        )


_UNSETTLED: Select[int, Any] = select(func.count(), func.min(batch.c.created_at)).where(
    batch.c.state.in_(queries.UNSETTLED)
)
_UNCHECKED_SINCE = select(func.min(operation.c.updated_at)).where(operation.c.state == OperationState.NEEDS_CHECK)
_FAILED: Select[Any] = (
    select(sync_errors.c.kind, sync_errors.c.retryable, func.count().label("failures"))
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
_CLEAN_LOADS = (
    select(sync_history.c.finished_at)
    .group_by(*_LOAD)
    .having(func.sum(sync_history.c.failed + sync_history.c.postponed) == 0)
    .subquery()
)
_LAST_CLEAN_LOAD = select(func.max(_CLEAN_LOADS.c.finished_at))
_LAST_RECONCILIATION = select(func.max(key_value.c.updated_at)).where(
    with_prefix(key_value.c.key, RECONCILIATION_PREFIX)
)
_LIMITS = select(key_value.c.value).where(key_value.c.key == LIMITS_KEY)
_IS_OPEN = webhook_hint.c.processed_at.is_(None)
_REQUESTS: Select[int, Any] = select(func.count(), func.min(webhook_hint.c.received_at)).where(
    _IS_OPEN, webhook_hint.c.topic.in_(PRIVACY)
)


def _count_by(connection: Connection, column: Column[str], *where: ColumnElement[bool]) -> dict[str, int]:
    rows = connection.execute(select(column, func.count()).where(*where).group_by(column))
    return {key: count for key, count in rows}


def _read_loads(connection: Connection, after: datetime) -> list[Load]:
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
