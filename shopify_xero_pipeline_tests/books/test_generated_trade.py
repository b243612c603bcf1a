"""Sixty days of the sandbox's trading, kept as they happen: every kind of order ends as it must, every sum agrees."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from shopify_xero_pipeline.books.orders import NOTHING_POSTED, build_order_books
from shopify_xero_pipeline.books.policy import BooksPolicy
from shopify_xero_pipeline.books.records import OrderBooks, Outcome
from shopify_xero_pipeline.sandbox.shop_generator.shop import GeneratedShop
from shopify_xero_pipeline.shopify.models import Order
from shopify_xero_pipeline.shopify.parsing import parse_order
from shopify_xero_pipeline.xero.models import CreditNote, Kind
from shopify_xero_pipeline_tests.books.builders import ledger_of, organisation

pytestmark = pytest.mark.campaign

UNTIL = datetime(2026, 11, 19, 11, 0, tzinfo=UTC)  # midnight after sixty days in Auckland
BLOCKED = {"unknown_gateway", "unmapped_tax"}
SKIPPED = {"cancelled_unpaid", "fully_discounted", "test_order", "voided"}
MAY_WAIT = {"unpaid_waiting", "bank_deposit", "authorised_captured", "edited_before_payment"}


def paged(value: Any) -> Any:
    """Return a node as the API answers it: every connection with its page info."""
    if isinstance(value, dict):
        inner = {key: paged(part) for key, part in value.items()}
        return {"pageInfo": {"hasNextPage": False}, **inner} if set(value) == {"nodes"} else inner
    return [paged(part) for part in value] if isinstance(value, list) else value


def kept_as_it_happened(shop: GeneratedShop, policy: BooksPolicy) -> Iterator[tuple[str, Order, OrderBooks]]:
    for gid, versions in shop.versions("orders", UNTIL).items():
        ledger = NOTHING_POSTED
        for version in versions:
            subject = parse_order(paged(version.node))
            books = build_order_books(subject, policy, organisation(), ledger)
            ledger = ledger_of(books) if books.outcome is Outcome.POST else ledger
        yield shop.kind_of(gid), subject, books


@pytest.fixture(scope="module")
def trade() -> list[tuple[str, Order, OrderBooks]]:
    return list(kept_as_it_happened(GeneratedShop(seed=1, opened=date(2026, 9, 21)), BooksPolicy()))


def test_every_kind_of_order_ends_as_it_must(trade: list[tuple[str, Order, OrderBooks]]) -> None:
    outcomes = defaultdict(set)
    for kind, _, books in trade:
        outcomes[kind].add(books.outcome)
        assert books.outcome is Outcome.POST or books.reason
    assert len(trade) > 500
    for kind, found in outcomes.items():
        if kind in BLOCKED:
            assert found == {Outcome.BLOCKED}, kind
        elif kind in SKIPPED:
            assert found == {Outcome.SKIPPED}, kind
        elif kind in MAY_WAIT:
            assert found <= {Outcome.POST, Outcome.WAITING}, kind
        else:
            assert found == {Outcome.POST}, kind


def test_what_is_blocked_names_what_to_add(trade: list[tuple[str, Order, OrderBooks]]) -> None:
    reasons = {kind: books.reason for kind, _, books in trade if books.outcome is Outcome.BLOCKED}
    assert "add to books.yaml: payments: {" in reasons["unknown_gateway"]
    assert "add to books.yaml: tax: {rates: [" in reasons["unmapped_tax"]


def test_sales_and_money_are_shopifys_to_the_cent(trade: list[tuple[str, Order, OrderBooks]]) -> None:
    for kind, subject, books in trade:
        if books.outcome is not Outcome.POST:
            continue
        sold = [
            -document.total if isinstance(document, CreditNote) else document.total
            for document in books.documents
            if document.shopify_id.split("/")[1].isdigit()
        ]
        assert sum(sold, Decimal(0)) == subject.current_total_price_set.shop_money.amount, kind
        paid = [entry.amount if entry.document_kind is Kind.INVOICE else -entry.amount for entry in books.payments]
        net = subject.net_payment_set.shop_money.amount
        assert sum(paid, Decimal(0)) == net + books.cash_rounding + books.channel_paid, kind


def test_keeping_an_order_at_once_gives_the_same_documents(trade: list[tuple[str, Order, OrderBooks]]) -> None:
    for kind, subject, books in trade:
        if kind not in {"customer_merged", "merged_then_refunded", "terms_cancelled"}:
            assert build_order_books(subject, BooksPolicy(), organisation()) == books, kind
