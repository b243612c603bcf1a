"""The sync service against the sandbox, without Dagster: what is asked of whom, when, and how often."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from shopify_xero_pipeline.changes.models import Action
from shopify_xero_pipeline.defs.partitions import daily_partitions
from shopify_xero_pipeline.loading.load_report import LoadOutcome
from shopify_xero_pipeline.pipeline.calendar import day_of_order
from shopify_xero_pipeline.pipeline.connections import PipelineError
from shopify_xero_pipeline.pipeline.reconciled_days import READ_UP_TO_KEY
from shopify_xero_pipeline.sandbox.faults import Fault, FaultKind
from shopify_xero_pipeline.sandbox.shop_generator import GeneratedShop
from shopify_xero_pipeline.shopify.models import Order
from shopify_xero_pipeline.xero.models import Kind
from shopify_xero_pipeline_tests.pipeline.test_volume import a_plain_order, copies
from shopify_xero_pipeline_tests.support.stage import ZONE, Stage, at, staged
from shopify_xero_pipeline_tests.support.sync_round import FIRST, books_file, carry, plans

SUMMER_TIME = date(2026, 9, 27)
SETTINGS_CALLS, ORGANISATION, SWEEP = 4, 1, 1
NUMBERS_CALLS = 2  # Invoices and Credit Notes, looked through once for numbers that begin as ours do


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with staged(tmp_path, at(FIRST + timedelta(days=2))) as stage:
        yield stage


def fresh(stage: Stage) -> None:
    stage.sync_service.connections.close()
    stage.restart()


@pytest.mark.campaign
def test_an_hour_in_which_nothing_changed_costs_no_call_to_xero(tmp_path: Path) -> None:
    with staged(tmp_path, at(FIRST + timedelta(days=40))) as stage:
        (day,) = carry(stage.sync_service, [FIRST])
        assert not day.unequal
        size = stage.size()
        stage.clock.sleep(3600)
        fresh(stage)
        (again,) = carry(stage.sync_service, [FIRST], "the next run")
        assert again == day
        assert stage.size() == size
        shopify, xero = stage.sync_service.connections.calls
        assert (shopify > 0, xero) == (True, 0)


def test_a_run_of_a_day_takes_a_token_and_one_read_of_shopify(stage: Stage, instance: dg.DagsterInstance) -> None:
    days = [FIRST + timedelta(days=1)]
    report = stage.runner(instance).sync(days)
    assert (report.succeeded, report.shopify_calls) == (True, 2)
    stage.clock.sleep(3600)
    stage.restart()
    again = stage.runner(instance).sync(days)
    assert (again.succeeded, again.shopify_calls, again.xero_calls) == (True, 2, 0)
    twice = stage.runner(instance).sync(days)  # another run in this process reads Shopify again
    assert (twice.succeeded, twice.shopify_calls, twice.xero_calls) == (True, 1, 0)


def test_a_day_counts_as_read_up_to_the_time_before_its_orders_were_read(stage: Stage) -> None:
    """The orders come with the customers, so a change in between is not part of them."""
    extractor, read_at = stage.sync_service.extractor, stage.clock.now()
    day = FIRST + timedelta(days=1)
    extractor.read_customers([day])
    stage.clock.sleep(30)
    extractor.read_orders([day])
    assert _read_up_to(stage, day) == read_at
    stage.clock.sleep(30)
    extractor.read_orders([day])
    assert _read_up_to(stage, day) == read_at + timedelta(seconds=60)


def _read_up_to(stage: Stage, day: date) -> datetime:
    known = stage.sync_service.connections.store.get_value(f"{READ_UP_TO_KEY}.{day}")
    assert known is not None
    return datetime.fromisoformat(known[0])


def test_every_day_asked_for_gets_its_plan_although_nothing_but_days_without_orders_is_new(stage: Stage) -> None:
    """One service plans range after range: a shop closed for two months, or yesterday again with an empty today."""
    first: dict[date, list[Order]] = {FIRST: [], FIRST + timedelta(days=1): []}
    second: dict[date, list[Order]] = {FIRST + timedelta(days=2): []}
    for orders in (first, second, first | second):
        assert [plan.day for plan in stage.sync_service.planner.plan_orders(orders, (Kind.PAYMENT,))] == [*orders]


def test_each_sync_that_would_write_looks_at_xero_itself_and_once_a_day_at_its_accounts(stage: Stage) -> None:
    orders = stage.sync_service.extractor.read_orders([FIRST])

    def calls() -> int:
        sync_service = stage.sync_service
        before = sync_service.connections.calls[1]
        assert any(line.action is Action.CREATE for line in sync_service.planner.plan_contacts({}, orders)[0].changes)
        return sync_service.connections.calls[1] - before

    assert calls() == SETTINGS_CALLS + NUMBERS_CALLS + SWEEP
    assert calls() == 0, "the plans of one sync follow each other"
    fresh(stage)
    assert calls() == SWEEP, "another process does not know what people have done since"
    stage.clock.sleep(660)
    assert calls() == ORGANISATION + SWEEP, "it may have been connected to another, or have locked a month"
    stage.clock.sleep(85_700)
    assert calls() == ORGANISATION + SWEEP
    stage.clock.sleep(660)
    assert calls() == SETTINGS_CALLS + SWEEP


def test_after_a_refused_write_the_settings_are_read_again(stage: Stage) -> None:
    stage.sandbox.faults.add(Fault(kind=FaultKind.REFUSED, path="/Contacts", method="PUT", times=1))
    sync_service = stage.sync_service
    orders = sync_service.extractor.read_orders([FIRST])
    plan = sync_service.planner.plan_contacts({}, orders)
    (results,) = sync_service.loader.load(plan, "a run").values()
    assert any(result.outcome is LoadOutcome.FAILED for result in results)

    def calls() -> int:
        fresh(stage)
        stage.sync_service.planner.plan_contacts({}, orders)
        return stage.sync_service.connections.calls[1]

    assert calls() == SETTINGS_CALLS + SWEEP
    assert calls() == SWEEP


@pytest.mark.campaign
def test_a_day_of_plain_orders_of_new_customers_costs_seven_calls(stage: Stage) -> None:
    """The organisation, Contacts and Invoices before the writes; three writes; and the paid Invoices after them."""
    carry(stage.sync_service, [FIRST])
    stage.clock.sleep(3600)
    fresh(stage)
    order = a_plain_order(stage)
    orders = {FIRST + timedelta(days=1): list(copies(order, 10))}
    planner, loader = stage.sync_service.planner, stage.sync_service.loader
    for change_sets in (planner.plan_contacts({}, orders), planner.plan_items({}, orders), planner.plan_orders(orders)):
        loader.load(change_sets, "a run")
    stage.sync_service.reconciler.reconcile(orders)
    assert stage.sync_service.connections.calls[1] == 7


def test_what_a_person_entered_meanwhile_is_found_before_anything_is_written(stage: Stage) -> None:
    sync_service = stage.sync_service
    (first,) = sync_service.planner.plan_contacts({}, sync_service.extractor.read_orders([FIRST]))
    sync_service.loader.load([first], "a run")
    name = next(line.natural_key for line in first.changes)
    fresh(stage)
    (stage.folder / "state.db").unlink()
    again = {line.natural_key: line.action for line in stage.sync_service.planner.plan_contacts(
        {}, stage.sync_service.extractor.read_orders([FIRST]))[0].changes}  # fmt: skip
    assert again[name] is Action.ADOPT


@pytest.mark.campaign
def test_xero_is_read_back_once_after_a_write(stage: Stage) -> None:
    sync_service = stage.sync_service
    for change_sets in plans(sync_service, [FIRST]):
        sync_service.loader.load(change_sets, "a run")
    orders, before = sync_service.extractor.read_orders([FIRST]), sync_service.connections.calls[1]
    first = sync_service.reconciler.reconcile(orders)
    assert sync_service.connections.calls[1] - before == 3 * SWEEP
    assert sync_service.reconciler.reconcile(orders) == first
    assert sync_service.connections.calls[1] - before == 3 * SWEEP
    assert sync_service.reconciliations.of_days([FIRST, FIRST + timedelta(days=1)]) == first


@pytest.mark.campaign
def test_a_number_that_somebody_else_uses_is_given_up_for_one_with_the_orders_id(stage: Stage) -> None:
    stage.person.enter_invoice(
        {
            "Type": "ACCREC",
            "InvoiceNumber": "SH-1001",
            "Contact": {"Name": "Somebody else"},
            "Date": "2026-09-20",
            "DueDate": "2026-09-20",
            "Status": "AUTHORISED",
            "LineItems": [{"Description": "By hand", "Quantity": 1, "UnitAmount": 23, "AccountCode": "200"}],
        }
    )
    (day,) = carry(stage.sync_service, [FIRST])
    row = next(row for row in day.rows if row.order_name == "#1001")
    assert row.outcome == "posted"
    numbers = {found.natural_key for found in stage.sync_service.connections.store.mapped_of_orders([row.order_id])}
    assert f"SH-1001-{row.order_id}" in numbers
    assert "SH-1001" not in numbers
    assert not day.unequal
    assert (day.extra, day.lost, day.differences) == (0, 0, {})


def test_the_day_the_clocks_go_forward_has_23_hours_and_keeps_its_own_orders(tmp_path: Path) -> None:
    told = GeneratedShop(1)
    plain = next(
        found[0].node
        for gid, found in told.versions("orders", at(FIRST, 23)).items()
        if told.kind_of(gid) == "plain_card"
    )
    shop = GeneratedShop(1, opened=date(2027, 1, 1))
    placed = [(26, 23, 59), (27, 0, 5), (27, 23, 30), (28, 0, 0)]
    for number, (day, hour, minute) in enumerate(placed, 1):
        instant = datetime(2026, 9, day, hour, minute, tzinfo=ZONE).astimezone(UTC)
        stamp = instant.strftime("%Y-%m-%dT%H:%M:%SZ")
        order = {**plain, "id": f"gid://shopify/Order/{number}", "name": f"#C{number}"}
        shop.add("orders", {**order, "createdAt": stamp, "processedAt": stamp, "updatedAt": stamp}, instant)
    with staged(tmp_path, at(date(2026, 9, 30)), shop) as stage:
        days = [SUMMER_TIME + timedelta(days=number) for number in (-1, 0, 1)]
        found = stage.sync_service.extractor.read_orders(days)
        assert [[order.name for order in found[day]] for day in days] == [["#C1"], ["#C2", "#C3"], ["#C4"]]
        alone = stage.sync_service.extractor.read_orders([SUMMER_TIME])
        assert [order.name for order in alone[SUMMER_TIME]] == ["#C2", "#C3"]
        window = daily_partitions(stage.sync_service.connections.policy).time_window_for_partition_key("2026-09-27")
        assert (window.end.timestamp() - window.start.timestamp()) / 3600 == 23


def test_the_day_of_a_changed_order_is_the_one_it_was_placed_on_and_the_start_date_for_older_ones(
    tmp_path: Path,
) -> None:
    now = at(FIRST + timedelta(days=2))
    with staged(tmp_path, now, BOOKS_FILE=books_file(tmp_path, ("2026-09-21 ", "2026-09-22 "))) as stage:
        sync_service, since = stage.sync_service, at(FIRST, 0).astimezone(UTC)
        policy = sync_service.connections.policy
        found = [
            (day_of_order(order.processed_at, policy), order)
            for order in sync_service.connections.reader.changed_orders(since)
        ]
        assert {day for day, _ in found} == {FIRST + timedelta(days=1), FIRST + timedelta(days=2)}
        older = {day for day, order in found if order.processed_at < at(FIRST + timedelta(days=1), 0)}
        assert older == {FIRST + timedelta(days=1)}


def test_today_is_the_shops_day_not_the_machines(tmp_path: Path) -> None:
    with staged(tmp_path, datetime(2026, 9, 24, 12, 30, tzinfo=UTC)) as stage:
        assert stage.sync_service.connections.today() == date(2026, 9, 25)


def test_nothing_is_connected_before_it_is_needed(tmp_path: Path) -> None:
    with staged(tmp_path, at(FIRST)) as stage:
        assert stage.sync_service.connections.calls == (0, 0)
        assert stage.sync_service.connections.shop_domain == "sandbox.myshopify.com"
        assert not (tmp_path / "state.db").exists()


def test_a_static_token_will_do_for_shopify(tmp_path: Path) -> None:
    with staged(tmp_path, at(FIRST + timedelta(days=1)), SHOPIFY_ACCESS_TOKEN="sandbox") as stage:
        assert stage.sync_service.extractor.read_orders([FIRST])[FIRST]


def test_the_shops_currency_is_asked_for_where_only_the_plan_is_made_again(tmp_path: Path) -> None:
    with staged(tmp_path, at(FIRST + timedelta(days=1))) as stage:
        products = stage.sync_service.extractor.read_products([FIRST])
        fresh(stage)
        (tmp_path / "state.db").unlink()
        (plan,) = stage.sync_service.planner.plan_items(products, {})
        assert {line.kind for line in plan.changes} == {Kind.ITEM}


def test_a_state_store_of_another_shop_is_refused_with_both_names_and_a_way_out(stage: Stage) -> None:
    assert stage.sync_service.record_ownership.unfinished_days() == set()
    stage.environ["SHOPIFY_SHOP"] = "other.myshopify.com"
    fresh(stage)
    with pytest.raises(
        PipelineError,
        match=r"belongs to shop sandbox\.myshopify\.com, not to other\.myshopify\.com: "
        "check SHOPIFY_SHOP, or give this pair a STATE_URL of its own",
    ):
        stage.sync_service.record_ownership.unfinished_days()


def test_looking_at_the_store_before_the_shop_is_named_does_not_give_it_to_nobody(tmp_path: Path) -> None:
    with staged(tmp_path, at(FIRST), SHOPIFY_BASE_URL="", XERO_BASE_URL="") as stage:
        assert stage.sync_service.reconciliations.of_days([FIRST]) == []
        stage.environ["SHOPIFY_SHOP"] = "first.myshopify.com"
        fresh(stage)
        assert not any(stage.sync_service.connections.store.mapped(kind) for kind in Kind)


def test_another_organisation_is_refused_before_its_records_mix_with_ours(stage: Stage) -> None:
    orders = stage.sync_service.extractor.read_orders([FIRST])
    stage.sync_service.loader.load(stage.sync_service.planner.plan_contacts({}, orders), "a run")
    mirrored = len(stage.sync_service.connections.store.mirror(Kind.CONTACT))
    size = stage.size()
    stage.sandbox.books.organisation["ShortCode"] = "!other"
    stage.environ["XERO_TENANT_ID"] = stage.sandbox.books.tenant_id
    fresh(stage)
    with pytest.raises(PipelineError, match=r"belongs to organisation in Xero .*, not to !other: check XERO"):
        stage.sync_service.planner.plan_orders(orders, (Kind.INVOICE,))
    assert stage.size() == size
    assert len(stage.sync_service.connections.store.mirror(Kind.CONTACT)) == mirrored


def test_closing_twice_does_no_harm(stage: Stage) -> None:
    stage.sync_service.extractor.read_customers([FIRST])
    stage.sync_service.connections.close()
    stage.sync_service.connections.close()
