"""A month's statement and its gift cards, over two months of hand-made orders; figures worked out by hand.

September: a gift card of 50.00 sold, and two mugs of 11.50. October: a mug of 11.50 given back, a basket of 23.00 paid
20.00 by gift card and 3.00 by card, then given back in full: 20.00 to the card, 3.00 in money.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from shopify_xero_pipeline.reconciliation.comparison import DayReconciliation, OrderRow
from shopify_xero_pipeline.reconciliation.day_summaries import DayTotals, summarize_day, total_day
from shopify_xero_pipeline.reconciliation.gift_cards import NO_ORDER_OUTCOME, LiabilityAccount, order_of_row
from shopify_xero_pipeline.reconciliation.months import Month, build_month
from shopify_xero_pipeline.reconciliation.movements import StatementSection, UnbalancedOrder
from shopify_xero_pipeline.reconciliation.orphans import OrphanedOrder
from shopify_xero_pipeline.reconciliation.statements import ControlTotal, Statement, StatementLine
from shopify_xero_pipeline.shopify.models import Order
from shopify_xero_pipeline.state.records import MirrorRecord
from shopify_xero_pipeline.xero.elements import Element
from shopify_xero_pipeline.xero.models import Kind
from shopify_xero_pipeline_tests.books.builders import agreement, line_item, order, refund, sale, tax, transaction
from shopify_xero_pipeline_tests.reconciliation.read_back import House, milliseconds
from shopify_xero_pipeline_tests.support.rows import order_row, orphaned_order, shown

SEPTEMBER, OCTOBER, NOVEMBER = date(2026, 9, 1), date(2026, 10, 1), date(2026, 11, 1)
START, TODAY = date(2026, 9, 21), date(2026, 10, 8)
CARD_DAY, MUG_DAY, BASKET_DAY = date(2026, 9, 22), date(2026, 9, 23), date(2026, 10, 5)


def at(day: date) -> datetime:
    """Return noon in Auckland, in UTC."""
    return datetime(day.year, day.month, day.day, 0, 0, tzinfo=UTC)


def card_sold() -> Order:
    return order(
        agreement(11, sale("50.00", line_type="GIFT_CARD", line=1), at=at(CARD_DAY)),
        lines=[line_item(1, "50.00")], transactions=[transaction(21, "50.00", at=at(CARD_DAY))],
        at=at(CARD_DAY), number=5001, name="#1001",
    )  # fmt: skip


def mugs() -> Order:
    later = at(date(2026, 10, 2))
    return order(
        agreement(31, sale("23.00", tax("3.00"), line=1, quantity=2), at=at(MUG_DAY)),
        agreement(
            32, sale("-11.50", tax("-1.50"), line=1, quantity=-1, action="RETURN"), reason="REFUND", at=later, refund=61
        ),
        lines=[line_item(1, "11.50")],
        transactions=[
            transaction(41, "23.00", at=at(MUG_DAY)), transaction(42, "11.50", "REFUND", at=later, parent=41)
        ],
        refunds=[refund(61, 42, at=later)], at=at(MUG_DAY), number=5002, name="#1002",
    )  # fmt: skip


def basket() -> Order:
    later = at(date(2026, 10, 7))
    return order(
        agreement(51, sale("23.00", tax("3.00"), line=1), at=at(BASKET_DAY)),
        agreement(
            52, sale("-23.00", tax("-3.00"), line=1, quantity=-1, action="RETURN"), reason="REFUND", at=later, refund=71
        ),
        lines=[line_item(1, "23.00")],
        transactions=[
            transaction(53, "20.00", gateway="gift_card", at=at(BASKET_DAY)),
            transaction(54, "3.00", at=at(BASKET_DAY)),
            transaction(55, "20.00", "REFUND", gateway="gift_card", at=later, parent=53),
            transaction(56, "3.00", "REFUND", at=later, parent=54),
        ],
        refunds=[refund(71, 55, 56, at=later)], at=at(BASKET_DAY), number=5003, name="#1003",
    )  # fmt: skip


class Shop:
    """Three days of orders, each carried to Xero."""

    def __init__(self) -> None:
        self.houses = {CARD_DAY: House(card_sold()), MUG_DAY: House(mugs()), BASKET_DAY: House(basket())}
        self.by_hand: list[MirrorRecord] = []

    def month(self, first: date, *more: OrderRow, orphans: Sequence[OrphanedOrder] = ()) -> Month:
        """Return the month, which is the same from the records of gift cards and from the changes of compared days."""
        from_records, from_changes = self.months(first, *more, orphans=orphans)
        assert from_records == from_changes
        return from_records

    def months(self, first: date, *more: OrderRow, orphans: Sequence[OrphanedOrder] = ()) -> list[Month]:
        days = [house.reconcile(day) for day, house in self.houses.items()]
        gone = {one.day: DayReconciliation(day=one.day, rows=(), orphans=(one,)) for one in orphans}
        days = [gone.get(day.day, day) for day in days]
        if more:
            days.append(DayReconciliation(day=date(2026, 10, 6), rows=more))
        shown = [
            row.model_copy(update={"xero_id": f"{day}{row.xero_id}"})
            for day, house in self.houses.items()
            for row in house.shown
        ]
        mapped = {f"{day}{row.xero_id}" for day, house in self.houses.items() for row in house.mapped}
        orders = {one.order_id: (one.order_name, NO_ORDER_OUTCOME) for one in orphans}
        orders |= {row.order_id: (row.order_name, row.outcome) for day in days for row in day.rows}
        one_by_one = LiabilityAccount("830", "NZD", (), [*shown, *self.by_hand], mapped, orders)
        summaries, totals = [summarize_day(day) for day in days], [total_day(day, "830") for day in days]
        names = next(iter(self.houses.values())).account_names
        return [
            build_month(first, summaries, totals, (START, TODAY), account, names, orphans)
            for account in (one_by_one, _as_compared(one_by_one, totals))
        ]

    def enter(self, amount: str, day: date) -> None:
        """Enter an invoice of a gift card by hand."""
        line = {"AccountCode": "830", "TaxType": "NONE", "TaxAmount": Decimal(0), "LineAmount": Decimal(amount)}
        content: dict[str, Any] = {
            "Date": milliseconds(day),
            "CurrencyCode": "NZD",
            "LineAmountTypes": "NoTax",
            "LineItems": [line],
        }
        self.by_hand.append(shown(Kind.INVOICE, f"hand-{len(self.by_hand)}", "INV-7", **content))


def _as_compared(account: LiabilityAccount, totals: Sequence[DayTotals]) -> LiabilityAccount:
    """Return an account with the changes of compared days instead of the records of posted orders."""
    posted = {row.xero_id for row in account.mirror if row.xero_id in account.mapped}
    posted -= {row.xero_id for row in account.mirror if account.orders.get(order_of_row(row), ("", ""))[1] != "posted"}

    def posted_on(day: date) -> list[tuple[str, MirrorRecord]]:
        rows = [row for row in account.mirror if row.xero_id in posted and Element.from_row(row).date == day]
        return [(account.orders[order_of_row(row)][0], row) for row in rows]

    changes = [change for day in totals for change in day.card_changes]
    others = [row for row in account.mirror if row.xero_id not in posted]
    return replace(account, compared=changes, mirror=others, posted_on=posted_on)


@pytest.fixture
def shop() -> Shop:
    return Shop()


def lines(month: Month) -> list[tuple[str, ...]]:
    (statement,) = month.statements
    return [
        tuple("" if figure is None else str(figure) for figure in (line.side, line.what, line.account, line.shopify,
                                                                   line.mapping, line.xero))
        for line in statement.lines
    ]  # fmt: skip


def roll(month: Month) -> dict[str, tuple[str, str]]:
    (cards,) = month.gift_cards
    return {line.what: (str(line.shopify), str(line.xero)) for line in cards.lines}


def identities(month: Month) -> list[tuple[str, str]]:
    (statement,) = month.statements
    assert all(one.agrees for one in statement.identities)
    return [(one.column, one.text) for one in statement.identities]


def test_september_holds_what_was_sold_and_paid_in_september(shop: Shop) -> None:
    month = shop.month(SEPTEMBER)
    assert month.agrees
    assert lines(month) == [
        ("sales", "goods sold", "200", "20.00", "20.00", "20.00"),
        ("sales", "gift cards sold", "830", "50.00", "50.00", "50.00"),
        ("sales", "total", "", "70.00", "70.00", "70.00"),
        ("tax", "GST 15 %", "OUTPUT2", "3.00", "3.00", "3.00"),
        ("documents", "invoices", "", "73.00", "73.00", "73.00"),
        ("payments", "shopify_payments", "601", "73.00", "73.00", "73.00"),
        ("outstanding", "owed before", "", "0.00", "0.00", "0.00"),
        ("outstanding", "owed after", "", "0.00", "0.00", "0.00"),
    ]


def test_october_holds_the_refund_of_an_order_of_september(shop: Shop) -> None:
    assert lines(shop.month(OCTOBER)) == [
        ("sales", "goods sold", "200", "20.00", "", ""),
        ("sales", "goods returned", "200", "-30.00", "", ""),
        ("sales", "together", "200", "-10.00", "-10.00", "-10.00"),
        ("tax", "GST 15 %", "OUTPUT2", "-1.50", "-1.50", "-1.50"),
        ("documents", "invoices", "", "23.00", "23.00", "23.00"),
        ("documents", "credit notes", "", "-34.50", "-34.50", "-34.50"),
        ("documents", "total", "", "-11.50", "-11.50", "-11.50"),
        ("payments", "shopify_payments", "601", "3.00", "3.00", "3.00"),
        ("payments", "gift_card", "830", "20.00", "20.00", "20.00"),
        ("payments", "total", "", "23.00", "23.00", "23.00"),
        ("refunds", "shopify_payments", "601", "14.50", "14.50", "14.50"),
        ("refunds", "gift_card", "830", "20.00", "20.00", "20.00"),
        ("refunds", "total", "", "34.50", "34.50", "34.50"),
        ("outstanding", "owed before", "", "0.00", "0.00", "0.00"),
        ("outstanding", "owed after", "", "0.00", "0.00", "0.00"),
    ]


def test_what_ties_a_month_together_is_spelled_with_its_figures(shop: Shop) -> None:
    paid = "documents 73.00 = payments 73.00 + refunds 0.00 + owed after 0.00"
    assert identities(shop.month(SEPTEMBER)) == [
        ("Shopify", "goods sold 20.00 + gift cards sold 50.00 + GST 15 % 3.00 = documents 73.00"),
        ("mapping and Xero", "200 20.00 + 830 50.00 + OUTPUT2 3.00 = documents 73.00"),
        ("Shopify and mapping and Xero", paid),
    ]
    spelled = identities(shop.month(OCTOBER))[0]
    assert spelled == ("Shopify", "goods sold 20.00 - goods returned 30.00 - GST 15 % 1.50 = - documents 11.50")


def test_what_is_not_paid_yet_is_owed_after_the_month_and_before_the_next(shop: Shop) -> None:
    paid_in_part = order(
        agreement(51, sale("23.00", tax("3.00"), line=1), at=at(MUG_DAY)), lines=[line_item(1, "23.00")],
        transactions=[transaction(54, "3.00", at=at(MUG_DAY))], at=at(MUG_DAY), number=5003, name="#1003",
    )  # fmt: skip
    shop.houses[MUG_DAY] = House(paid_in_part, dues={"SH-1003": "20.00"})
    del shop.houses[BASKET_DAY]
    owed = ("outstanding", "owed after", "", "20.00", "20.00", "20.00")
    assert lines(shop.month(SEPTEMBER))[-1] == owed
    assert shop.month(SEPTEMBER).agrees
    assert shop.month(OCTOBER).statements == ()


def test_what_was_paid_next_month_was_owed_after_this_one(shop: Shop) -> None:
    shop.houses[MUG_DAY] = House(
        order(
            agreement(31, sale("23.00", tax("3.00"), line=1), at=at(MUG_DAY)), lines=[line_item(1, "23.00")],
            transactions=[transaction(41, "23.00", at=at(date(2026, 10, 2)))],
            at=at(MUG_DAY), number=5002, name="#1002",
        )
    )  # fmt: skip
    assert lines(shop.month(SEPTEMBER))[-1] == ("outstanding", "owed after", "", "23.00", "23.00", "23.00")
    assert lines(shop.month(OCTOBER))[-2:] == [
        ("outstanding", "owed before", "", "23.00", "23.00", "23.00"),
        ("outstanding", "owed after", "", "0.00", "0.00", "0.00"),
    ]


def test_the_first_day_of_a_month_is_not_in_the_one_before() -> None:
    shop = Shop()
    first_sold = order(
        agreement(91, sale("60.00", line_type="GIFT_CARD", line=1), at=at(OCTOBER)), lines=[line_item(1, "60.00")],
        transactions=[transaction(92, "60.00", at=at(OCTOBER))], at=at(OCTOBER), number=5009, name="#1009",
    )  # fmt: skip
    shop.houses[OCTOBER] = House(first_sold)
    september, october = shop.month(SEPTEMBER), shop.month(OCTOBER)
    assert ("documents", "invoices", "", "73.00", "73.00", "73.00") in lines(september)
    assert ("documents", "invoices", "", "83.00", "83.00", "83.00") in lines(october)
    assert roll(september)["closing"] == ("50.00", "50.00")
    assert roll(october)["sold, less taken back"] == ("60.00", "60.00")


def test_a_statement_agrees_only_if_lines_identities_and_orders_do() -> None:
    equal = StatementLine(
        side=StatementSection.SALES, what="tips", account="209", shopify=Decimal(1), mapping=Decimal(1), xero=Decimal(1)
    )
    holds = ControlTotal(column="Xero", text="1 = 1", agrees=True)
    broken = UnbalancedOrder(order_id="1", order_name="#1", posted=OCTOBER, currency="NZD", text="a cent")
    sound = Statement(currency="NZD", lines=(equal,), identities=(holds,), broken=())
    assert sound.agrees
    for change in (
        {"lines": (equal, equal.model_copy(update={"mapping": Decimal(2)}))},
        {"lines": (equal, equal.model_copy(update={"xero": Decimal(2)}))},
        {"identities": (holds, holds.model_copy(update={"agrees": False}))},
        {"broken": (broken,)},
    ):
        assert not sound.model_copy(update=change).agrees


def test_gift_cards_are_rolled_forward_from_month_to_month(shop: Shop) -> None:
    assert roll(shop.month(SEPTEMBER)) == {
        "opening": ("0.00", "0.00"),
        "sold, less taken back": ("50.00", "50.00"),
        "redeemed": ("0.00", "0.00"),
        "refunded to cards": ("0.00", "0.00"),
        "closing": ("50.00", "50.00"),
        "the account in Xero": ("None", "50.00"),
    }
    assert roll(shop.month(OCTOBER)) == {
        "opening": ("50.00", "50.00"),
        "sold, less taken back": ("0.00", "0.00"),
        "redeemed": ("-20.00", "-20.00"),
        "refunded to cards": ("20.00", "20.00"),
        "closing": ("50.00", "50.00"),
        "the account in Xero": ("None", "50.00"),
    }


def test_a_liability_below_zero_says_why(shop: Shop) -> None:
    del shop.houses[CARD_DAY]
    shop.houses[BASKET_DAY] = House(
        order(
            agreement(51, sale("23.00", tax("3.00"), line=1), at=at(BASKET_DAY)), lines=[line_item(1, "23.00")],
            transactions=[transaction(53, "23.00", gateway="gift_card", at=at(BASKET_DAY))], at=at(BASKET_DAY),
            number=5003, name="#1003",
        )
    )  # fmt: skip
    (cards,) = shop.month(OCTOBER).gift_cards
    assert cards.lines[-1].xero == Decimal("-23.00")
    assert cards.note == (
        "23.00 was paid with gift cards that no order since 2026-09-21 sold: they were issued by hand in Shopify, or"
        " sold before. Enter their issue value in Xero as a journal that credits 830; until then the account shows less"
        " than holders can spend, by that amount"
    )
    assert [(str(one.posted), one.what, str(one.amount), one.why) for one in cards.unsold] == [
        ("2026-10-05", "#1003", "-23.00", "paid with a gift card that no order in these books sold")
    ]
    (later,) = shop.month(NOVEMBER).gift_cards
    assert (later.unsold, later.unsold_so_far, later.note) == ((), Decimal("23.00"), cards.note)
    assert Shop().month(OCTOBER).gift_cards[0].note == ""


def test_a_card_that_a_person_issued_in_xero_is_not_one_that_nothing_stands_for(shop: Shop) -> None:
    del shop.houses[CARD_DAY]
    shop.enter("20.00", date(2026, 9, 25))
    (cards,) = shop.month(OCTOBER).gift_cards
    assert (cards.unsold, cards.note) == ((), "")


def test_a_card_sold_at_a_discount_is_owed_for_at_its_face_value(shop: Shop) -> None:
    shop.houses[CARD_DAY] = House(
        order(
            agreement(11, sale("40.00", line_type="GIFT_CARD", line=1), at=at(CARD_DAY)),
            lines=[line_item(1, "50.00", title="Card")],
            transactions=[transaction(12, "40.00", at=at(CARD_DAY))], at=at(CARD_DAY),
        )
    )  # fmt: skip
    month = shop.month(SEPTEMBER)
    assert roll(month)["sold, less taken back"] == ("50.00", "50.00")
    assert roll(month)["the account in Xero"] == ("None", "50.00")
    lines = {one.what: (str(one.shopify), str(one.xero)) for one in month.statements[0].lines}
    assert lines["gift cards sold"] == ("50.00", "50.00")
    assert lines["gift card discounts"] == ("-10.00", "None")
    assert month.agrees


def test_what_somebody_else_booked_on_the_gift_card_account_is_named(shop: Shop) -> None:
    shop.enter("30.00", date(2026, 9, 25))
    shop.enter("7.00", date(2026, 10, 6))
    shop.enter("1.00", date(2026, 11, 6))
    month = shop.month(OCTOBER)
    (cards,) = month.gift_cards
    assert [(str(one.posted), one.what, str(one.amount), one.why) for one in cards.others] == [
        ("2026-10-06", "invoice INV-7", "7.00", "not booked by this pipeline")
    ]
    found = roll(month)
    assert found["by others, before"] == ("None", "30.00")
    assert found["by others, this month"] == ("None", "7.00")
    assert found["closing"] == ("50.00", "50.00")
    assert found["the account in Xero"] == ("None", "87.00")
    assert month.agrees


def test_a_gift_card_payment_that_a_person_deleted_shows_in_the_roll_forward(shop: Shop) -> None:
    payments = shop.houses[BASKET_DAY].mirror[Kind.PAYMENT]
    gone = next(row for row in payments if row.natural_key == "shopify:5003/53|SH-1003")
    payments[payments.index(gone)] = gone.model_copy(update={"status": "DELETED"})
    month = shop.month(OCTOBER)
    assert roll(month)["redeemed"] == ("-20.00", "0.00")
    assert roll(month)["closing"] == ("50.00", "70.00")
    assert not month.agrees
    assert [one.order_name for one in month.not_equal] == ["#1003"]


def test_our_own_postings_of_an_order_that_is_not_posted_in_full_are_named_apart(shop: Shop) -> None:
    house = shop.houses[CARD_DAY]
    house.mapped = [row for row in house.mapped if row.kind == Kind.INVOICE]
    month = shop.month(SEPTEMBER)
    (cards,) = month.gift_cards
    assert [(one.what, str(one.amount), one.why) for one in cards.others] == [
        ("invoice SH-1001", "50.00", "order #1001 is failed")
    ]
    assert roll(month)["closing"] == ("0.00", "0.00")
    assert not month.agrees
    assert [(one.order_name, one.outcome) for one in month.not_posted] == [("#1001", "failed")]


@pytest.mark.parametrize(
    ("reference", "why"),
    [("#77 shopify:5077/1", "order 5077 is not compared yet"), ("for the shop", "its reference names no order")],
)
def test_our_own_postings_whose_order_is_not_compared_are_named_apart(shop: Shop, reference: str, why: str) -> None:
    invoices = shop.houses[CARD_DAY].mirror[Kind.INVOICE]
    invoices[:] = [row.model_copy(update={"reference": reference}) for row in invoices]
    (cards,) = shop.months(SEPTEMBER)[0].gift_cards
    assert [(one.what, one.why) for one in cards.others] == [("invoice SH-1001", why)]


def test_a_gift_card_sold_by_an_order_that_was_deleted_is_named_apart_until_a_person_decides(shop: Shop) -> None:
    deleted = orphaned_order(name="SH-1001", dated=CARD_DAY, amount=Decimal("50.00"))
    deleted = deleted.model_copy(update={"order_id": "5001", "order_name": "#1001", "day": CARD_DAY})
    month = shop.month(SEPTEMBER, orphans=[deleted])
    (cards,) = month.gift_cards
    assert [(one.what, str(one.amount), one.why) for one in cards.others] == [
        ("invoice SH-1001", "50.00", "order #1001 is not in these books any more")
    ]
    assert (roll(month)["closing"], roll(month)["the account in Xero"]) == (("0.00", "0.00"), ("None", "50.00"))
    assert ([one.name for one in month.orphans], month.agrees) == (["SH-1001"], False)
    kept = deleted.records[0].model_copy(update={"kept_because": "sold, not deleted", "decided_at": at(CARD_DAY)})
    assert shop.month(SEPTEMBER, orphans=[deleted.model_copy(update={"records": (kept,)})]).agrees


def test_orphans_of_other_months_are_none_of_this_ones(shop: Shop) -> None:
    other = orphaned_order(dated=date(2026, 12, 1)).model_copy(update={"day": date(2026, 12, 1)})
    assert (shop.month(SEPTEMBER, orphans=[other]).orphans, shop.month(SEPTEMBER, orphans=[other]).agrees) == ((), True)


def test_a_broken_order_is_named_in_the_month_its_document_bears(shop: Shop) -> None:
    shop.houses[MUG_DAY].change("SH-1002-R32", Total=Decimal("11.49"))
    october = shop.month(OCTOBER)
    assert not october.agrees
    (statement,) = october.statements
    assert [(one.order_name, one.text) for one in statement.broken] == [
        ("#1002", "credit notes on 2026-10-02: Shopify -11.50, Xero -11.49, difference 0.01")
    ]
    assert [one.text for one in statement.identities if not one.agrees] == [
        "- 200 10.00 - OUTPUT2 1.50 = - documents 11.49 (off by -0.01)",
        "- documents 11.49 = payments 23.00 - refunds 34.50 + owed after 0.00 (off by 0.01)",
    ]
    assert [one.order_name for one in october.not_equal] == ["#1002"]
    september = shop.month(SEPTEMBER)
    assert not september.statements[0].broken
    assert [one.order_name for one in september.not_equal] == ["#1002"]


def test_orders_that_are_not_posted_stand_beside_with_their_amounts(shop: Shop) -> None:
    waiting = order_row(outcome="waiting", reason="not paid", xero_sales=Decimal(0), order_id="9", order_name="#9")
    month = shop.month(OCTOBER, waiting)
    (listed,) = month.not_posted
    assert (listed.order_name, listed.outcome, str(listed.sales), listed.reason) == (
        "#9",
        "waiting",
        "10.00",
        "not paid",
    )
    assert month.agrees
    failed = waiting.model_copy(update={"outcome": "failed"})
    assert not shop.month(OCTOBER, failed).agrees


def test_days_that_were_not_compared_yet_are_named(shop: Shop) -> None:
    september, october = shop.month(SEPTEMBER), shop.month(OCTOBER)
    assert (september.compared, len(september.not_compared)) == (2, 8)
    assert september.not_compared[0] == date(2026, 9, 21)
    assert (october.compared, october.not_compared[-1]) == (1, date(2026, 10, 8))


def test_a_month_of_which_nothing_is_known_says_so(shop: Shop) -> None:
    for first in (date(2026, 8, 1), NOVEMBER, date(2026, 12, 1)):
        month = shop.month(first)
        assert month.is_empty
        assert month.agrees
        assert month.statements == month.not_compared == ()
    assert not shop.month(SEPTEMBER).is_empty


def test_each_currency_has_a_statement_of_its_own(shop: Shop) -> None:
    yen = order(
        agreement(81, sale("1150", tax("150", currency="JPY"), currency="JPY", line=1), at=at(BASKET_DAY)),
        lines=[line_item(1, "1150", currency="JPY")],
        transactions=[transaction(82, "1150", currency="JPY", gateway="paypal", at=at(BASKET_DAY))],
        at=at(BASKET_DAY), currency="JPY", number=5004, name="#1004",
    )  # fmt: skip
    shop.houses[date(2026, 10, 6)] = House(yen, currency="JPY")
    month = shop.month(OCTOBER)
    assert [one.currency for one in month.statements] == ["JPY", "NZD"]
    first = month.statements[0].lines[0]
    assert (first.what, str(first.shopify), str(first.xero)) == ("goods sold", "1000.00", "1000.00")
    assert month.agrees
