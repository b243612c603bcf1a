"""Items: a code that stays and is nobody else's, a name that still says which variant."""

from decimal import Decimal

import pytest

from shopify_xero_pipeline.books.items import build_item, code_of, item_name
from shopify_xero_pipeline.shopify.models import Variant
from shopify_xero_pipeline_tests.books.builders import gid


def variant(sku: str | None = "MUG-BLUE", title: str = "Blue") -> Variant:
    return Variant(id=gid("ProductVariant", 21), title=title, sku=sku, price=Decimal("12.50"))


def test_an_item_has_the_sku_as_its_code_and_both_titles_as_its_name() -> None:
    item = build_item(variant(), "Mug", shop_currency="NZD", base_currency="NZD")
    assert (item.shopify_id, item.code, item.name, item.unit_price) == (
        "21",
        "MUG-BLUE",
        "Mug - Blue",
        Decimal("12.50"),
    )


def test_a_price_in_another_currency_than_xeros_is_left_out() -> None:
    assert build_item(variant(), "Mug", shop_currency="NZD", base_currency="AUD").unit_price is None


@pytest.mark.parametrize("sku", [None, "", "  ", "x" * 31, "A\x00B", "A  B", "v99"])
def test_a_sku_that_cannot_be_a_code_gives_way_to_the_variants_id(sku: str | None) -> None:
    assert code_of(variant(sku), {}) == "V21"


def test_a_sku_of_thirty_characters_is_a_code_and_keeps_its_odd_ones() -> None:
    assert code_of(variant("x" * 30), {}) == "x" * 30
    assert code_of(variant(" NSRN/RT-2507-$0.98 "), {}) == "NSRN/RT-2507-$0.98"


def test_a_sku_another_variant_has_in_any_capitals_is_taken() -> None:
    assert code_of(variant(), {"mug-blue": "22"}) == "V21"
    assert code_of(variant(), {"mug-blue": "21"}) == "MUG-BLUE"
    assert code_of(variant(), {"mug-blue": ""}) == "V21"


def test_a_code_once_given_stays() -> None:
    item = build_item(variant("NEW"), "Mug", shop_currency="NZD", base_currency="NZD", code="OLD")
    assert item.code == "OLD"


def test_a_product_without_variants_worth_naming_has_its_title_alone() -> None:
    ref = Variant(id=gid("ProductVariant", 21), title="Default Title")
    item = build_item(ref, "Mug", shop_currency="NZD", base_currency="NZD")
    assert (item.name, item.description) == ("Mug", "Mug")
    assert build_item(ref, " ", shop_currency="NZD", base_currency="NZD").name == "Product"


def test_a_long_name_gives_up_the_products_title_before_the_variants() -> None:
    name = item_name("A very long product title that goes on and on", "Large / Blue")
    assert name == "A very long product title that goe… - Large / Blue"
    assert len(name) == 50
    assert len(item_name("p" * 90, "v" * 90)) == 50
    assert item_name("p" * 90, "v" * 90).endswith(" - " + "v" * 23 + "…")
    assert len(item_name("p" * 90, "")) == 50
