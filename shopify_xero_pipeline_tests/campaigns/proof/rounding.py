"""The proof that Xero's figures are Shopify's, whichever way Xero rounds half a cent and however tax is booked.

`prove` serves the tests and longer runs alike: it raises nothing, it says what does not hold.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from shopify_xero_pipeline.sandbox.nodes import ShopSource
from shopify_xero_pipeline_tests.campaigns.proof.agreement import disagreements
from shopify_xero_pipeline_tests.campaigns.proof.synced import (
    AS_LINES,
    TAX_ACCOUNTS,
    Changed,
    house,
    sync,
    xero_documents,
)
from shopify_xero_pipeline_tests.campaigns.proof.trade import Trade

Rounding = Literal["half_up", "half_even"]


@dataclass(frozen=True)
class Proof:
    """What one sync of a trade came to.

    Attributes:
        orders: how many there were.
        documents: how many Xero holds of them.
        left_alone: orders that are not posted, by name, with what was said of them.
        problems: whatever does not agree, in words; empty is the proof.
    """

    orders: int
    documents: int
    left_alone: dict[str, tuple[str, str]]
    problems: list[str]


def prove(
    folder: Path,
    source: ShopSource,
    trade: Trade,
    *,
    rounding: Rounding = "half_up",
    tax_in_lines: bool = False,
    changed: Sequence[Changed] = (),
) -> Proof:
    """Sync a whole trade at its end into an empty Xero and compare every document and every order.

    Args:
        folder: for the state store and `books.yaml`.
        source: the shop, for its settings.
        trade: what happened in it.
        rounding: what this Xero does with half a cent.
        tax_in_lines: book with `tax.mode: lines`, else `rates`.
        changed: further changes of `books.yaml`.
    """
    taxes = AS_LINES if tax_in_lines else ()
    with house(folder, source, trade.until, rounding=rounding, changed=[*taxes, *changed]) as stage:
        seen = trade.seen(trade.days, trade.until)
        done = sync(stage.sync_service, seen)
        days = stage.sync_service.reconcile(seen.orders)
        documents = xero_documents(stage.sync_service)
    problems = [*done.failures, *(f"{line.natural_key}: {line.reason}" for line in done.conflicts)]
    problems += disagreements(trade.nodes.values(), documents, TAX_ACCOUNTS)
    problems += [f"{day.day}: reconciliation is {day.difference} off" for day in days if day.difference]
    names = {gid.rpartition("/")[2]: node["name"] for gid, node in trade.nodes.items()}
    left_alone = {names[order_id]: told for order_id, told in done.left_alone.items()}
    return Proof(len(trade.nodes), len(documents), left_alone, problems)
