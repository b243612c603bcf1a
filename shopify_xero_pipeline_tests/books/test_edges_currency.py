"""Amounts at the edge of a currency's decimals."""

from decimal import Decimal

import pytest

from shopify_xero_pipeline.books.currency import decimals, exact, rounded, smallest_unit
from shopify_xero_pipeline.books.reasons import Blocked


def test_a_currency_has_its_own_decimals_but_never_more_than_xero_keeps() -> None:
    assert [decimals(code) for code in ("NZD", "JPY", "ISK", "KWD", "TND", "XYZ")] == [2, 0, 0, 2, 2, 2]
    assert [str(smallest_unit(code)) for code in ("NZD", "JPY", "KWD")] == ["0.01", "1", "0.01"]


def test_half_of_the_smallest_unit_is_rounded_away_from_zero() -> None:
    assert [str(rounded(Decimal(text), "NZD")) for text in ("0.125", "-0.125", "0.135", "0.1249")] == [
        "0.13",
        "-0.13",
        "0.14",
        "0.12",
    ]
    assert [str(rounded(Decimal(text), "JPY")) for text in ("2.5", "-2.5", "3.5", "2.49")] == ["3", "-3", "4", "2"]


def test_an_exact_amount_is_written_with_its_currencys_decimals_and_zero_has_no_sign() -> None:
    assert [str(exact(Decimal(text), "NZD")) for text in ("5", "5.5000", "-0.00", "1E+2")] == [
        "5.00",
        "5.50",
        "0.00",
        "100.00",
    ]
    assert [str(exact(Decimal(text), "JPY")) for text in ("500", "500.00", "0.50")] == ["500", "500", "0.50"]
    assert str(exact(Decimal("1.230"), "KWD")) == "1.23"


def test_sixteen_digits_before_the_point_are_the_most_an_amount_can_have() -> None:
    assert str(exact(Decimal("9" * 16 + ".99"), "NZD")) == "9" * 16 + ".99"
    for text in ("1" + "0" * 16, "0.001"):
        with pytest.raises(Blocked):
            exact(Decimal(text), "NZD")
