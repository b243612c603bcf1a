"""Documents and lines at their edges: when one is needed, what it says of itself, how odd rows are shown."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from shopify_xero_pipeline.books.numbering import number_of_agreement
from shopify_xero_pipeline.books.order_context import OrderContext
from shopify_xero_pipeline.books.orders import build_order_books
from shopify_xero_pipeline.books.outcome import has_activity_since
from shopify_xero_pipeline.books.policy import AccountOverride, AccountPolicy, BooksPolicy
from shopify_xero_pipeline.books.records import OrderBooks, Outcome, PostedRecords
from shopify_xero_pipeline.shopify.models import Agreement, LineItem, Order, ProductRef, Sale
from shopify_xero_pipeline.xero.models import Organisation
from shopify_xero_pipeline_tests.books.builders import (
    NOON,
    agreement,
    bag,
    customer,
    gid,
    ledger_of,
    line_item,
    order,
    organisation,
    refund,
    sale,
    shown_documents,
    shown_line,
    tax,
    transaction,
)

DAY = timedelta(days=1)
SOLD = agreement(1, sale("100.00"))
PAID = [transaction(91, "100.00")]
PLACED = BooksPolicy(post_when="placed")
ONE_TYPE = BooksPolicy.from_yaml(
    "post_when: placed\ntax: {rates: [{title: GST, tax_type: OUTPUT2}, {title: Free, tax_type: OUTPUT2}]}", "books.yaml"
)


def posted(
    subject: Order,
    policy: BooksPolicy = PLACED,
    ledger: PostedRecords | None = None,
    xero: Organisation | None = None,
    **more: Any,
) -> OrderBooks:
    books = build_order_books(subject, policy, xero or organisation(), ledger or PostedRecords(), **more)
    assert books.outcome is Outcome.POST, books.reason
    return books


def edit(number: int, *rows: Sale, at: int = 1) -> Agreement:
    return agreement(number, *rows, reason="ORDER_EDIT", at=NOON + at * DAY)


def test_a_swap_that_leaves_tax_over_at_one_tax_type_is_a_document() -> None:
    swap = edit(2, sale("-11.50", tax("-1.50"), action="RETURN"), sale("11.50", tax("0", "Free", "0")))
    assert shown_documents(posted(order(SOLD, swap), ONE_TYPE))[1] == ("SH-1001-E2", "0.00", "-1.50")


def test_a_swap_whose_goods_differ_by_just_the_tax_is_a_document() -> None:
    swap = edit(2, sale("-11.50", tax("-1.50"), action="RETURN"), sale("11.50", tax("0", "Free", "0")))
    books = posted(order(SOLD, swap, taxes_included=False), ONE_TYPE)
    assert [shown_line(line) for line in books.documents[1].lines] == [
        ("-10.00", "-1.50", "200", "OUTPUT2"),
        ("11.50", "0.00", "200", "OUTPUT2"),
    ]
    assert shown_documents(books)[1] == ("SH-1001-E2", "0.00", "-1.50")


def test_a_swap_between_two_accounts_is_a_document_and_one_on_a_single_account_is_none() -> None:
    between = edit(2, sale("4.00", line_type="TIP"), sale("-4.00", line_type="FEE"))
    assert shown_documents(posted(order(SOLD, between)))[1:] == [("SH-1001-E2", "0.00", "0")]
    within = edit(2, sale("4.00", line_type="FEE"), sale("-4.00", line_type="ADDITIONAL_FEE"))
    assert shown_documents(posted(order(SOLD, within)))[1:] == []


def test_a_document_says_to_whom_of_what_order_and_in_which_currency() -> None:
    document = posted(order(SOLD)).documents[0]
    assert (document.order_id, document.order_name, document.contact_id) == ("5001", "#1001", "7")
    assert (document.currency, document.line_amount_types, document.total) == ("NZD", "Inclusive", Decimal("100.00"))


def test_a_posted_documents_day_stays_and_the_true_one_is_named_only_if_it_is_later() -> None:
    ledger = ledger_of(posted(order(SOLD)))

    def shown(frozen: date) -> tuple[date, str]:
        document = ledger.documents[0].model_copy(update={"date": frozen})
        again = posted(order(SOLD), ledger=PostedRecords(documents=(document,))).documents[0]
        return again.date, again.lines[0].description

    assert shown(date(2026, 9, 22)) == (date(2026, 9, 22), "Product")
    assert shown(date(2026, 9, 21)) == (date(2026, 9, 21), "Product")
    assert shown(date(2026, 9, 23)) == (date(2026, 9, 23), "Product (dated 2026-09-22 in Shopify)")


def test_the_note_of_a_moved_day_stands_on_the_first_line_only_and_fits_into_4000_characters() -> None:
    long = agreement(1, sale("60.00", title="x" * 5000), sale("40.00", title="Second"))
    policy = BooksPolicy(post_when="placed", locked_period="next_open_day")
    lines = posted(order(long), policy, xero=organisation(locked=date(2026, 9, 30))).documents[0].lines
    assert len(lines[0].description) == 4000
    assert lines[0].description.endswith("xx (dated 2026-09-22 in Shopify)")
    assert lines[1].description == "Second"


def test_a_gap_of_just_the_cap_is_still_rounded() -> None:
    for gap, total in (("0.05", "100.05"), ("-0.05", "99.95")):
        stated: dict[str, Any] = {"original_total_price_set": bag(total), "current_total_price_set": bag(total)}
        line = posted(order(SOLD, **stated)).documents[0].lines[-1]
        assert (line.description, shown_line(line)) == ("Shopify rounding", (gap, "0", "860", "NONE"))


def test_a_link_that_would_name_xero_in_any_capitals_is_left_out() -> None:
    assert posted(order(SOLD), shop_handle="XeroShop").documents[0].model_dump()["url"] is None


def test_a_number_frozen_for_a_later_document_stays_whatever_is_taken_now() -> None:
    subject = order(SOLD, edit(2, sale("5.00")))
    ledger = ledger_of(posted(subject))
    renamed = ledger.documents[1].model_copy(update={"number": "OLD-7"})
    again = posted(subject, ledger=PostedRecords(documents=(ledger.documents[0], renamed)), taken=["OLD-7"])
    assert [entry.number for entry in again.documents] == ["SH-1001", "OLD-7"]


def test_letters_and_digits_of_an_orders_name_stay_in_its_number() -> None:
    assert posted(order(SOLD, name="#Web-a1_b.2")).documents[0].number == "SH-Web-a1_b.2"


def test_a_later_entry_has_a_number_even_where_the_ledger_lost_the_orders_beginning() -> None:
    entry = agreement(2, sale("5.00"), reason="RETURN")
    context = OrderContext(order(entry), PLACED, organisation(), PostedRecords())
    assert number_of_agreement(context, entry) == "SH-1001-T2"


def test_an_order_begun_in_the_earlier_books_has_a_number_of_its_own_for_what_came_later() -> None:
    subject = order(SOLD, edit(2, sale("5.00"), at=5))
    policy = BooksPolicy(post_when="placed", start_date=date(2026, 9, 25), opening="post")
    assert [entry.number for entry in posted(subject, policy).documents] == ["SH-1001-E2"]
    taken = posted(subject, policy, taken=["sh-1001"])
    assert [entry.number for entry in taken.documents] == ["SH-1001-5001-E2"]


def test_entries_of_one_instant_begin_with_the_order_and_follow_by_id() -> None:
    entries = [edit(10, sale("1.00"), at=0), edit(9, sale("2.00"), at=0), agreement(11, sale("100.00"))]
    assert [entry.number for entry in posted(order(*entries)).documents] == ["SH-1001", "SH-1001-E9", "SH-1001-E10"]


def test_a_later_sale_of_the_same_instant_follows_by_id_whatever_order_the_entries_come_in() -> None:
    entries = [agreement(11, sale("100.00")), edit(12, sale("1.00"), at=0), agreement(13, sale("3.00"))]
    for given in (entries, entries[::-1]):
        books = posted(order(*given, original_total_price_set=bag("100.00")))
        assert [entry.number for entry in books.documents] == ["SH-1001", "SH-1001-E12", "SH-1001-O13"]


def test_an_order_begins_with_its_earliest_sale_even_where_a_later_one_has_a_lower_id() -> None:
    entries = [agreement(9, sale("3.00"), at=NOON + DAY), agreement(11, sale("100.00"))]
    books = posted(order(*entries, original_total_price_set=bag("100.00")))
    assert [entry.number for entry in books.documents] == ["SH-1001", "SH-1001-O9"]


def test_an_order_is_due_on_its_own_day_where_terms_name_none() -> None:
    document = posted(order(SOLD, payment_terms={"payment_schedules": [{"due_at": None}]})).documents[0]
    assert document.model_dump()["due_date"] == date(2026, 9, 22)
    late = datetime(2026, 10, 31, 23, 30, tzinfo=UTC)
    document = posted(order(SOLD, payment_terms={"payment_schedules": [{"due_at": late}]})).documents[0]
    assert document.model_dump()["due_date"] == date(2026, 11, 1)


def test_an_order_on_the_start_date_is_kept_whole_and_one_of_the_day_before_is_not() -> None:
    assert posted(order(SOLD), BooksPolicy(post_when="placed", start_date=date(2026, 9, 22))).earlier_sales == 0
    late = BooksPolicy(post_when="placed", start_date=date(2026, 9, 23))
    assert build_order_books(order(SOLD), late, organisation()).outcome is Outcome.SKIPPED


def test_entries_and_money_of_the_start_date_itself_are_kept() -> None:
    policy = BooksPolicy(start_date=date(2026, 9, 23), opening="post")
    subject = order(SOLD, edit(2, sale("5.00")), transactions=[*PAID, transaction(92, "5.00", at=NOON + DAY)])
    books = posted(subject, policy)
    assert shown_documents(books) == [("SH-1001-E2", "5.00", "0")]
    assert [entry.shopify_id for entry in books.payments] == ["92/SH-1001-E2"]


def test_an_order_is_touched_by_an_entry_a_payment_or_a_refund_of_that_instant_or_later() -> None:
    at, before = NOON + DAY, NOON
    later = transaction(91, "5.00", at=before).model_copy(update={"processed_at": at})
    unprocessed = transaction(91, "5.00", at=at).model_copy(update={"processed_at": None})
    for touching in (
        order(SOLD, edit(2, sale("5.00"))),
        order(SOLD, transactions=[transaction(92, "1.00"), later]),
        order(SOLD, transactions=[unprocessed]),
        order(SOLD, transactions=PAID, refunds=[refund(31, at=at)]),
    ):
        assert has_activity_since(touching, at)
        assert not has_activity_since(touching, at + timedelta(seconds=1))
    assert not has_activity_since(order(SOLD, transactions=PAID, refunds=[refund(31)]), at)


def test_what_was_posted_stays_kept_when_the_start_date_moves_past_it() -> None:
    subject = order(SOLD, edit(2, sale("5.00")), edit(3, sale("7.00"), at=9))
    earlier = BooksPolicy(post_when="placed", start_date=date(2026, 9, 23), opening="post")
    later = BooksPolicy(post_when="placed", start_date=date(2026, 9, 30), opening="post")
    before = posted(order(SOLD, edit(2, sale("5.00"))), earlier)
    assert shown_documents(before) == [("SH-1001-E2", "5.00", "0")]
    assert shown_documents(posted(subject, later, ledger_of(before))) == [
        ("SH-1001-E2", "5.00", "0"),
        ("SH-1001-E3", "7.00", "0"),
    ]


def test_an_invoice_of_nothing_once_posted_stays_though_zero_value_is_now_skip() -> None:
    free = order(agreement(1, sale("0.00")))
    before = posted(free, BooksPolicy(post_when="placed", zero_value="post"))
    after = posted(free, PLACED, ledger_of(before))
    assert shown_documents(after) == [("SH-1001", "0.00", "0")]


def test_a_back_dated_order_is_dated_by_its_processing_not_by_its_entry() -> None:
    document = posted(order(agreement(1, sale("5.00"), at=NOON + 3 * DAY), at=NOON + DAY)).documents[0]
    assert document.date == date(2026, 9, 23)


def test_an_order_that_grew_from_nothing_has_no_first_invoice_whatever_zero_value_says() -> None:
    policy = BooksPolicy(post_when="placed", zero_value="post")
    grown = order(agreement(1, sale("0.00")), edit(2, sale("20.00")))
    assert shown_documents(posted(grown, policy)) == [("SH-1001-E2", "20.00", "0")]


def test_an_order_worth_nothing_stays_so_whatever_was_authorised_or_moved_for_nothing() -> None:
    free = agreement(1, sale("0.00"))
    for entry in (transaction(91, "5.00", "AUTHORIZATION"), transaction(91, "0.00")):
        books = build_order_books(order(free, transactions=[entry]), BooksPolicy(), organisation())
        assert books.reason.startswith("total of zero")


def test_a_posted_order_needs_no_reason() -> None:
    assert posted(order(SOLD)).reason == ""


def test_no_figure_is_a_negative_zero() -> None:
    zero: dict[str, Any] = dict.fromkeys(
        ("current_total_price_set", "current_total_tax_set", "net_payment_set", "total_outstanding_set"), bag("-0.00")
    )
    books = build_order_books(order(agreement(1, sale("0.00")), **zero), BooksPolicy(), organisation())
    assert [str(figure) for figure in (books.sales, books.tax, books.money, books.outstanding)] == ["0.00"] * 4


def test_a_tax_change_in_a_currency_without_decimals_has_a_whole_base_and_says_what_the_rest_is() -> None:
    policy = BooksPolicy.from_yaml("post_when: placed\ntax: {rates: [{title: VAT, tax_type: OUTPUT2}]}", "books.yaml")
    change = edit(
        2,
        sale("0", tax("-10", "VAT", "0.15", currency="JPY"), action="UPDATE", quantity=2, title="Tea", currency="JPY"),
    )
    subject = order(agreement(1, sale("500", currency="JPY")), change, currency="JPY", taxes_included=False)
    books = posted(subject, policy, xero=organisation(currencies=("NZD", "JPY")))
    base, rest = books.documents[1].lines
    assert (shown_line(base), base.description) == (("-67", "-10", "200", "OUTPUT2"), "Tea (2 units)")
    assert (shown_line(rest), rest.description) == (
        ("77", "0", "200", "NONE"),
        "Tea (less what only the tax is for)",
    )


def test_tax_of_just_the_amount_or_of_just_the_unit_price_needs_no_second_line() -> None:
    policy = BooksPolicy.from_yaml("post_when: placed\ntax: {rates: [{title: Levy, tax_type: T}]}", "books.yaml")
    half = sale("10.00", tax("5.00", "Levy", "1"))
    (line,) = posted(order(agreement(1, half), taxes_included=False), policy).documents[0].lines
    assert (str(line.unit_amount), str(line.tax_amount)) == ("5.00", "5.00")
    unit = sale("20.00", tax("10.00", "Levy", "1"), quantity=2)
    (line,) = posted(order(agreement(1, unit), taxes_included=True), policy).documents[0].lines
    assert (str(line.quantity), str(line.unit_amount), str(line.tax_amount)) == ("2", "10.00", "10.00")
    item = line_item(11, "10.00")
    sold = sale("15.00", tax("10.00", "Levy", "1"), quantity=2, line=11)
    (line,) = posted(order(agreement(1, sold), lines=[item]), policy).documents[0].lines
    assert (str(line.quantity), str(line.unit_amount), str(line.discount_amount)) == ("2", "10.00", "5.00")


def test_a_free_product_shows_no_price_and_no_discount() -> None:
    subject = order(agreement(1, sale("0.00", line=11), sale("5.00")), lines=[line_item(11, "10.00")])
    line = posted(subject).documents[0].lines[0]
    assert (str(line.quantity), str(line.unit_amount), line.discount_amount) == ("1", "0.00", None)


def test_a_product_of_less_than_one_shows_its_discount_like_any() -> None:
    subject = order(agreement(1, sale("0.50", line=11)), lines=[line_item(11, "0.60")])
    line = posted(subject).documents[0].lines[0]
    assert (str(line.unit_amount), str(line.discount_amount)) == ("0.60", "0.10")


def test_a_price_of_half_a_yen_is_not_shown() -> None:
    item = line_item(11, "100.50", currency="JPY", title="Tea")
    subject = order(agreement(1, sale("201", quantity=2, line=11, currency="JPY")), lines=[item], currency="JPY")
    line = posted(subject, xero=organisation(currencies=("NZD", "JPY"))).documents[0].lines[0]
    assert (str(line.quantity), str(line.unit_amount), line.description) == ("1", "201", "Tea (2 units)")


def test_a_product_without_a_title_is_called_product() -> None:
    blank = line_item(11, "5.00", title=" ")
    (line,) = posted(order(agreement(1, sale("5.00", line=11)), lines=[blank])).documents[0].lines
    assert line.description == "Product"


def overridden(item: LineItem, **conditions: str) -> str:
    overrides = (AccountOverride(account="201", **conditions),)
    policy = BooksPolicy(post_when="placed", accounts=AccountPolicy(overrides=overrides))
    return posted(order(agreement(1, sale("5.00", line=11)), lines=[item]), policy).documents[0].lines[0].account_code


def test_an_override_compares_words_whatever_their_capitals_and_outer_spaces() -> None:
    product = ProductRef(id=gid("Product", 1), product_type=" Books ", vendor="ACME", tags=(" Hire",))
    assert overridden(line_item(11, "5.00", product=product), product_type="books") == "201"
    assert overridden(line_item(11, "5.00", product=product), vendor=" acme") == "201"
    assert overridden(line_item(11, "5.00", product=product), tag="HIRE ") == "201"
    assert overridden(line_item(11, "5.00", sku=" A1 "), sku="a1") == "201"
    assert overridden(line_item(11, "5.00", sku="A1", vendor="Other"), sku="A1", vendor="Acme") == "200"


def test_goods_whose_product_is_gone_are_warned_about_by_type_too_and_not_for_a_sku() -> None:
    def warned(**conditions: str) -> tuple[str, ...]:
        overrides = (AccountOverride(account="201", **conditions),)
        policy = BooksPolicy(post_when="placed", accounts=AccountPolicy(overrides=overrides))
        subject = order(agreement(1, sale("5.00", line=11)), lines=[line_item(11, "5.00")])
        return posted(subject, policy).warnings

    assert warned(product_type="Books") == (
        "line 11: its product was deleted in Shopify, so overrides by product type or tag do not apply to it",
    )
    assert warned(sku="A1") == warned(vendor="Acme") == ()


def test_what_was_left_out_of_a_contact_is_a_warning_of_its_order() -> None:
    subject = order(SOLD, buyer=customer(7, "Aroha", "nobody"))
    assert posted(subject).warnings == ("customer 7: Xero does not accept the e-mail address, so it was left out",)


def test_every_figure_of_shopify_is_kept_in_the_orders_currency_even_if_nothing_is_posted() -> None:
    books = build_order_books(order(SOLD, current_total_tax_set=bag("13.04")), BooksPolicy(), organisation())
    assert (books.order_id, books.order_name, books.currency) == ("5001", "#1001", "NZD")
    assert (books.sales, books.tax, books.money, books.outstanding) == (
        Decimal("100.00"),
        Decimal("13.04"),
        Decimal(0),
        Decimal("100.00"),
    )
