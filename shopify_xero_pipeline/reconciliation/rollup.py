"""Groups of rows, and exact sums of money by currency.

The selection and the presentation of the rows are elsewhere.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterable
from decimal import Decimal
from typing import TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


def group_by(pairs: Iterable[tuple[K, V]]) -> defaultdict[K, list[V]]:
    """Return the values of each key in their order; a key without a pair has an empty list.

    Args:
        pairs: pairs of key and value.
    """
    groups: defaultdict[K, list[V]] = defaultdict(list)
    for key, value in pairs:
        groups[key].append(value)
    return groups


def by_currency(amounts: Iterable[tuple[str | None, Decimal | None]]) -> dict[str, Decimal]:
    """Return the sum by currency, sorted by currency. A pair without a currency or an amount is ignored.

    Args:
        amounts: pairs of currency and amount.
    """
    sums: dict[str, Decimal] = {}
    for currency, amount in amounts:
        if currency and amount is not None:
            sums[currency] = sums.get(currency, Decimal(0)) + amount
    return dict(sorted(sums.items()))


def format_amounts(amounts: Iterable[tuple[str | None, Decimal | None]], between: str = ", ") -> str:
    """Return the sum by currency as text, such as `12.00 EUR, 433.00 USD`.

    Args:
        amounts: pairs of currency and amount.
        between: the separator.
    """
    return between.join(f"{amount:,.2f} {currency}" for currency, amount in by_currency(amounts).items())
