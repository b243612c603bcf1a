"""Exact amounts of the generated shop in whole cents, in two columns: the shop's currency and the customer's.

This module only contains arithmetic and formats. Each column is computed from its own prices, so each adds up by itself
(docs/contracts/shopify.md E13-E16, E20). It supports currencies of two decimals only, and knows nothing of orders.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

_WHOLE = 10_000
"""The basis points of a whole; 1,500 basis points are 15 %."""


@dataclass(frozen=True, slots=True)
class Amount:
    """An amount in cents of the shop's currency and of the customer's currency."""

    shop: int
    presentment: int

    def __add__(self, other: "Amount") -> "Amount":
        return Amount(self.shop + other.shop, self.presentment + other.presentment)

    def __sub__(self, other: "Amount") -> "Amount":
        return Amount(self.shop - other.shop, self.presentment - other.presentment)

    def __neg__(self) -> "Amount":
        return Amount(-self.shop, -self.presentment)

    def __mul__(self, times: int) -> "Amount":
        return Amount(self.shop * times, self.presentment * times)

    def __bool__(self) -> bool:
        return bool(self.shop or self.presentment)


ZERO = Amount(0, 0)


def both(of: Callable[..., int], *amounts: Amount) -> Amount:
    """Apply a function of whole cents to each column of the amounts."""
    return Amount(of(*[a.shop for a in amounts]), of(*[a.presentment for a in amounts]))


def total(amounts: Iterable[Amount]) -> Amount:
    """Return the sum of amounts; zero for none."""
    shop = presentment = 0
    for amount in amounts:
        shop += amount.shop
        presentment += amount.presentment
    return Amount(shop, presentment)


def spread(whole: Amount, over: Sequence[Amount]) -> list[Amount]:
    """Distribute a discount over lines in proportion, floored; remaining cents go one each from the first line (E14).

    Args:
        whole: the discount.
        over: the weights of the lines.

    Returns:
        One share a line, in the order of `over`.
    """
    shop = _spread_column(whole.shop, [amount.shop for amount in over])
    presentment = _spread_column(whole.presentment, [amount.presentment for amount in over])
    return [Amount(s, p) for s, p in zip(shop, presentment, strict=True)]


def _spread_column(whole: int, over: Sequence[int]) -> list[int]:
    base = sum(over)
    if base <= 0:
        return [0] * len(over)
    shares = [whole * weight // base for weight in over]
    remainder = whole - sum(shares)
    for position, weight in enumerate(over):
        if remainder and shares[position] < weight:
            shares[position] += 1
            remainder -= 1
    return shares


def units_of(whole: Amount, quantity: int, start: int, count: int) -> Amount:
    """Return the part of a line's amount for units; the first units of the line get the remaining cents.

    Args:
        whole: the line's amount.
        quantity: the line's units.
        start: the first unit, from 0.
        count: the number of units.
    """
    return both(
        lambda cents: _amount_of_first(cents, quantity, start + count) - _amount_of_first(cents, quantity, start), whole
    )


def _amount_of_first(cents: int, quantity: int, units: int) -> int:
    each, remainder = divmod(cents, quantity)
    return each * units + min(remainder, units)


def per_cent(whole: Amount, basis_points: int) -> Amount:
    """Return a share of an amount, each column rounded half up."""
    return both(lambda cents: (2 * cents * basis_points + _WHOLE) // (2 * _WHOLE), whole)


def contained_tax(net: Amount, basis_points: int) -> Amount:
    """Return the tax within a price that includes it: net x r / (1 + r), half up (E15)."""
    gross = _WHOLE + basis_points
    return both(lambda cents: (2 * cents * basis_points + gross) // (2 * gross), net)


@lru_cache(maxsize=50_000)  # amounts repeat in every version of an order
def text(cents: int) -> str:
    """Return cents in the API's decimal format, with at least one decimal ("43.0", "-7.25"; E16)."""
    units, rest = divmod(abs(cents), 100)
    sign = "-" if cents < 0 else ""
    decimals = f"{rest:02d}"
    return f"{sign}{units}.{decimals[0] if decimals[1] == '0' else decimals}"


@dataclass(frozen=True, slots=True)
class Currencies:
    """The two currencies of an order, and the rate: a unit of the customer's in 1/10,000 of the shop's."""

    shop: str
    presentment: str
    rate: int = _WHOLE

    def amount(self, cents: int) -> Amount:
        """Return a price in the shop's cents as the customer sees it, converted back to the shop's currency.

        Source: docs/contracts/shopify_orders.md §4.10.15.
        """
        presentment = (2 * cents * _WHOLE + self.rate) // (2 * self.rate)
        return Amount((2 * presentment * self.rate + _WHOLE) // (2 * _WHOLE), presentment)

    def at(self, amount: Amount, rate: int) -> Amount:
        """Convert the customer's column of an amount at another rate, as for money that moves on a later day."""
        return Amount((2 * amount.presentment * rate + _WHOLE) // (2 * _WHOLE), amount.presentment)

    def bag(self, amount: Amount) -> dict[str, Any]:
        """Return the amount as a MoneyBag node."""
        return {
            "shopMoney": {"amount": text(amount.shop), "currencyCode": self.shop},
            "presentmentMoney": {"amount": text(amount.presentment), "currencyCode": self.presentment},
        }

    def shop_money(self, cents: int) -> dict[str, Any]:
        """Return the shop's cents as a MoneyV2 node."""
        return {"amount": text(cents), "currencyCode": self.shop}

    def presentment_money(self, amount: Amount) -> dict[str, Any]:
        """Return the customer's column as a MoneyV2 node."""
        return {"amount": text(amount.presentment), "currencyCode": self.presentment}
