"""Groups of rows, and sums of money by currency, day or account, in exact decimal columns.

pandas sums the rows, with Arrow decimals as the type of the amounts. Arrow refuses to convert a float to a decimal,
so no float enters a sum. The selection and the presentation of the rows are elsewhere.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import pandas as pd

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


def sum_by(rows: Iterable[Mapping[str, object]], by: Sequence[str], columns: Sequence[str]) -> "pd.DataFrame":
    """Return the exact sums of money columns by group, sorted by group.

    Args:
        rows: records with text keys and `Decimal` amounts.
        by: names of the keys.
        columns: names of the amounts.
    """
    # Late import: every tick of a schedule loads this module, and few ticks need pandas.
    import pandas as pd
    import pyarrow as pa

    money_type = pa.decimal128(38, 4)  # 38 digits are the most of this type; no currency has over 4 decimals
    records = list(rows)
    keys = {name: [row[name] for row in records] for name in by}
    money = {
        name: pd.array(pa.array([row[name] for row in records], type=money_type), dtype=pd.ArrowDtype(money_type))
        for name in columns
    }
    return pd.DataFrame({**keys, **money}).groupby(list(by), as_index=False)[list(columns)].sum()


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
