"""Tests that the reader reads the model's orders from the sandbox through GraphQL."""

from datetime import timedelta

import pytest

from shopify_xero_pipeline.clock import ManualClock
from shopify_xero_pipeline.sandbox.shopify.app import shopify_app
from shopify_xero_pipeline.sandbox.transport import InProcessTransport
from shopify_xero_pipeline.shopify.auth import StaticToken
from shopify_xero_pipeline.shopify.client import ShopifyClient
from shopify_xero_pipeline.shopify.parsing import parse_order
from shopify_xero_pipeline.shopify.reader import ShopifyReader
from shopify_xero_pipeline_tests.campaigns.model.histories import FIRST_NUMBER, histories, history_of
from shopify_xero_pipeline_tests.campaigns.model.source import ModelShop
from shopify_xero_pipeline_tests.shopify.fakes import MiddleOfTheRoad
from shopify_xero_pipeline_tests.support.handmade_shop import OPENED

pytestmark = pytest.mark.campaign


@pytest.mark.parametrize("currency", ["NZD", "JPY", "KWD"])
def test_what_is_read_through_the_sandbox_is_what_the_model_says(currency: str) -> None:
    shop = ModelShop(histories(1, 25, currency))
    clock = ManualClock(shop.ends + timedelta(hours=1))
    client = ShopifyClient(
        "model.myshopify.com",
        StaticToken("sandbox"),
        clock=clock,
        transport=InProcessTransport(shopify_app(shop, clock)),
        rng=MiddleOfTheRoad(),
    )
    reader = ShopifyReader(client, clock)
    read = {order.id: order for order in reader.orders(OPENED, clock.now())}
    assert read == {history.last.node["id"]: parse_order(history.last.node) for history in shop.histories}
    assert reader.shop().currency_code == currency
    assert len(reader.customers(OPENED, clock.now())) == 9
    assert len(reader.products(OPENED, clock.now())) == 1


def test_an_order_is_shown_as_it_stood_at_each_moment() -> None:
    history = next(each for each in histories(1, 50) if len(each.moments) > 4)
    shop, gid = ModelShop([history]), history.last.node["id"]
    for count, moment in enumerate(history.moments, start=1):
        versions = shop.versions("orders", moment.at)[gid]
        assert versions[count - 1].node == moment.node
    assert gid not in shop.versions("orders", history.moments[0].at - timedelta(seconds=1))


def test_a_shop_of_two_currencies_or_of_two_orders_of_one_number_is_refused() -> None:
    with pytest.raises(ValueError, match="one currency"):
        ModelShop([history_of(1, "NZD"), history_of(2, "JPY", FIRST_NUMBER + 1)])
    with pytest.raises(ValueError, match="same order number"):
        ModelShop([history_of(1, "NZD"), history_of(2, "NZD")])
