"""The metadata of a load and of its check: posted amounts, and each failure with links to both sides."""

from datetime import UTC, datetime

from shopify_xero_pipeline.defs.metadata import records
from shopify_xero_pipeline.loading.load_report import LoadOutcome
from shopify_xero_pipeline.xero.models import Kind
from shopify_xero_pipeline_tests.defs.metadata.shown import LINKS, result, rows_of, text
from shopify_xero_pipeline_tests.support.rows import sync_error


def test_a_load_shows_what_was_posted_and_every_failure_with_links_to_both_sides_and_what_comes_next() -> None:
    failed = result(
        outcome=LoadOutcome.FAILED, xero_id="x-1", reason="Xero | said\nno", attempts=2, correlation_id="corr"
    )  # fmt: skip
    late = result(outcome=LoadOutcome.POSTPONED, retryable=True, kind=Kind.ITEM, natural_key="A|B", order_id=None,
                  order_name=None)  # fmt: skip
    shown = records.load_metadata([result(), result(outcome=LoadOutcome.ADOPTED), failed, late])
    assert text(shown["records"]) == "1 adopted, 1 created, 1 failed, 1 postponed"
    assert text(shown["posted amount"]) == "46.00 NZD"
    page = "https://go.xero.com/AccountsReceivable/View.aspx?InvoiceID=x-1"
    known = sync_error(kind="invoice", attempts=4, next_attempt_at=datetime(2026, 9, 22, 7, 5, tzinfo=UTC))
    found = records.all_loaded_outcome([result(), failed, late], LINKS, [known])
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
    found = records.all_loaded_outcome(
        [result(outcome=LoadOutcome.FAILED, attempts=2)], LINKS, [sync_error(kind="invoice", shopify_id="other")]
    )
    assert found.description == "1 of 1 record not in Xero: invoice SH-1001"
    (row,) = rows_of(found.metadata["failures"])
    assert (row["transient"], row["attempts"], row["next attempt"]) == ("no", "2", "with the next load")


def test_a_load_without_failures_says_none() -> None:
    found = records.all_loaded_outcome([result()], LINKS, [])
    assert (found.passed, found.description, text(found.metadata["failures"])) == (
        True,
        "1 checked, no failures",
        "none",
    )
    assert records.all_loaded_outcome([], LINKS, []).passed


def test_of_51_failures_50_are_shown_and_one_is_counted() -> None:
    found = records.all_loaded_outcome([result(outcome=LoadOutcome.FAILED)] * 51, LINKS, [])
    rows = rows_of(found.metadata["failures"])
    assert len(rows) == 51
    assert rows[-1]["order"] == "… and 1 more"
    assert found.description == f"51 of 51 records not in Xero: {', '.join(['invoice SH-1001'] * 5)} and 46 more"
