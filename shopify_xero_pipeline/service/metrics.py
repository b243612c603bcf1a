"""Metrics of the state store in Prometheus' format, computed at each scrape and not cached.

This module has the names, units and labels; `state/store_metrics.py` counts. Labels are states, kinds and outcomes, so
that their number is small, and never records.
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


class _Families(Collector):
    """The adapter of metric families for a registry."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def render_metrics(metrics: Callable[[], StoreMetrics], clock: Clock) -> bytes:
    """Return the response text of `/metrics`; raises whatever `metrics` raises."""
    registry = CollectorRegistry()
    registry.register(_Families(metric_families(metrics(), clock.now())))
    return generate_latest(registry)


def metric_families(metrics: StoreMetrics, now: datetime) -> Iterator[Metric]:
    """Yield the metric families of a store; an unknown figure has no sample.

    Args:
        metrics: the figures of the store.
        now: the present instant in UTC.
    """
    yield from _records(metrics)
    yield from _loads(metrics)
    yield from _xero(metrics)
    yield from _waiting(metrics, now)


def _records(metrics: StoreMetrics) -> Iterator[Metric]:
    states = {(str(state),): float(metrics.operations.get(state, 0)) for state in OperationState}
    yield _gauge("operations", "Operations in the journal, by state.", ["state"], states)
    mapped = {(kind,): float(count) for kind, count in metrics.mapped.items()}
    yield _gauge("mapped_records", "Records that are in Xero, by kind.", ["kind"], mapped)
    kinds = {*metrics.mapped, *(kind for kind, _ in metrics.failed)}
    failed = {
        (kind, "yes" if retryable else "no"): float(metrics.failed.get((kind, retryable), 0))
        for kind in kinds
        for retryable in (True, False)
    }
    text = "Open failed records, by kind and by whether a retry can succeed."
    yield _gauge("failed_records", text, ["kind", "retryable"], failed)


def _loads(metrics: StoreMetrics) -> Iterator[Metric]:
    clean = sum(load.is_clean for load in metrics.loads)
    results = {("whole",): float(clean), ("partial",): float(len(metrics.loads) - clean)}
    text = "Loads of the last 24 hours: whole, or partial with failed or postponed records."
    yield _gauge("loads", text, ["result"], results)
    outcomes = {(name,): float(sum(load.records[name] for load in metrics.loads)) for name in COUNTED}
    yield _gauge("load_records", "Records of the loads of the last 24 hours, by outcome.", ["outcome"], outcomes)
    ratio = {(): clean / len(metrics.loads)} if metrics.loads else {}
    yield _gauge("load_success_ratio", "Share of whole loads in the last 24 hours.", [], ratio)
    runs = defaultdict[str, float](float)
    for load in metrics.loads:
        runs[load.run_id] += load.duration.total_seconds()
    text = "Seconds that the runs of the last 24 hours spent loading."
    yield _gauge("sync_duration_seconds", text, ["quantile"], _quantiles(list(runs.values())))
    calls = {(): float(sum(load.calls for load in metrics.loads))}
    yield _gauge("load_calls", "Calls to Xero by the loads of the last 24 hours.", [], calls)
    for name, at, text in (
        ("last_whole_load", metrics.last_whole_load, "When a load last ended without failed or postponed records."),
        ("last_comparison", metrics.last_comparison, "When a day was last reconciled, the last step of each sync."),
    ):
        yield _gauge(f"{name}_timestamp_seconds", text, [], {(): at.timestamp()} if at else {})


def _xero(metrics: StoreMetrics) -> Iterator[Metric]:
    text = "Response time of Xero in seconds, calls of the last ten minutes."
    yield _gauge("xero_latency_seconds", text, ["quantile"], _quantiles(metrics.latencies))
    yield _gauge("xero_calls", "Calls to Xero of the last ten minutes.", [], {(): float(metrics.calls)})
    counts = {("day",): metrics.standing.day_left, ("minute",): metrics.standing.minute_left}
    known = {window: float(count) for window, count in counts.items() if count is not None}
    yield _gauge("xero_calls_left", "Calls that Xero still allows, as of its last response.", ["window"], known)
    stated_at = metrics.standing.day_seen_at
    text = "When Xero last stated the number of calls left."
    yield _gauge("xero_calls_left_timestamp_seconds", text, [], {(): stated_at.timestamp()} if stated_at else {})
    ahead = {(host,): by.total_seconds() for host, by in metrics.standing.clocks_ahead.items()}
    yield _gauge("clock_ahead_seconds", "Offset of a host's clock from Xero's, positive if ahead.", ["host"], ahead)


def _waiting(metrics: StoreMetrics, now: datetime) -> Iterator[Metric]:
    requests, oldest = metrics.requests
    for name, count, since, text in (
        ("unsettled_requests", metrics.unsettled, metrics.unsettled_since, "requests to Xero with an unknown outcome"),
        ("privacy_requests", requests, oldest, "open privacy requests"),
    ):
        yield _gauge(name, f"Number of {text}.", [], {(): float(count)})
        age = (now - since).total_seconds() if since else 0.0
        yield _gauge(f"{name}_age_seconds", f"Age of the oldest of the {text}, in seconds.", [], {(): age})
    hints = {(source,): float(metrics.hints.get(source, 0)) for source in ("shopify", "xero")}
    yield _gauge("hints", "Webhook hints that are not processed yet.", ["source"], hints)


def _quantiles(seconds: Sequence[float]) -> Samples:
    """Return the quantiles by nearest rank, so that each is a measured time."""
    ranked = sorted(seconds)
    return {(str(share),): ranked[-int(-share * len(ranked) // 1) - 1] for share in QUANTILES} if ranked else {}


def _gauge(name: str, text: str, labels: Sequence[str], samples: Samples) -> GaugeMetricFamily:
    family = GaugeMetricFamily(PREFIX + name, text, labels=labels)
    for values, sample in sorted(samples.items()):
        family.add_metric(values, sample)
    return family
