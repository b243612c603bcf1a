"""Exact amounts of the generated shop: whole cents in two columns, the shop's currency and the customer's.

Only arithmetic and its texts belong here. Each column is worked out on its own from its own prices, so each adds up by
itself (docs/contracts/shopify.md E13-E16, E20). Currencies of two decimals only; nothing here knows orders.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

_WHOLE = 10_000
"""Rates are counted in basis points: 1,500 is 15 %."""


@dataclass(frozen=True, slots=True)
class Amount:
    """One sum of money in cents of the shop's currency and of the currency the customer paid in."""

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
    """Add up amounts; nothing adds up to zero."""
    shop = presentment = 0
    for amount in amounts:
        shop += amount.shop
        presentment += amount.presentment
    return Amount(shop, presentment)


def spread(whole: Amount, over: Sequence[Amount]) -> list[Amount]:
    """Share a discount out over lines in proportion, floored; left-over cents go one each from the first line (E14)."""
    shop = _spread_column(whole.shop, [amount.shop for amount in over])
    presentment = _spread_column(whole.presentment, [amount.presentment for amount in over])
    return [Amount(s, p) for s, p in zip(shop, presentment, strict=True)]


def _spread_column(whole: int, over: Sequence[int]) -> list[int]:
    base = sum(over)
    if base <= 0:
        return [0] * len(over)
    shares = [whole * weight // base for weight in over]
    left = whole - sum(shares)
    for position, weight in enumerate(over):
        if left and shares[position] < weight:
            shares[position] += 1
            left -= 1
    return shares


def units_of(whole: Amount, quantity: int, start: int, count: int) -> Amount:
    """What `count` units from unit `start` on carry of a line's amount; the first units carry the cents left over."""
    return both(lambda cents: _up_to(cents, quantity, start + count) - _up_to(cents, quantity, start), whole)


def _up_to(cents: int, quantity: int, units: int) -> int:
    each, left = divmod(cents, quantity)
    return each * units + min(left, units)


def per_cent(whole: Amount, basis_points: int) -> Amount:
    """A share of an amount, each column rounded half up."""
    return both(lambda cents: (2 * cents * basis_points + _WHOLE) // (2 * _WHOLE), whole)


def contained_tax(net: Amount, basis_points: int) -> Amount:
    """The tax inside a price that includes it: net x r / (1 + r), half up (E15)."""
    gross = _WHOLE + basis_points
    return both(lambda cents: (2 * cents * basis_points + gross) // (2 * gross), net)


@lru_cache(maxsize=50_000)
def text(cents: int) -> str:
    """Cents as the API writes decimals: trailing zeros stripped, one decimal kept ("43.0", "-7.25"; E16)."""
    units, rest = divmod(abs(cents), 100)
    sign = "-" if cents < 0 else ""
    decimals = f"{rest:02d}"
    return f"{sign}{units}.{decimals[0] if decimals[1] == '0' else decimals}"


@dataclass(frozen=True, slots=True)
class Currencies:
    """The two currencies of an order and what one unit of the customer's costs in the shop's, in 1/10,000."""

    shop: str
    presentment: str
    rate: int = _WHOLE

    def amount(self, cents: int) -> Amount:
        """A price in the shop's cents, as the customer is asked for it and converted back.

        Source: docs/contracts/shopify_orders.md §4.10.15.
        """
        asked = (2 * cents * _WHOLE + self.rate) // (2 * self.rate)
        return Amount((2 * asked * self.rate + _WHOLE) // (2 * _WHOLE), asked)

    def at(self, amount: Amount, rate: int) -> Amount:
        """The customer's side of an amount at another rate, as money that moves on a later day is converted."""
        return Amount((2 * amount.presentment * rate + _WHOLE) // (2 * _WHOLE), amount.presentment)

    def bag(self, amount: Amount) -> dict[str, Any]:
        """The amount as a MoneyBag node."""
        return {
            "shopMoney": {"amount": text(amount.shop), "currencyCode": self.shop},
            "presentmentMoney": {"amount": text(amount.presentment), "currencyCode": self.presentment},
        }

    def shop_money(self, cents: int) -> dict[str, Any]:
        """The shop's cents as a MoneyV2 node."""
        return {"amount": text(cents), "currencyCode": self.shop}

    def presentment_money(self, amount: Amount) -> dict[str, Any]:
        """The customer's column as a MoneyV2 node."""
        return {"amount": text(amount.presentment), "currencyCode": self.presentment}
