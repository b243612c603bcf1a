"""The stored results of an earlier day: its reconciliation, and the times up to which its orders were read.

The result of a day is the sum of the results of its orders. This module only copies and adds; the results of single
orders come from the reconciliation of the product.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import TypeAlias

from shopify_xero_pipeline.books.tax_usage import TaxUsage
from shopify_xero_pipeline.pipeline.reconciled_days import (
    READ_UP_TO_KEY,
    RECONCILED_UP_TO_KEY,
    reconciliation_entries,
)
from shopify_xero_pipeline.reconciliation.comparison import DayReconciliation, OrderRow
from shopify_xero_pipeline.reconciliation.movements import Movement
from shopify_xero_pipeline_tests.campaigns.bench.templates import Copy, PlacedCopy, copied_id

Results: TypeAlias = Mapping[str, DayReconciliation]
"""The reconciliation of a day with one order only, by the order's id."""

Multiples: TypeAlias = Sequence[tuple[DayReconciliation, int]]
"""The results of originals, each with the number of its copies on a day."""

GIFT_CARDS = "830"
"""The code of the account of gift cards in the sandbox's `books.yaml`."""

NO_AMOUNTS = {"shopify": Decimal(0), "mapping": Decimal(0), "xero": Decimal(0)}
"""The columns of a movement, in the order of `Movement.amounts`."""


def stored_texts(day: date, placed: Sequence[PlacedCopy], results: Results) -> dict[str, str | None]:
    """Return the texts that the product stores for a synced day, by key.

    Args:
        day: the day.
        placed: the copies of orders on the day.
        results: the results of the originals.
    """
    read_at = datetime.combine(day + timedelta(days=1), time(3), UTC).isoformat()
    return {
        f"{READ_UP_TO_KEY}.{day}": read_at,
        f"{RECONCILED_UP_TO_KEY}.{day}": read_at,
        **reconciliation_entries(reconcile(day, placed, results), GIFT_CARDS),
    }


def reconcile(day: date, placed: Sequence[PlacedCopy], results: Results) -> DayReconciliation:
    """Return the reconciliation of a day on which every order agrees.

    Args:
        day: the day.
        placed: the copies of orders on the day.
        results: the results of the originals.
    """
    counts = Counter(each.template.order_id for each in placed)
    multiples = [(results[order_id], count) for order_id, count in counts.items()]
    return DayReconciliation(
        day=day,
        rows=tuple(_copy_row(results[each.template.order_id].rows[0], each.copy) for each in placed),
        movements=tuple(_movements(day, multiples)),
        taxes=tuple(_taxes(multiples)),
    )


def _copy_row(row: OrderRow, copy: Copy) -> OrderRow:
    ids = {"order_id": copied_id(row.order_id, copy), "order_name": f"#{copy.number}"}
    return row.model_copy(update=ids)


def _movements(day: date, multiples: Multiples) -> Iterator[Movement]:
    sums: dict[Movement, list[Decimal]] = {}
    for original, count in multiples:
        for movement in original.movements:
            key = movement.model_copy(update={"posted": movement.posted + (day - original.day), **NO_AMOUNTS})
            sums[key] = _add(sums.get(key, [*NO_AMOUNTS.values()]), movement.amounts, count)
    for key, amounts in sums.items():
        yield key.model_copy(update=dict(zip(NO_AMOUNTS, amounts, strict=True)))


def _taxes(multiples: Multiples) -> Iterator[TaxUsage]:
    usages: dict[TaxUsage, list[Decimal]] = {}
    orders = Counter[TaxUsage]()
    for original, count in multiples:
        for usage in original.taxes:
            key = usage.model_copy(update={"orders": 0, "amounts": ()})
            usages[key] = _add(usages.get(key, [Decimal(0)] * len(usage.amounts)), usage.amounts, count)
            orders[key] += usage.orders * count
    for key, amounts in usages.items():
        yield key.model_copy(update={"orders": orders[key], "amounts": tuple(amounts)})


def _add(amounts: Iterable[Decimal], others: Iterable[Decimal], count: int) -> list[Decimal]:
    return [amount + other * count for amount, other in zip(amounts, others, strict=True)]
