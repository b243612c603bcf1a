"""The proof and the simulation find what is wrong: books broken on purpose, one promise at a time."""

import json
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from shopify_xero_pipeline.books.numbering import EXCHANGE, is_of_money
from shopify_xero_pipeline.books.orders import build_order_books
from shopify_xero_pipeline.books.records import OrderBooks, Outcome, PostedRecords
from shopify_xero_pipeline.xero.models import CreditNote, Invoice
from shopify_xero_pipeline_tests.books import proof
from shopify_xero_pipeline_tests.books.proof import Violation, prove
from shopify_xero_pipeline_tests.campaigns import simulate
from shopify_xero_pipeline_tests.campaigns.model.histories import history_of

pytestmark = pytest.mark.campaign

CENT = Decimal("0.01")
ENOUGH = 60


def first(books: OrderBooks, records: str, **changes: Any) -> OrderBooks:
    """Change the first of some records."""
    found = getattr(books, records)
    return books.model_copy(update={records: (found[0].model_copy(update=changes), *found[1:])}) if found else books


def first_line(books: OrderBooks, **changes: Any) -> OrderBooks:
    document = books.documents[0]
    line = document.lines[0].model_copy(update=changes)
    return first(books, "documents", lines=(line, *document.lines[1:]))


def more_exchange(document: Invoice | CreditNote) -> Invoice | CreditNote:
    is_exchange = is_of_money(document.shopify_id, EXCHANGE)
    return document.model_copy(update={"total": document.total + 1}) if is_exchange else document


BREAKS: dict[str, tuple[Callable[[OrderBooks], OrderBooks], str]] = {
    "a cent more on a document": (
        lambda books: first(books, "documents", total=books.documents[0].total + CENT),
        "its document is",
    ),
    "a document left out": (
        lambda books: books.model_copy(update={"documents": books.documents[1:]}),
        "its document is",
    ),
    "the wrong day": (
        lambda books: first(books, "documents", date=books.documents[0].date - timedelta(days=1)),
        "is dated",
    ),
    "tax at the wrong rate": (lambda books: first_line(books, tax_type="WRONG"), "tax {"),
    "a negative quantity": (lambda books: first_line(books, quantity=Decimal(-1)), "quantity"),
    "a payment lost": (lambda books: books.model_copy(update={"payments": books.payments[1:]}), "payments "),
    "a payment doubled": (
        lambda books: books.model_copy(update={"payments": (*books.payments, *books.payments[:1])}),
        "payments ",
    ),
    "an allocation lost": (
        lambda books: books.model_copy(update={"allocations": books.allocations[1:]}),
        "invoices are not all paid",
    ),
    "a dollar more of exchange difference": (
        lambda books: books.model_copy(update={"documents": tuple(map(more_exchange, books.documents))}),
        "exchange of",
    ),
    "another's number": (lambda books: first(books, "documents", number="SH-999"), "SH-999"),
}


@pytest.mark.parametrize("name", BREAKS)
def test_a_broken_promise_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    broken, words = BREAKS[name]

    def break_books(*arguments: Any) -> OrderBooks:
        books = build_order_books(*arguments)
        return broken(books) if books.outcome is Outcome.POST else books

    monkeypatch.setattr(proof, "build_order_books", break_books)
    assert any(words in said for said in violations())


def test_an_order_blocked_without_need_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proof, "build_order_books", lambda *arguments: blocked(build_order_books(*arguments)))
    assert any("blocked without need" in said for said in violations())


def test_an_exception_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> OrderBooks:
        raise KeyError("no such line")

    monkeypatch.setattr(proof, "build_order_books", fail)
    assert any("KeyError" in said for said in violations())


def test_a_posted_document_that_changes_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def renumber(order: Any, policy: Any, xero: Any, ledger: PostedRecords = PostedRecords()) -> OrderBooks:  # noqa: B008
        books = build_order_books(order, policy, xero)
        suffix = f"-{len(ledger.documents)}"
        return books if not books.documents else first(books, "documents", number=books.documents[0].number + suffix)

    monkeypatch.setattr(proof, "build_order_books", renumber)
    assert any("a posted document changed" in said for said in violations())


def test_the_simulation_counts_and_its_exit_code_tells_the_truth(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = tmp_path / "found.json"
    arguments = ["--orders", "20", "--seed", "7", "--workers", "1", "--json", str(report)]
    good = CliRunner().invoke(simulate.main, arguments)
    found = json.loads(report.read_text())
    assert (good.exit_code, found["violations"], found["counts"]["orders"]) == (0, [], 20)

    monkeypatch.setattr(proof, "build_order_books", lambda *arguments: blocked(build_order_books(*arguments)))
    bad = CliRunner().invoke(simulate.main, arguments)
    broken = json.loads(report.read_text())["violations"]
    assert (bad.exit_code, len(broken) > 5) == (1, True)
    again = CliRunner().invoke(simulate.main, [*broken[0]["command"].split()[3:], "--json", str(report)])
    assert again.exit_code == 1
    assert json.loads(report.read_text())["violations"] == broken[:1]


def blocked(books: OrderBooks) -> OrderBooks:
    gone = {"outcome": Outcome.BLOCKED, "reason": "made up", "documents": (), "payments": (), "allocations": ()}
    return books.model_copy(update=gone)


def violations() -> list[str]:
    """Return what the proof finds in some histories."""
    said = []
    for seed in range(ENOUGH):
        try:
            prove(history_of(seed, "NZD"), "placed")
        except Violation as violation:
            said.append(str(violation))
    return said
