"""The bookkeeper: one run's connections, and what it does with them: read, plan, load and reconcile days.

The rooms meet here and nowhere else. No accounting, no comparison and no protocol belongs here, only the order of
things: cheap answers first (a day in which nothing changed costs no call to Xero), Xero looked at again before
anything is written. Knows nothing of Dagster. Connections are made on first use, so that a wrong setting is told by
the step that needs it.
"""

import hashlib
import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from functools import cached_property
from pathlib import Path
from typing import TypeVar
from zoneinfo import ZoneInfo

import httpx

from shopify_xero_pipeline.books.outcome import touched_since
from shopify_xero_pipeline.books.policy import BooksPolicy, PolicyError
from shopify_xero_pipeline.books.preflight import problems as preflight_problems
from shopify_xero_pipeline.books.records import OrderBooks
from shopify_xero_pipeline.changes import wanted
from shopify_xero_pipeline.changes.gift_cards import LiabilityAccount
from shopify_xero_pipeline.changes.known import Known
from shopify_xero_pipeline.changes.ledger import order_ledgers
from shopify_xero_pipeline.changes.models import ChangeSet
from shopify_xero_pipeline.changes.months import Month, month_of
from shopify_xero_pipeline.changes.movements import Chart, chart_of
from shopify_xero_pipeline.changes.plan import (
    plan_contacts,
    plan_orders,
    plan_records,
    writes,
)
from shopify_xero_pipeline.changes.reconciliation import DayReconciliation, Evidence, reconcile
from shopify_xero_pipeline.changes.shopify_movements import movements_by_order
from shopify_xero_pipeline.changes.soundness import faults
from shopify_xero_pipeline.clock import Clock
from shopify_xero_pipeline.settings import Settings, SettingsError
from shopify_xero_pipeline.shopify.auth import ClientCredentials, StaticToken
from shopify_xero_pipeline.shopify.client import ShopifyClient
from shopify_xero_pipeline.shopify.errors import ShopifyError
from shopify_xero_pipeline.shopify.models import ChangedOrder, Customer, Node, Order, Product
from shopify_xero_pipeline.shopify.reader import ShopifyReader
from shopify_xero_pipeline.state.database import StoreBusyError, StoreUrlError
from shopify_xero_pipeline.state.migrations import StoreTooNewError
from shopify_xero_pipeline.state.store import StateStore
from shopify_xero_pipeline.xero.auth import XeroCredentials
from shopify_xero_pipeline.xero.client import XeroClient
from shopify_xero_pipeline.xero.errors import XeroError
from shopify_xero_pipeline.xero.loader import Loader
from shopify_xero_pipeline.xero.mirror import Mirror
from shopify_xero_pipeline.xero.models import Kind, Organisation
from shopify_xero_pipeline.xero.report import LoadResult
from shopify_xero_pipeline.xero.settings import read_organisation

FRESH = timedelta(minutes=10)
DRIFT_FOUND_WITHIN = timedelta(days=1)
NOW = timedelta(seconds=-1)
WRITTEN, READ_BACK = "last write", "last write read back"
DOCUMENTS = (Kind.INVOICE, Kind.CREDIT_NOTE)
LOADED_WITH = {Kind.PAYMENT: (Kind.PAYMENT, Kind.ALLOCATION)}
LISTED_BY = {Kind.ITEM: Kind.ITEM, Kind.ALLOCATION: Kind.CREDIT_NOTE}
N = TypeVar("N", bound=Node)


class BooksProblem(Exception):  # noqa: N818 - it is the books that have a problem, not the code
    """Something in the way of the whole step: the message says what, and what to do."""


PROBLEMS = (
    BooksProblem, PolicyError, SettingsError, ShopifyError, StoreBusyError, StoreTooNewError, StoreUrlError, XeroError
)  # fmt: skip


def read_policy(path: Path) -> BooksPolicy:
    """Read `books.yaml`.

    Raises:
        PolicyError: the file is missing, is no text, or something in it is wrong.
    """
    if not path.is_file():
        raise PolicyError(f"{path} does not exist: set BOOKS_FILE to your books.yaml, or run where it lies.")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise PolicyError(f"{path} cannot be read ({type(error).__name__}): it must be a text in UTF-8.") from None
    return BooksPolicy.from_yaml(text, str(path))


class Bookkeeper:
    """One run's connections and what it does with them.

    Args:
        settings: where both sides are and who we are to them.
        clock: the time.
        shopify_transport: replaces the network towards Shopify, for tests.
        xero_transport: replaces the network towards Xero, for tests.
        rng: the source of jitter and keys.
    """

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        *,
        shopify_transport: httpx.BaseTransport | None = None,
        xero_transport: httpx.BaseTransport | None = None,
        rng: random.Random | None = None,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._shopify_transport = shopify_transport
        self._xero_transport = xero_transport
        self._rng = rng or random.SystemRandom()
        self._opened: list[ShopifyClient | XeroClient | StateStore] = []
        self._kept: tuple[object, dict[date, list[OrderBooks]]] | None = None

    def close(self) -> None:
        """Close whatever was opened."""
        while self._opened:
            self._opened.pop().close()

    @cached_property
    def policy(self) -> BooksPolicy:
        """The merchant's `books.yaml`; a start date in the future is refused."""
        policy = read_policy(self._settings.books_file)
        today = self._clock.now().astimezone(ZoneInfo(policy.time_zone)).date()
        if policy.start_date > today:
            raise PolicyError(
                f"{self._settings.books_file}: start_date {policy.start_date} lies in the future (today is {today}): "
                "set it to the first day whose orders shall be in Xero."
            )
        return policy

    @cached_property
    def store(self) -> StateStore:
        """The state store, which belongs to one shop and one organisation for good."""
        store = StateStore(self._settings.state_url, self._clock)
        self._opened.append(store)
        if self._settings.shopify_shop:  # without it only our own files are looked at
            self._claim(store, "shop", self._settings.shopify_shop, "SHOPIFY_SHOP")
        return store

    @cached_property
    def shopify_client(self) -> ShopifyClient:
        """The connection to Shopify."""
        self.check_settings()
        given = self._settings
        credentials = (
            StaticToken(given.shopify_access_token)
            if given.shopify_access_token
            else ClientCredentials(given.shopify_client_id, given.shopify_client_secret)
        )
        client = ShopifyClient(
            given.shopify_shop,
            credentials,
            clock=self._clock,
            base_url=given.shopify_base_url or None,
            transport=self._shopify_transport,
            rng=self._rng,
        )
        self._opened.append(client)
        return client

    @cached_property
    def reader(self) -> ShopifyReader:
        """The reader of the shop, whose zone must be the one `books.yaml` names."""
        reader = ShopifyReader(self.shopify_client, self._clock)
        shop = reader.shop()
        if shop.iana_timezone != self.policy.time_zone:
            raise PolicyError(
                f"{self._settings.books_file}: time_zone is {self.policy.time_zone}, but the shop's is "
                f"{shop.iana_timezone}: set time_zone to {shop.iana_timezone}, or a day's orders would be cut wrongly."
            )
        self.store.remember("shop currency", shop.currency_code)
        return reader

    @cached_property
    def xero_client(self) -> XeroClient:
        """The connection to Xero."""
        self.check_settings()
        given = self._settings
        client = XeroClient(
            XeroCredentials(given.xero_client_id, given.xero_client_secret, given.xero_tenant_id or None),
            clock=self._clock,
            base_url=given.xero_base_url or None,
            transport=self._xero_transport,
            rng=self._rng,
        )
        self._opened.append(client)
        return client

    @property
    def shop_domain(self) -> str:
        """The shop's `myshopify.com` domain."""
        return self._settings.shopify_shop

    @property
    def calls(self) -> tuple[int, int]:
        """Calls made so far: to Shopify, to Xero."""
        made = self.__dict__
        shopify = self.shopify_client.calls if "shopify_client" in made else 0
        return shopify, self.xero_client.calls if "xero_client" in made else 0

    def check_settings(self) -> None:
        """Refuse to work without credentials.

        Raises:
            SettingsError: naming each setting that is missing.
        """
        missing = self._settings.missing()
        if missing:
            raise SettingsError(" ".join(missing) + " Settings come from the environment or from the file .env.")

    def today(self) -> date:
        """Return the shop's present day."""
        return self._clock.now().astimezone(self._zone).date()

    def read_customers(self, days: Sequence[date]) -> dict[date, list[Customer]]:
        """Return the customers last changed on each day."""
        return self._split(days, self.reader.customers(*self._window(days)), lambda customer: customer.updated_at)

    def read_products(self, days: Sequence[date]) -> dict[date, list[Product]]:
        """Return the products last changed on each day."""
        return self._split(days, self.reader.products(*self._window(days)), lambda product: product.updated_at)

    def read_orders(self, days: Sequence[date]) -> dict[date, list[Order]]:
        """Return the orders placed on each day, with their whole histories.

        The start date also holds the orders from before it that were changed or paid on or after it (books.md §4).
        """
        found = self.reader.orders(*self._window(days))
        opening = self._opening_orders() if self.policy.start_date in days else []
        return self._split(days, [*opening, *found], lambda order: max(order.processed_at, self._start))

    def changed_days(self, since: datetime) -> list[tuple[date, ChangedOrder]]:
        """Return each order changed since an instant with its day; orders from before the start date are with that."""
        found = self.reader.changed_orders(since)
        return [(self._day(max(order.processed_at, self._start)), order) for order in found]

    def plan_contacts(
        self, customers: Mapping[date, Sequence[Customer]], orders: Mapping[date, Sequence[Order]]
    ) -> list[ChangeSet]:
        """Return the change-sets of Contacts."""
        contacts = wanted.contacts(customers, orders, self.policy)
        adopt = self.policy.contacts.adopt_by_email

        def plan() -> list[ChangeSet]:
            return plan_contacts(contacts, self._known(Kind.CONTACT), adopt=adopt, restore=self._restore)

        return self._twice((Kind.CONTACT,), plan)

    def plan_items(
        self, products: Mapping[date, Sequence[Product]], orders: Mapping[date, Sequence[Order]]
    ) -> list[ChangeSet]:
        """Return the change-sets of Items."""

        def plan() -> list[ChangeSet]:
            known, base = self._known(Kind.ITEM), self._organisation().base_currency
            shop = self._shop_currency()
            items = wanted.items(products, orders, shop_currency=shop, base_currency=base, known=known)
            return plan_records(Kind.ITEM, items, known, restore=self._restore)

        return self._twice((Kind.ITEM,), plan)

    def plan_orders(self, kind: Kind, orders: Mapping[date, Sequence[Order]]) -> list[ChangeSet]:
        """Return the change-sets of Invoices, Credit Notes or Payments (with Allocations)."""

        def plan() -> list[ChangeSet]:
            return plan_orders(kind, self.keep(orders), self._known(kind), self._known(Kind.CONTACT))

        return self._twice((Kind.CONTACT, *DOCUMENTS, Kind.PAYMENT), plan)

    def keep(self, orders: Mapping[date, Sequence[Order]]) -> dict[date, list[OrderBooks]]:
        """Return the books of each day's orders, given what is posted of them; asked the same again, it remembers."""
        ids = [order.legacy_id for found in orders.values() for order in found]
        ledgers = order_ledgers(self.store.mapped_of_orders(ids), self.store.frozen_of_orders(ids))
        documents = [row for kind in DOCUMENTS for row in self.store.mirror(kind)]
        organisation = self._organisation()
        given = ([order for found in orders.values() for order in found], dict(ledgers), documents, organisation)
        if self._kept is None or self._kept[0] != given:
            books = wanted.books(orders, self.policy, organisation, ledgers, documents, self._handle)
            self._kept = (given, books)
        return self._kept[1]

    def load(self, change_sets: Sequence[ChangeSet], run_id: str) -> dict[date, list[LoadResult]]:
        """Carry change-sets out and return, by day, what became of each record."""
        results: dict[date, list[LoadResult]] = {change_set.day: [] for change_set in change_sets}
        self._organisation()
        loaded = Loader(self.xero_client, self.store, self._clock, self._rng).load(change_sets, run_id)
        if loaded.calls:
            self.store.remember(WRITTEN, f"{run_id} {', '.join(sorted({one.kind for one in change_sets}))}")
        for result in loaded.results:
            results[result.day].append(result)
        return results

    def reconcile(self, orders: Mapping[date, Sequence[Order]]) -> list[DayReconciliation]:
        """Return each day's three columns; Xero is read again if anything was written since it was last read."""
        kinds = (*DOCUMENTS, Kind.PAYMENT)
        self._read_back(kinds)
        ids = [order.legacy_id for found in orders.values() for order in found]
        mirror = {kind: self.store.mirror(kind) for kind in kinds}
        evidence = Evidence(self.store.mapped_of_orders(ids), mirror, self.store.errors())
        kept, organisation = self.keep(orders), self._organisation()
        chart, days = chart_of(self.policy, organisation), []
        for day, books in sorted(kept.items()):
            moved = movements_by_order(orders[day], books, self.policy, organisation, chart)
            days.append(reconcile(day, books, evidence, moved, chart))
            self.store.remember(f"reconciliation {day}", days[-1].model_dump_json())
        return days

    def reconciled(self, days: Iterable[date]) -> list[DayReconciliation]:
        """Return the three columns of days as they were last compared; days never compared are left out."""
        found = [self.store.recall(f"reconciliation {day}") for day in days]
        return [DayReconciliation.model_validate_json(known[0]) for known in found if known is not None]

    def month(self, first: date) -> Month:
        """Return a month (by its first day) from its days as they were last compared; nobody is called."""
        start, today, organisation = self.policy.start_date, self.today(), self._known_organisation()
        days = self.reconciled(start + timedelta(days=n) for n in range((today - start).days + 1))
        cards = self._gift_cards(organisation.base_currency if organisation is not None else "")
        return month_of(first, days, (start, today), cards, self.chart)

    @property
    def chart(self) -> Chart:
        """The chart of accounts; without names if Xero's settings were never read."""
        return chart_of(self.policy, self._known_organisation())

    def _gift_cards(self, base_currency: str) -> LiabilityAccount:
        """Return what Xero shows of the gift-card liability; rows that do not name the account are not looked into."""
        code, kinds = self.policy.accounts.gift_cards, (*DOCUMENTS, Kind.PAYMENT)
        shown = [row for kind in kinds for row in self.store.mirror(kind) if f'"{code}"' in row.payload]
        mapped = {xero_id for kind in kinds for xero_id in self.store.owners(kind, [row.xero_id for row in shown])}
        return LiabilityAccount(code, shown, mapped, base_currency)

    def unfinished_days(self) -> set[date]:
        """Return the days with work left that may succeed by itself."""
        return self.store.unfinished_days()

    def mapping_faults(self) -> dict[str, list[str]]:
        """Return what is wrong with the mapping, by the name of the check."""
        return faults(row for kind in Kind for row in self.store.mapped(kind).values())

    @property
    def _restore(self) -> bool:
        return self.policy.on_conflict == "restore"

    @property
    def _zone(self) -> ZoneInfo:
        return ZoneInfo(self.policy.time_zone)

    @property
    def _handle(self) -> str:
        return self.shop_domain.removesuffix(".myshopify.com")

    @property
    def _settings_name(self) -> str:
        given = (self._settings.xero_client_id, self._settings.xero_tenant_id)
        return f"organisation {hashlib.sha256('/'.join(given).encode()).hexdigest()[:12]}"

    def _shop_currency(self) -> str:
        known = self.store.recall("shop currency")
        return known[0] if known else self.reader.shop().currency_code

    def _claim(self, store: StateStore, name: str, value: str, setting: str) -> None:
        """One state store serves one shop and one organisation; another one's mapping would post everything again."""
        known = store.recall(name)
        if known is None:
            store.remember(name, value)
        elif known[0] != value:
            raise BooksProblem(
                f"The state store {self._settings.state_url} belongs to {name} {known[0]}, not to {value}: "
                f"check {setting}, or give this pair a STATE_URL of its own."
            )

    def _read_back(self, kinds: Sequence[Kind]) -> None:
        """Sweep the documents and the money if anything was written since they were last read back."""
        written, seen = self.store.recall(WRITTEN), self.store.recall(READ_BACK)
        if written is not None and (seen is None or seen[0] != written[0]):
            self._organisation()
            Mirror(self.xero_client, self.store, self._clock).refresh(kinds, NOW)
            self.store.remember(READ_BACK, written[0])

    @property
    def _start(self) -> datetime:
        return datetime.combine(self.policy.start_date, time(), self._zone)

    def _opening_orders(self) -> list[Order]:
        changed = [order.id for order in self.reader.changed_orders(self._start) if order.processed_at < self._start]
        return [order for order in self.reader.orders_by_id(changed) if touched_since(order, self._start)]

    def _window(self, days: Sequence[date]) -> tuple[datetime, datetime]:
        first, after = min(days), max(days) + timedelta(days=1)
        return datetime.combine(first, time(), self._zone), datetime.combine(after, time(), self._zone)

    def _day(self, instant: datetime) -> date:
        return instant.astimezone(self._zone).date()

    def _split(self, days: Sequence[date], found: Iterable[N], when: Callable[[N], datetime]) -> dict[date, list[N]]:
        by_day: dict[date, list[N]] = defaultdict(list, {day: [] for day in days})
        for node in found:
            by_day[self._day(when(node))].append(node)
        return {day: by_day[day] for day in days}

    def _known(self, kind: Kind) -> Known:
        kinds = LOADED_WITH.get(kind, (kind,))
        mapped = {key: row for one in kinds for key, row in self.store.mapped(one).items()}
        listed = [one for one in kinds if one in LISTED_BY and self.store.mirror_swept_at(LISTED_BY[one])]
        return Known(mapped, [row for one in kinds for row in self.store.mirror(one)], listed)

    def _twice(self, kinds: tuple[Kind, ...], plan: Callable[[], list[ChangeSet]]) -> list[ChangeSet]:
        """Plan on what is known; if that would write anything, or Xero was not seen for long, look and plan again."""
        plans = plan()
        if writes(plans) or self._unseen(kinds):
            self._look_at_xero(kinds)
            plans = plan()
        return plans

    def _unseen(self, kinds: tuple[Kind, ...]) -> bool:
        """Tell whether what people did in Xero to records of ours was not looked for lately (books.md §7)."""
        swept = [at for kind in kinds if (at := self.store.mirror_swept_at(kind)) is not None]
        return bool(swept) and self._clock.now() - min(swept) > DRIFT_FOUND_WITHIN

    def _look_at_xero(self, kinds: tuple[Kind, ...]) -> None:
        organisation = self._organisation(max_age=FRESH)
        problems = preflight_problems(self.policy, organisation)
        if problems:
            raise BooksProblem(
                f"{self._settings.books_file} does not fit {organisation.name} in Xero: " + " ".join(problems)
            )
        Mirror(self.xero_client, self.store, self._clock).refresh(kinds, FRESH)

    def _known_organisation(self) -> Organisation | None:
        """Return the organisation's settings as they were last read, however long ago."""
        known = self.store.recall(self._settings_name)
        return Organisation.model_validate_json(known[0]) if known is not None else None

    def _organisation(self, max_age: timedelta | None = None) -> Organisation:
        """Return the organisation's settings, read again if older than asked for, or read with other credentials.

        Whatever is read from Xero, or written, comes after this: another organisation's records must not mix with ours.
        """
        known = self.store.recall(self._settings_name)
        if known is not None and (max_age is None or self._clock.now() - known[1] <= max_age):
            return Organisation.model_validate_json(known[0])
        organisation = read_organisation(self.xero_client)
        identity = organisation.short_code or organisation.name
        self._claim(self.store, "organisation in Xero", identity, "XERO_CLIENT_ID and XERO_TENANT_ID")
        self.store.remember(self._settings_name, organisation.model_dump_json())
        return organisation
