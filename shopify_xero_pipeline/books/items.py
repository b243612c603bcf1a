"""Untracked Items of Xero, built from product variants of Shopify (docs/books.md §7).

This module only builds Items. An Item's price is informative; no document depends on it.
"""

import re
from collections.abc import Mapping

from shopify_xero_pipeline.books.text import strip_control_chars, truncate
from shopify_xero_pipeline.shopify.models import Variant
from shopify_xero_pipeline.xero.models import Item

# Xero's limits in characters (docs/contracts/xero.md §6.2).
CODE_LIMIT = 30
NAME_LIMIT = 50
DESCRIPTION_LIMIT = 4000
VARIANT_LIMIT = 24  # leaves 23 of the 50 characters to the product's title and 3 to the separator
NO_VARIANT = "Default Title"
DERIVED_CODE = re.compile(r"v\d+", re.IGNORECASE)


def build_item(
    variant: Variant,
    product_title: str,
    *,
    shop_currency: str,
    base_currency: str,
    taken: Mapping[str, str] | None = None,
    code: str | None = None,
) -> Item:
    """Return the Item of a variant.

    Args:
        variant: the variant.
        product_title: the title of its product.
        shop_currency: the currency of the variant's price.
        base_currency: the base currency in Xero. Items are priced in it, so a price in another currency is omitted.
        taken: codes in use, casefolded, with the id of the variant that has each ('' for an Item of another origin).
        code: the existing code of the variant's Item; a code is fixed at first creation.
    """
    title, option = strip_control_chars(product_title) or "Product", strip_control_chars(variant.title)
    option = "" if option == NO_VARIANT else option
    return Item(
        shopify_id=variant.legacy_id,
        code=code or code_of(variant, taken or {}),
        name=item_name(title, option),
        description=truncate(f"{title} - {option}" if option else title, DESCRIPTION_LIMIT),
        unit_price=variant.price if shop_currency == base_currency else None,
    )


def code_of(variant: Variant, taken: Mapping[str, str]) -> str:
    """Return the SKU if Xero accepts it as a code and no other Item has it, else `V<variant id>`.

    Args:
        variant: the variant.
        taken: codes in use, as for `build_item`.
    """
    sku, derived = candidate_codes(variant)
    owner = taken.get(sku.casefold(), variant.legacy_id)
    usable = 0 < len(sku) <= CODE_LIMIT and sku == strip_control_chars(sku) and not DERIVED_CODE.fullmatch(sku)
    return sku if usable and owner == variant.legacy_id else derived


def candidate_codes(variant: Variant) -> tuple[str, str]:
    """Return the codes that the Item of a variant may get: its SKU, which may be empty, and its derived code."""
    return (variant.sku or "").strip(), f"V{variant.legacy_id}"


def item_name(title: str, option: str) -> str:
    """Return a name of at most 50 characters; the product's title is truncated before the variant's."""
    if not option:
        return truncate(title, NAME_LIMIT)
    return truncate(title, NAME_LIMIT, f" - {truncate(option, VARIANT_LIMIT)}")
