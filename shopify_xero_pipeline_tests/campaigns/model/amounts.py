"""Whole minor units, and their rounding, splitting and format in Shopify.

Source: docs/contracts/shopify_orders.md §4.1, §4.10.

This module only contains integer arithmetic. A `grain` is the smallest step of amounts: 1 almost always, 10 fils for a
Kuwaiti merchant whose prices have two decimals.
"""

from collections.abc import Sequence

EXPONENTS = {"NZD": 2, "EUR": 2, "USD": 2, "JPY": 0, "KWD": 3}
RATES = {"NZD": 10_000, "EUR": 5_470, "USD": 6_010, "JPY": 905_000, "KWD": 1_840}  # units per 10,000 NZD


def text(minor: int, currency: str) -> str:
    """Return an amount without trailing zeros, with at least one decimal: 4300 NZD is `43.0`."""
    digits = EXPONENTS[currency]
    whole, fraction = divmod(abs(minor), 10**digits)
    decimals = f"{fraction:0{digits}d}".rstrip("0") if digits else ""
    return f"{'-' if minor < 0 else ''}{whole}.{decimals or '0'}"


def half_up(numerator: int, denominator: int, grain: int = 1) -> int:
    """Return a quotient rounded to the grain, halves away from zero."""
    steps = (2 * abs(numerator) + denominator * grain) // (2 * denominator * grain)
    return (1 if numerator > 0 else -1) * steps * grain


def spread(total: int, weights: Sequence[int], grain: int = 1) -> list[int]:
    """Split an amount in proportion, floored; the remainder goes one grain at a time from the first on (4.10.4)."""
    everything = sum(weights)
    if not everything:
        return [0 for _ in weights]
    shares = [total * weight // everything // grain * grain for weight in weights]
    remainder = total - sum(shares)
    for index, weight in enumerate(weights):
        step = min(grain, remainder)
        if weight and step:
            shares[index] += step
            remainder -= step
    shares[0] += remainder
    return shares


def converted(minor: int, currency: str, other: str) -> int:
    """Return an amount in another currency's minor units, rounded half up, at a fixed rate."""
    numerator = minor * RATES[other] * 10 ** EXPONENTS[other]
    return half_up(numerator, RATES[currency] * 10 ** EXPONENTS[currency])
