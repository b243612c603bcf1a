"""A shop with generated trading, deterministic by its seed, day by day, in the shape of the Admin API.

Code outside this package uses `GeneratedShop` only.
"""

from shopify_xero_pipeline.sandbox.shop_generator.shop import GeneratedShop

__all__ = ["GeneratedShop"]
