"""Records in Xero that no order wants: named by every command until a person decides, and what is none stays unnamed.

Played through the command line on a shop written by hand; the figures are those of its two orders, 115.00 and 46.00.
"""

import json
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from shopify_xero_pipeline.sandbox.recorded import RecordedShop
from shopify_xero_pipeline.sandbox.shopify.options import ALL_SCOPES, ShopifyOptions
from shopify_xero_pipeline.sandbox.xero.records import Document
from shopify_xero_pipeline_tests.cli.test_cli import invoke, on_stage
from shopify_xero_pipeline_tests.support.small_shop import SmallShop
from shopify_xero_pipeline_tests.support.stage import Stage, at, staged
from shopify_xero_pipeline_tests.support.sync_round import books_file

pytestmark = pytest.mark.campaign

DAY, NEXT = date(2026, 10, 1), date(2026, 10, 2)
NOW = at(date(2026, 10, 5))
PAGE = Path(__file__).parents[2] / "docs" / "books.md"
STAYS, GOES = "92070", "92071"


@pytest.fixture
def shop() -> SmallShop:
    shop = SmallShop()
    shop.sell(2070, at(DAY, 9), "115.00")
    shop.sell(2071, at(DAY, 10), "46.00")
    return shop


@pytest.fixture
def stage(tmp_path: Path, shop: SmallShop, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    with staged(tmp_path, NOW, shop) as stage, on_stage(stage, monkeypatch):
        for name, value in stage.environ.items():  # `rebuild` puts the store aside that the environment names
            monkeypatch.setenv(name, value)
        yield stage


def run(stage: Stage, *arguments: str, code: int = 0) -> dict[str, Any]:
    """Run a command in a process of its own, a minute after the last one; return its JSON."""
    stage.clock.sleep(60)
    stage.sync_service.connections.close()
    stage.restart()
    result = invoke(*arguments, "--json", "-")
    assert result.exit_code == code, result.output
    told = json.loads(result.stdout)
    found: dict[str, Any] = told if isinstance(told, dict) else {"orders": told}
    return found | {"printed": result.stderr}


def sync(stage: Stage, day: date = DAY, code: int = 0) -> dict[str, Any]:
    return run(stage, "sync", "--day", str(day), code=code)


def doctor(stage: Stage, code: int = 0) -> list[str]:
    """Return which promises the doctor finds broken."""
    (stage.folder / "dagster").mkdir(exist_ok=True)
    found = run(stage, "doctor", code=code)
    return [name for name, one in found.items() if name.startswith("I") and one["broken"]]


def alerts(stage: Stage, code: int = 0) -> list[str]:
    return [one["key"] for one in run(stage, "alerts", code=code)["causes"] if one["key"].startswith("orphans")]


def named(found: dict[str, Any]) -> list[tuple[str, str, list[tuple[str, str, str]]]]:
    """Return what a command names: why, how it stands, and each record with its amount and state."""
    orders = found["without_order"] if "without_order" in found else found["orphans"]
    return [
        (one["cause"], one["decision"], [(row["name"], row["amount"], row["state"]) for row in one["records"]])
        for one in orders
    ]


def document(stage: Stage, number: str) -> Document:
    return next(one for one in stage.sandbox.books.documents.values() if one.number == number)


def void(stage: Stage, number: str) -> None:
    """Do what the remedy says, as a person: remove the payments of a document and void it."""
    found = document(stage, number)
    for payment in stage.sandbox.books.payments_of(found):
        stage.person.delete_payment(payment)
    stage.person.void_document(found)


LIVE = [("SH-2071", "46.00", "in Xero"), ("payment of SH-2071", "46.00", "in Xero")]
TO_DECIDE = ("deleted", "to be decided", LIVE)


def deleted(stage: Stage, shop: SmallShop) -> None:
    """Both orders are in Xero; then #2071 is deleted in Shopify, and its day is synced again."""
    assert sync(stage)["posted"] == 2
    shop.delete(GOES, stage.clock.now())
    found = sync(stage, code=1)
    assert (found["posted"], found["difference"], named(found)) == (1, "0.00", [TO_DECIDE])


def test_a_deleted_order_is_named_by_every_command_with_amounts_links_and_what_to_do(
    stage: Stage, shop: SmallShop
) -> None:
    deleted(stage, shop)
    (order,) = run(stage, "status", code=1)["without_order"]
    assert (order["day"], order["order_name"], order["name"]) == ("2026-10-01", "#2071", "SH-2071")
    assert order["reason"].startswith(
        "deleted in Shopify: Shopify returned no order for its id on 2026-10-04 23:02 UTC"
    )
    assert order["remedy"] == (
        "remove its payments and void its documents in Xero, then sync the day; or keep them: "
        "shopify-xero dismiss --key SH-2071 --because TEXT"
    )
    pages = [one["page"] for one in order["records"]]
    assert pages[0] == f"https://go.xero.com/AccountsReceivable/View.aspx?InvoiceID={document(stage, 'SH-2071').id}"
    assert pages[1].startswith("https://go.xero.com/Bank/ViewTransaction.aspx?bankTransactionID=")

    month = run(stage, "status", "--month", "2026-10", code=1)
    assert (named(month), month["agrees"]) == ([TO_DECIDE], False)
    assert "2026-10 does not agree" in month["printed"]
    assert "documents 46.00 NZD, payments 46.00 NZD" in month["printed"]
    assert run(stage, "status", "--month", "2026-09", code=75)["orphans"] == []
    assert doctor(stage, code=1) == ["I14"]
    assert alerts(stage, code=1) == ["orphans:2026-10-01"]
    trace = invoke("status", "#2071")
    assert trace.exit_code == 1
    assert "without an order; deleted in Shopify" in " ".join(trace.stdout.split())


def test_the_figures_of_the_page_for_accountants_are_those_of_the_commands(stage: Stage, shop: SmallShop) -> None:
    deleted(stage, shop)
    month = run(stage, "status", "--month", "2026-10", code=1)
    (statement,) = month["statements"]
    lines = {(line["side"], line["what"]): (line["shopify"], line["xero"]) for line in statement["lines"]}
    records = month["orphans"][0]["records"]
    books = stage.sandbox.books
    in_xero = (
        sum(one.total for one in books.documents.values()),
        sum(one.amount for one in books.payments.values()),
    )
    for name, line, record, total in (
        ("documents", ("documents", "invoices"), records[0], in_xero[0]),
        ("payments", ("payments", "shopify_payments"), records[1], in_xero[1]),
    ):
        cells = (name, *lines[line], record["amount"], f"{total:.2f}")
        assert f"| {' | '.join(cells)} |" in PAGE.read_text()


def test_a_recorded_folder_served_again_without_an_order_shows_it_as_deleted(
    tmp_path: Path, shop: SmallShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As somebody plays it with `sandbox --data DIR`: the second time the order's line is gone from the folder."""
    nodes = [some[-1].node for some in shop.versions("orders", NOW).values()]
    house, files = tmp_path / "house", tmp_path / "data"
    for folder in (house, files):
        folder.mkdir()
    (files / "shop.json").write_text(json.dumps(shop.shop()))
    (files / "orders.jsonl").write_text("".join(json.dumps(node) + "\n" for node in nodes))
    with staged(house, NOW, RecordedShop(files)) as stage, on_stage(stage, monkeypatch):
        assert sync(stage)["posted"] == 2
        books = stage.sandbox.books
    (files / "orders.jsonl").write_text(json.dumps(nodes[0]) + "\n")
    with staged(house, NOW, RecordedShop(files), xero_books=books) as stage, on_stage(stage, monkeypatch):
        assert named(sync(stage, code=1)) == [TO_DECIDE]


def test_an_order_kept_for_a_reason_is_green_everywhere_and_the_reason_stays_in_sight(
    stage: Stage, shop: SmallShop
) -> None:
    deleted(stage, shop)
    decision = "left in Xero since 2026-10-04 23:03 UTC: fraud, written off"
    kept = run(stage, "dismiss", "--key", "SH-2071", "--because", "fraud, written off")
    assert [(one["name"], one["decision"]) for one in kept["kept"]] == [("SH-2071", decision)]
    assert "the checks of 2026-10-01 show it after the next sync" in kept["printed"]

    for found in (
        run(stage, "status"),
        sync(stage),
        run(stage, "status", "--month", "2026-10", code=75),
        run(stage, "status"),
    ):
        assert named(found) == [("deleted", decision, LIVE)]
        assert "fraud, written off" in found["printed"]
    assert doctor(stage) == []
    assert alerts(stage) == []
    assert invoke("status", "SH-2071").exit_code == 0


def test_a_decision_is_taken_back_by_name(stage: Stage, shop: SmallShop) -> None:
    deleted(stage, shop)
    run(stage, "dismiss", "--key", "#2071", "--because", "by mistake")
    again = run(stage, "retry", "--key", "SH-2071", code=1)
    assert [one["name"] for one in again["open_again"]] == ["SH-2071"]
    assert named(run(stage, "status", code=1)) == [TO_DECIDE]


def test_an_order_voided_by_hand_is_recognised_and_listed_as_done(stage: Stage, shop: SmallShop) -> None:
    deleted(stage, shop)
    void(stage, "SH-2071")
    gone = [("SH-2071", "46.00", "voided"), ("payment of SH-2071", "46.00", "deleted")]
    done = ("deleted", "done: nothing of it is live in Xero any more", gone)
    assert named(sync(stage)) == [done]
    assert named(run(stage, "status")) == [done]
    assert named(run(stage, "status", "--month", "2026-10", code=75)) == [done]
    assert doctor(stage) == []
    assert alerts(stage) == []
    assert sync(stage)["xero_calls"] == 0
    trace = run(stage, "status", "SH-2071")["orders"][0]
    assert {one["name"].partition("|")[0][:7]: one["state"] for one in trace["records"]} == {
        "SH-2071": "voided",
        "shopify": "deleted",
    }


def test_half_of_what_was_to_be_done_in_xero_is_not_enough(stage: Stage, shop: SmallShop) -> None:
    deleted(stage, shop)
    stage.person.delete_payment(stage.sandbox.books.payments_of(document(stage, "SH-2071"))[0])
    left = [("SH-2071", "46.00", "in Xero"), ("payment of SH-2071", "46.00", "deleted")]
    assert named(sync(stage, code=1)) == [("deleted", "to be decided", left)]


def test_an_order_cancelled_and_then_deleted_is_named_with_its_credit_note_and_refund(
    stage: Stage, shop: SmallShop
) -> None:
    sync(stage)
    shop.cancel(GOES, stage.clock.now())
    assert sync(stage)["documents"] == 3
    shop.delete(GOES, stage.clock.now())
    ((_, _, records),) = named(sync(stage, code=1))
    assert records == [
        ("SH-2071", "46.00", "in Xero"),
        ("SH-2071-R52071", "-46.00", "in Xero"),
        ("payment of SH-2071", "46.00", "in Xero"),
        ("refund of SH-2071-R52071", "-46.00", "in Xero"),
    ]


def test_an_order_deleted_before_anything_was_posted_leaves_nothing_to_name(stage: Stage, shop: SmallShop) -> None:
    run(stage, "plan", "--day", str(DAY))
    shop.delete(GOES, stage.clock.now())
    found = sync(stage)
    assert (found["posted"], named(found)) == (1, [])


def test_an_order_moved_to_another_day_is_adopted_there_and_posted_once(stage: Stage, shop: SmallShop) -> None:
    sync(stage)
    sync(stage, NEXT)
    size = stage.size()
    shop.move(GOES, stage.clock.now(), at(NEXT, 10))

    left = sync(stage)
    assert (left["posted"], named(left)) == (1, [])
    found = run(stage, "status", code=75)  # the day it went to is compared again before it counts
    assert (found["unfinished_days"], [one["day"] for one in found["days"]]) == (["2026-10-02"], ["2026-10-01"])
    reached = sync(stage, NEXT)
    assert (reached["posted"], named(reached), stage.size()) == (1, [], size)

    days = run(stage, "status")["days"]
    assert [[row["order_name"] for row in day["rows"]] for day in days] == [["#2070"], ["#2071"]]
    assert run(stage, "status", "--month", "2026-10", code=75)["message"].startswith("2026-10 agrees;")
    assert doctor(stage) == []


def test_the_day_an_order_left_does_not_keep_it_when_the_other_day_is_synced_first(
    stage: Stage, shop: SmallShop
) -> None:
    sync(stage)
    size = stage.size()
    shop.move(GOES, stage.clock.now(), at(NEXT, 10))

    assert (sync(stage, NEXT)["posted"], stage.size()) == (1, size)
    found = run(stage, "status", code=75)
    assert (found["unfinished_days"], [one["day"] for one in found["days"]]) == (["2026-10-01"], ["2026-10-02"])
    assert sync(stage)["posted"] == 1
    run(stage, "status")
    month = run(stage, "status", "--month", "2026-10", code=75)
    (statement,) = month["statements"]
    invoices = next(line for line in statement["lines"] if line["what"] == "invoices")
    assert (invoices["shopify"], invoices["mapping"], invoices["xero"]) == ("161.00", "161.00", "161.00")


def test_an_order_moved_within_a_range_is_settled_by_the_sync_of_that_range(stage: Stage, shop: SmallShop) -> None:
    sync(stage)
    shop.move(GOES, stage.clock.now(), at(NEXT, 10))
    found = run(stage, "sync", "--from", str(DAY), "--to", str(NEXT))
    assert (found["posted"], named(found)) == (2, [])
    run(stage, "status")


def test_an_order_moved_before_anything_was_posted_is_listed_on_its_new_day_alone(
    stage: Stage, shop: SmallShop
) -> None:
    shop.edit(GOES, at(DAY, 11), transactions=[], displayFinancialStatus="PENDING", **unpaid())
    assert sync(stage)["waiting"] == 1
    shop.move(GOES, stage.clock.now(), at(NEXT, 10))
    assert sync(stage, NEXT)["waiting"] == 1
    days = run(stage, "status")["days"]
    assert [[row["order_name"] for row in day["rows"]] for day in days] == [["#2070"], ["#2071"]]
    assert [one["order_name"] for one in run(stage, "status", "--month", "2026-10", code=75)["not_posted"]] == ["#2071"]


def unpaid() -> dict[str, Any]:
    """Return what Shopify says of the money of an order that nobody has paid yet."""
    nothing, all_of_it = ({"amount": amount, "currencyCode": "NZD"} for amount in ("0.0", "46.0"))
    return {
        "netPaymentSet": {"shopMoney": nothing, "presentmentMoney": nothing},
        "totalOutstandingSet": {"shopMoney": all_of_it, "presentmentMoney": all_of_it},
    }


@pytest.mark.long
def test_an_order_moved_and_then_deleted_is_named_on_the_day_it_went_to(stage: Stage, shop: SmallShop) -> None:
    sync(stage)
    shop.move(GOES, stage.clock.now(), at(NEXT, 10))
    sync(stage)
    shop.delete(GOES, stage.clock.now())
    assert named(sync(stage)) == []
    assert named(sync(stage, NEXT, code=1)) == [TO_DECIDE]


@pytest.mark.long
def test_an_order_dated_into_the_future_is_named_until_its_day_comes(stage: Stage, shop: SmallShop) -> None:
    sync(stage)
    shop.move(GOES, stage.clock.now(), at(date(2026, 10, 9)))
    assert named(sync(stage, code=1)) == [("not yet", "to be decided", LIVE)]
    stage.clock.move_to(at(date(2026, 10, 9), 18))
    assert (sync(stage)["posted"], sync(stage, date(2026, 10, 9))["posted"]) == (1, 1)
    run(stage, "status")


def test_a_posted_order_that_shopify_calls_a_test_later_is_named_with_the_reason(stage: Stage, shop: SmallShop) -> None:
    sync(stage)
    shop.edit(GOES, stage.clock.now(), test=True)
    found = sync(stage, code=1)
    assert (found["skipped"], named(found)) == (1, [("unwanted", "to be decided", LIVE)])
    (order,) = found["without_order"]
    assert order["reason"].endswith("a test order: no goods and no money moved")
    shop.edit(GOES, stage.clock.now(), test=False)
    assert (sync(stage)["posted"], named(run(stage, "status"))) == (2, [])


def test_a_test_order_is_never_posted_and_its_deletion_leaves_nothing_to_name(stage: Stage, shop: SmallShop) -> None:
    shop.edit(GOES, at(DAY, 11), test=True)
    assert sync(stage)["skipped"] == 1
    shop.delete(GOES, stage.clock.now())
    assert named(sync(stage)) == []


def test_merged_customers_and_deleted_products_leave_the_books_as_they_are(stage: Stage, shop: SmallShop) -> None:
    sync(stage)
    size, bearer = stage.size(), document(stage, "SH-2071").contact_id
    shop.merge_customers(stage.clock.now(), [STAYS, GOES])
    shop.delete_product(stage.clock.now() + timedelta(seconds=1), [STAYS, GOES])
    stage.clock.sleep(90_000)

    found = sync(stage)
    assert (found["posted"], named(found)) == (2, [])
    assert document(stage, "SH-2071").contact_id == bearer
    assert stage.size() - size == 1  # Bea's Contact
    assert run(stage, "status", "--month", "2026-10", code=75)["message"].startswith("2026-10 agrees;")
    assert doctor(stage) == []


def later_start(stage: Stage, day: date) -> None:
    folder = stage.folder / str(day)
    folder.mkdir(exist_ok=True)
    stage.environ["BOOKS_FILE"] = books_file(folder, ("start_date: 2026-09-21 ", f"start_date: {day} "))


def test_orders_before_a_start_date_moved_forward_are_named_not_undone_and_kept_in_one_decision(
    stage: Stage, shop: SmallShop
) -> None:
    sync(stage)
    size = stage.size()
    later_start(stage, NEXT)

    found = run(stage, "status", code=1)
    assert [(one["cause"], one["day"], one["name"]) for one in found["without_order"]] == [
        ("before start", "2026-10-02", "SH-2070"),
        ("before start", "2026-10-02", "SH-2071"),
    ]
    assert "documents 161.00 NZD, payments 161.00 NZD" in found["printed"]
    assert len(named(sync(stage, NEXT, code=1))) == 2
    assert doctor(stage, code=1) == ["I14"]
    assert alerts(stage, code=1) == ["orphans:before-start"]

    kept = run(stage, "dismiss", "--before-start", "--because", "in our earlier books")
    assert len(kept["kept"]) == 2
    assert {decision for _, decision, _ in named(run(stage, "status"))} == {
        "left in Xero since 2026-10-04 23:06 UTC: in our earlier books"
    }
    assert (sync(stage, NEXT)["failures"], stage.size()) == ([], size)
    assert doctor(stage) == []


def test_a_start_date_moved_back_again_gives_every_order_its_day(stage: Stage, shop: SmallShop) -> None:
    sync(stage)
    later_start(stage, NEXT)
    run(stage, "status", code=1)
    later_start(stage, DAY)
    found = run(stage, "status")
    assert (named(found), [row["outcome"] for day in found["days"] for row in day["rows"]]) == ([], ["posted"] * 2)


def test_an_older_order_that_changes_after_a_later_start_date_is_kept_with_that_date(
    stage: Stage, shop: SmallShop
) -> None:
    sync(stage)
    later_start(stage, NEXT)
    shop.cancel(GOES, stage.clock.now())
    found = sync(stage, NEXT, code=1)
    assert (found["posted"], [one["name"] for one in found["without_order"]]) == (1, ["SH-2070"])


def test_without_read_all_orders_a_missing_order_is_not_called_deleted(
    tmp_path: Path, shop: SmallShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    with staged(tmp_path, NOW, shop) as stage, on_stage(stage, monkeypatch):
        sync(stage)
        shop.delete(GOES, stage.clock.now())
        limited(stage)
        found = sync(stage, code=1)
        assert named(found) == [("hidden", "to be decided", LIVE)]
        assert "lacks the access scope read_all_orders" in found["printed"]
        assert "grant the app read_all_orders, then sync the day" in found["printed"]


def limited(stage: Stage) -> None:
    """Take the scope `read_all_orders` from the app, as of now."""
    from shopify_xero_pipeline.sandbox.app import build_sandbox

    options = ShopifyOptions(scopes=ALL_SCOPES - {"read_all_orders"})
    source, books = stage.sandbox.source, stage.sandbox.books
    stage.sandbox = build_sandbox(clock=stage.clock, source=source, xero_books=books, shopify_options=options)


@pytest.mark.long
def test_a_document_with_our_mark_that_only_xero_knows_is_named_on_the_day_it_bears(
    stage: Stage, shop: SmallShop
) -> None:
    """The store is lost, and made anew after the order was deleted: nothing of it is mapped."""
    sync(stage)
    shop.delete(GOES, stage.clock.now())
    stage.clock.sleep(3_600)
    stage.sync_service.connections.close()
    rebuilt = run(stage, "rebuild", code=1)
    assert (rebuilt["unclaimed"]["invoice"], rebuilt["unclaimed"]["payment"]) == (1, 1)

    assert named(sync(stage, code=1)) == [TO_DECIDE]
    run(stage, "dismiss", "--key", "SH-2071", "--because", "as it was")
    assert [decision for _, decision, _ in named(sync(stage))] == ["left in Xero since 2026-10-05 00:04 UTC: as it was"]


@pytest.mark.long
def test_orders_before_a_later_start_date_are_named_also_when_only_xero_knows_of_them(
    stage: Stage, shop: SmallShop
) -> None:
    sync(stage)
    later_start(stage, NEXT)
    stage.clock.sleep(3_600)
    stage.sync_service.connections.close()
    run(stage, "rebuild", code=1)
    found = sync(stage, NEXT, code=1)
    assert [(one["cause"], one["day"], one["name"]) for one in found["without_order"]] == [
        ("before start", "2026-10-02", "SH-2070"),
        ("before start", "2026-10-02", "SH-2071"),
    ]
    run(stage, "dismiss", "--before-start", "--because", "in our earlier books")
    assert sync(stage, NEXT)["failures"] == []

    later_start(stage, DAY)
    assert (sync(stage)["posted"], len(stage.sandbox.books.documents)) == (2, 2)
    assert named(run(stage, "status")) == []


def test_a_decision_outlives_the_store_it_was_made_in(stage: Stage, shop: SmallShop) -> None:
    deleted(stage, shop)
    run(stage, "dismiss", "--key", "SH-2071", "--because", "written off")
    stage.clock.sleep(3_600)
    stage.sync_service.connections.close()
    rebuilt = run(stage, "rebuild")
    assert rebuilt["unclaimed"]["invoice"] == 0
    assert [decision for _, decision, _ in named(sync(stage))] == [
        "left in Xero since 2026-10-04 23:03 UTC: written off"
    ]


def test_a_persons_copy_of_a_deleted_orders_invoice_is_named_with_it(stage: Stage, shop: SmallShop) -> None:
    deleted(stage, shop)
    original = document(stage, "SH-2071")
    stage.person.enter_invoice(
        {
            "Type": "ACCREC",
            "InvoiceNumber": "INV-1",
            "Reference": original.reference,
            "Contact": {"ContactID": original.contact_id},
            "Date": "2026-10-01",
            "DueDate": "2026-10-01",
            "Status": "AUTHORISED",
            "LineItems": [{"Description": "Copy", "Quantity": 1, "UnitAmount": 40, "AccountCode": "200"}],
        }
    )
    ((_, _, records),) = named(sync(stage, code=1))
    assert [name for name, _, _ in records] == ["INV-1", "SH-2071", "payment of SH-2071"]


def test_an_invoice_that_a_person_enters_under_a_number_like_ours_is_theirs(stage: Stage) -> None:
    sync(stage)
    stage.person.enter_invoice(
        {
            "Type": "ACCREC",
            "InvoiceNumber": "SH-2099",
            "Contact": {"Name": "By hand"},
            "Date": "2026-10-01",
            "DueDate": "2026-10-01",
            "Status": "AUTHORISED",
            "LineItems": [{"Description": "By hand", "Quantity": 1, "UnitAmount": 23, "AccountCode": "200"}],
        }
    )
    stage.clock.sleep(90_000)
    assert named(sync(stage)) == []


def test_shopify_is_asked_by_id_only_for_posted_orders_that_the_list_does_not_give(
    stage: Stage, shop: SmallShop
) -> None:
    sync(stage)
    plain = sync(stage)
    shop.delete(GOES, stage.clock.now())
    one_missing = sync(stage, code=1)
    again = sync(stage, code=1)
    assert one_missing["shopify_calls"] - plain["shopify_calls"] == 1
    assert again["shopify_calls"] == one_missing["shopify_calls"]
