"""Shops that have traded for sixty days, told once for all tests."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache

import pytest

from shopify_xero_pipeline.sandbox.shop_generator import GeneratedShop

SIXTY_DAYS_ON = datetime(2026, 11, 20, 10, 59, 59, tzinfo=UTC)
"""The last second of Friday 20 November in Auckland, the sixty-first day."""


@lru_cache
def _traded(seed: int) -> GeneratedShop:
    shop = GeneratedShop(seed)
    shop.versions("orders", SIXTY_DAYS_ON)
    return shop


@pytest.fixture(scope="session")
def traded() -> Callable[[int], GeneratedShop]:
    """A shop by its seed, sixty days after its opening; not to be added to."""
    return _traded
