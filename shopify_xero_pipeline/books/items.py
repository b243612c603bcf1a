"""What is sold: product variants of Shopify as untracked Items of Xero (docs/books.md §7).

Only the making of an Item belongs here. A price informs and never drives a document.
"""

import re
from collections.abc import Mapping

from shopify_xero_pipeline.books.text import strip_control_chars, truncate
from shopify_xero_pipeline.shopify.models import Variant, VariantRef
from shopify_xero_pipeline.xero.models import Item

CODE_LIMIT = 30
NAME_LIMIT = 50
DESCRIPTION_LIMIT = 4000
VARIANT_LIMIT = 24
NO_VARIANT = "Default Title"
DERIVED_CODE = re.compile(r"v\d+", re.IGNORECASE)


def build_item(
    variant: Variant | VariantRef,
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
        product_title: its product's title.
        shop_currency: the currency of the variant's price.
        base_currency: Xero's; an Item's price is in it, so a price in another currency is left out.
        taken: codes in use, casefolded, with the id of the variant that has each ('' for an Item that is not ours).
        code: the code the variant's Item already has; a code is fixed at first creation.
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


def code_of(variant: Variant | VariantRef, taken: Mapping[str, str]) -> str:
    """Return the SKU where it can be a code of Xero's and is nobody else's, else `V<variant id>`."""
    derived = f"V{variant.legacy_id}"
    sku = (variant.sku or "").strip()
    owner = taken.get(sku.casefold(), variant.legacy_id)
    usable = 0 < len(sku) <= CODE_LIMIT and sku == strip_control_chars(sku) and not DERIVED_CODE.fullmatch(sku)
    return sku if usable and owner == variant.legacy_id else derived


def item_name(title: str, option: str) -> str:
    """Return a name within Xero's 50 characters: what tells variants apart is kept, the product's title gives way."""
    if not option:
        return truncate(title, NAME_LIMIT)
    return truncate(title, NAME_LIMIT, f" - {truncate(option, VARIANT_LIMIT)}")
