"""The length of the proofs, short in `make test` and longer on request.

`PROOF_SCALE=20` in the environment makes every proof twenty times as long. Seeds count from 1, so a longer run contains
the shorter one.
"""

import os
from datetime import date, timedelta

from shopify_xero_pipeline.sandbox.shop_generator import GeneratedShop
from shopify_xero_pipeline_tests.campaigns.model.histories import histories
from shopify_xero_pipeline_tests.campaigns.model.source import ModelShop
from shopify_xero_pipeline_tests.campaigns.proof.trade import Trade
from shopify_xero_pipeline_tests.support.stage import at

SCALE = int(os.environ.get("PROOF_SCALE", "1"))
OPENED = date(2026, 9, 21)


def generated(days: int, horizon: int, seed: int = 1) -> tuple[GeneratedShop, Trade]:
    """Return a generated shop, and the orders of its first days as they are `horizon` days later.

    Args:
        days: the number of days with orders.
        horizon: the days after the last of them.
        seed: the seed of the shop.
    """
    shop = GeneratedShop(seed)
    placed = [OPENED + timedelta(days=number) for number in range(days)]
    return shop, Trade(shop, at(placed[-1] + timedelta(days=horizon)), placed)


def modelled(orders: int, seed: int = 1) -> tuple[ModelShop, Trade]:
    """Return a shop of the independent model's orders with their whole histories."""
    shop = ModelShop(histories(seed, orders))
    return shop, Trade(shop, shop.ends + timedelta(days=1))
