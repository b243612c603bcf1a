"""The generated shop as a source of records, which trades day by day up to the requested instant.

Days are generated once and in order, when a request first reaches them; versions after the requested instant wait. The
shop needs no stored state, since the same seed generates the same days. Tests may add hand-made records.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from heapq import heappop, heappush
from random import Random
from zoneinfo import ZoneInfo

from shopify_xero_pipeline.sandbox.nodes import Node, RecordKind, Version
from shopify_xero_pipeline.sandbox.shop_generator.catalogue import Catalogue
from shopify_xero_pipeline.sandbox.shop_generator.header import Header
from shopify_xero_pipeline.sandbox.shop_generator.instants import midnight, slot_of, stamp
from shopify_xero_pipeline.sandbox.shop_generator.ledger import Ledger
from shopify_xero_pipeline.sandbox.shop_generator.money import Currencies
from shopify_xero_pipeline.sandbox.shop_generator.people import People
from shopify_xero_pipeline.sandbox.shop_generator.scenario import OrderScenario, ShopContext
from shopify_xero_pipeline.sandbox.shop_generator.schedule import ScheduledOrder, plan

_FIRST_ORDER = 5_000_000_000_000  # the first order id
_FIRST_NUMBER = 1001  # the first order number
_EPOCH_DAY = date(2020, 1, 1).toordinal()  # the day from which order ids count


class _Timeline:
    """The versions of one kind of record: all generated ones, and those up to the latest requested instant."""

    def __init__(self) -> None:
        self._versions: dict[str, list[Version]] = {}
        self._upcoming: list[tuple[datetime, str]] = []
        self._superseded: dict[str, datetime] = {}
        self._current: dict[str, tuple[Version, ...]] = {}
        self._until = datetime.min.replace(tzinfo=UTC)

    def admit(self, gid: str, versions: Sequence[Version]) -> None:
        """Add a record's generated versions up to the first hand-made one."""
        superseded_at = self._superseded.get(gid)
        for version in versions:
            if superseded_at is None or version.at < superseded_at:
                self._insert(gid, version)

    def supersede(self, gid: str, version: Version) -> None:
        """Add a hand-made version, which replaces every generated one at or after its instant."""
        known, superseded_at = self._versions.get(gid, []), self._superseded.get(gid)
        if superseded_at is None or version.at < superseded_at:
            self._superseded[gid] = version.at
        self._versions[gid] = [
            v for v in known if v.at < version.at or (superseded_at is not None and v.at >= superseded_at)
        ]
        self._insert(gid, version)
        self._current = self._as_of(self._until)

    def up_to(self, until: datetime) -> Mapping[str, Sequence[Version]]:
        """Return the versions up to an instant; the same mapping if nothing is new."""
        if until < self._until:
            return self._as_of(until)
        self._until = until
        due = set()
        while self._upcoming and self._upcoming[0][0] <= until:
            due.add(heappop(self._upcoming)[1])
        if due:
            self._current = self._current | {gid: self._record(gid, until) for gid in sorted(due)}
        return self._current

    def _insert(self, gid: str, version: Version) -> None:
        known = self._versions.setdefault(gid, [])
        known.insert(bisect_right(known, version.at, key=lambda v: v.at), version)
        heappush(self._upcoming, (version.at, gid))

    def _record(self, gid: str, until: datetime) -> tuple[Version, ...]:
        return tuple(version for version in self._versions[gid] if version.at <= until)

    def _as_of(self, until: datetime) -> dict[str, tuple[Version, ...]]:
        records = ((gid, self._record(gid, until)) for gid in self._versions)
        return {gid: versions for gid, versions in records if versions}


class GeneratedShop:
    """A shop whose trading follows from its seed, the `ShopSource` of a sandbox without a recording.

    Args:
        seed: the seed; the same seed generates the same shop, order by order.
        opened: the first local day of trading. Only order numbers depend on it.
        zone: the shop's time zone.
        currency: the shop's currency, one of two decimals.
    """

    def __init__(
        self, seed: int = 1, opened: date = date(2026, 9, 21), zone: str = "Pacific/Auckland", currency: str = "NZD"
    ) -> None:
        self._seed, self._opened, self._zone = seed, opened, ZoneInfo(zone)
        people, catalogue = People(seed, opened, self._zone), Catalogue(opened, self._zone)
        self._context = ShopContext(catalogue, people, self._zone, currency)
        self._timelines: dict[RecordKind, _Timeline] = {k: _Timeline() for k in ("orders", "customers", "products")}
        self._kinds: dict[str, str] = {}
        self._next_day, self._next_number = opened, _FIRST_NUMBER
        self._open()

    def shop(self) -> Node:
        """Return the Shop node."""
        return {
            "id": "gid://shopify/Shop/61000000001",
            "name": "Sandbox Goods",
            "email": "hello@sandbox.example",
            "myshopifyDomain": "sandbox.myshopify.com",
            "url": "https://sandbox.myshopify.com",
            "ianaTimezone": self._zone.key,
            "currencyCode": self._context.currency,
            "taxesIncluded": True,
            "taxShipping": True,
            "orderNumberFormatPrefix": "#",
            "orderNumberFormatSuffix": "",
            "createdAt": stamp(midnight(self._opened, self._zone)),
        }

    def versions(self, kind: RecordKind, until: datetime) -> Mapping[str, Sequence[Version]]:
        """Return all versions up to an instant, by gid; see `ShopSource`.

        The mapping never changes afterwards; the same one is returned while nothing is new.
        """
        today = until.astimezone(self._zone).date()
        while self._next_day <= today:
            self._trade(self._next_day)
            self._next_day += timedelta(days=1)
        return self._timelines[kind].up_to(until.astimezone(UTC))

    def add(self, kind: RecordKind, node: Node, at: datetime) -> None:
        """Add a hand-made record; it replaces the generated versions of its id from the instant on.

        Args:
            kind: the list of the shop.
            node: the record, with its `id`.
            at: aware instant from which the record holds.
        """
        self._timelines[kind].supersede(node["id"], Version(at.astimezone(UTC), node))

    def kind_of(self, order_gid: str) -> str:
        """Return the name of a generated order's kind.

        Raises:
            KeyError: the shop has not generated this order so far.
        """
        return self._kinds[order_gid]

    def _open(self) -> None:
        catalogue, people = self._context.catalogue, self._context.people
        for product in (*catalogue.range, catalogue.gift_card):
            self._timelines["products"].admit(product.gid, product.versions())
        for person in people.settled():
            self._timelines["customers"].admit(person.gid, person.versions())
        if slot_of(self._opened) != 0:
            self._begin_fortnight(self._opened)

    def _begin_fortnight(self, day: date) -> None:
        for product in self._context.catalogue.season(day):
            self._timelines["products"].admit(product.gid, product.versions())
        for person in self._context.people.newcomers(day).all():
            self._timelines["customers"].admit(person.gid, person.versions())

    def _trade(self, day: date) -> None:
        if slot_of(day) == 0:
            self._begin_fortnight(day)
        arrival = self._context.people.arrival(day)
        self._timelines["customers"].admit(arrival.gid, arrival.versions())
        for position, order in enumerate(plan(self._seed, day, self._zone)):
            serial = _FIRST_ORDER + (day.toordinal() - _EPOCH_DAY) * 100 + position  # at most 100 orders a day
            self._generate(day, serial, order)

    def _generate(self, day: date, serial: int, order: ScheduledOrder) -> None:
        rng, at, currency = Random(f"{self._seed}/order/{serial}"), order.at, self._context.currency
        header = Header(self._next_number, at, at, at)
        self._next_number += 1
        ledger = Ledger(serial, Currencies(currency, currency))
        scenario = OrderScenario(self._context, rng, day, at, header, ledger, order.hurried)
        people = self._context.people
        scenario.set_buyer(rng.choice([*people.regulars, people.arrival(day)]))
        order.kind.play(scenario)
        gid = f"gid://shopify/Order/{serial}"
        self._timelines["orders"].admit(gid, scenario.finish())
        self._kinds[gid] = order.kind.name
