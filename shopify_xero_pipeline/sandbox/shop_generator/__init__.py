"""A shop whose trading is generated: deterministic by its seed, growing with the calendar, in the Admin API's shape.

Only `GeneratedShop` is meant to be used from outside.
"""

from shopify_xero_pipeline.sandbox.shop_generator.shop import GeneratedShop

__all__ = ["GeneratedShop"]
