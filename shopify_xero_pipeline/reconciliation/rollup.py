"""Sums for people: amounts by currency, by day, by account, in exact decimal columns.

pandas with Arrow decimals does the grouping; a float cannot slip in, as Arrow refuses to make it a decimal. What is
summed, and where the sums are shown, is decided elsewhere.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


def sum_by(rows: Iterable[Mapping[str, object]], by: Sequence[str], columns: Sequence[str]) -> "pd.DataFrame":
    """Return the exact sums of money columns by group, sorted by group.

    Args:
        rows: records with the grouping keys as text and the money columns as `Decimal`.
        by: names of the grouping keys.
        columns: names of the money columns.
    """
    # Imported late: every tick of a schedule loads this module, and few of them sum anything.
    import pandas as pd
    import pyarrow as pa

    exact = pa.decimal128(38, 4)
    found = list(rows)
    keys = {name: [row[name] for row in found] for name in by}
    money = {
        name: pd.array(pa.array([row[name] for row in found], type=exact), dtype=pd.ArrowDtype(exact))
        for name in columns
    }
    return pd.DataFrame({**keys, **money}).groupby(list(by), as_index=False)[list(columns)].sum()


def by_currency(amounts: Iterable[tuple[str | None, Decimal | None]]) -> dict[str, Decimal]:
    """Return the sum of each currency; pairs without an amount or a currency do not count."""
    sums: dict[str, Decimal] = {}
    for currency, amount in amounts:
        if currency and amount is not None:
            sums[currency] = sums.get(currency, Decimal(0)) + amount
    return dict(sorted(sums.items()))


def format_amounts(amounts: Iterable[tuple[str | None, Decimal | None]], between: str = ", ") -> str:
    """Return the sum of each currency as text: `12.00 EUR, 433.00 USD`."""
    return between.join(f"{amount:,.2f} {currency}" for currency, amount in by_currency(amounts).items())
