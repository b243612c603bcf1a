"""Reads in bulk against the sandbox: the same records as by pages, faults, resumption, limits of memory and disk."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import hypothesis
import pytest
from hypothesis import strategies

from shopify_xero_pipeline.sandbox.app import build_sandbox, serving
from shopify_xero_pipeline.sandbox.faults import Fault, FaultKind
from shopify_xero_pipeline.sandbox.shop_generator.shop import GeneratedShop
from shopify_xero_pipeline.sandbox.shopify.options import ALL_SCOPES
from shopify_xero_pipeline.shopify import bulk_reader as module
from shopify_xero_pipeline.shopify.auth import StaticToken
from shopify_xero_pipeline.shopify.bulk_reader import BulkOrderReader
from shopify_xero_pipeline.shopify.client import ShopifyClient
from shopify_xero_pipeline.shopify.errors import (
    AccessDeniedError,
    BulkQueryFailedError,
    IncompleteReadError,
    ShopifyError,
    ShopifyUnavailableError,
)
from shopify_xero_pipeline.shopify.models import Order
from shopify_xero_pipeline.shopify.reader import ShopifyReader
from shopify_xero_pipeline_tests.shopify.fakes import MiddleOfTheRoad
from shopify_xero_pipeline_tests.shopify.test_with_sandbox import END, NOW, START, Bench, large_order
from shopify_xero_pipeline_tests.support import nodes
from shopify_xero_pipeline_tests.support.handmade_shop import HandmadeShop

pytestmark = pytest.mark.campaign

ZONE = ZoneInfo("Pacific/Auckland")
DAY_ZERO = datetime(2026, 9, 20, 12, tzinfo=UTC)
FORTNIGHT = (DAY_ZERO, datetime(2026, 10, 4, 11, tzinfo=UTC))
RUN, POLL, FILE = "RunBulkQuery", "BulkOperationById", "/bulk-operation-outputs/"


class BulkBench(Bench):
    """A sandbox with both readers; `restart` is a new process on the same files."""

    def __init__(self, folder: Path, source: Any = None, **options: Any) -> None:
        super().__init__(source, **options)
        self.folder = folder / "bulk"
        self.restart()

    def restart(self) -> None:
        self.reader = ShopifyReader(self.client, self.clock)
        self.bulk = BulkOrderReader(self.reader, self.client, self.clock, self.folder)

    def days(self, start: datetime = START, end: datetime = END) -> list[tuple[date, list[Order]]]:
        with self.bulk.read(start, end) as read:
            return [*read.days(ZONE)]

    def orders(self, start: datetime = START, end: datetime = END) -> list[Order]:
        return [order for _, orders in self.days(start, end) for order in orders]

    def fault(self, kind: FaultKind, **more: Any) -> Fault:
        return self.faults.add(Fault(kind=kind, **more))

    def started(self) -> int:
        """The number of operations that Shopify has."""
        query = "{ bulkOperations(first: 50) { nodes { id } } }"
        return len(self.client.execute(query, {})["bulkOperations"]["nodes"])

    def files(self) -> list[str]:
        return sorted(path.name for path in self.folder.rglob("*") if path.is_file())


@pytest.fixture
def bench(tmp_path: Path) -> BulkBench:
    shop = HandmadeShop()
    for number in range(1, 31):
        paid = nodes.transaction(1000 + number)
        refund = nodes.refund(number, transactions=[{"id": paid["id"]}])
        agreement = nodes.agreement(number, _sale(number), _sale(100 + number))
        own: dict[str, Any] = {
            "transactions": [paid],
            "refunds": [refund] if number % 3 == 0 else [],
            "agreements": [agreement],
        }
        shop.put("orders", nodes.order(number, lineItems=[nodes.line_item(number)], **own))
    return BulkBench(tmp_path, shop)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_fortnight_in_bulk_equals_the_same_fortnight_by_pages(tmp_path: Path, seed: int) -> None:
    bench = BulkBench(tmp_path, GeneratedShop(seed), bulk_seed=seed)
    paged = bench.reader.orders(*FORTNIGHT)
    days = bench.days(*FORTNIGHT)
    assert [order for _, orders in days for order in orders] == paged
    assert [day for day, _ in days] == [date(2026, 9, 21) + timedelta(days=number) for number in range(14)]
    assert all(order.processed_at.astimezone(ZONE).date() == day for day, orders in days for order in orders)
    assert len(paged) > 100


@pytest.mark.parametrize("grouping", [1, 2, 3])
def test_an_order_with_more_rows_than_a_page_everywhere_is_the_same_record(tmp_path: Path, grouping: int) -> None:
    bench = BulkBench(tmp_path, bulk_seed=grouping)
    schedules = [
        {"id": nodes.gid("PaymentSchedule", n), "dueAt": f"2026-10-{1 + n % 28:02}T00:00:00Z"} for n in range(1, 12)
    ]
    terms = {"id": nodes.gid("PaymentTerms", 1), "paymentSchedules": schedules}
    bench.shelf.put("orders", large_order() | {"paymentTerms": terms})
    (order,) = bench.orders()
    assert [order] == bench.reader.orders(START, END)
    assert [len(agreement.sales) for agreement in order.agreements] == [300, 60, *[3] * 23]
    assert len(order.line_items) == 300
    assert len(order.refunds[0].transaction_ids) == 120
    assert order.payment_terms is not None
    assert len(order.payment_terms.payment_schedules) == 11


@hypothesis.given(data=strategies.data())
@hypothesis.settings(max_examples=25, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture])
def test_any_orders_are_the_same_records_by_either_reader(
    tmp_path_factory: pytest.TempPathFactory, data: strategies.DataObject
) -> None:
    sizes = strategies.integers(0, 30)
    bench = BulkBench(tmp_path_factory.mktemp("bulk"), bulk_seed=data.draw(strategies.integers(0, 1_000)))
    serial = iter(range(1, 100_000))
    for number in range(1, data.draw(strategies.integers(0, 6)) + 1):
        lines = [nodes.line_item(next(serial)) for _ in range(data.draw(sizes))]
        agreements = [
            nodes.agreement(next(serial), *(_sale(next(serial)) for _ in range(data.draw(sizes))))
            for _ in range(data.draw(strategies.integers(0, 6)))
        ]
        refunds = [
            nodes.refund(
                next(serial), transactions=[{"id": nodes.gid("OrderTransaction", next(serial))} for _ in range(n)]
            )
            for n in data.draw(strategies.lists(strategies.integers(0, 9), max_size=4))
        ]
        placed = START + timedelta(seconds=data.draw(strategies.integers(-5, 86_405)))
        content = {"lineItems": lines, "agreements": agreements, "refunds": refunds}
        bench.shelf.put("orders", nodes.order(number, nodes.instant(placed), **content))
    assert bench.orders() == bench.reader.orders(START, END)


def test_a_window_without_orders_has_empty_days(tmp_path: Path) -> None:
    assert BulkBench(tmp_path).days() == [(date(2026, 10, 1), [])]


def test_orders_of_the_second_after_the_window_are_left_out(tmp_path: Path) -> None:
    bench = BulkBench(tmp_path)
    for number, instant in enumerate([START, END - timedelta(seconds=1), END], start=1):
        bench.shelf.put("orders", nodes.order(number, nodes.instant(instant)))
    assert [order.legacy_id for order in bench.orders()] == ["1", "2"]


def test_the_calls_do_not_grow_with_the_orders(bench: BulkBench) -> None:
    bench.reader.shop()
    before = bench.client.calls
    assert len(bench.orders()) == 30
    # Two counts, the start, three polls, the file and one query for the refunds.
    assert bench.client.calls - before == 8


def test_a_missing_scope_is_reported_before_an_operation_starts(tmp_path: Path) -> None:
    bench = BulkBench(tmp_path, scopes=ALL_SCOPES - {"read_payment_terms"})
    with pytest.raises(AccessDeniedError, match="read_payment_terms"):
        bench.orders()
    assert bench.started() == 0


def test_without_the_scope_for_returns_fees_have_no_name(tmp_path: Path) -> None:
    bench = BulkBench(tmp_path, GeneratedShop(), scopes=ALL_SCOPES - {"read_returns"})
    assert bench.orders(*FORTNIGHT) == bench.reader.orders(*FORTNIGHT)


def test_a_file_is_readable_by_its_owner_only_and_deleted_after_use(bench: BulkBench) -> None:
    with bench.bulk.read(START, END) as read:
        assert bench.files() == ["index.db", "lock", "request.json", "rows.jsonl"]
        paths = [path for path in bench.folder.rglob("*") if path.name != "lock"]
        assert {path.stat().st_mode & 0o777 for path in paths if path.is_file()} == {0o600}
        assert {path.stat().st_mode & 0o777 for path in [bench.folder, *paths] if path.is_dir()} == {0o700}
        assert len(next(read.days(ZONE))[1]) == 30
    assert bench.files() == ["lock"]


# Faults of polls, of the start and of the download.


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": FaultKind.SERVER_ERROR, "body": POLL},
        {"kind": FaultKind.DROP_BEFORE, "body": POLL, "times": 3},
        {"kind": FaultKind.TRUNCATED, "body": POLL},
        {"kind": FaultKind.HTML, "body": POLL},
        {"kind": FaultKind.SLOW, "body": POLL},
        {"kind": FaultKind.SERVER_ERROR, "path": FILE, "times": 3},
        {"kind": FaultKind.DROP_BEFORE, "path": FILE},
        {"kind": FaultKind.ANSWER, "path": FILE, "status": 503},
        {"kind": FaultKind.ANSWER, "path": FILE, "status": 429},
        {"kind": FaultKind.UNREACHABLE, "path": FILE},
        {"kind": FaultKind.SERVER_ERROR, "body": "RefundsById"},
        {"kind": FaultKind.UNREACHABLE, "body": RUN},
        {"kind": FaultKind.SERVER_ERROR, "body": RUN},
        {"kind": FaultKind.DROP_BEFORE, "body": RUN},
        {"kind": FaultKind.SERVER_ERROR_AFTER_COMMIT, "body": RUN},
        {"kind": FaultKind.DROP_AFTER, "body": RUN},
        {"kind": FaultKind.SLOW, "body": RUN},
        {"kind": FaultKind.TRUNCATED, "body": RUN},
    ],
    ids=lambda fault: " ".join(map(str, fault.values())),
)
def test_a_fault_on_the_way_neither_loses_nor_repeats_anything(bench: BulkBench, fault: dict[str, Any]) -> None:
    rule = bench.fault(**fault)
    assert bench.orders() == bench.reader.orders(START, END)
    assert rule.fired == fault.get("times", 1)
    assert bench.started() == 1


def test_a_start_that_arrives_after_the_search_for_it_is_one_more_operation_and_one_read(bench: BulkBench) -> None:
    bench.fault(FaultKind.LATE, body=RUN)
    assert len(bench.orders()) == 30
    bench.faults.deliver()
    assert bench.started() == 2
    assert bench.files() == ["lock"]


@pytest.mark.parametrize("outcome", ["FAILED", "CANCELED", "EXPIRED"])
def test_an_operation_that_does_not_complete_is_replaced_and_its_partial_data_is_not_used(
    bench: BulkBench, outcome: str
) -> None:
    bench.fault(FaultKind.BULK_OUTCOME, body=RUN, answer=outcome)
    assert bench.orders() == bench.reader.orders(START, END)
    assert bench.started() == 2


def test_operations_that_fail_again_and_again_fail_the_read(bench: BulkBench) -> None:
    bench.fault(FaultKind.BULK_OUTCOME, body=RUN, answer="FAILED", times=None)
    with pytest.raises(BulkQueryFailedError, match=r"FAILED \(INTERNAL_SERVER_ERROR\)\. Its partial data is not used"):
        bench.orders()
    assert bench.started() == 3
    assert bench.files() == ["lock"]


def test_an_operation_that_stalls_is_cancelled_and_replaced(bench: BulkBench) -> None:
    bench.fault(FaultKind.BULK_OUTCOME, body=RUN, answer="RUNNING")
    assert len(bench.orders()) == 30
    assert 1_800 < bench.waited < 2_000
    statuses = bench.client.execute("{ bulkOperations(first: 5) { nodes { status } } }", {})["bulkOperations"]["nodes"]
    assert [node["status"] for node in statuses] == ["COMPLETED", "CANCELED"]


def test_an_expired_address_starts_a_new_operation(bench: BulkBench) -> None:
    bench.fault(FaultKind.ANSWER, path=FILE, status=403)
    assert len(bench.orders()) == 30
    assert bench.started() == 2


def test_a_start_waits_for_other_operations_of_the_app(bench: BulkBench) -> None:
    other = 'mutation { bulkOperationRunQuery(query: "{ orders { edges { node { id } } } }") { bulkOperation { id } } }'
    for _ in range(5):
        bench.client.execute(other, {})
    assert len(bench.orders()) == 30
    assert bench.waited >= 30


def test_a_start_does_not_wait_for_ever(bench: BulkBench) -> None:
    busy = {"bulkOperation": None, "userErrors": [{"code": "LIMIT_REACHED", "message": "Please try again later."}]}
    body = {"data": {"bulkOperationRunQuery": busy}}
    bench.fault(FaultKind.ANSWER, body=RUN, status=200, answer=json.dumps(body), times=None)
    with pytest.raises(BulkQueryFailedError, match="as many bulk operations"):
        bench.orders()


@pytest.mark.parametrize("times", [1, 2])
def test_a_download_that_ends_early_without_an_error_is_continued(tmp_path: Path, times: int) -> None:
    """A server without compression ends its answer in the middle of a row."""
    bench = BulkBench(tmp_path, _shop_of(30), gzip=False)
    rule = bench.fault(FaultKind.TRUNCATED, path=FILE, times=times)
    assert bench.orders() == bench.reader.orders(START, END)
    assert rule.fired == times
    assert bench.started() == 1


def test_a_compressed_download_that_ends_early_is_repeated(bench: BulkBench) -> None:
    bench.fault(FaultKind.TRUNCATED, path=FILE)
    assert bench.orders() == bench.reader.orders(START, END)
    assert bench.started() == 1


@pytest.mark.parametrize("times", [1, 2, 5])
def test_a_connection_that_is_cut_during_the_download_is_continued_where_it_ended(tmp_path: Path, times: int) -> None:
    """Over a socket, half of the file arrives before the cut."""
    bench = BulkBench(tmp_path, _shop_of(30))
    sandbox = build_sandbox(clock=bench.clock, source=bench.shelf)
    with serving(sandbox) as address:
        client = ShopifyClient(
            "sandbox.myshopify.com", StaticToken("sandbox"), clock=bench.clock, base_url=address, rng=MiddleOfTheRoad()
        )
        bench.client = client
        bench.restart()
        rule = sandbox.faults.add(Fault(kind=FaultKind.DROP_AFTER, path=FILE, times=times))
        if times == 5:
            with pytest.raises(ShopifyUnavailableError, match="not received completely"):
                bench.orders()
            bench.restart()
        assert len(bench.orders()) == 30
        client.close()
    assert rule.fired == times


# Resumption.


class Crash(BaseException):
    """The end of a process."""


def crash(*_: object, **__: object) -> Any:
    raise Crash


@pytest.mark.parametrize("point", ["wait", "start", "download", "store"])
def test_after_a_crash_the_same_operation_is_continued(
    bench: BulkBench, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    with monkeypatch.context() as patch:
        match point:
            case "wait":
                patch.setattr(bench.bulk._operations, "wait", crash)
            case "start":
                _crash_after(patch, bench.bulk._operations, "start")
            case "download":
                _crash_after(patch, bench.client, "download")
            case "store":
                patch.setattr(module, "replace", crash)
        with pytest.raises(Crash):
            bench.orders()
    bench.clock.sleep(3_600)
    bench.restart()
    assert bench.orders() == bench.reader.orders(START, END)
    assert bench.started() == 1


def test_a_crash_before_the_start_starts_one_operation(bench: BulkBench, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(bench.bulk._operations, "start", crash)
        with pytest.raises(Crash):
            bench.orders()
    bench.restart()
    assert len(bench.orders()) == 30
    assert bench.started() == 1


def test_a_read_that_its_user_did_not_finish_is_continued_with_its_first_time(bench: BulkBench) -> None:
    first = bench.clock.now()
    _begin(bench)
    bench.clock.sleep(3_600)
    bench.restart()
    with bench.bulk.read(START, END) as read:
        assert read.read_at is not None
        assert first <= read.read_at < first + timedelta(minutes=1), "later changes may be missing"
        assert len(next(read.days(ZONE))[1]) == 30
    assert bench.started() == 1


def test_an_old_read_is_not_continued_and_its_files_are_deleted(bench: BulkBench) -> None:
    _begin(bench)
    bench.clock.sleep(12 * 3_600 - 60)
    bench.bulk.is_large(START, END)
    assert "rows.jsonl" in bench.files()
    bench.clock.sleep(60)
    bench.bulk.is_large(START, END)
    assert bench.files() == ["lock"]
    assert len(bench.orders()) == 30
    assert bench.started() == 2


def test_another_window_is_another_read(bench: BulkBench) -> None:
    _begin(bench)
    assert bench.orders(START, END - timedelta(hours=1)) == bench.reader.orders(START, END - timedelta(hours=1))
    assert bench.started() == 2


def test_a_second_read_at_the_same_time_uses_files_of_its_own(bench: BulkBench) -> None:
    with bench.bulk.read(START, END) as first:
        days = first.days(ZONE)
        assert len(bench.orders()) == 30
        assert "rows.jsonl" in bench.files()
        assert len(next(days)[1]) == 30
    assert bench.files() == ["lock"]


# Changes during the read.


def test_an_order_with_refunds_that_changed_after_the_operation_is_read_again(bench: BulkBench) -> None:
    with bench.bulk.read(START, END) as read:
        later = nodes.instant(bench.clock.now())
        changed = bench.shelf.current("orders", nodes.gid("Order", 3)) | {"updatedAt": later, "name": "#3 changed"}
        bench.shelf.put("orders", changed, bench.clock.now())
        (orders,) = [orders for _, orders in read.days(ZONE)]
    assert [order.name for order in orders if order.legacy_id == "3"] == ["#3 changed"]
    assert len(orders) == 30


def test_an_order_with_refunds_that_was_deleted_after_the_operation_is_left_out(bench: BulkBench) -> None:
    with bench.bulk.read(START, END) as read:
        bench.shelf.remove("orders", nodes.gid("Order", 3), bench.clock.now())
        (orders,) = [orders for _, orders in read.days(ZONE)]
    assert [order.legacy_id for order in orders if order.legacy_id == "3"] == []
    assert len(orders) == 29


def test_an_order_that_moved_to_a_later_day_belongs_to_it(bench: BulkBench) -> None:
    assert [len(orders) for orders in _days_after_a_move(bench, 3, END + timedelta(hours=1))] == [29, 1]


def test_an_order_that_moved_to_a_day_before_is_left_to_the_next_read(bench: BulkBench) -> None:
    order = bench.shelf.current("orders", nodes.gid("Order", 3))
    placed = order | {"processedAt": nodes.instant(END + timedelta(hours=1))}
    bench.shelf.put("orders", placed, NOW - timedelta(hours=1))
    assert [len(orders) for orders in _days_after_a_move(bench, 3, START)] == [29, 0]


# Completeness.


def test_a_shortfall_against_shopifys_count_fails_the_read_after_further_operations(bench: BulkBench) -> None:
    body = {"data": {"ordersCount": {"count": 31, "precision": "EXACT"}}}
    bench.fault(FaultKind.ANSWER, body="CountOrders", status=200, answer=json.dumps(body), times=None)
    with pytest.raises(IncompleteReadError, match=r"counts 31 orders from 2026-09-30 to 2026-10-01 but .* returned 30"):
        bench.orders()
    assert bench.started() == 3


def test_an_order_that_is_counted_only_after_the_operation_is_no_shortfall(bench: BulkBench) -> None:
    body = {"data": {"ordersCount": {"count": 31, "precision": "EXACT"}}}
    bench.fault(FaultKind.ANSWER, body="CountOrders", status=200, answer=json.dumps(body), after=1)
    assert len(bench.orders()) == 30
    assert bench.started() == 1


@pytest.mark.parametrize("rows", [b"", b'{"__typename": "Order"', b'{"id": "x"}\n', b"[]\n"])
def test_a_file_of_other_rows_is_never_data(bench: BulkBench, rows: bytes) -> None:
    bench.fault(FaultKind.ANSWER, path=FILE, status=200, answer=rows.decode(), times=None)
    with pytest.raises(ShopifyError):
        bench.orders()


def test_a_row_without_a_parent_in_the_file_is_never_data(bench: BulkBench) -> None:
    rows = b'{"id":"gid://shopify/LineItem/1","__typename":"LineItem","__parentId":"gid://shopify/Order/9"}\n'
    bench.fault(FaultKind.ANSWER, path=FILE, status=200, answer=rows.decode(), times=None)
    with pytest.raises(IncompleteReadError, match="belong to no order"):
        bench.orders()


def test_an_address_on_another_protocol_is_refused(bench: BulkBench) -> None:
    with pytest.raises(ShopifyError, match="invalid address"):
        bench.client.download("http://storage.example/rows", bench.folder)


# The decision.


@pytest.mark.parametrize(("days", "orders", "expected"), [(7, 30, False), (8, 30, True), (8, 31, False)])
def test_a_window_is_large_by_its_length_and_its_number_of_orders(
    bench: BulkBench, monkeypatch: pytest.MonkeyPatch, days: int, orders: int, expected: bool
) -> None:
    monkeypatch.setattr(module, "MANY_ORDERS", orders)
    bench.reader.shop()
    before = bench.client.calls
    assert bench.bulk.is_large(END - timedelta(days=days), END) is expected
    assert bench.client.calls - before == (1 if days > 7 else 0)


def _begin(bench: BulkBench) -> None:
    """Begin a read whose user fails after its first day."""
    with pytest.raises(Crash), bench.bulk.read(START, END) as read:
        crash(next(read.days(ZONE)))


def _sale(number: int) -> dict[str, Any]:
    return nodes.sale(number, lineItem={"id": nodes.gid("LineItem", number)})


def _shop_of(orders: int) -> HandmadeShop:
    shop = HandmadeShop()
    for number in range(1, orders + 1):
        own: dict[str, Any] = {
            "lineItems": [nodes.line_item(number)],
            "agreements": [nodes.agreement(number, _sale(number))],
        }
        shop.put("orders", nodes.order(number, **own))
    return shop


def _days_after_a_move(bench: BulkBench, number: int, to: datetime) -> list[list[Order]]:
    """The orders of two days, of which one moves after the operation."""
    with bench.bulk.read(START, END + timedelta(days=1)) as read:
        order = bench.shelf.current("orders", nodes.gid("Order", number))
        now = bench.clock.now()
        bench.shelf.put("orders", order | {"processedAt": nodes.instant(to), "updatedAt": nodes.instant(now)}, now)
        return [orders for _, orders in read.days(ZONE)]


def _crash_after(patch: pytest.MonkeyPatch, target: Any, name: str) -> None:
    """Let a method do its work and the process end then."""
    method = getattr(target, name)

    def crashing(*arguments: Any) -> Any:
        method(*arguments)
        raise Crash

    patch.setattr(target, name, crashing)
