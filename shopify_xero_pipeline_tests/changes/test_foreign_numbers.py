"""Numbers of documents in Xero that are not of these books and begin as ours do."""

import pytest

from shopify_xero_pipeline.changes.desired_state import foreign_document_numbers
from shopify_xero_pipeline.xero.models import Kind
from shopify_xero_pipeline_tests.support.rows import shown


def numbers(prefix: str, *documents: tuple[str, str]) -> list[str]:
    rows = [shown(Kind.INVOICE, f"x-{number}", number, reference=reference) for number, reference in documents]
    return foreign_document_numbers(rows, prefix)


@pytest.mark.parametrize(
    ("prefix", "found"),
    [("SH-", ["SH-7", "sh-8"]), ("INV-", ["INV-0001"]), ("", ["2026"]), ("X-", [])],
)
def test_they_are_found_by_the_prefix_and_a_digit_whatever_the_capitals(prefix: str, found: list[str]) -> None:
    by_hand = [(number, "") for number in ("SH-7", "sh-8", "SH-OP", "INV-0001", "2026", "SHX-9")]
    assert numbers(prefix, *by_hand) == found


def test_documents_that_bear_the_mark_of_an_order_are_ours() -> None:
    assert numbers("SH-", ("SH-1001", "#1001 shopify:5001/1"), ("SH-7", "by hand")) == ["SH-7"]
