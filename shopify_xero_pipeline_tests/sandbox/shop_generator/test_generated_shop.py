from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from shopify_xero_pipeline.sandbox.nodes import Node, ShopSource
from shopify_xero_pipeline.sandbox.shop_generator import GeneratedShop
from shopify_xero_pipeline_tests.sandbox.shop_generator.conftest import SIXTY_DAYS_ON

pytestmark = pytest.mark.campaign

Traded = Callable[[int], GeneratedShop]
AUCKLAND = ZoneInfo("Pacific/Auckland")
OPENED = date(2026, 9, 21)


def at(day: date, hour: int = 0, minute: int = 0) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=AUCKLAND).astimezone(UTC)


def placed_on(shop: GeneratedShop, day: date) -> list[datetime]:
    """The local times at which the orders of a day were placed."""
    orders = shop.versions("orders", at(day + timedelta(days=1)))
    instants = (datetime.fromisoformat(v[0].node["createdAt"]).astimezone(AUCKLAND) for v in orders.values())
    return sorted(instant for instant in instants if instant.date() == day)


def anew(gid: str, name: str = "#9001") -> Node:
    return {"id": gid, "name": name}


def test_the_same_seed_tells_the_same_shop_and_another_seed_another() -> None:
    until = at(OPENED, 12)
    first, second, other = (GeneratedShop(seed).versions("orders", until) for seed in (5, 5, 6))

    assert first == second
    assert first != other


def test_trading_does_not_depend_on_when_one_looks(traded: Traded) -> None:
    impatient, last = GeneratedShop(1), at(date(2026, 10, 4), 23, 59)
    instant = at(OPENED)
    while instant < last:
        impatient.versions("orders", instant)
        instant += timedelta(hours=7)

    assert impatient.versions("orders", last) == traded(1).versions("orders", last)


def test_a_day_does_not_depend_on_the_opening_but_for_the_numbers() -> None:
    until = at(date(2026, 9, 24))
    early, late = (
        GeneratedShop(1).versions("orders", until),
        GeneratedShop(1, date(2026, 9, 23)).versions("orders", until),
    )

    assert set(late) < set(early)
    assert late[min(late)][0].node["name"] == "#1001"
    for gid, versions in late.items():
        assert [v.at for v in versions] == [v.at for v in early[gid]]
        assert versions[-1].node["agreements"] == early[gid][-1].node["agreements"]


def test_nothing_is_handed_out_before_its_instant(traded: Traded) -> None:
    until = at(date(2026, 10, 10), 14, 30)
    for kind in ("orders", "customers", "products"):
        for versions in traded(1).versions(kind, until).values():
            assert versions[-1].at <= until
            assert [v.at for v in versions] == sorted(v.at for v in versions)


def test_the_same_mapping_is_handed_out_while_nothing_is_new() -> None:
    shop, noon = GeneratedShop(), at(OPENED, 12)
    before = shop.versions("orders", noon)
    placed = len(before)
    shop.versions("orders", noon + timedelta(days=1))

    assert shop.versions("orders", noon + timedelta(days=1)) is shop.versions("orders", noon + timedelta(days=1))
    assert len(before) == placed
    assert shop.versions("orders", noon) == before


def test_before_the_opening_there_is_nothing() -> None:
    assert GeneratedShop().versions("orders", at(OPENED) - timedelta(seconds=1)) == {}
    assert GeneratedShop().versions("products", at(OPENED) - timedelta(seconds=1)) == {}


@pytest.mark.parametrize("seed", [1, 2])
def test_every_day_trades_from_just_after_midnight_to_half_past_eleven(traded: Traded, seed: int) -> None:
    for number in range(60):
        instants = placed_on(traded(seed), OPENED + timedelta(days=number))

        assert 6 <= len(instants) <= 14
        assert instants[0].time().hour == 0
        assert instants[0].time().minute < 5
        assert instants[-1].strftime("%H:%M") == "23:30"


def test_the_day_the_clocks_go_forward_trades_in_its_own_hours(traded: Traded) -> None:
    instants = placed_on(traded(1), date(2026, 9, 27))

    assert instants[0].utcoffset() == timedelta(hours=12)
    assert instants[-1].utcoffset() == timedelta(hours=13)


def test_histories_go_on_for_three_weeks_and_end_unless_they_are_told_over_months(traded: Traded) -> None:
    shop = traded(1)
    told = shop.versions("orders", SIXTY_DAYS_ON)
    spans = {gid: versions[-1].at - versions[0].at for gid, versions in told.items()}
    ordinary = [span for gid, span in spans.items() if shop.kind_of(gid) != "refunded_over_months"]

    assert timedelta(days=14) < max(ordinary) < timedelta(days=35)
    assert timedelta(days=35) < max(spans.values()) < timedelta(days=70)
    assert sum(span > timedelta(0) for span in spans.values()) > len(spans) // 5


def test_ids_never_meet(traded: Traded) -> None:
    seen: set[str] = set()
    for versions in traded(1).versions("orders", SIXTY_DAYS_ON).values():
        node = versions[-1].node
        records = [*node["agreements"]["nodes"], *node["transactions"], *node["refunds"], *node["lineItems"]["nodes"]]
        ids = [record["id"] for record in records]
        assert seen.isdisjoint(ids)
        seen.update(ids)


def test_a_hand_made_order_appears_when_its_time_has_come() -> None:
    shop, noon, gid = GeneratedShop(), at(OPENED, 12), "gid://shopify/Order/77"
    shop.versions("orders", noon)
    shop.add("orders", anew(gid), noon + timedelta(hours=1))

    assert gid not in shop.versions("orders", noon)
    assert [v.node["name"] for v in shop.versions("orders", noon + timedelta(hours=1))[gid]] == ["#9001"]


def test_a_hand_made_record_of_the_past_is_there_at_once() -> None:
    shop, noon, gid = GeneratedShop(), at(OPENED, 12), "gid://shopify/Customer/77"
    shop.versions("customers", noon)
    shop.add("customers", anew(gid), noon - timedelta(hours=1))
    shop.add("customers", anew(gid, "#9002"), noon)

    assert [v.node["name"] for v in shop.versions("customers", noon)[gid]] == ["#9001", "#9002"]


def test_a_hand_made_version_takes_a_generated_record_over(traded: Traded) -> None:
    told = traded(1).versions("orders", SIXTY_DAYS_ON)
    gid = next(gid for gid, versions in told.items() if len(versions) > 2)
    shop, taken_over = GeneratedShop(1), told[gid][1].at
    shop.versions("orders", SIXTY_DAYS_ON)
    shop.add("orders", anew(gid), taken_over)

    assert [v.node["name"] for v in shop.versions("orders", SIXTY_DAYS_ON)[gid]] == [told[gid][0].node["name"], "#9001"]


def test_a_record_taken_over_before_it_is_told_stays_taken_over(traded: Traded) -> None:
    gid = max(traded(1).versions("orders", at(date(2026, 9, 25))))
    shop = GeneratedShop(1)
    shop.add("orders", anew(gid), at(OPENED))

    assert [v.node["name"] for v in shop.versions("orders", at(date(2026, 9, 25)))[gid]] == ["#9001"]


def test_the_kind_of_an_order_is_named_and_an_unknown_order_is_not() -> None:
    shop = GeneratedShop()
    gid = next(iter(shop.versions("orders", at(OPENED, 1))))

    assert shop.kind_of(gid) != ""
    with pytest.raises(KeyError):
        shop.kind_of("gid://shopify/Order/1")


def test_it_is_a_shop_source_with_a_zone_and_a_currency() -> None:
    source: ShopSource = GeneratedShop(zone="Europe/Berlin", currency="EUR")

    assert source.shop()["ianaTimezone"] == "Europe/Berlin"
    order = next(iter(source.versions("orders", at(date(2026, 9, 22))).values()))[0].node
    assert order["currencyCode"] == "EUR"
