"""The stores that the benchmark fills, and the day that it measures on them."""

import re
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from shopify_xero_pipeline.pipeline.books_status import books_status
from shopify_xero_pipeline.reconciliation.verdict import Standing
from shopify_xero_pipeline.state.tables import xero_mirror
from shopify_xero_pipeline.xero.models import Kind
from shopify_xero_pipeline_tests.campaigns.bench.actions import (
    MONTH,
    NEW,
    STATUS,
    UNCHANGED,
    measure_new_day,
    measure_unchanged_day,
)
from shopify_xero_pipeline_tests.campaigns.bench.counting import counted
from shopify_xero_pipeline_tests.campaigns.bench.measuring import Cost
from shopify_xero_pipeline_tests.campaigns.bench.pace import measure_pace
from shopify_xero_pipeline_tests.campaigns.bench.report import exceeding, goal_sentence
from shopify_xero_pipeline_tests.campaigns.bench.runs import SizeResult
from shopify_xero_pipeline_tests.campaigns.bench.scene import Scene, fill, opened
from shopify_xero_pipeline_tests.campaigns.bench.shop import NEW_ORDERS, SYNCED_AT
from shopify_xero_pipeline_tests.support.sync_round import FIRST

pytestmark = pytest.mark.campaign
SIZES = [40, 400]
DAYS = 30


@pytest.fixture(scope="module", params=SIZES)
def scene(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    scene = Scene(tmp_path_factory.mktemp("scene"), request.param, DAYS)
    fill(scene)
    return scene


def test_a_filled_store_is_intact_and_all_its_orders_agree(scene: Scene) -> None:
    with opened(scene, SYNCED_AT + timedelta(hours=1)) as stage:
        store = stage.sync_service.connections.store
        store.verify()
        assert [result.number for result in store.invariants() if result.violations] == []
        status = books_status(stage.sync_service)
        assert (status.standing, status.agreement.of("posted").count) == (Standing.AGREE, scene.orders)
        assert len({row.order_id for row in store.mapped(Kind.INVOICE).values()}) == scene.orders
        assert store.unmapped_mirror(list(Kind)) == []


def test_a_copy_has_no_id_of_its_original(scene: Scene) -> None:
    with opened(scene, SYNCED_AT + timedelta(hours=1)) as stage:
        store = stage.sync_service.connections.store
        rows = [row for kind in Kind if kind is not Kind.ITEM for row in store.mapped(kind).values()]
        mirrored = [row for kind in Kind if kind is not Kind.ITEM for row in store.mirror(kind)]
    originals = [row for row in rows if row.partition >= FIRST]
    own = {part for row in originals for part in (row.xero_id, *re.findall(r"\d{9,}", row.natural_key))}
    copied = {row.xero_id for row in rows if row.partition < FIRST}
    texts = [f"{row.shopify_id} {row.natural_key} {row.payload}" for row in rows if row.partition < FIRST]
    texts += [f"{row.natural_key} {row.reference} {row.payload}" for row in mirrored if row.xero_id in copied]
    assert len(texts) == 2 * len(copied) > 0
    assert [text for text in texts if own & {*re.findall(r"[0-9a-f]{8}(?:-[0-9a-f]{4,12}){4}|\d+", text)}] == []


def test_the_new_day_is_posted_once_and_the_unchanged_day_writes_nothing(scene: Scene) -> None:
    new = measure_new_day(scene)[NEW]
    assert new.xero_calls == 7
    unchanged = measure_unchanged_day(scene)[UNCHANGED]
    assert unchanged.xero_calls == 0
    assert (new.rows_read <= 60 * 30, unchanged.rows_read <= 20 * 30) == (True, True), "whatever the books hold"
    with opened(scene, SYNCED_AT + timedelta(days=3)) as stage:
        invoices = stage.sync_service.connections.store.mapped(Kind.INVOICE)
        assert len({row.order_id for row in invoices.values()}) == scene.orders + NEW_ORDERS
        assert len({row.natural_key for row in invoices.values()}) == len(invoices)


def test_rows_that_sqlite_returns_are_counted_whatever_reads_them(scene: Scene) -> None:
    with opened(scene, SYNCED_AT + timedelta(days=3)) as stage:
        store = stage.sync_service.connections.store
        with counted() as tally, store._engine.begin() as connection:
            contacts = connection.scalars(select(xero_mirror.c.xero_id).where(xero_mirror.c.kind == "contact")).all()
            payments = [*connection.execute(select(xero_mirror).where(xero_mirror.c.kind == "payment"))]
            connection.scalar(select(func.count()).select_from(xero_mirror))
            assert connection.execute(select(xero_mirror)).first() is not None
        assert len(payments) > len(contacts) > 0
        assert tally.rows_read == len(contacts) + len(payments) + 2
        assert (tally.transactions, tally.rows_written, tally.statements) == (1, 0, 5)  # BEGIN and four queries


def result_of(orders: int, *, status: int, month: int) -> SizeResult:
    rows = {NEW: 600, UNCHANGED: 400, STATUS: status, MONTH: month}
    counts = dict.fromkeys(("thousand_steps", "statements", "transactions", "rows_written"), 0)
    rest = {**counts, "longest": 0.0, "cpu": 0.0, "seconds": 0.0, "shopify_calls": 0, "xero_calls": 0}
    costs = {name: Cost(rows_read=count, callers={}, caller_steps={}, **rest) for name, count in rows.items()}  # type: ignore[arg-type]
    return SizeResult(orders, 0.0, 0.0, costs)


def test_a_status_or_month_that_reads_more_rows_of_more_orders_exceeds_its_goal() -> None:
    small = result_of(1_000, status=1_000, month=2_000)
    good, bad = result_of(10_000, status=1_300, month=2_600), result_of(10_000, status=1_000, month=2_601)

    assert exceeding([small, good]) == []
    assert goal_sentence([small, good]).endswith("They are met.")
    assert exceeding([small, bad]) == [bad]
    assert "2,601 rows read by status --month with 10,000 earlier orders, 2,000 before" in goal_sentence([small, bad])


def test_five_calls_are_in_flight_when_they_take_seconds_and_xero_refuses_none() -> None:
    pace = measure_pace(latency=4.0, orders=250)

    assert (pace.calls, pace.in_flight, pace.refused) == (15, 5, 0)
    assert pace.seconds == 3 * 4, "a Contact, an Invoice and a Payment follow each other; five batches of each do not"
