"""A range in portions: the same plans, requests and reconciliations as in one portion, and memory for one portion."""

import weakref
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from shopify_xero_pipeline.pipeline import day_extractor, portions
from shopify_xero_pipeline.pipeline.calendar import days_between
from shopify_xero_pipeline.pipeline.portions import Portions
from shopify_xero_pipeline.shopify.models import Order
from shopify_xero_pipeline.xero.client import XeroClient
from shopify_xero_pipeline_tests.campaigns.recording.record import RANDOM_ID
from shopify_xero_pipeline_tests.support.stage import Stage, at, staged
from shopify_xero_pipeline_tests.support.sync_round import FIRST, plans

LAST = FIRST + timedelta(days=11)
DAYS = days_between(FIRST, LAST)


def without_random_ids(text: str) -> str:
    numbers: dict[str, str] = {}
    return RANDOM_ID.sub(lambda match: numbers.setdefault(match[0], f"id-{len(numbers) + 1}"), text)


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The requests of all clients, reads without their query and writes with their body."""
    sent: list[str] = []
    write, get, pages = XeroClient.write, XeroClient.get, XeroClient.pages

    def record_write(client: XeroClient, method: str, path: str, body: bytes, **options: Any) -> Any:
        sent.append(f"{method} {path} {body.decode()}")
        return write(client, method, path, body, **options)

    def record_get(client: XeroClient, path: str, *args: Any, **options: Any) -> Any:
        sent.append(f"GET {path}")
        return get(client, path, *args, **options)

    def record_pages(client: XeroClient, path: str, *args: Any, **options: Any) -> Any:
        sent.append(f"LIST {path}")
        return pages(client, path, *args, **options)

    monkeypatch.setattr(XeroClient, "write", record_write)
    monkeypatch.setattr(XeroClient, "get", record_get)
    monkeypatch.setattr(XeroClient, "pages", record_pages)
    return sent


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with staged(tmp_path, at(LAST + timedelta(days=1), 3)) as stage:
        yield stage


def count_sweeps(requests: Sequence[str]) -> Counter[str]:
    return Counter(request for request in requests if request.startswith("LIST"))


def sync_range(folder: Path) -> tuple[list[str], list[str]]:
    """Sync the range, sync it once more, and return all change-sets and all reconciliations as texts."""
    with staged(folder, at(LAST + timedelta(days=1), 3)) as stage:
        sync_service, change_sets = stage.sync_service, list[str]()
        for _ in range(2):
            for kind_plans in plans(sync_service, DAYS):
                ordered = sorted(kind_plans, key=lambda plan: (plan.kind, plan.day))
                change_sets += [plan.model_dump_json() for plan in ordered]
                sync_service.loader.load(ordered, "a run")
            days = sync_service.reconciler.reconcile(sync_service.extractor.read_orders(DAYS))
        return change_sets, [day.model_dump_json() for day in days]


def test_twelve_days_in_portions_come_to_the_same_change_sets_requests_and_reconciliations(
    tmp_path: Path, requests: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    results = []
    for name, size in (("whole", 1_000_000), ("portions", 8)):
        for module in (portions, day_extractor):
            monkeypatch.setattr(module, "RECORDS_IN_HAND", size)
        requests.clear()
        change_sets, days = sync_range(tmp_path / name)
        writes = [request for request in requests if request.startswith(("PUT", "POST", "DELETE"))]
        results.append([without_random_ids("\n".join(texts)) for texts in (change_sets, writes, days)])
    assert results[0] == results[1]
    assert results[0][1].count("PUT /Invoices") > 1


def test_a_range_of_several_portions_looks_at_xero_once_before_its_plan_and_once_after_its_load(
    stage: Stage, requests: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(portions, "RECORDS_IN_HAND", 8)
    sync_service = stage.sync_service
    orders, planner = sync_service.extractor.read_orders(DAYS), sync_service.planner
    all_plans = (planner.plan_contacts({}, orders), planner.plan_items({}, orders))
    requests.clear()
    orders_plans = planner.plan_orders(orders)
    documents = {"LIST /Invoices": 1, "LIST /CreditNotes": 1, "LIST /Payments": 1}
    assert count_sweeps(requests) in (documents, {"LIST /Contacts": 1, **documents})  # Contacts after a minute
    for kind_plans in (*all_plans, orders_plans):
        sync_service.loader.load(kind_plans, "a run")
    requests.clear()
    sync_service.reconciler.reconcile(orders)
    assert count_sweeps(requests) == documents


def test_an_unchanged_range_of_several_portions_sends_nothing_to_xero(
    stage: Stage, requests: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(portions, "RECORDS_IN_HAND", 8)
    sync_service = stage.sync_service
    for kind_plans in plans(sync_service, DAYS):
        sync_service.loader.load(kind_plans, "a run")
    sync_service.reconciler.reconcile(sync_service.extractor.read_orders(DAYS))
    requests.clear()
    for kind_plans in plans(sync_service, DAYS):
        sync_service.loader.load(kind_plans, "a run")
    sync_service.reconciler.reconcile(sync_service.extractor.read_orders(DAYS))
    assert requests == []


class FreshOrders(Mapping[date, Sequence[Order]]):
    """Orders by day that are copied for each reader, with a count of the copies alive."""

    def __init__(self, orders: Mapping[date, Sequence[Order]]) -> None:
        self._orders = orders
        self._alive: weakref.WeakSet[Order] = weakref.WeakSet()
        self.most_alive, self.reads = 0, Counter[date]()

    def __getitem__(self, day: date) -> Sequence[Order]:
        self.reads[day] += 1
        copies = [order.model_copy() for order in self._orders[day]]
        for order in copies:
            self._alive.add(order)
        self.most_alive = max(self.most_alive, len(self._alive))
        return copies

    def __iter__(self) -> Iterator[date]:
        return iter(self._orders)

    def __len__(self) -> int:
        return len(self._orders)


@pytest.mark.parametrize("length", [6, 12])
def test_the_orders_in_memory_do_not_depend_on_the_length_of_a_range(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, length: int
) -> None:
    monkeypatch.setattr(portions, "RECORDS_IN_HAND", 4)
    sync_service = stage.sync_service
    read = sync_service.extractor.read_orders(DAYS[:length])
    longest = max(len(day) for day in read.values())
    steps: list[Callable[[FreshOrders], object]] = [
        lambda orders: sum(1 for _ in sync_service.planner.contact_plans({}, orders)),
        lambda orders: sum(1 for _ in sync_service.planner.item_plans({}, orders)),
        lambda orders: sum(1 for _ in sync_service.planner.order_plans(orders)),
        sync_service.reconciler.reconcile_range,
    ]
    for step in steps:
        orders = FreshOrders(read)
        step(orders)
        # Two portions and the cached books of a third one, each of up to 3 orders and one day.
        assert orders.most_alive <= 3 * (3 + longest) < sum(map(len, read.values()))
        assert max(orders.reads.values()) <= 4


def test_portions_have_whole_days_in_order_and_each_day_once() -> None:
    records: dict[date, Any] = {day: [object()] * 400 for day in reversed(DAYS[:7])}
    found = list(Portions[Any]({DAYS[7]: []}, records))
    assert [[*portion.orders] for portion in found] == [DAYS[:3], DAYS[3:6], DAYS[6:7]]
    assert [[*portion.others] for portion in found] == [[], [], [DAYS[7]]]
    assert [portion.is_whole for portion in found] == [False] * 3
    assert [portion.is_whole for portion in Portions[Any]({}, {DAYS[0]: []})] == [True]
    assert [portion.orders for portion in Portions[Any]({}, {})] == [{}]


def test_shopify_is_read_in_windows_that_grow_with_few_orders_and_each_day_is_yielded_once(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(day_extractor, "FIRST_WINDOW_DAYS", 2)
    windows: list[int] = []
    reader, read = stage.sync_service.connections.reader, type(stage.sync_service.connections.reader).orders

    def count(start: Any, end: Any, first: Any = None) -> list[Order]:
        windows.append(round((end - start) / timedelta(days=1)))
        return read(reader, start, end, first)

    monkeypatch.setattr(reader, "orders", count)
    stream = stage.sync_service.extractor.orders_by_day(DAYS)
    next(stream)
    assert windows == [2]
    assert [day for day, _ in stream] == DAYS[1:]
    assert windows == [2, 8, 2]
    windows.clear()
    monkeypatch.setattr(day_extractor, "RECORDS_IN_HAND", 1)
    assert [*stage.sync_service.extractor.read_orders(DAYS)] == DAYS
    assert windows == [2] + [1] * 10
