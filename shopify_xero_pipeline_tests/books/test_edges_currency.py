"""Amounts at the edge of a currency's decimals."""

from decimal import Decimal

import pytest

from shopify_xero_pipeline.books.currency import (
    EXPONENTS,
    decimals,
    require_representable,
    round_half_up,
    smallest_unit,
)
from shopify_xero_pipeline.books.order_context import OrderBlockedError


def test_a_currency_has_its_own_decimals_but_never_more_than_xero_keeps() -> None:
    assert [decimals(code) for code in ("NZD", "JPY", "ISK", "KWD", "TND", "XYZ")] == [2, 0, 0, 2, 2, 2]
    assert [str(smallest_unit(code)) for code in ("NZD", "JPY", "KWD")] == ["0.01", "1", "0.01"]


@pytest.mark.parametrize(
    ("codes", "places"),
    [
        ("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF", 0),
        ("BHD IQD JOD KWD LYD OMR TND", 3),
        ("AUD CAD CHF EUR GBP HUF INR MXN NZD SGD TWD USD", 2),
    ],
)
def test_decimals_are_those_of_iso_4217(codes: str, places: int) -> None:
    assert {code: EXPONENTS.get(code, 2) for code in codes.split()} == dict.fromkeys(codes.split(), places)
    assert {decimals(code) for code in codes.split()} == {min(places, 2)}


def test_no_other_currency_is_listed() -> None:
    assert len(EXPONENTS) == 24


def test_half_of_the_smallest_unit_is_rounded_away_from_zero() -> None:
    assert [str(round_half_up(Decimal(text), "NZD")) for text in ("0.125", "-0.125", "0.135", "0.1249")] == [
        "0.13",
        "-0.13",
        "0.14",
        "0.12",
    ]
    assert [str(round_half_up(Decimal(text), "JPY")) for text in ("2.5", "-2.5", "3.5", "2.49")] == [
        "3",
        "-3",
        "4",
        "2",
    ]


def test_an_exact_amount_is_written_with_its_currencys_decimals_and_zero_has_no_sign() -> None:
    assert [str(require_representable(Decimal(text), "NZD")) for text in ("5", "5.5000", "-0.00", "1E+2")] == [
        "5.00",
        "5.50",
        "0.00",
        "100.00",
    ]
    assert [str(require_representable(Decimal(text), "JPY")) for text in ("500", "500.00", "0.50")] == [
        "500",
        "500",
        "0.50",
    ]
    assert str(require_representable(Decimal("1.230"), "KWD")) == "1.23"


def test_sixteen_digits_before_the_point_are_the_most_an_amount_can_have() -> None:
    assert str(require_representable(Decimal("9" * 16 + ".99"), "NZD")) == "9" * 16 + ".99"
    for text in ("1" + "0" * 16, "0.001"):
        with pytest.raises(OrderBlockedError):
            require_representable(Decimal(text), "NZD")


def test_an_amount_too_large_to_be_rounded_exactly_is_named() -> None:
    assert str(round_half_up(Decimal("9" * 16 + ".994"), "NZD")) == "9" * 16 + ".99"
    with pytest.raises(OrderBlockedError) as caught:
        round_half_up(Decimal("1" + "0" * 16), "NZD")
    assert str(caught.value) == (
        "currency_precision: NZD 10000000000000000 has more digits than Xero stores; enter this order in Xero by hand"
    )
