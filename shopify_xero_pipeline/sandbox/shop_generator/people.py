"""Customers of the generated shop with all of their states, addresses, and the companies among them.

A customer's states are fixed at creation. Most never change; of each fortnight's new customers one moves house, one is
merged into another customer and one has the data erased (docs/contracts/shopify.md E22). Names and addresses are
invented. Orders are in the other modules.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from random import Random
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from shopify_xero_pipeline.sandbox.nodes import Version
from shopify_xero_pipeline.sandbox.shop_generator.instants import cycle_start, local, midnight, stamp

_CUSTOMER = 7_300_000_000_000  # the first id of a customer who exists from the opening on
_NEWCOMER = 7_400_000_000_000  # the first id of a later customer
_ADDRESS = 9_500_000_000_000  # the first id of an address


class _Place(NamedTuple):
    city: str
    province: str | None
    province_code: str | None
    postcode: str
    country: str = "New Zealand"
    country_code: str = "NZ"


_FIRST = (
    *("Aroha", "Ben", "Chloe", "Dev", "Emma", "Fetu", "Grace", "Hemi", "Isla", "Jack", "Kiri", "Liam", "Mei"),
    *("Nikau", "Olive", "Priya", "Quinn", "Ruby", "Sam", "Tama", "Ulla", "Vera", "Wiremu", "Xin", "Yara", "Zac"),
)
_LAST = (
    *("Anderson", "Brown", "Chen", "Davies", "Edwards", "Faleolo", "Graham", "Harris", "Ioane", "Jones"),
    *("Kumar", "Lee", "Moana", "Ngata", "Parata", "Reid", "Singh", "Taylor", "Walker", "Young"),
)
_PLACES = (
    _Place("Auckland", "Auckland", "AUK", "1010"),
    _Place("Wellington", "Wellington", "WGN", "6011"),
    _Place("Christchurch", "Canterbury", "CAN", "8011"),
    _Place("Ōtepoti Dunedin", "Otago", "OTA", "9016"),
    _Place("Whanganui", "Manawatū-Whanganui", "MWT", "4500"),
)
_ABROAD = (
    ("14 Rue de l'Échiquier", _Place("Paris", None, None, "75010", "France", "FR")),
    ("901 E Union St", _Place("Seattle", "Washington", "WA", "98122", "United States", "US")),
    ("3 Chome-1-1 Marunouchi", _Place("Tokyo", "Tokyo", "JP-13", "100-0005", "Japan", "JP")),
    ("7 Cavenagh St", _Place("Darwin", "Northern Territory", "NT", "0800", "Australia", "AU")),
)

# First name, last name, e-mail and telephone of customers that are hard to turn into Contacts.
_AWKWARD: tuple[tuple[str | None, str | None, str | None, str | None], ...] = (
    ("Anna", "Smith", "anna.smith@example.com", None),
    ("Anna", "Smith", "anna.smith2@example.com", None),
    ("Anna", "Smith", None, "+6421555001"),
    (None, None, None, "+6421555002"),
    (None, None, "no.name@example.com", None),
    ("Jürgen", "Müßig-Österreicher", "juergen@example.de", None),
    ("Zoë 🌻", "Brown", "zoe@example.com", "+6421555003"),
    ("Bob <b>", "O'Neil", "bob.oneil@example.com", None),
    ("Mary  Ann ", "  van der   Berg", "mary.ann@example.com", None),
    ("Maximiliana " + "Alexandra " * 14, "von Hohenburg-" + "Weissenstein-" * 9 + "Tal", "max@example.com", None),
    ("Tāne", "Ngāpuhi-Mahuta", "TANE@Example.com", None),
    ("Li", "Wei", "not-an-address", None),
    ("李", "雷", "lilei@example.cn", None),
)
_COMPANIES = ("Kōwhai Café Ltd", "Southern Cross Hotels & Lodges Limited", "Pōneke Gift Shop <Lambton Quay>")


@dataclass(frozen=True, slots=True)
class PersonState:
    """A customer's state from an instant on; with `merged_into` the old id no longer exists."""

    at: datetime
    first_name: str | None
    last_name: str | None
    email: str | None
    phone: str | None
    address: dict[str, Any] | None
    merged_into: "Person | None" = None
    redacted: bool = False

    @property
    def display_name(self) -> str:
        """The name, else the e-mail address, else the telephone number (docs/contracts/shopify_orders.md §5)."""
        name = " ".join(part for part in (self.first_name, self.last_name) if part)
        return name or self.email or self.phone or ""


@dataclass(slots=True)
class Person:
    """A customer with all of its states, oldest first."""

    serial: int
    life: list[PersonState] = field(default_factory=list)

    @property
    def gid(self) -> str:
        """The customer's global id."""
        return f"gid://shopify/Customer/{self.serial}"

    def state(self, at: datetime) -> PersonState:
        """Return the customer's state at an instant; before the first state, the first."""
        return next((state for state in reversed(self.life) if state.at <= at), self.life[0])

    def current(self, at: datetime) -> "Person":
        """Return the customer at an instant; after a merge, the surviving customer."""
        merged_into = self.state(at).merged_into
        return self if merged_into is None else merged_into.current(at)

    def changes(self) -> Iterator[tuple[datetime, bool]]:
        """Return the instants at which the customer's orders change, and whether that updates the orders."""
        return ((state.at, state.redacted or state.merged_into is not None) for state in self.life[1:])

    def node(self, at: datetime) -> dict[str, Any]:
        """Return the customer's node at an instant; empty after a merge."""
        state = self.state(at)
        if state.merged_into is not None:
            return {}
        return {
            "id": self.gid,
            "legacyResourceId": str(self.serial),
            "displayName": state.display_name,
            "firstName": state.first_name,
            "lastName": state.last_name,
            "defaultEmailAddress": None if state.email is None else {"emailAddress": state.email},
            "defaultPhoneNumber": None if state.phone is None else {"phoneNumber": state.phone},
            "defaultAddress": None if state.address is None else dict(state.address),
            "state": "DISABLED",
            "taxExempt": False,
            "note": None,
            "tags": [],
            "createdAt": stamp(self.life[0].at),
            "updatedAt": stamp(max(state.at, self.life[0].at)),
        }

    def versions(self) -> list[Version]:
        """Return the customer's versions; the last one is empty after a merge."""
        return [Version(state.at, self.node(state.at)) for state in self.life]


@dataclass(frozen=True, slots=True)
class Company:
    """A business customer and its buyer."""

    serial: int
    name: str
    buyer: Person


@dataclass(frozen=True, slots=True)
class Newcomers:
    """The customers of one fortnight whose records change: one moves, one is merged, one has the data erased."""

    mover: Person
    duplicate: Person
    forgotten: Person

    def all(self) -> tuple[Person, ...]:
        """Return all three."""
        return (self.mover, self.duplicate, self.forgotten)


class People:
    """All customers of the shop, derived from the seed."""

    def __init__(self, seed: int, opened: date, zone: ZoneInfo) -> None:
        self._seed, self._zone = seed, zone
        opening = midnight(opened, zone)
        self.awkward = [_awkward(number, opening) for number in range(len(_AWKWARD))]
        self.regulars = [self._ordinary(_CUSTOMER + 100 + number, opening) for number in range(40)]
        self.companies = [
            Company(3_100_000 + number, name, self._ordinary(_CUSTOMER + 900 + number, opening))
            for number, name in enumerate(_COMPANIES)
        ]
        self._fortnights: dict[date, Newcomers] = {}
        self._arrivals: dict[date, Person] = {}

    def settled(self) -> list[Person]:
        """Return the customers that exist from the opening on."""
        return [*self.awkward, *self.regulars, *(company.buyer for company in self.companies)]

    def arrival(self, day: date) -> Person:
        """Return the ordinary customer who is new on a day, from its first instant."""
        if day not in self._arrivals:
            self._arrivals[day] = self._ordinary(_NEWCOMER + day.toordinal() * 10, midnight(day, self._zone))
        return self._arrivals[day]

    def newcomers(self, day: date) -> Newcomers:
        """Return the customers of a day's fortnight whose records change."""
        start = cycle_start(day)
        if start not in self._fortnights:
            self._fortnights[start] = self._fortnight(start)
        return self._fortnights[start]

    def _fortnight(self, start: date) -> Newcomers:
        birth, base = midnight(start, self._zone), _NEWCOMER + start.toordinal() * 10
        mover, duplicate, forgotten = (self._ordinary(base + n, birth) for n in (1, 2, 3))
        first = mover.life[0]
        moved = local(start + timedelta(days=5), 14, 20, self._zone)
        married = replace(first, at=moved, last_name=f"{first.last_name}-Hill")
        mover.life.append(replace(married, address=_address(base + 4, married, "2B Ridge Road", _PLACES[1])))
        merged = local(start + timedelta(days=7), 9, 45, self._zone)
        duplicate.life.append(replace(duplicate.life[0], at=merged, merged_into=mover))
        erased = local(start + timedelta(days=11), 16, 5, self._zone)
        forgotten.life.append(PersonState(erased, None, None, None, None, None, redacted=True))
        return Newcomers(mover, duplicate, forgotten)

    def _ordinary(self, serial: int, at: datetime) -> Person:
        rng = Random(f"{self._seed}/customer/{serial}")
        first, last = rng.choice(_FIRST), rng.choice(_LAST)
        state = PersonState(at, first, last, f"{first}.{last}.{serial % 1_000_000}@example.co.nz".lower(), None, None)
        if rng.random() < 0.15:
            state = replace(state, email=None, phone=f"+6427{rng.randrange(1_000_000, 9_999_999)}")
        street = f"{rng.randrange(1, 250)} {rng.choice(_LAST)} Street"
        return Person(serial, [replace(state, address=_address(serial, state, street, rng.choice(_PLACES)))])


def _awkward(number: int, at: datetime) -> Person:
    first, last, email, phone = _AWKWARD[number]
    state = PersonState(at, first, last, email, phone, None)
    if number % 2 == 0:
        state = replace(state, address=_address(_CUSTOMER + number, state, f"{number + 1} Queen Street", _PLACES[0]))
    return Person(_CUSTOMER + number, [state])


def address_abroad(serial: int, who: PersonState, rng: Random) -> dict[str, Any]:
    """Return a customer's delivery address abroad.

    Args:
        serial: the number from which the address's id is derived.
        who: the customer's state, for the name and telephone number.
        rng: the source of the address.
    """
    street, place = rng.choice(_ABROAD)
    return _address(serial, who, street, place)


def guest_address(serial: int, at: datetime, rng: Random) -> dict[str, Any]:
    """Return the address of a buyer without a customer record.

    Args:
        serial: the number from which the address's id is derived.
        at: the instant of the order, in UTC.
        rng: the source of name and address.
    """
    who = PersonState(at, rng.choice(_FIRST), rng.choice(_LAST), None, None, None)
    return _address(serial, who, f"{rng.randrange(1, 99)} Beach Road", rng.choice(_PLACES))


def _address(serial: int, who: PersonState, street: str, place: _Place) -> dict[str, Any]:
    return {
        "id": f"gid://shopify/MailingAddress/{_ADDRESS + serial % 100_000_000_000}",
        "name": " ".join(part for part in (who.first_name, who.last_name) if part) or None,
        "firstName": who.first_name,
        "lastName": who.last_name,
        "company": None,
        "address1": street,
        "address2": None,
        "city": place.city,
        "province": place.province,
        "provinceCode": place.province_code,
        "zip": place.postcode,
        "country": place.country,
        "countryCodeV2": place.country_code,
        "phone": who.phone,
    }
