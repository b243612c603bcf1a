"""What a late index, a short page or a failing question may never do: make a record one without an order."""

import random
from collections.abc import Iterator
from contextlib import suppress
from datetime import date, timedelta
from pathlib import Path

import pytest

from shopify_xero_pipeline.shopify.errors import IncompleteReadError, ShopifyError, ShopifyUnavailableError
from shopify_xero_pipeline_tests.support.small_shop import SmallShop
from shopify_xero_pipeline_tests.support.stage import Stage, at, staged
from shopify_xero_pipeline_tests.support.sync_round import carry
from shopify_xero_pipeline_tests.support.unreliable_shop import BlurredShop

pytestmark = pytest.mark.campaign

DAYS = [date(2026, 10, 1), date(2026, 10, 2), date(2026, 10, 3)]
NOW = at(date(2026, 10, 8))
STEPS = 14


class House:
    """A stage whose Shopify is blurred, and what really happened to its orders."""

    def __init__(self, stage: Stage, shop: SmallShop) -> None:
        self.stage, self.shop = stage, shop
        self.blur = BlurredShop(stage.sandbox.asgi)
        stage.sandbox.asgi = self.blur
        self.orders = {shop.sell(2000 + number, at(DAYS[number % 2], 9 + number)): number for number in range(6)}
        self.deleted: set[str] = set()
        stage.restart()

    def sync(self, days: list[date]) -> None:
        """Sync days in a process of its own, a minute later."""
        self.stage.clock.sleep(60)
        self.stage.sync_service.connections.close()
        carry(self.stage.restart(), days)

    @property
    def orphans(self) -> dict[str, str]:
        """The orders that are named, with the reason."""
        return {one.order_id: one.cause for one in self.stage.sync_service.record_ownership.orphans()}

    @property
    def posted(self) -> set[str]:
        """The orders of which anything is in Xero."""
        return {one for one in self.orders if self.stage.sync_service.connections.store.mapped_of_orders([one])}


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    shop = SmallShop()
    with staged(tmp_path, NOW, shop) as stage:
        yield House(stage, shop)


def test_a_posted_order_that_the_index_does_not_hold_at_present_is_read_by_its_id(house: House) -> None:
    house.sync(DAYS)
    first, second = [order for order, number in house.orders.items() if number % 2 == 0][:2]
    house.shop.edit(first, house.stage.clock.now(), test=False)  # it is being indexed again
    house.blur.unlisted = {first}
    house.sync(DAYS[:1])

    assert house.orphans == {}
    assert house.blur.asked == [[first]] * 2  # `carry` reads the orders twice
    (day,) = house.stage.sync_service.reconciliations.of_days(DAYS[:1])
    assert {row.order_id: row.outcome for row in day.rows}[first] == "posted"
    assert {row.order_id: row.outcome for row in day.rows}[second] == "posted"


def test_a_new_order_that_the_index_does_not_hold_yet_is_simply_not_there_yet(house: House) -> None:
    house.blur.unlisted = set(house.orders)
    house.sync(DAYS)
    assert (house.orphans, house.blur.asked) == ({}, [])


def test_a_page_that_comes_short_fails_the_reading_and_names_nothing(house: House) -> None:
    house.sync(DAYS)
    house.blur.short = 2
    with pytest.raises(IncompleteReadError, match="Shopify counts 3 orders"):
        house.sync(DAYS[:1])
    assert (house.orphans, house.blur.asked) == ({}, [])


def test_a_question_by_id_that_fails_or_comes_with_half_an_answer_names_nothing(house: House) -> None:
    house.sync(DAYS)
    gone = next(iter(house.orders))
    house.blur.unlisted, house.blur.trouble = {*house.orders} - {gone}, 1_000
    house.shop.delete(gone, house.stage.clock.now())
    with pytest.raises(ShopifyUnavailableError):
        house.sync(DAYS[:1])
    assert house.orphans == {}
    house.blur.trouble = 0
    house.sync(DAYS[:1])
    assert house.orphans == {gone: "deleted"}


def test_an_order_restored_by_shopify_is_named_no_longer(house: House) -> None:
    house.sync(DAYS)
    order = next(iter(house.orders))
    node = house.shop.versions("orders", NOW)[f"gid://shopify/Order/{order}"][-1].node
    house.shop.delete(order, house.stage.clock.now())
    house.sync(DAYS)
    assert house.orphans == {order: "deleted"}
    house.shop.restore(order, house.stage.clock.now(), node)
    house.sync(DAYS)
    assert house.orphans == {}


SOME, MORE = range(4), range(4, 40)


@pytest.mark.parametrize("seed", [*SOME, *(pytest.param(seed, marks=pytest.mark.long) for seed in MORE)])
def test_whatever_the_lists_say_only_deleted_orders_are_named_and_in_the_end_all_of_them(
    house: House, seed: int
) -> None:
    dice = random.Random(seed)
    for _ in range(STEPS):
        step(house, dice)
        assert set(house.orphans) <= house.deleted, f"step of seed {seed}"
        assert set(house.orphans.values()) <= {"deleted"}
    house.blur.unlisted, house.blur.short, house.blur.trouble = set(), 0, 0
    house.sync(DAYS)
    house.sync(DAYS)
    left = set(house.orders) - house.deleted
    assert set(house.orphans) == house.deleted & house.posted
    days = house.stage.sync_service.reconciliations.of_days(DAYS)
    assert sorted(row.order_id for day in days for row in day.rows) == sorted(left)
    assert {row.outcome for day in days for row in day.rows} <= {"posted"}
    assert house.stage.sync_service.record_ownership.unfinished_days() == set()
    assert len(house.stage.sandbox.books.documents) == len(house.posted)


def step(house: House, dice: random.Random) -> None:
    """Do one thing, as a merchant, as time, or as a failing Shopify does it."""
    alive = sorted(set(house.orders) - house.deleted)
    now = house.stage.clock.now()
    what = dice.choice(("sync", "sync", "sync", "lag", "caught up", "short", "trouble", "move", "delete", "edit"))
    if what == "sync":
        days = sorted(dice.sample(DAYS, dice.randint(1, len(DAYS))))
        with suppress(ShopifyError):
            house.sync([days[0] + timedelta(days=number) for number in range((days[-1] - days[0]).days + 1)])
    elif what == "lag":
        house.blur.unlisted = set(dice.sample(alive, min(len(alive), dice.randint(1, 4))))
    elif what == "caught up":
        house.blur.unlisted = set()
    elif what == "short":
        house.blur.short = dice.randint(1, 3)
    elif what == "trouble":
        house.blur.trouble = dice.randint(1, 12)
    elif alive and what == "move":
        house.shop.move(dice.choice(alive), now, at(dice.choice(DAYS), 9))
    elif alive and what == "edit":
        house.shop.edit(dice.choice(alive), now, test=False)
    elif len(alive) > 2 and what == "delete":
        order = dice.choice(alive)
        house.shop.delete(order, now)
        house.deleted.add(order)
