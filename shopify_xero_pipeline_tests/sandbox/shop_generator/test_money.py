import pytest

from shopify_xero_pipeline.sandbox.shop_generator.money import (
    Amount,
    Currencies,
    contained_tax,
    per_cent,
    spread,
    text,
    total,
    units_of,
)


def home(cents: int) -> Amount:
    return Amount(cents, cents)


@pytest.mark.parametrize(
    ("cents", "written"),
    [
        (4300, "43.0"),
        (3263230, "32632.3"),
        (0, "0.0"),
        (7, "0.07"),
        (-5, "-0.05"),
        (-1050, "-10.5"),
        (123456, "1234.56"),
    ],
)
def test_amounts_are_written_with_trailing_zeros_stripped_to_one_decimal(cents: int, written: str) -> None:
    assert text(cents) == written


@pytest.mark.parametrize(
    ("discount", "lines", "shares"),
    [
        (2000, [9400, 10000, 10000, 10000], [478, 508, 507, 507]),
        (1000, [5000, 5000, 5000], [334, 333, 333]),
        (1, [0, 300, 300], [0, 1, 0]),
        (600, [100, 200, 300], [100, 200, 300]),
        (500, [0, 0], [0, 0]),
    ],
)
def test_a_discount_is_floored_and_its_last_cents_go_to_the_first_lines(
    discount: int, lines: list[int], shares: list[int]
) -> None:
    assert spread(home(discount), [home(line) for line in lines]) == [home(share) for share in shares]


@pytest.mark.parametrize(
    ("net", "basis_points", "tax"),
    [
        (156900, 1000, 14264),
        (75579, 1000, 6871),
        (10200, 2000, 1700),
        (5900, 1000, 536),
        (1000, 1500, 130),
        (0, 1500, 0),
    ],
)
def test_tax_inside_a_price_is_rounded_half_up(net: int, basis_points: int, tax: int) -> None:
    assert contained_tax(home(net), basis_points) == home(tax)


def test_tax_on_top_and_percentages_are_rounded_half_up() -> None:
    assert per_cent(home(14397), 500) == home(720)
    assert per_cent(home(14397), 700) == home(1008)
    assert per_cent(home(10), 500) == home(1)


def test_units_of_a_line_carry_the_odd_cents_first_and_add_up() -> None:
    assert [units_of(home(1000), 3, start, 1) for start in range(3)] == [home(334), home(333), home(333)]
    assert units_of(home(1000), 3, 1, 2) == home(666)


def test_each_column_is_worked_out_on_its_own() -> None:
    shares = spread(Amount(1000, 920), [Amount(3333, 3066), Amount(3333, 3066), Amount(3333, 3066)])

    assert shares == [Amount(334, 307), Amount(333, 307), Amount(333, 306)]
    assert total(shares) == Amount(1000, 920)


def test_the_shop_amount_of_a_foreign_price_is_a_conversion_of_what_the_customer_was_asked_for() -> None:
    # 44.95 NZD at 1.0873 NZD the AUD: asked 41.34 AUD (41.3409...), which converts back to 44.95 (44.94898...).
    foreign = Currencies("NZD", "AUD", 10_873)

    assert foreign.amount(4495) == Amount(4495, 4134)
    assert foreign.amount(4501) == Amount(4501, 4140)  # 41.3961 asked as 41.40, which is 45.01422 again
    assert foreign.bag(Amount(4495, 4134)) == {
        "shopMoney": {"amount": "44.95", "currencyCode": "NZD"},
        "presentmentMoney": {"amount": "41.34", "currencyCode": "AUD"},
    }
