from decimal import Decimal

from shopify_xero_pipeline.reconciliation.rollup import by_currency


def test_amounts_are_summed_exactly_by_currency() -> None:
    pairs = [
        ("NZD", Decimal("0.10")),
        ("NZD", Decimal("0.20")),
        ("JPY", Decimal(1200)),
        (None, Decimal(5)),
        ("NZD", None),
    ]
    assert by_currency(pairs) == {"JPY": Decimal(1200), "NZD": Decimal("0.30")}


def test_no_amounts_give_no_sums() -> None:
    assert by_currency([]) == {}
