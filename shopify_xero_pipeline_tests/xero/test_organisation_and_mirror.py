"""Reading the organisation's settings, and keeping the mirror of what Xero holds."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime

import httpx
import pytest

from shopify_xero_pipeline.clock import ManualClock
from shopify_xero_pipeline.sandbox.faults import FaultKind
from shopify_xero_pipeline.state.canonical import parse_exact_json
from shopify_xero_pipeline.xero.auth import XeroCredentials
from shopify_xero_pipeline.xero.client import XeroClient
from shopify_xero_pipeline.xero.errors import XeroUnavailableError
from shopify_xero_pipeline.xero.mirror import Mirror
from shopify_xero_pipeline.xero.models import Kind
from shopify_xero_pipeline.xero.organisation import read_organisation
from shopify_xero_pipeline_tests.support.records import contact, credit_note, everything, invoice, item, payment
from shopify_xero_pipeline_tests.support.world import START, World


def test_the_settings_are_read_in_four_calls(world: World) -> None:
    world.person.set_lock_dates(period=date(2026, 6, 30))

    found = read_organisation(world.client)

    assert world.client.calls == 4
    assert (found.name, found.base_currency, found.short_code) == ("Demo Company (NZ)", "NZD", "!sandbx")
    assert found.currencies == {"NZD", "USD"}
    assert (found.period_lock_date, found.end_of_year_lock_date) == (date(2026, 6, 30), None)
    assert found.locked_until == date(2026, 6, 30)
    sales = next(one for one in found.accounts if one.code == "200")
    assert (sales.type, sales.account_class, sales.status, sales.enable_payments) == (
        "REVENUE",
        "REVENUE",
        "ACTIVE",
        False,
    )
    assert next(one for one in found.accounts if one.code == "830").enable_payments
    gst = next(one for one in found.tax_rates if one.tax_type == "OUTPUT2")
    assert gst.effective_rate == Decimal(15)
    assert "REVENUE" in gst.applies_to
    assert [(part.name, part.rate, part.is_compound) for part in gst.components] == [("GST", Decimal(15), False)]
    system = {one.code: one.system_account for one in found.accounts if one.system_account}
    assert system == {"610": "DEBTORS", "800": "CREDITORS", "820": "GST", "860": "ROUNDING"}


def test_a_compound_part_of_a_tax_rate_is_understood(world: World) -> None:
    parts = [{"Name": "GST", "Rate": 5, "IsCompound": False}, {"Name": "QST", "Rate": 9.975, "IsCompound": True}]
    known = next(one for one in world.books.tax_rates if one["TaxType"] == "OUTPUT2")
    world.books.tax_rates.append({**known, "TaxType": "TAX001", "EffectiveRate": 15.47375, "TaxComponents": parts})

    rate = next(one for one in read_organisation(world.client).tax_rates if one.tax_type == "TAX001")

    assert [part.is_compound for part in rate.components] == [False, True]
    assert rate.is_of([Decimal("9.975"), Decimal(5)])
    assert rate.is_of([Decimal("15.47375")])
    assert not rate.is_of([Decimal("14.975")])


def test_a_connection_without_an_organisation_is_an_error(world: World) -> None:
    world.fault(FaultKind.ANSWER, status=200, path="/Organisation", answer='{"Organisations": []}')

    with pytest.raises(XeroUnavailableError, match="no organisation"):
        read_organisation(world.client)


def test_one_call_for_each_kind_brings_everything_the_first_time_and_changes_later(world: World) -> None:
    bill, note = invoice(), credit_note()
    world.load(*everything())
    world.url = world.url.replace("state.db", "other.db")
    world.restart()

    world.mirror.refresh(Kind, timedelta(hours=1))

    assert world.client.calls == 5
    rows = {kind: world.store.mirror(kind) for kind in Kind}
    assert rows[Kind.CONTACT][0].natural_key == "shopify:1"
    assert rows[Kind.ITEM][0].natural_key == "SKU-1"
    assert (rows[Kind.INVOICE][0].natural_key, rows[Kind.INVOICE][0].reference) == (bill.number, bill.reference)
    assert {row.natural_key for row in rows[Kind.PAYMENT]} == {
        payment(bill).natural_key,
        payment(note, transaction=8).natural_key,
    }
    (shown,) = parse_exact_json(rows[Kind.CREDIT_NOTE][0].payload)["Allocations"]
    assert (shown["Amount"], shown["Invoice"]["InvoiceNumber"]) == (Decimal("20.00"), "SH-1001")
    world.mirror.refresh(Kind, timedelta(hours=1))
    assert world.client.calls == 5

    world.wait(3601)
    world.person.void_document(world.person.invoice("SH-1001"))
    world.mirror.refresh([Kind.INVOICE], timedelta(hours=1))
    assert world.client.calls == 6
    assert world.store.mirror(Kind.INVOICE, ["SH-1001"])[0].status == "VOIDED"
    assert world.store.mirror_swept_at(Kind.INVOICE) == world.clock.now()


def test_archived_contacts_stay_in_sight_and_deleted_items_go(world: World) -> None:
    world.load(contact(), item(1), item(2))
    world.mirror.refresh([Kind.CONTACT, Kind.ITEM], timedelta(0))
    world.wait(600)
    world.person.archive_contact(world.live(Kind.CONTACT)[0])
    world.books.items.pop(world.store.mapped(Kind.ITEM)["1"].xero_id)

    world.mirror.refresh([Kind.CONTACT, Kind.ITEM], timedelta(0))

    assert world.store.mirror(Kind.CONTACT)[0].status == "ARCHIVED"
    assert [row.natural_key for row in world.store.mirror(Kind.ITEM)] == ["SKU-2"]


class Pages:
    """A Xero whose list of invoices may shift while it is read."""

    def __init__(self, pages: list[list[str]], count: int) -> None:
        self.pages, self.count, self.asked = pages, count, 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/connect/token":
            return httpx.Response(200, json={"access_token": "t", "expires_in": 1800})
        found = self.pages[self.asked % len(self.pages)]
        self.asked += 1
        paging = {"pageCount": 2, "itemCount": self.count}
        bills = [{"Type": "ACCREC", "InvoiceID": one, "InvoiceNumber": one} for one in found]
        return httpx.Response(
            200, json={"pagination": paging, "Invoices": [*bills, {"Type": "ACCPAY", "InvoiceID": "b"}]}
        )


def swept(world: World, pages: Pages) -> list[str]:
    clock = ManualClock(datetime(2026, 9, 22, tzinfo=UTC))
    client = XeroClient(XeroCredentials("id", "x"), clock=clock, transport=httpx.MockTransport(pages))
    Mirror(client, world.store, clock).sweep(Kind.INVOICE)
    return sorted(row.xero_id for row in world.store.mirror(Kind.INVOICE))


def test_a_list_that_shifts_while_it_is_read_is_read_again(world: World) -> None:
    pages = Pages([["1", "2"], ["2", "4"], ["1", "2"], ["3", "4"]], 5)

    assert swept(world, pages) == ["1", "2", "3", "4"]
    assert pages.asked == 4


def test_a_list_that_never_stands_still_is_an_error_and_leaves_the_mirror_alone(world: World) -> None:
    with pytest.raises(XeroUnavailableError, match="changed during each of 3 reads"):
        swept(world, Pages([["1"], ["1"]], 9))

    assert world.store.mirror(Kind.INVOICE) == []
    assert world.store.mirror_swept_at(Kind.INVOICE) is None


def test_a_sweep_reaches_back_before_the_last_one(world: World) -> None:
    seen: list[str | None] = []

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/connect/token":
            return httpx.Response(200, json={"access_token": "t", "expires_in": 1800})
        seen.append(request.headers.get("if-modified-since"))
        return httpx.Response(200, json={"Payments": []}, headers={"Date": format_datetime(xero.now(), usegmt=True)})

    clock, xero = ManualClock(START), ManualClock(START - timedelta(days=40))
    client = XeroClient(XeroCredentials("id", "x"), clock=clock, transport=httpx.MockTransport(answer))
    mirror = Mirror(client, world.store, clock)
    mirror.sweep(Kind.PAYMENT)
    clock.sleep(3600)
    xero.sleep(3600)
    mirror.sweep(Kind.PAYMENT)
    mirror.sweep(Kind.PAYMENT, back_to=xero.now() - timedelta(hours=1))

    assert seen == [None, "2026-08-12T23:55:00", "2026-08-12T23:55:00"], "by Xero's clock, 40 days behind ours"


def test_answers_without_a_date_leave_no_watermark_and_everything_is_read_again(world: World) -> None:
    seen: list[str | None] = []

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/connect/token":
            return httpx.Response(200, json={"access_token": "t", "expires_in": 1800})
        seen.append(request.headers.get("if-modified-since"))
        return httpx.Response(200, json={"Payments": []})

    clock = ManualClock(START)
    client = XeroClient(XeroCredentials("id", "x"), clock=clock, transport=httpx.MockTransport(answer))
    for _ in range(2):
        Mirror(client, world.store, clock).sweep(Kind.PAYMENT)

    assert (seen, world.store.mirror_watermark(Kind.PAYMENT)) == ([None, None], None)
