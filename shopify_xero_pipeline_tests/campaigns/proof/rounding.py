"""The proof that Xero's figures are Shopify's, for both rounding modes of Xero and both tax modes.

`prove` serves tests and longer runs; it raises nothing and returns the problems.
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
    """The result of one sync of a trade.

    Attributes:
        orders: the number of orders.
        documents: the number of their documents in Xero.
        left_alone: orders that are not posted, by name, with action and reason.
        problems: sentences for all differences; empty is the proof.
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
        folder: the folder of the state store and `books.yaml`.
        source: the shop, for its settings.
        trade: its history.
        rounding: this Xero's rounding of half a cent.
        tax_in_lines: whether to use `tax.mode: lines` instead of `rates`.
        changed: further replacements in `books.yaml`.
    """
    taxes = AS_LINES if tax_in_lines else ()
    with house(folder, source, trade.until, rounding=rounding, changed=[*taxes, *changed]) as stage:
        seen = trade.seen(trade.days, trade.until)
        done = sync(stage.sync_service, seen)
        days = stage.sync_service.reconciler.reconcile(seen.orders)
        documents = xero_documents(stage.sync_service)
    problems = [*done.failures, *(f"{line.natural_key}: {line.reason}" for line in done.conflicts)]
    problems += disagreements(trade.nodes.values(), documents, TAX_ACCOUNTS)
    problems += [f"{day.day}: the reconciliation differs by {day.differences}" for day in days if day.differences]
    names = {gid.rpartition("/")[2]: node["name"] for gid, node in trade.nodes.items()}
    left_alone = {names[order_id]: reason for order_id, reason in done.left_alone.items()}
    return Proof(len(trade.nodes), len(documents), left_alone, problems)
