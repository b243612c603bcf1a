"""`/metrics`: the figures of the state store as Prometheus reads them, and nothing of anybody in them."""

from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client.parser import text_string_to_metric_families

from shopify_xero_pipeline.clock import ManualClock
from shopify_xero_pipeline.service.metrics import render_metrics
from shopify_xero_pipeline.state.api_calls import LimitStatus
from shopify_xero_pipeline.state.store_metrics import COUNTED, Load, StoreMetrics
from shopify_xero_pipeline_tests.service.sending import House

NOW = datetime(2026, 11, 19, 10, tzinfo=UTC)
NOTHING = StoreMetrics(
    operations={}, mapped={}, failed={}, unsettled=0, unsettled_since=None, loads=[], last_whole_load=None,
    last_comparison=None, latencies=[], calls=0, standing=LimitStatus(), hints={}, requests=(0, None),
)  # fmt: skip


def load(run_id: str, seconds: float, **records: int) -> Load:
    counts = {**dict.fromkeys(COUNTED, 0), **records}
    return Load(run_id, NOW, timedelta(seconds=seconds), calls=3, records=counts)


SOME = StoreMetrics(
    operations={"planned": 2, "confirmed": 40},
    mapped={"invoice": 30, "contact": 10},
    failed={("invoice", True): 1, ("payment", False): 2},
    unsettled=1,
    unsettled_since=NOW - timedelta(minutes=4),
    loads=[load("a", 2, created=3), load("a", 4, created=1, failed=1), load("b", 1.5), load("c", 90, postponed=2)],
    last_whole_load=NOW - timedelta(hours=1),
    last_comparison=NOW - timedelta(minutes=1),
    latencies=[number / 10 for number in range(1, 21)],
    calls=22,
    standing=LimitStatus(day_left=4_321, minute_left=58, day_seen_at=NOW),
    hints={"shopify": 7},
    requests=(2, NOW - timedelta(days=3)),
)


def samples(text: bytes) -> dict[str, float]:
    return {
        f"{one.name.removeprefix('shopify_xero_')}{sorted(one.labels.values())}".replace("[]", ""): one.value
        for family in text_string_to_metric_families(text.decode())
        for one in family.samples
    }


def test_the_figures_are_shown_under_their_names() -> None:
    found = samples(render_metrics(lambda: SOME, ManualClock(NOW)))
    expected = {
        "operations['planned']": 2, "operations['confirmed']": 40, "operations['needs_review']": 0,
        "mapped_records['invoice']": 30,
        "failed_records['invoice', 'yes']": 1, "failed_records['invoice', 'no']": 0,
        "failed_records['no', 'payment']": 2, "failed_records['contact', 'yes']": 0,
        "loads['whole']": 2, "loads['partial']": 2, "load_success_ratio": 0.5,
        "load_records['created']": 4, "load_records['failed']": 1, "load_records['postponed']": 2, "load_calls": 12,
        "sync_duration_seconds['0.5']": 6, "sync_duration_seconds['0.95']": 90,
        "last_whole_load_timestamp_seconds": NOW.timestamp() - 3_600,
        "last_comparison_timestamp_seconds": NOW.timestamp() - 60,
        "xero_latency_seconds['0.5']": 1.0, "xero_latency_seconds['0.95']": 1.9, "xero_calls": 22,
        "xero_calls_left['day']": 4_321, "xero_calls_left['minute']": 58,
        "xero_calls_left_timestamp_seconds": NOW.timestamp(),
        "unsettled_requests": 1, "unsettled_requests_age_seconds": 240,
        "privacy_requests": 2, "privacy_requests_age_seconds": 259_200,
        "hints['shopify']": 7, "hints['xero']": 0,
    }  # fmt: skip
    assert {name: found.get(name) for name in expected} == expected


def test_where_nothing_is_known_there_is_no_sample_and_counts_are_zero() -> None:
    found = samples(render_metrics(lambda: NOTHING, ManualClock(NOW)))
    known = {name.partition("[")[0] for name in found}
    assert known == {
        "operations", "loads", "load_records", "load_calls", "xero_calls", "unsettled_requests",
        "unsettled_requests_age_seconds", "privacy_requests", "privacy_requests_age_seconds", "hints",
    }  # fmt: skip
    assert {*found.values()} == {0}


def test_one_load_alone_is_its_own_quantile() -> None:
    found = samples(render_metrics(lambda: SOME.__class__(**{**SOME.__dict__, "latencies": [0.7]}), ManualClock(NOW)))
    assert (found["xero_latency_seconds['0.5']"], found["xero_latency_seconds['0.95']"]) == (0.7, 0.7)


def test_a_store_is_read_when_somebody_asks_and_only_then(served: House, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "store" not in served.connections.__dict__
    answer = served.client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert samples(answer.content)["operations['planned']"] == 0
