"""The products of the generated shop: a fixed range, one gift card, and two products of each fortnight.

The fixed range never changes. Of a fortnight's two products, one gets a new title and price and the other is deleted
before the fortnight ends, so that open orders lose their product. Orders are in the other modules.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from shopify_xero_pipeline.sandbox.nodes import Version
from shopify_xero_pipeline.sandbox.shop_generator.assortment import ARTICLES
from shopify_xero_pipeline.sandbox.shop_generator.instants import cycle_start, local, midnight, stamp

_PRODUCT = 8_100_000_000_000  # the first id of a product
_VARIANT = 46_200_000_000_000  # the first id of a variant


@dataclass(frozen=True, slots=True)
class Variant:
    """A variant in one of its states; `price` in cents of the shop's currency."""

    serial: int
    title: str
    sku: str | None
    price: int


@dataclass(frozen=True, slots=True)
class ProductState:
    """A product's state from an instant on; a state without variants means that the product is deleted."""

    at: datetime
    title: str
    variants: tuple[Variant, ...]


@dataclass(slots=True)
class Product:
    """A product with all of its states, oldest first."""

    serial: int
    product_type: str
    vendor: str
    tags: tuple[str, ...]
    is_gift_card: bool = False
    life: list[ProductState] = field(default_factory=list)

    @property
    def gid(self) -> str:
        """The product's global id."""
        return f"gid://shopify/Product/{self.serial}"

    def state(self, at: datetime) -> ProductState:
        """Return the product's state at an instant; before the first state, the first."""
        return next((state for state in reversed(self.life) if state.at <= at), self.life[0])

    def changes(self) -> Iterator[datetime]:
        """Return the instants at which orders see a different product: every state but the first."""
        return (state.at for state in self.life[1:])

    def reference(self, at: datetime) -> dict[str, Any] | None:
        """Return the product as an order line contains it; None once it is deleted."""
        state = self.state(at)
        if not state.variants:
            return None
        return {
            "id": self.gid,
            "legacyResourceId": str(self.serial),
            "title": state.title,
            "productType": self.product_type,
            "vendor": self.vendor,
            "tags": list(self.tags),
            "status": "ACTIVE",
            "isGiftCard": self.is_gift_card,
            "updatedAt": stamp(state.at),
        }

    def variant_reference(self, serial: int, at: datetime) -> dict[str, Any] | None:
        """Return one of its variants as an order line contains it; None once the product is deleted."""
        state = self.state(at)
        variant = next((v for v in state.variants if v.serial == serial), None)
        return None if variant is None else _variant_node(state, variant) | {"product": {"id": self.gid}}

    def versions(self) -> list[Version]:
        """Return the product's versions; the last one is empty if the product is deleted."""
        return [Version(state.at, self._node(state)) for state in self.life]

    def _node(self, state: ProductState) -> dict[str, Any]:
        reference = self.reference(state.at)
        if reference is None:
            return {}
        return reference | {
            "handle": f"product-{self.serial}",
            "createdAt": stamp(self.life[0].at),
            "variants": {"nodes": [_variant_node(state, variant) for variant in state.variants]},
        }


def _variant_node(state: ProductState, variant: Variant) -> dict[str, Any]:
    return {
        "id": f"gid://shopify/ProductVariant/{variant.serial}",
        "legacyResourceId": str(variant.serial),
        "title": variant.title,
        "displayName": f"{state.title} - {variant.title}",
        "sku": variant.sku,
        "price": f"{variant.price // 100}.{variant.price % 100:02d}",
        "taxable": True,
        "createdAt": stamp(state.at),
        "updatedAt": stamp(state.at),
    }


_GIFT_CARD = (("10.00", 1000), ("50.00", 5000), ("100.00", 10000))  # titles, and denominations in cents


@dataclass(frozen=True, slots=True)
class CatalogueItem:
    """A variant together with its product, as sold in an order."""

    product: Product
    variant: Variant


class Catalogue:
    """All products of the shop; the fixed range exists from the opening on."""

    def __init__(self, opened: date, zone: ZoneInfo) -> None:
        self._zone = zone
        opening = midnight(opened, zone)
        self.range = [_range_product(number, opening) for number in range(len(ARTICLES))]
        self.gift_card = _gift_card_product(opening)
        self._items = [CatalogueItem(product, v) for product in self.range for v in product.life[0].variants]
        self._seasons: dict[date, tuple[Product, Product]] = {}

    @property
    def items(self) -> Sequence[CatalogueItem]:
        """The variants of the fixed range, without gift cards."""
        return self._items

    def gift_cards(self) -> list[CatalogueItem]:
        """Return the gift card's denominations."""
        return [CatalogueItem(self.gift_card, variant) for variant in self.gift_card.life[0].variants]

    def season(self, day: date) -> tuple[Product, Product]:
        """Return the two products of a day's fortnight: one that changes and one that is deleted."""
        start = cycle_start(day)
        if start not in self._seasons:
            self._seasons[start] = (_limited_product(start, self._zone), _clearance_product(start, self._zone))
        return self._seasons[start]


def _range_product(number: int, at: datetime) -> Product:
    article, serial = ARTICLES[number], _PRODUCT + number
    product = Product(serial, article.product_type, article.vendor, article.tags)
    variants = (Variant(_VARIANT + number * 10 + n, *variant) for n, variant in enumerate(article.variants))
    product.life.append(ProductState(at, article.title, tuple(variants)))
    return product


def _gift_card_product(at: datetime) -> Product:
    product = Product(_PRODUCT + 900, "Gift Cards", "Sandbox Goods", (), is_gift_card=True)
    variants = tuple(
        Variant(_VARIANT + 9_000 + n, f"${name}", None, cents) for n, (name, cents) in enumerate(_GIFT_CARD)
    )
    product.life.append(ProductState(at, "Gift Card", variants))
    return product


def _limited_product(start: date, zone: ZoneInfo) -> Product:
    """Return a product sold all fortnight; its SKU changes on day 5, its title and price on day 9."""
    serial, title, sku = start.toordinal() * 10, f"Limited Print {start.isoformat()}", f"PRINT-{start:%y%m%d}"
    product = Product(_PRODUCT + serial, "Paper", "Letterpress Otago", ("limited",))
    first, corrected = midnight(start, zone), local(start + timedelta(days=5), 10, 0, zone)
    repriced = local(start + timedelta(days=9), 10, 0, zone)
    for at, name, code, cents in (
        (first, title, "PRINT-TBC", 4501),
        (corrected, title, sku, 4501),
        (repriced, f"{title} (2nd run)", sku, 5251),
    ):
        variant = Variant(_VARIANT + serial, "Default Title", code, cents)
        product.life.append(ProductState(at, name, (variant,)))
    return product


def _clearance_product(start: date, zone: ZoneInfo) -> Product:
    """Return a product sold on one day and deleted on day 9."""
    serial = start.toordinal() * 10 + 1
    product = Product(_PRODUCT + serial, "Clearance", "Ranger Supply", ("clearance",))
    variant = Variant(_VARIANT + serial, "Default Title", f"CLEAR-{start:%y%m%d}", 1987)
    product.life.append(ProductState(midnight(start, zone), f"Clearance Lot {start.isoformat()}", (variant,)))
    product.life.append(ProductState(local(start + timedelta(days=9), 11, 0, zone), "", ()))
    return product
