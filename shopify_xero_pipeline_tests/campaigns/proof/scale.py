"""How much the proofs take on: little in `make test`, as much as asked for elsewhere.

`PROOF_SCALE=20` in the environment makes every proof twenty times as long; seeds follow one another from 1 on, so a
longer run contains the shorter one.
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
    """Return a generated shop and the orders of its first days as they stand so many days later."""
    shop = GeneratedShop(seed)
    placed = [OPENED + timedelta(days=number) for number in range(days)]
    return shop, Trade(shop, at(placed[-1] + timedelta(days=horizon)), placed)


def modelled(orders: int, seed: int = 1) -> tuple[ModelShop, Trade]:
    """Return a shop of the independent model's orders, and all that ever happens to them."""
    shop = ModelShop(histories(seed, orders))
    return shop, Trade(shop, shop.ends + timedelta(days=1))
