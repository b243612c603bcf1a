"""The figures of the state store in Prometheus' format, computed when somebody asks; nothing is kept in between.

Names, units and labels belong here, counting to `state/store_metrics.py`. Labels are states, kinds and outcomes, of
which there are few; none names a record.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from shopify_xero_pipeline.clock import Clock
from shopify_xero_pipeline.state.records import OperationState
from shopify_xero_pipeline.state.store_metrics import COUNTED, StoreMetrics

PREFIX = "shopify_xero_"
QUANTILES = (0.5, 0.95)
Samples = Mapping[Any, float]


class _OnDemand(Collector):
    def __init__(self, figures: Callable[[], StoreMetrics], clock: Clock) -> None:
        self._figures = figures
        self._clock = clock

    def describe(self) -> Iterable[Metric]:
        """Say nothing beforehand, or registering would read the store."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """Read the store."""
        return metric_families(self._figures(), self._clock.now())


def render_metrics(figures: Callable[[], StoreMetrics], clock: Clock) -> bytes:
    """Return the text that `/metrics` answers; raises whatever reading the figures raises."""
    registry = CollectorRegistry()
    registry.register(_OnDemand(figures, clock))
    return generate_latest(registry)


def metric_families(found: StoreMetrics, now: datetime) -> Iterator[Metric]:
    """Yield the metrics of a store's figures; a figure that there is none of has no sample."""
    yield from _records(found)
    yield from _loads(found)
    yield from _xero(found)
    yield from _waiting(found, now)


def _records(found: StoreMetrics) -> Iterator[Metric]:
    states = {(str(state),): float(found.operations.get(state, 0)) for state in OperationState}
    yield _gauge("operations", "Writes in the journal by state.", ["state"], states)
    mapped = {(kind,): float(count) for kind, count in found.mapped.items()}
    yield _gauge("mapped_records", "Records that are in Xero, by kind.", ["kind"], mapped)
    kinds = {*found.mapped, *(kind for kind, _ in found.failed)}
    failed = {
        (kind, "yes" if retryable else "no"): float(found.failed.get((kind, retryable), 0))
        for kind in kinds
        for retryable in (True, False)
    }
    says = "Failed records that are open, by kind and by whether trying again can help."
    yield _gauge("failed_records", says, ["kind", "retryable"], failed)


def _loads(found: StoreMetrics) -> Iterator[Metric]:
    whole = sum(load.is_clean for load in found.loads)
    results = {("whole",): float(whole), ("partial",): float(len(found.loads) - whole)}
    yield _gauge("loads", "Loads of the last 24 hours: whole, or with records failed or left.", ["result"], results)
    outcomes = {(name,): float(sum(load.records[name] for load in found.loads)) for name in COUNTED}
    yield _gauge("load_records", "Records of the loads of the last 24 hours, by outcome.", ["outcome"], outcomes)
    ratio = {(): whole / len(found.loads)} if found.loads else {}
    yield _gauge("load_success_ratio", "Share of the last 24 hours' loads that were whole.", [], ratio)
    runs = defaultdict[str, float](float)
    for load in found.loads:
        runs[load.run_id] += load.duration.total_seconds()
    says = "Seconds for which the runs of the last 24 hours were loading."
    yield _gauge("sync_duration_seconds", says, ["quantile"], _quantiles(list(runs.values())))
    calls = {(): float(sum(load.calls for load in found.loads))}
    yield _gauge("load_calls", "Calls to Xero of the loads of the last 24 hours.", [], calls)
    for name, at, says in (
        ("last_whole_load", found.last_whole_load, "When a load last ended with nothing failed or left."),
        ("last_comparison", found.last_comparison, "When the books were last compared, which ends each sync."),
    ):
        yield _gauge(f"{name}_timestamp_seconds", says, [], {(): at.timestamp()} if at else {})


def _xero(found: StoreMetrics) -> Iterator[Metric]:
    says = "Seconds that Xero took to answer, calls of the last ten minutes."
    yield _gauge("xero_latency_seconds", says, ["quantile"], _quantiles(found.latencies))
    yield _gauge("xero_calls", "Calls to Xero of the last ten minutes.", [], {(): float(found.calls)})
    left = {("day",): found.standing.day_left, ("minute",): found.standing.minute_left}
    known = {window: float(count) for window, count in left.items() if count is not None}
    yield _gauge("xero_calls_left", "Calls that Xero allows, as its last answer said.", ["window"], known)
    seen = found.standing.day_seen_at
    says = "When Xero last said how many calls are left."
    yield _gauge("xero_calls_left_timestamp_seconds", says, [], {(): seen.timestamp()} if seen else {})
    ahead = {(host,): by.total_seconds() for host, by in found.standing.clocks_ahead.items()}
    yield _gauge("clock_ahead_seconds", "How far a host's clock is ahead of Xero's, negative behind.", ["host"], ahead)


def _waiting(found: StoreMetrics, now: datetime) -> Iterator[Metric]:
    requests, oldest = found.requests
    for name, count, since, says in (
        ("unsettled_requests", found.unsettled, found.unsettled_since, "requests to Xero whose outcome is not known"),
        ("privacy_requests", requests, oldest, "privacy requests that nobody has seen to"),
    ):
        yield _gauge(name, f"How many there are: {says}.", [], {(): float(count)})
        age = (now - since).total_seconds() if since else 0.0
        yield _gauge(f"{name}_age_seconds", f"For how long the oldest waits: {says}.", [], {(): age})
    hints = {(source,): float(found.hints.get(source, 0)) for source in ("shopify", "xero")}
    yield _gauge("hints", "Hints of webhooks at which nobody has looked yet.", ["source"], hints)


def _quantiles(seconds: Sequence[float]) -> Samples:
    """Return the quantiles by nearest rank: each is a time that was really taken."""
    ranked = sorted(seconds)
    return {(str(share),): ranked[-int(-share * len(ranked) // 1) - 1] for share in QUANTILES} if ranked else {}


def _gauge(name: str, says: str, labels: Sequence[str], samples: Samples) -> GaugeMetricFamily:
    family = GaugeMetricFamily(PREFIX + name, says, labels=labels)
    for values, sample in sorted(samples.items()):
        family.add_metric(values, sample)
    return family
