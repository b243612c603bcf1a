"""A red day stays red on its asset until it is mended, whichever day ran last; run by Dagster itself."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.loader import LoadingContextForTest

from shopify_xero_pipeline.defs import open_failures
from shopify_xero_pipeline.defs.metadata.tables import Links
from shopify_xero_pipeline.pipeline.open_failures import OpenRecord
from shopify_xero_pipeline.reconciliation.disagreements import Disagreement, NamedOrder
from shopify_xero_pipeline.sandbox.faults import Fault, FaultKind
from shopify_xero_pipeline_tests.support.stage import Stage, at, staged

FIRST = date(2026, 9, 21)
NEXT = FIRST + timedelta(days=1)
LINKS = Links("goods.myshopify.com")
RED_AFTER_A_REFUSED_INVOICE = {
    "xero/invoices all_days_loaded",
    "xero/payments all_days_loaded",  # they wait for their Invoice
    "books/reconciliation all_days_agree",
    "books/open_failures nothing_open",
}


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with staged(tmp_path, at(FIRST + timedelta(days=3))) as stage:
        yield stage


def results(instance: dg.DagsterInstance) -> dict[str, Any]:
    """Return what each check that looks at all days says, as the UI counts it: about the latest materialisation."""
    found = {}
    keys = open_failures.check_keys()
    for key, record in instance.event_log_storage.get_latest_asset_check_execution_by_key(keys).items():
        assert asyncio.run(record.targets_latest_materialization(LoadingContextForTest(instance))), key
        assert record.evaluation is not None
        assert record.evaluation.partition is None
        found[f"{key.asset_key.to_user_string()} {key.name}"] = record.evaluation
    assert len(found) == len(keys)
    return found


def red(instance: dg.DagsterInstance) -> set[str]:
    return {name for name, one in results(instance).items() if not one.passed}


def cells(table: Any) -> list[dict[str, Any]]:
    assert isinstance(table, dg.TableMetadataValue)
    return [dict(record.data) for record in table.records]


def listed(instance: dg.DagsterInstance) -> list[dict[str, Any]]:
    """Return what the page of `books/open_failures` lists."""
    record = instance.fetch_materializations(open_failures.OPEN_FAILURES_KEY, limit=1).records[0]
    assert record.asset_materialization is not None
    return cells(record.asset_materialization.metadata["open"])


def night(stage: Stage, instance: dg.DagsterInstance) -> None:
    definitions = stage.runner(instance).definitions
    assert definitions.resolve_job_def("open_failures").execute_in_process(instance=instance).success


@pytest.mark.campaign
def test_a_refused_invoice_keeps_its_assets_red_while_other_days_run_and_until_it_is_mended(
    stage: Stage, instance: dg.DagsterInstance
) -> None:
    runner = stage.runner(instance)
    runner.run("plan", [FIRST])
    (plan,) = (one for one in runner.plans([FIRST]) if one.kind == "invoice")
    number = next(line.natural_key for line in plan.changes if line.action == "create")
    refusal = Fault(kind=FaultKind.REFUSED, path="/Invoices", body=number, times=None, answer="No more invoices")
    stage.sandbox.faults.add(refusal)
    runner.sync([FIRST])
    assert red(instance) == RED_AFTER_A_REFUSED_INVOICE

    runner.sync([NEXT])
    assert red(instance) == RED_AFTER_A_REFUSED_INVOICE
    said = results(instance)["xero/invoices all_days_loaded"]
    assert said.description.startswith(
        f"1 record is not in Xero, on {FIRST}. invoice {number}: Xero refused it: No more"
    )
    (row,) = cells(said.metadata["failures"])
    assert (row["day"], row["record"], row["attempts"]) == (str(FIRST), f"invoice {number}", "1")
    assert row["order"].startswith("#")
    assert said.metadata[f"{row['order']} in Shopify"].value.startswith(
        "https://admin.shopify.com/store/sandbox/orders/"
    )
    books = results(instance)["books/reconciliation all_days_agree"]
    assert books.description.startswith(f"1 order to look at, on {FIRST}. {row['order']}: Xero refused it: No more")
    everything = results(instance)["books/open_failures nothing_open"]
    named = [one["asset"] for one in cells(everything.metadata["open"])]
    assert named == ["xero/invoices", "xero/payments", "books/reconciliation"]

    night(stage, instance)
    assert red(instance) == RED_AFTER_A_REFUSED_INVOICE
    stage.sandbox.faults.clear()
    stage.clock.sleep(3600)
    stage.runner(instance).sync([NEXT])
    assert red(instance) == RED_AFTER_A_REFUSED_INVOICE
    stage.runner(instance).sync([FIRST])
    assert red(instance) == set()


@pytest.mark.campaign
def test_what_a_person_settles_without_a_run_is_green_after_the_night(
    stage: Stage, instance: dg.DagsterInstance
) -> None:
    runner = stage.runner(instance)
    runner.run("plan", [FIRST])
    stage.person.archive_account("601")
    runner.sync([FIRST])
    assert "xero/payments all_days_loaded" in red(instance)
    assert "xero/payments" in [row["asset"] for row in listed(instance)]
    stage.sync_service.connections.store.retry_queue.dismiss(
        stage.sync_service.connections.store.failed_records(), "entered by hand"
    )
    night(stage, instance)
    assert "xero/payments all_days_loaded" not in red(instance)
    assert [row["asset"] for row in listed(instance)] == ["books/reconciliation"]


@pytest.mark.campaign
def test_a_range_evaluates_the_checks_that_look_at_all_days_once_and_whole(
    stage: Stage, instance: dg.DagsterInstance
) -> None:
    stage.runner(instance).sync([FIRST, NEXT])
    assert red(instance) == set()
    key = dg.AssetCheckKey(dg.AssetKey(["xero", "invoices"]), "all_days_loaded")
    assert len(instance.event_log_storage.get_asset_check_execution_history(key, limit=10)) == 1


def record(day: date = FIRST, **given: Any) -> OpenRecord:
    plain = {
        "day": day, "kind": "invoice", "name": "SH-1001", "order_id": "5001", "order_name": "#1001",
        "reason": "Xero refused it.", "is_failed": True, "attempts": 2,
        "next_attempt_at": datetime(2026, 9, 22, 7, 5, tzinfo=UTC), "correlation_id": "corr",
    }  # fmt: skip
    return OpenRecord.model_validate(plain | given)


def test_a_load_says_how_many_records_are_open_on_which_days_the_first_of_them_and_what_to_do() -> None:
    found = [record(), record(), record(NEXT, name="SH-9", next_attempt_at=None)]
    passed, says, shown = open_failures.all_days_loaded(found, LINKS)
    assert not passed
    assert says == (
        "3 records are not in Xero, on 2 days: 2026-09-21 (2), 2026-09-22 (1). "
        "The first: invoice SH-1001: Xero refused it."
    )
    assert shown["records not in Xero"] == 3
    assert cells(shown["failures"])[0] == {
        "day": "2026-09-21", "order": "#1001", "record": "invoice SH-1001", "reason": "Xero refused it.",
        "attempts": "2", "next attempt": "22 Sep 07:05 UTC", "request": "corr",
    }  # fmt: skip
    assert cells(shown["failures"])[2]["next attempt"] == "with the next load"
    assert "sync the day again" in shown["what to do"].value
    assert not any(isinstance(value, dg.MarkdownMetadataValue) for value in shown.values())


def test_of_many_days_the_five_worst_are_named() -> None:
    days = [FIRST + timedelta(days=number) for number in range(7)]
    found = [record(day) for day in [*days, days[6], days[6], days[3]]]
    _, says, shown = open_failures.all_days_loaded(found, LINKS)
    worst = "2026-09-27 (3), 2026-09-24 (2), 2026-09-21 (1), 2026-09-22 (1), 2026-09-23 (1) and 2 more days"
    assert says.startswith(f"10 records are not in Xero, on 7 days: {worst}. ")
    assert shown["worst days"].value == worst


def test_the_books_say_how_many_orders_to_look_at_on_which_days_and_a_difference_only_where_there_is_one() -> None:
    def wrong(day: date, orders: int, **differences: str) -> Disagreement:
        named = NamedOrder(order_id="5001", order_name="#1001", reason="sales: Shopify 10.00, Xero 9.99")
        return Disagreement(
            day=day,
            orders=orders,
            differences={key: Decimal(text) for key, text in differences.items()},
            named=(named,),
        )

    passed, says, shown = open_failures.all_days_agree([wrong(FIRST, 1), wrong(NEXT, 2, NZD="1234.5", AUD="-3")], LINKS)
    assert not passed
    assert says == (
        "3 orders to look at, on 2 days: 2026-09-22 (2), 2026-09-21 (1). "
        "The first: #1001: sales: Shopify 10.00, Xero 9.99"
    )
    assert cells(shown["days"]) == [
        {"day": "2026-09-21", "orders": "1", "difference": ""},
        {"day": "2026-09-22", "orders": "2", "difference": "-3.00 AUD, 1,234.50 NZD"},
    ]


def test_where_nothing_is_open_each_check_says_so() -> None:
    passed = [open_failures.all_days_loaded([], LINKS), open_failures.all_days_agree([], LINKS)]
    everything = open_failures.nothing_open(dict(zip(open_failures.CHECKS, passed, strict=False)))
    assert [one.passed for one in [*passed, everything]] == [True] * 3
    assert everything.description == "Nothing is open: every record is in Xero, and the books of every day agree."
