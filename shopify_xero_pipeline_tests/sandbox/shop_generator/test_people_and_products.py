"""Customers and products of the generated shop: what trips contacts and items up, and what changes while they live."""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from shopify_xero_pipeline.sandbox.nodes import Node, Version
from shopify_xero_pipeline.sandbox.shop_generator import GeneratedShop
from shopify_xero_pipeline.sandbox.shop_generator.catalogue import Catalogue
from shopify_xero_pipeline.sandbox.shop_generator.people import People, Person
from shopify_xero_pipeline_tests.sandbox.shop_generator.conftest import SIXTY_DAYS_ON

Traded = Callable[[int], GeneratedShop]
OPENED = date(2026, 9, 21)
AUCKLAND = ZoneInfo("Pacific/Auckland")


def at(day: date, hour: int = 0, minute: int = 0) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=AUCKLAND)


@pytest.fixture(scope="module")
def customers() -> list[Node]:
    """The customers on the first day."""
    return [found[-1].node for found in GeneratedShop(1).versions("customers", at(OPENED, 12)).values()]


@pytest.fixture(scope="module")
def products() -> list[Node]:
    """The products on the first day."""
    return [found[-1].node for found in GeneratedShop(1).versions("products", at(OPENED, 12)).values()]


@pytest.fixture(scope="module")
def people() -> People:
    return People(1, OPENED, AUCKLAND)


def called(customers: list[Node], part: str) -> Node:
    (found,) = [node for node in customers if part in node["displayName"]]
    return found


def skus(products: list[Node]) -> list[str | None]:
    return [variant["sku"] for node in products if not node["isGiftCard"] for variant in node["variants"]["nodes"]]


# -- customers ---------------------------------------------------------------------------------------------------------


def test_three_customers_share_a_name_and_one_of_them_has_no_e_mail(customers: list[Node]) -> None:
    annas = [node for node in customers if node["displayName"] == "Anna Smith"]
    addresses = [node["defaultEmailAddress"] for node in annas]
    assert len({node["id"] for node in annas}) == 3
    assert [address and address["emailAddress"] for address in addresses] == [
        "anna.smith@example.com", "anna.smith2@example.com", None,
    ]  # fmt: skip


def test_who_has_no_name_is_called_by_e_mail_or_else_by_telephone(customers: list[Node]) -> None:
    nameless = [node for node in customers if node["firstName"] is None and node["lastName"] is None]
    assert {node["displayName"] for node in nameless} == {"no.name@example.com", "+6421555002"}
    by_phone = called(customers, "+6421555002")
    assert by_phone["defaultEmailAddress"] is None
    assert by_phone["defaultPhoneNumber"] == {"phoneNumber": "+6421555002"}


def test_names_hold_umlauts_emoji_angle_brackets_macrons_and_other_scripts(customers: list[Node]) -> None:
    assert called(customers, "Müßig-Österreicher")["firstName"] == "Jürgen"
    assert called(customers, "🌻")["displayName"] == "Zoë 🌻 Brown"
    assert called(customers, "<b>")["lastName"] == "O'Neil"
    assert called(customers, "Ngāpuhi")["defaultEmailAddress"] == {"emailAddress": "TANE@Example.com"}
    assert called(customers, "李")["displayName"] == "李 雷"


def test_spaces_in_names_are_left_as_they_were_typed(customers: list[Node]) -> None:
    assert called(customers, "van der   Berg")["displayName"] == "Mary  Ann    van der   Berg"


def test_one_name_is_longer_than_xero_takes(customers: list[Node]) -> None:
    longest = max(customers, key=lambda node: len(node["displayName"]))
    assert longest["firstName"].startswith("Maximiliana Alexandra")
    assert len(longest["displayName"]) > 255


def test_an_e_mail_address_need_not_be_one(customers: list[Node]) -> None:
    assert called(customers, "Li Wei")["defaultEmailAddress"] == {"emailAddress": "not-an-address"}


def test_some_ordinary_customers_have_a_telephone_only(customers: list[Node]) -> None:
    ordinary = [node for node in customers if node["id"] > "gid://shopify/Customer/7300000000100"]
    phoned = [node for node in ordinary if node["defaultEmailAddress"] is None]
    assert 0 < len(phoned) < len(ordinary) // 2
    assert all(node["defaultPhoneNumber"]["phoneNumber"].startswith("+6427") for node in phoned)


def test_addresses_stand_under_the_customers_own_name_and_some_have_none(customers: list[Node]) -> None:
    assert {node["defaultAddress"] is None for node in customers} == {True, False}
    for node in customers:
        if node["defaultAddress"] is not None:
            assert node["defaultAddress"]["firstName"] == node["firstName"]
            assert node["defaultAddress"]["countryCodeV2"] == "NZ"


def test_ids_of_customers_and_addresses_never_meet(traded: Traded) -> None:
    latest = [found[0].node for found in traded(1).versions("customers", SIXTY_DAYS_ON).values()]
    assert len({node["legacyResourceId"] for node in latest}) == len(latest)
    addresses = [node["defaultAddress"]["id"] for node in latest if node["defaultAddress"] is not None]
    assert len(set(addresses)) == len(addresses)


def test_companies_order_through_a_person(people: People, traded: Traded) -> None:
    names = {company.name for company in people.companies}
    assert "Pōneke Gift Shop <Lambton Quay>" in names
    buyers = {company.buyer.gid for company in people.companies}
    assert len(buyers) == len(names) == 3
    entities = [
        (order["purchasingEntity"]["company"]["name"], order["customer"]["id"])
        for found in traded(1).versions("orders", SIXTY_DAYS_ON).values()
        if (order := found[0].node)["purchasingEntity"] is not None
        and order["purchasingEntity"]["__typename"] == "PurchasingCompany"
    ]
    assert entities
    assert {name for name, _ in entities} <= names
    assert {buyer for _, buyer in entities} <= buyers


def versions_of(person: Person, shop: GeneratedShop) -> list[Version]:
    return list(shop.versions("customers", SIXTY_DAYS_ON)[person.gid])


def test_a_customer_who_moves_gets_a_new_version_with_a_new_name_and_address(people: People, traded: Traded) -> None:
    before, after = versions_of(people.newcomers(OPENED).mover, traded(1))
    assert after.at == at(OPENED + timedelta(days=5), 14, 20)
    assert after.node["lastName"] == f"{before.node['lastName']}-Hill"
    assert after.node["defaultAddress"]["address1"] == "2B Ridge Road"
    assert after.node["updatedAt"] == "2026-09-26T02:20:00Z"
    assert after.node["createdAt"] == before.node["createdAt"] == before.node["updatedAt"]


def test_a_merged_customer_is_gone_and_leads_to_the_one_that_is_left(people: People, traded: Traded) -> None:
    newcomers = people.newcomers(OPENED)
    before, after = versions_of(newcomers.duplicate, traded(1))
    assert before.node["id"] == newcomers.duplicate.gid
    assert after.node == {}
    assert newcomers.duplicate.current(before.at) is newcomers.duplicate
    assert newcomers.duplicate.current(after.at) is newcomers.mover
    assert newcomers.mover.current(after.at) is newcomers.mover


def test_a_redacted_customer_keeps_the_id_and_loses_everything_else(people: People, traded: Traded) -> None:
    before, after = versions_of(people.newcomers(OPENED).forgotten, traded(1))
    assert before.node["displayName"] != ""
    assert after.node["id"] == before.node["id"]
    assert after.node["displayName"] == ""
    fields = ("firstName", "lastName", "defaultEmailAddress", "defaultPhoneNumber", "defaultAddress")
    assert all(after.node[name] is None for name in fields)


def orders_of(shop: GeneratedShop, gid: str) -> Iterator[list[Version]]:
    for found in shop.versions("orders", SIXTY_DAYS_ON).values():
        if (found[0].node["customer"] or {}).get("id") == gid:
            yield list(found)


def test_orders_of_a_merged_customer_are_pointed_at_the_one_that_is_left(people: People, traded: Traded) -> None:
    newcomers = people.newcomers(OPENED)
    orders = list(orders_of(traded(1), newcomers.duplicate.gid))
    assert orders
    merged = newcomers.duplicate.life[-1].at
    for found in orders:
        repointed = next(version for version in found if version.at >= merged)
        assert repointed.at == merged
        assert found[-1].node["customer"]["id"] == newcomers.mover.gid
        assert datetime.fromisoformat(repointed.node["updatedAt"]) == merged


def test_orders_of_a_redacted_customer_lose_name_and_addresses(people: People, traded: Traded) -> None:
    forgotten = people.newcomers(OPENED).forgotten
    orders = list(orders_of(traded(1), forgotten.gid))
    assert orders
    for found in orders:
        last = found[-1].node
        assert last["customer"]["displayName"] == ""
        assert last["billingAddress"] is last["shippingAddress"] is None
        assert found[0].node["customer"]["displayName"] != ""


def test_every_fortnight_has_newcomers_of_its_own_and_every_day_an_arrival(people: People) -> None:
    assert people.newcomers(OPENED) is people.newcomers(OPENED + timedelta(days=13))
    assert people.newcomers(OPENED) is not people.newcomers(OPENED + timedelta(days=14))
    first, second = people.arrival(OPENED), people.arrival(OPENED + timedelta(days=1))
    assert first.gid != second.gid
    assert first is people.arrival(OPENED)
    assert second.life[0].at == at(OPENED + timedelta(days=1))


def test_changes_say_whether_a_customers_orders_change_with_them(people: People) -> None:
    found = [[touched for _, touched in person.changes()] for person in people.newcomers(OPENED).all()]
    assert found == [[False], [True], [True]]


# -- products ----------------------------------------------------------------------------------------------------------


def test_some_forty_products_are_sold_and_many_have_several_variants(products: list[Node]) -> None:
    assert 40 <= len(products) <= 45
    sizes = Counter(len(node["variants"]["nodes"]) for node in products)
    assert sizes[1] > 15
    assert sum(count for size, count in sizes.items() if size > 1) > 10
    assert max(sizes) == 4
    assert all(v["title"] == "Default Title" for n in products for v in n["variants"]["nodes"] if
               len(n["variants"]["nodes"]) == 1)  # fmt: skip


def test_skus_are_missing_empty_given_twice_too_long_or_full_of_punctuation(products: list[Node]) -> None:
    found = skus(products)
    assert found.count(None) == 2
    assert found.count("") == 1
    given = [sku for sku in found if sku]
    assert {sku for sku, count in Counter(given).items() if count > 1} == {"CUP", "TOTE-N"}
    assert "cup" in given
    assert [sku for sku in given if len(sku) > 30] == ["SHAMPOO-BAR-FOR-NORMAL-TO-OILY-HAIR-2026"]
    assert {sku for sku in given if " " in sku} == {
        "SCARF 01", "HON DIP (wood) #2", "NOTE A5/plain", "NOTE A5/ruled",
    }  # fmt: skip
    assert "NSRN-RT-2507-$0.98" in given


def test_prices_are_texts_with_two_decimals_from_seven_cents_up(products: list[Node]) -> None:
    prices = [variant["price"] for node in products for variant in node["variants"]["nodes"]]
    assert all(price.partition(".")[2].isdigit() and len(price.partition(".")[2]) == 2 for price in prices)
    assert "0.07" in prices
    assert "1234.56" in prices


def test_one_product_is_a_gift_card_without_skus(products: list[Node]) -> None:
    (card,) = [node for node in products if node["isGiftCard"]]
    assert [(v["title"], v["sku"], v["price"]) for v in card["variants"]["nodes"]] == [
        ("$10.00", None, "10.00"), ("$50.00", None, "50.00"), ("$100.00", None, "100.00"),
    ]  # fmt: skip


def season(shop: GeneratedShop) -> tuple[list[Version], list[Version]]:
    catalogue = Catalogue(OPENED, AUCKLAND)
    found = shop.versions("products", SIXTY_DAYS_ON)
    changing, vanishing = (list(found[product.gid]) for product in catalogue.season(OPENED))
    return changing, vanishing


def test_a_product_changes_its_sku_and_later_its_title_and_price(traded: Traded) -> None:
    changing, _ = season(traded(1))
    shown = [(v.node["title"], v.node["variants"]["nodes"][0]["sku"], v.node["variants"]["nodes"][0]["price"])
             for v in changing]  # fmt: skip
    assert shown == [
        ("Limited Print 2026-09-21", "PRINT-TBC", "45.01"),
        ("Limited Print 2026-09-21", "PRINT-260921", "45.01"),
        ("Limited Print 2026-09-21 (2nd run)", "PRINT-260921", "52.51"),
    ]
    assert len({v.node["variants"]["nodes"][0]["id"] for v in changing}) == 1
    assert [v.node["updatedAt"] for v in changing] == [
        "2026-09-20T12:00:00Z", "2026-09-25T22:00:00Z", "2026-09-29T21:00:00Z",
    ]  # fmt: skip


def test_a_deleted_product_is_gone_from_the_shop_and_from_the_lines_of_its_orders(traded: Traded) -> None:
    shop = traded(1)
    _, (before, after) = season(shop)
    assert before.node["variants"]["nodes"][0]["sku"] == "CLEAR-260921"
    assert (after.at, after.node) == (at(OPENED + timedelta(days=9), 11), {})
    told: list[tuple[Any, Any]] = []
    for found in shop.versions("orders", SIXTY_DAYS_ON).values():
        for first, last in zip(found[0].node["lineItems"]["nodes"], found[-1].node["lineItems"]["nodes"], strict=False):
            if first["sku"] == "CLEAR-260921":
                told.append((first["product"]["id"], last["product"]))
                assert last["sku"] == "CLEAR-260921"
    assert told
    assert set(told) == {(before.node["id"], None)}


def test_the_fixed_range_never_changes(traded: Traded) -> None:
    found = traded(1).versions("products", SIXTY_DAYS_ON)
    catalogue = Catalogue(OPENED, AUCKLAND)
    assert all(len(found[product.gid]) == 1 for product in (*catalogue.range, catalogue.gift_card))
    assert len(catalogue.items) == sum(len(product.life[0].variants) for product in catalogue.range)
    assert [ware.product.is_gift_card for ware in catalogue.gift_cards()] == [True] * 3
    assert all(list(product.changes()) == [] for product in catalogue.range)
