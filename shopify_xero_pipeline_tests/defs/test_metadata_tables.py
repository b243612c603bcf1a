"""What the Dagster UI shows of plans, loads and days: links, caps, and nothing about a customer."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import dagster as dg
import pytest

from shopify_xero_pipeline.changes.models import Action, Change, ChangeSet, FieldDiff
from shopify_xero_pipeline.defs.metadata import extract, load, reconciliation, tables
from shopify_xero_pipeline.defs.metadata.plan import plan_metadata
from shopify_xero_pipeline.loading.load_report import LoadOutcome, LoadResult
from shopify_xero_pipeline.reconciliation.comparison import DayReconciliation
from shopify_xero_pipeline.state.records import SyncError
from shopify_xero_pipeline.xero.models import Kind
from shopify_xero_pipeline_tests.support.rows import DAY, INSTANT, TEN, order_row, orphaned_order

LINKS = tables.Links("goods.myshopify.com")
ORDER_LINK = "[#1001](https://admin.shopify.com/store/goods/orders/5001)"


def change(**given: Any) -> Change:
    plain = {
        "action": Action.CREATE,
        "kind": Kind.INVOICE,
        "shopify_id": "5001/77",
        "natural_key": "SH-1001",
        "order_id": "5001",
        "order_name": "#1001",
        "amount": Decimal("23.00"),
        "currency": "NZD",
    }
    return Change.model_validate(plain | given)


def result(**given: Any) -> LoadResult:
    plain = {
        "day": DAY,
        "kind": Kind.INVOICE,
        "shopify_id": "5001/77",
        "natural_key": "SH-1001",
        "order_id": "5001",
        "order_name": "#1001",
        "outcome": LoadOutcome.CREATED,
        "amount": Decimal("23.00"),
        "currency": "NZD",
    }
    return LoadResult.model_validate(plain | given)


def error(**given: Any) -> SyncError:
    at = datetime(2026, 9, 21, 7, tzinfo=UTC)
    plain = {
        "kind": Kind.INVOICE,
        "shopify_id": "5001/77",
        "natural_key": "SH-1001",
        "partition": DAY,
        "run_id": "run",
        "reason": "no",
        "retryable": False,
        "attempts": 1,
        "payload": "",
        "first_failed_at": at,
        "last_failed_at": at,
    }
    return SyncError.model_validate(plain | given)


def plan(*changes: Change) -> dict[str, Any]:
    return plan_metadata(ChangeSet(kind=Kind.INVOICE, day=DAY, changes=changes), LINKS)


def text(shown: Any) -> str:
    assert isinstance(shown, dg.MarkdownMetadataValue | dg.TextMetadataValue)
    return str(shown.value)


def rows_of(shown: Any) -> list[dict[str, Any]]:
    assert isinstance(shown, dg.TableMetadataValue)
    return [dict(record.data) for record in shown.records]


def test_orders_link_to_the_shops_admin() -> None:
    assert LINKS.order_link("5001", "#1001") == ORDER_LINK
    assert LINKS.order_link("5001", None) == "[5001](https://admin.shopify.com/store/goods/orders/5001)"
    assert LINKS.order_link(None, "#1001") == "#1001"
    assert LINKS.order_link(None, None) == ""


@pytest.mark.parametrize(
    ("kind", "page"),
    [
        (Kind.CONTACT, "https://go.xero.com/Contacts/View/x-1"),
        (Kind.INVOICE, "https://go.xero.com/AccountsReceivable/View.aspx?InvoiceID=x-1"),
        (Kind.CREDIT_NOTE, "https://go.xero.com/AccountsReceivable/ViewCreditNote.aspx?creditNoteID=x-1"),
    ],
)
def test_records_link_to_xero_once_they_are_there(kind: Kind, page: str) -> None:
    posted, refused = result(kind=kind, xero_id="x-1", natural_key="it"), result(kind=kind)
    name = f"{kind.value.replace('_', ' ')} it in Xero"
    assert LINKS.record_pages([posted, refused]) == {name: dg.MetadataValue.url(page)}


def test_an_allocation_has_no_page_of_its_own() -> None:
    assert LINKS.record_pages([result(kind=Kind.ALLOCATION, xero_id="x-1")]) == {}


def test_the_pages_of_the_first_five_orders_are_links_and_each_order_has_one() -> None:
    found = LINKS.order_pages([("5001", "#1001"), ("5001", "#1001"), (None, ""), ("5002", "")])
    assert {name: page.value for name, page in found.items()} == {
        "#1001 in Shopify": "https://admin.shopify.com/store/goods/orders/5001",
        "5002 in Shopify": "https://admin.shopify.com/store/goods/orders/5002",
    }
    assert len(LINKS.order_pages([(str(number), f"#{number}") for number in range(6)])) == 5


def test_a_plan_shows_counts_money_a_table_and_a_diff() -> None:
    field = FieldDiff(field="total", before="20.00", after="23.00")
    shown = plan(
        change(),
        change(action=Action.UPDATE, fields=(field,), reason="the order was edited"),
        change(action=Action.UNCHANGED, natural_key="SH-1000"),
        change(action=Action.ADOPT, amount=Decimal("1000"), currency="AUD"),
    )
    assert shown["dagster/row_count"] == 4
    assert (shown["create"], shown["update"], shown["adopt"], shown["unchanged"], shown["blocked"]) == (1, 1, 1, 1, 0)
    assert text(shown["planned amount"]) == "1,000.00 AUD  \n23.00 NZD"
    assert [record.data["action"] for record in shown["plan"].records] == ["create", "update", "adopt"]
    assert shown["plan"].records[0].data["amount"] == "23.00 NZD"
    diff = text(shown["diff"])
    assert f"**+ create invoice SH-1001** for order {ORDER_LINK}" in diff
    assert "**~ update invoice SH-1001**" in diff
    assert ": the order was edited\n```diff\n- total: 20.00\n+ total: 23.00\n```" in diff
    assert "SH-1000" not in diff


def test_a_plan_with_nothing_to_do_says_so() -> None:
    shown = plan(change(action=Action.UNCHANGED))
    assert text(shown["plan"]) == text(shown["diff"]) == "nothing to do"
    assert text(shown["planned amount"]) == "none"


def test_a_record_without_key_order_or_amount_is_shown_by_its_id() -> None:
    shown = plan(change(natural_key="", order_id=None, order_name=None, amount=None, currency=None))
    assert text(shown["diff"]) == "**+ create invoice 5001/77**"
    assert shown["plan"].records[0].data == {
        "action": "create", "record": "invoice 5001/77", "order": "", "amount": "", "reason": ""
    }  # fmt: skip


def test_a_contacts_fields_are_named_but_not_shown() -> None:
    fields = (
        FieldDiff(field="name", before="Aroha Ngata", after="Aroha Hill"),
        FieldDiff(field="email", before=None, after="aroha@example.co.nz"),
        FieldDiff(field="phone", before="", after=None),
    )
    shown = plan(change(kind=Kind.CONTACT, natural_key="shopify-7", fields=fields, amount=None))
    diff = text(shown["diff"])
    assert "- name: …\n+ name: …\n+ email: …\n- phone: " in diff
    assert "Aroha" not in str(shown)
    assert "example" not in str(shown)


def test_of_51_changes_50_are_shown_and_one_is_counted() -> None:
    shown = plan(*(change(natural_key=f"SH-{number}") for number in range(51)))
    assert [row["action"] for row in rows_of(shown["plan"])] == ["create"] * 50 + ["… and 1 more"]
    assert text(shown["diff"]).endswith("\n\n… and 1 more")
    assert "SH-49" in text(shown["diff"])
    assert "SH-50" not in text(shown["diff"])


def test_a_load_shows_what_was_posted_and_every_failure_with_links_to_both_sides_and_what_comes_next() -> None:
    failed = result(
        outcome=LoadOutcome.FAILED, xero_id="x-1", reason="Xero | said\nno", attempts=2, correlation_id="corr"
    )  # fmt: skip
    late = result(outcome=LoadOutcome.POSTPONED, retryable=True, kind=Kind.ITEM, natural_key="A|B", order_id=None,
                  order_name=None)  # fmt: skip
    shown = load.load_metadata([result(), result(outcome=LoadOutcome.ADOPTED), failed, late])
    assert text(shown["records"]) == "1 adopted, 1 created, 1 failed, 1 postponed"
    assert text(shown["posted amount"]) == "46.00 NZD"
    page = "https://go.xero.com/AccountsReceivable/View.aspx?InvoiceID=x-1"
    known = error(attempts=4, next_attempt_at=datetime(2026, 9, 22, 7, 5, tzinfo=UTC))
    found = load.all_loaded_outcome([result(), failed, late], LINKS, [known])
    names = ("order", "record", "reason", "transient", "attempts", "next attempt", "request")
    assert rows_of(found.metadata["failures"]) == [
        dict(zip(names, cells, strict=True))
        for cells in (
            ("#1001", "invoice SH-1001", "Xero | said no", "no", "4", "22 Sep 07:05 UTC", "corr"),
            ("", "item A|B", "", "yes", "0", "with the next load", ""),
        )
    ]
    assert found.metadata["#1001 in Shopify"].value == "https://admin.shopify.com/store/goods/orders/5001"
    assert found.metadata["invoice SH-1001 in Xero"].value == page
    assert (found.passed, found.description) == (False, "2 of 3 records not in Xero: invoice SH-1001, item A|B")


def test_a_failure_the_store_does_not_know_any_more_shows_what_the_load_itself_counted() -> None:
    found = load.all_loaded_outcome(
        [result(outcome=LoadOutcome.FAILED, attempts=2)], LINKS, [error(shopify_id="other")]
    )
    assert found.description == "1 of 1 record not in Xero: invoice SH-1001"
    (row,) = rows_of(found.metadata["failures"])
    assert (row["transient"], row["attempts"], row["next attempt"]) == ("no", "2", "with the next load")


def test_a_load_without_failures_says_none() -> None:
    found = load.all_loaded_outcome([result()], LINKS, [])
    assert (found.passed, found.description, text(found.metadata["failures"])) == (
        True,
        "1 checked, no failures",
        "none",
    )
    assert load.all_loaded_outcome([], LINKS, []).passed


def test_of_51_failures_50_are_shown_and_one_is_counted() -> None:
    found = load.all_loaded_outcome([result(outcome=LoadOutcome.FAILED)] * 51, LINKS, [])
    rows = rows_of(found.metadata["failures"])
    assert len(rows) == 51
    assert rows[-1]["order"] == "… and 1 more"
    assert found.description == f"51 of 51 records not in Xero: {', '.join(['invoice SH-1001'] * 5)} and 46 more"


def test_a_day_shows_three_columns_by_currency_and_what_is_not_posted_or_not_equal() -> None:
    rows = (
        order_row(),
        order_row(order_name="#2|3", xero_sales=Decimal("9.99"), problems=("sales: 10, 10, 9.99",)),
        order_row(currency="AUD", sales=Decimal("1234.5")),
        order_row(outcome="blocked", reason="no rate", order_name="#4", xero_sales=Decimal(0)),
    )
    shown = reconciliation.reconciliation_metadata(DayReconciliation(day=DAY, rows=rows))
    assert text(shown["orders"]) == "1 blocked, 3 posted"
    assert shown["difference"] == "1224.51"
    columns = text(shown["three-way totals"])
    assert "| NZD | sales | 20.00 | 20.00 | 19.99 |" in columns
    assert "| NZD | money | 20.00 | 20.00 | 20.00 |" in columns
    assert "| AUD | sales | 1,234.50 | 10.00 | 10.00 |" in columns
    ((order, outcome, reason),) = ([*row.values()][:3] for row in rows_of(shown["unposted orders"]))
    assert (order, outcome, reason) == ("#4", "blocked", "no rate")
    assert [row["order"] for row in rows_of(shown["unbalanced orders"])] == ["#2|3"]


def test_the_orders_amounts_have_two_decimals_or_all_that_there_are() -> None:
    row = order_row(sales=Decimal("1237.3"), money=Decimal("0.0"), mapped_sales=Decimal(0), xero_money=Decimal("9.995"))
    (line,) = rows_of(reconciliation.order_table([row]))
    assert (line["Shopify"], line["mapping"], line["Xero"]) == ("1,237.30 / 0.00", "0.00 / 10.00", "10.00 / 9.995")


def test_a_day_on_which_nothing_is_posted_says_so() -> None:
    shown = reconciliation.reconciliation_metadata(DayReconciliation(day=DAY, rows=()))
    assert text(shown["three-way totals"]) == "nothing posted"
    assert text(shown["unposted orders"]) == text(shown["unbalanced orders"]) == "none"


@pytest.mark.parametrize(
    ("check", "row"),
    [
        ("every_order_accounted_for", order_row(outcome="failed", reason="refused")),
        ("every_order_accounted_for", order_row(outcome="waiting")),
        ("every_order_accounted_for", order_row(outcome="conflict", reason="a person paid it")),
        ("every_order_accounted_for", order_row(outcome="postponed", reason="Xero is away")),
        ("totals_equal", order_row(problems=("unequal",))),
        ("no_duplicates_or_missing", order_row(extra=1)),
        ("no_duplicates_or_missing", order_row(lost=1)),
    ],
)
def test_a_check_fails_for_the_orders_that_break_it_and_names_them(check: str, row: Any) -> None:
    day = DayReconciliation(day=DAY, rows=(order_row(order_name="#9"), row))
    passed, says, shown = reconciliation.reconciliation_outcome(check, day, LINKS)
    assert (passed, says) == (False, "1 of 2 orders to look at: #1001")
    assert [row["order"] for row in rows_of(shown["orders"])] == ["#1001"]
    assert shown["#1001 in Shopify"].value == "https://admin.shopify.com/store/goods/orders/5001"
    passed, says, shown = reconciliation.reconciliation_outcome(
        check, DayReconciliation(day=DAY, rows=(order_row(),)), LINKS
    )
    assert (passed, says) == (True, "1 checked, no failures")
    assert text(shown["orders"]) == "none"


def test_no_duplicates_or_missing_fails_for_records_without_an_order_until_a_person_decides() -> None:
    day = DayReconciliation(day=DAY, rows=(order_row(),), orphans=(orphaned_order(),))
    passed, says, shown = reconciliation.reconciliation_outcome("no_duplicates_or_missing", day, LINKS)
    assert (passed, says) == (False, "1 of 2 orders to look at: SH-2071")
    (line,) = rows_of(shown["orphans"])
    assert line["record"] == "SH-2071"
    assert line["page"] == "https://go.xero.com/AccountsReceivable/View.aspx?InvoiceID=x-1"
    assert (line["date"], line["amount"], line["state"]) == ("2026-09-21", "46.00 NZD", "in Xero")
    assert line["reason"].startswith("deleted in Shopify")
    assert line["decision"].startswith("to be decided: void it, or keep it")
    assert reconciliation.reconciliation_outcome("totals_equal", day, LINKS).passed
    assert reconciliation.reconciliation_metadata(day)["undecided orphans"] == "1"

    decided = day.model_copy(update={"orphans": (orphaned_order(kept_because="written off", decided_at=INSTANT),)})
    passed, says, shown = reconciliation.reconciliation_outcome("no_duplicates_or_missing", decided, LINKS)
    assert (passed, says) == (True, "2 checked, no failures")
    (line,) = rows_of(shown["orphans"])
    assert line["decision"].startswith("left in Xero since 2026-09-21 00:00 UTC: written off")


def test_an_order_that_a_person_left_different_breaks_no_check_and_is_shown_with_the_reason() -> None:
    left = order_row(left="posted 1, now 2; left as it is in Xero: by hand", warnings=("tax on its first row",))
    day = DayReconciliation(day=DAY, rows=(left, order_row()))
    assert all(
        reconciliation.reconciliation_outcome(name, day, LINKS).passed
        for name in ("totals_equal", "no_duplicates_or_missing")
    )
    (line,) = rows_of(reconciliation.reconciliation_metadata(day)["accepted differences"])
    assert "by hand" in str(line)
    assert rows_of(reconciliation.reconciliation_metadata(day)["warnings"]) == [
        {"order": "#1001", "warning": "tax on its first row"}
    ]
    assert "accepted differences" not in reconciliation.reconciliation_metadata(
        DayReconciliation(day=DAY, rows=(order_row(),))
    )


def test_money_is_shown_exactly_and_plotted_by_currency() -> None:
    shown = tables.money_metadata("posted amount", {"NZD": TEN, "AUD": Decimal("1234.5")})
    assert text(shown.pop("posted amount")) == "1,234.50 AUD  \n10.00 NZD"
    assert shown == {
        "posted amount NZD": dg.FloatMetadataValue(10.0),
        "posted amount AUD": dg.FloatMetadataValue(1234.5),
    }


def test_money_is_shown_by_currency() -> None:
    assert text(tables.money_table({"NZD": TEN, "AUD": Decimal("1234.5")})) == "1,234.50 AUD  \n10.00 NZD"
    assert text(tables.money_table({})) == "none"


def test_of_extracted_records_only_the_number_is_shown() -> None:
    assert extract.row_count_metadata([object(), object()]) == {"dagster/row_count": 2}
    shown = extract.order_metadata([])
    assert (shown["dagster/row_count"], text(shown["current sales"])) == (0, "none")
