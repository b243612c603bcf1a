"""The generated shop as a source of records: trades day by day up to the instant it is asked about.

Days are told once, in order, when they are first reached; what of a day lies in the future waits until it is reached.
No state needs keeping: the same seed tells the same days again. Hand-made records may be added for tests.
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
from shopify_xero_pipeline.sandbox.shop_generator.schedule import Appointment, plan
from shopify_xero_pipeline.sandbox.shop_generator.story import Stall, Story

_FIRST_ORDER = 5_000_000_000_000
_FIRST_NUMBER = 1001
_EPOCH_DAY = date(2020, 1, 1).toordinal()


class _Timeline:
    """The versions of one kind of record: all that are known, and those an instant has reached."""

    def __init__(self) -> None:
        self._known: dict[str, list[Version]] = {}
        self._coming: list[tuple[datetime, str]] = []
        self._superseded: dict[str, datetime] = {}
        self._shown: dict[str, tuple[Version, ...]] = {}
        self._until = datetime.min.replace(tzinfo=UTC)

    def admit(self, gid: str, versions: Sequence[Version]) -> None:
        """Take in a record's generated versions, unless someone has taken the record over by hand by then."""
        taken_over = self._superseded.get(gid)
        for version in versions:
            if taken_over is None or version.at < taken_over:
                self._insert(gid, version)

    def supersede(self, gid: str, version: Version) -> None:
        """Take in a hand-made version in place of every generated one at or after its instant."""
        known, taken_over = self._known.get(gid, []), self._superseded.get(gid)
        if taken_over is None or version.at < taken_over:
            self._superseded[gid] = version.at
        self._known[gid] = [v for v in known if v.at < version.at or (taken_over is not None and v.at >= taken_over)]
        self._insert(gid, version)
        self._shown = self._as_of(self._until)

    def reached(self, until: datetime) -> Mapping[str, Sequence[Version]]:
        """The versions up to an instant; the very same mapping again when nothing is new."""
        if until < self._until:
            return self._as_of(until)
        self._until = until
        due = set()
        while self._coming and self._coming[0][0] <= until:
            due.add(heappop(self._coming)[1])
        if due:
            self._shown = self._shown | {gid: self._record(gid, until) for gid in sorted(due)}
        return self._shown

    def _insert(self, gid: str, version: Version) -> None:
        known = self._known.setdefault(gid, [])
        known.insert(bisect_right(known, version.at, key=lambda v: v.at), version)
        heappush(self._coming, (version.at, gid))

    def _record(self, gid: str, until: datetime) -> tuple[Version, ...]:
        return tuple(version for version in self._known[gid] if version.at <= until)

    def _as_of(self, until: datetime) -> dict[str, tuple[Version, ...]]:
        records = ((gid, self._record(gid, until)) for gid in self._known)
        return {gid: versions for gid, versions in records if versions}


class GeneratedShop:
    """A shop whose trading follows from its seed: the `ShopSource` of the sandbox when no recording is given.

    Args:
        seed: Another seed, another shop; the same seed, the same shop, order by order.
        opened: The first local day it trades. Only order numbers depend on it.
        zone: The shop's time zone.
        currency: The shop's currency, one of two decimals.
    """

    def __init__(
        self, seed: int = 1, opened: date = date(2026, 9, 21), zone: str = "Pacific/Auckland", currency: str = "NZD"
    ) -> None:
        self._seed, self._opened, self._zone = seed, opened, ZoneInfo(zone)
        people, catalogue = People(seed, opened, self._zone), Catalogue(opened, self._zone)
        self._stall = Stall(catalogue, people, self._zone, currency)
        self._timelines: dict[RecordKind, _Timeline] = {k: _Timeline() for k in ("orders", "customers", "products")}
        self._kinds: dict[str, str] = {}
        self._next_day, self._next_number = opened, _FIRST_NUMBER
        self._open()

    def shop(self) -> Node:
        """The Shop node."""
        return {
            "id": "gid://shopify/Shop/61000000001",
            "name": "Sandbox Goods",
            "email": "hello@sandbox.example",
            "myshopifyDomain": "sandbox.myshopify.com",
            "url": "https://sandbox.myshopify.com",
            "ianaTimezone": self._zone.key,
            "currencyCode": self._stall.currency,
            "taxesIncluded": True,
            "taxShipping": True,
            "orderNumberFormatPrefix": "#",
            "orderNumberFormatSuffix": "",
            "createdAt": stamp(midnight(self._opened, self._zone)),
        }

    def versions(self, kind: RecordKind, until: datetime) -> Mapping[str, Sequence[Version]]:
        """Every version up to an instant, by gid; see `ShopSource`.

        The mapping does not change afterwards; while nothing is new, the same one is handed out again.
        """
        today = until.astimezone(self._zone).date()
        while self._next_day <= today:
            self._trade(self._next_day)
            self._next_day += timedelta(days=1)
        return self._timelines[kind].reached(until.astimezone(UTC))

    def add(self, kind: RecordKind, node: Node, at: datetime) -> None:
        """Add a hand-made record, or supersede a generated one: from that instant on its own versions count no more."""
        self._timelines[kind].supersede(node["id"], Version(at.astimezone(UTC), node))

    def kind_of(self, order_gid: str) -> str:
        """The name of the scenario a generated order went by.

        Raises:
            KeyError: the order is not one the shop has generated so far.
        """
        return self._kinds[order_gid]

    def _open(self) -> None:
        catalogue, people = self._stall.catalogue, self._stall.people
        for product in (*catalogue.range, catalogue.gift_card):
            self._timelines["products"].admit(product.gid, product.versions())
        for person in people.settled():
            self._timelines["customers"].admit(person.gid, person.versions())
        if slot_of(self._opened) != 0:
            self._begin_fortnight(self._opened)

    def _begin_fortnight(self, day: date) -> None:
        for product in self._stall.catalogue.season(day):
            self._timelines["products"].admit(product.gid, product.versions())
        for person in self._stall.people.newcomers(day).all():
            self._timelines["customers"].admit(person.gid, person.versions())

    def _trade(self, day: date) -> None:
        if slot_of(day) == 0:
            self._begin_fortnight(day)
        arrival = self._stall.people.arrival(day)
        self._timelines["customers"].admit(arrival.gid, arrival.versions())
        for position, appointment in enumerate(plan(self._seed, day, self._zone)):
            serial = _FIRST_ORDER + (day.toordinal() - _EPOCH_DAY) * 100 + position
            self._tell(day, serial, appointment)

    def _tell(self, day: date, serial: int, appointment: Appointment) -> None:
        rng, at, currency = Random(f"{self._seed}/order/{serial}"), appointment.at, self._stall.currency
        header = Header(self._next_number, at, at, at)
        self._next_number += 1
        story = Story(
            self._stall, rng, day, at, header, Ledger(serial, Currencies(currency, currency)), appointment.hurried
        )
        people = self._stall.people
        story.buyer(rng.choice([*people.regulars, people.arrival(day)]))
        appointment.kind.play(story)
        gid = f"gid://shopify/Order/{serial}"
        self._timelines["orders"].admit(gid, story.finish())
        self._kinds[gid] = appointment.kind.name
