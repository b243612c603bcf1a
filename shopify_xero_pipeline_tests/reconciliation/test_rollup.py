from decimal import Decimal

import pytest

from shopify_xero_pipeline.reconciliation.rollup import by_currency, sum_by


def test_amounts_are_summed_exactly_by_currency() -> None:
    pairs = [
        ("NZD", Decimal("0.10")),
        ("NZD", Decimal("0.20")),
        ("JPY", Decimal(1200)),
        (None, Decimal(5)),
        ("NZD", None),
    ]
    assert by_currency(pairs) == {"JPY": Decimal(1200), "NZD": Decimal("0.30")}


def test_no_rows_give_no_sums() -> None:
    assert by_currency([]) == {}
    assert sum_by([], ["day"], ["sales"]).empty


def test_money_columns_are_summed_by_group() -> None:
    rows = [
        {"day": "1", "sales": Decimal("0.10")},
        {"day": "2", "sales": Decimal(1)},
        {"day": "1", "sales": Decimal("0.20")},
    ]
    assert sum_by(rows, ["day"], ["sales"]).to_dict("records") == [
        {"day": "1", "sales": Decimal("0.30")},
        {"day": "2", "sales": Decimal(1)},
    ]


def test_a_float_cannot_be_summed_as_money() -> None:
    with pytest.raises(TypeError, match="Decimal"):
        sum_by([{"currency": "NZD", "sales": 0.1}], ["currency"], ["sales"])
