"""The verdict on compared days: in one word, and in a sentence that holds every figure that is not as it should be."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest

from shopify_xero_pipeline.reconciliation.comparison import DayReconciliation, OrderRow
from shopify_xero_pipeline.reconciliation.verdict import Standing, agreement_of_days, worst_standing
from shopify_xero_pipeline_tests.support.rows import DAY, order_row

BLOCKED: dict[str, Any] = {"outcome": "blocked", "reason": "no rate; add one", "sales": Decimal("108.25")}


def day(*rows: OrderRow) -> DayReconciliation:
    return DayReconciliation(day=DAY, rows=rows)


@pytest.mark.parametrize(
    ("rows", "standing", "says"),
    [
        ([], Standing.AGREE, "the books agree"),
        (
            [
                order_row(),
                order_row(outcome="waiting", reason="not paid"),
                order_row(outcome="skipped", reason="a test"),
            ],
            Standing.AGREE,
            "the books agree",
        ),
        (
            [order_row(**BLOCKED, currency="USD")] * 4,
            Standing.INCOMPLETE,
            "the books agree; 4 orders of 433.00 USD are not in them",
        ),
        (
            [order_row(**BLOCKED, currency="USD"), order_row(**BLOCKED, currency="EUR")],
            Standing.INCOMPLETE,
            "the books agree; 2 orders of 108.25 EUR, 108.25 USD are not in them",
        ),
        (
            [order_row(outcome="postponed", reason="Xero is away")],
            Standing.UNFINISHED,
            "the books agree; 1 order of 10.00 NZD is not written yet",
        ),
        (
            [order_row(outcome="postponed", reason="Xero is away"), order_row(**BLOCKED)],
            Standing.INCOMPLETE,
            "the books agree; 1 order of 108.25 NZD is not in them; 1 order of 10.00 NZD is not written yet",
        ),
        (
            [order_row(problems=("outstanding",), difference=Decimal("95.79"))] * 2,
            Standing.DISAGREE,
            "the books do not agree yet: 2 orders differ by 191.58 NZD",
        ),
        (
            [order_row(outcome="failed", reason="refused")],
            Standing.DISAGREE,
            "the books do not agree yet: 1 order of 10.00 NZD failed",
        ),
        (
            [order_row(outcome="conflict", reason="a person paid it")],
            Standing.DISAGREE,
            "the books do not agree yet: 1 order of 10.00 NZD in conflict with what a person did in Xero",
        ),
        (
            [order_row(outcome="blocked")],
            Standing.DISAGREE,
            "the books do not agree yet: 1 order of 10.00 NZD without a reason; 1 order of 10.00 NZD is not in them",
        ),
        ([order_row(extra=2)], Standing.DISAGREE, "the books do not agree yet: 2 records twice in Xero"),
        ([order_row(lost=1)], Standing.DISAGREE, "the books do not agree yet: 1 record gone from Xero"),
    ],
)
def test_a_verdict_says_every_figure_that_is_not_as_it_should_be(
    rows: Sequence[OrderRow], standing: Standing, says: str
) -> None:
    found = agreement_of_days([day(*rows)])
    assert (found.standing, found.sentence) == (standing, says)
    assert bool(found.differences) == (standing is Standing.DISAGREE)


def test_the_verdicts_of_days_add_up_and_name_the_first_orders() -> None:
    first = day(*(order_row(**BLOCKED, order_name=f"#{number}") for number in range(4)))
    second = day(order_row(**BLOCKED, order_name="#4"), order_row(**BLOCKED, order_name="#5"))
    both = agreement_of_days([first, second])
    assert both.of("blocked").count == 6
    assert both.of("blocked").amounts == {"NZD": Decimal("649.50")}
    assert both.of("blocked").named == ("#0", "#1", "#2", "#3", "#4")
    assert both.sentence == "the books agree; 6 orders of 649.50 NZD are not in them"


def test_what_waits_for_a_person_is_worse_than_what_passes_by_itself() -> None:
    assert worst_standing([]) is Standing.AGREE
    assert worst_standing([Standing.UNFINISHED, Standing.INCOMPLETE, Standing.AGREE]) is Standing.INCOMPLETE
    assert worst_standing([Standing.INCOMPLETE, Standing.DISAGREE]) is Standing.DISAGREE


def test_a_row_of_an_earlier_version_has_the_difference_its_columns_show() -> None:
    plain = order_row(xero_sales=Decimal("9.00"), xero_money=Decimal("7.50")).model_dump(exclude={"difference"})
    assert OrderRow.model_validate(plain).difference == Decimal("3.50")
    assert OrderRow.model_validate(plain | {"outcome": "failed"}).difference == 0
