"""Connections of one run to Shopify, to Xero and to the state store of this pair.

Each connection opens on first use, so that the step that needs a setting reports its error. This module only opens
connections and reads settings through them; the services of `sync.py` use them.
"""

import hashlib
import random
from collections.abc import Callable
from datetime import date, datetime, timedelta
from functools import cached_property
from pathlib import Path

import httpx

from shopify_xero_pipeline.books.policy import BooksPolicy, PolicyError
from shopify_xero_pipeline.clock import Clock, SystemClock, is_recent
from shopify_xero_pipeline.loading.in_flight import OneAtATime, Threads, Workers
from shopify_xero_pipeline.pipeline.calendar import days_between
from shopify_xero_pipeline.settings import Settings, SettingsError
from shopify_xero_pipeline.shopify.address import admin_address
from shopify_xero_pipeline.shopify.auth import ClientCredentials, StaticToken
from shopify_xero_pipeline.shopify.bulk_reader import BulkOrderReader
from shopify_xero_pipeline.shopify.client import ShopifyClient
from shopify_xero_pipeline.shopify.errors import ShopifyError, ShopifyUnavailableError, ThrottledError
from shopify_xero_pipeline.shopify.first_pages import FirstPages
from shopify_xero_pipeline.shopify.models import Shop
from shopify_xero_pipeline.shopify.reader import ShopifyReader
from shopify_xero_pipeline.state.database_errors import (
    StoreBusyError,
    StoreDamagedError,
    StoreReplacedError,
    StoreUnreachableError,
    StoreUnwritableError,
    StoreUrlError,
)
from shopify_xero_pipeline.state.migrations import StoreTooNewError
from shopify_xero_pipeline.state.store import StateStore
from shopify_xero_pipeline.state.tokens import SignIn, TokenKeyError, TokenStore
from shopify_xero_pipeline.xero.auth import XeroCredentials
from shopify_xero_pipeline.xero.client import XeroClient
from shopify_xero_pipeline.xero.errors import DailyQuotaExceededError, XeroError, XeroUnavailableError
from shopify_xero_pipeline.xero.mirror import Mirror
from shopify_xero_pipeline.xero.models import Organisation
from shopify_xero_pipeline.xero.oauth_login import HOST, Login, LoginResult
from shopify_xero_pipeline.xero.organisation import organisation_name, read_organisation, read_organisation_again

FORCE_REFRESH = timedelta(seconds=-1)
"""Maximum age that no stored copy meets, so that it is read again."""

SHOP_KEY, ORGANISATION_KEY = "shop.domain", "organisation.identity"
SETTINGS_DOUBTED_KEY = "organisation.doubted"
SETTINGS_MAX_AGE = timedelta(days=1)
"""Age up to which a plan uses Xero's currencies, accounts and tax rates; a refused write ends it earlier."""

OWNERS = {
    SHOP_KEY: ("shop", "SHOPIFY_SHOP"),
    ORGANISATION_KEY: ("organisation in Xero", "XERO_CLIENT_ID and XERO_TENANT_ID"),
}
"""Owners of a state store by their key, each with its name in messages and its settings."""


class PipelineError(Exception):
    """An error that stops a whole step; the message has the cause and the remedy."""


class TryLaterError(PipelineError):
    """An error that passes without a change of settings; the message has the cause and asks for a retry."""


EXPECTED_ERRORS = (
    PipelineError, PolicyError, SettingsError, ShopifyError, StoreBusyError, StoreDamagedError, StoreReplacedError,
    StoreTooNewError, StoreUnwritableError, StoreUrlError, TokenKeyError, XeroError
)  # fmt: skip

TRANSIENT_ERRORS = (
    TryLaterError, DailyQuotaExceededError, ShopifyUnavailableError, StoreBusyError, StoreReplacedError,
    StoreUnreachableError, ThrottledError, XeroUnavailableError,
)  # fmt: skip
"""Expected errors that pass without a change of settings, so that the step can be retried later."""


def load_policy(path: Path) -> BooksPolicy:
    """Read `books.yaml`.

    Raises:
        PolicyError: the file is missing, is not UTF-8 text, or has an invalid setting.
    """
    if path.is_dir():
        raise PolicyError(f"{path} is a folder: set BOOKS_FILE to the books.yaml in it, or to another file.")
    if not path.is_file():
        raise PolicyError(f"{path} does not exist: set BOOKS_FILE to your books.yaml, or run in its folder.")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise PolicyError(f"{path} cannot be read ({type(error).__name__}): it must be a text file in UTF-8.") from None
    return BooksPolicy.from_yaml(text, str(path))


class Connections:
    """Connections of one run to the shop, the organisation and the state store, each opened on first use.

    Args:
        settings: addresses, credentials and files.
        clock: the clock of the run.
        shopify_transport: replaces the network to Shopify in tests.
        xero_transport: replaces the network to Xero in tests.
        rng: the source of jitter and idempotency keys.

    Attributes:
        workers: send the requests of a load; side by side by the clock of the machine, one at a time by an injected
            clock, which only one thread may advance.
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
        self.settings = settings
        self.clock = clock
        self._shopify_transport = shopify_transport
        self._xero_transport = xero_transport
        self.rng = rng or random.SystemRandom()
        self.workers: Workers = Threads() if isinstance(clock, SystemClock) else OneAtATime()
        self._opened: list[ShopifyClient | XeroClient | StateStore] = []
        self._organisation: tuple[Organisation, datetime] | None = None

    def close(self) -> None:
        """Close all open connections."""
        while self._opened:
            self._opened.pop().close()

    @cached_property
    def policy(self) -> BooksPolicy:
        """The merchant's `books.yaml`.

        Raises:
            PolicyError: the file is invalid, or its start date is in the future.
        """
        policy = load_policy(self.settings.books_file)
        today = self.clock.now().astimezone(policy.zone).date()
        if policy.start_date > today:
            raise PolicyError(
                f"{self.settings.books_file}: start_date {policy.start_date} is in the future (today is {today}): "
                "set it to the first day whose orders belong in Xero."
            )
        return policy

    @cached_property
    def store(self) -> StateStore:
        """The state store, which belongs to one shop and one organisation permanently.

        Raises:
            PipelineError: the store belongs to another shop.
        """
        store = StateStore(self.settings.state_url, self.clock, self.settings.state_witness)
        self._opened.append(store)
        if self.settings.shopify_shop:  # without a shop, commands only read local files
            admin_address(self.settings.shopify_shop, None)  # refuses an invalid domain before it is stored
            _bind(store, SHOP_KEY, self.settings.shopify_shop)
        return store

    @cached_property
    def shopify_client(self) -> ShopifyClient:
        """The client of Shopify.

        Raises:
            SettingsError: a credential is missing.
        """
        self.check_settings()
        settings = self.settings
        credentials = (
            StaticToken(settings.shopify_access_token)
            if settings.shopify_access_token
            else ClientCredentials(settings.shopify_client_id, settings.shopify_client_secret)
        )
        client = ShopifyClient(
            settings.shopify_shop,
            credentials,
            clock=self.clock,
            base_url=settings.shopify_base_url or None,
            transport=self._shopify_transport,
            rng=self.rng,
        )
        self._opened.append(client)
        return client

    @cached_property
    def shop_reader(self) -> ShopifyReader:
        """The reader of the shop, without a check of `books.yaml`."""
        return ShopifyReader(self.shopify_client, self.clock)

    @cached_property
    def reader(self) -> ShopifyReader:
        """The reader of the shop, whose time zone must match `books.yaml`.

        Raises:
            PolicyError: the time zones differ.
        """
        self._check_shop(self.shop_reader.shop())
        return self.shop_reader

    def first_pages(self, start: datetime, end: datetime) -> FirstPages | None:
        """Return the first pages of a window with the shop, read in one request; see `ShopifyReader.first_pages`.

        Raises:
            PolicyError: the time zones differ.
            ShopifyError: Shopify could not be read.
        """
        pages = self.shop_reader.first_pages(start, end)
        if pages is not None:
            self._check_shop(pages.shop)
            self.__dict__["reader"] = self.shop_reader  # the shop is checked, so that it is not read again
        return pages

    def _check_shop(self, shop: Shop) -> None:
        """Check that the shop has the time zone of `books.yaml`, and store its currency.

        Raises:
            PolicyError: the time zones differ.
        """
        if shop.iana_timezone != self.policy.time_zone:
            raise PolicyError(
                f"{self.settings.books_file}: time_zone is {self.policy.time_zone}, but the shop's is "
                f"{shop.iana_timezone}: set time_zone to {shop.iana_timezone}, or orders would belong to wrong days."
            )
        self.store.put_value("shop.currency", shop.currency_code)

    @cached_property
    def bulk_reader(self) -> BulkOrderReader:
        """The reader of long windows of orders.

        Raises:
            PolicyError: the time zones of the shop and of `books.yaml` differ.
        """
        return BulkOrderReader(self.reader, self.shopify_client, self.clock, self.settings.bulk_folder)

    @cached_property
    def xero_client(self) -> XeroClient:
        """The client of Xero.

        Raises:
            SettingsError: a credential is missing, or the organisation is not selected.
        """
        self.check_settings()
        settings = self.settings
        tokens = self._consent
        if tokens is not None and tokens.peek() is not None and not self._tenant:
            raise SettingsError(
                "XERO_TENANT_ID is not set, and the sign-in to Xero does not give access to exactly one "
                "organisation: set it to the organisation of these books; `shopify-xero login` lists them."
            )
        client = XeroClient(
            XeroCredentials(settings.xero_client_id, settings.xero_client_secret, self._tenant or None),
            clock=self.clock,
            base_url=settings.xero_base_url or None,
            transport=self._xero_transport,
            rng=self.rng,
            calls=self.store.calls,
            tokens=tokens,
        )
        self._opened.append(client)
        return client

    @cached_property
    def mirror(self) -> Mirror:
        """The mirror of Xero in the state store."""
        return Mirror(self.xero_client, self.store, self.clock)

    def login(self, port: int, notify: Callable[[str], None], *, host: str = HOST) -> LoginResult:
        """Sign in to Xero by a person's consent, and store the organisation if the sign-in has only one.

        Args:
            port: the port of the callback on this machine.
            notify: prints a line for the person, such as the address to open.
            host: the address to listen on.

        Raises:
            SettingsError: XERO_CLIENT_ID or TOKEN_KEY is not set.
            XeroError: the sign-in failed; see `Login.run`.
        """
        settings = self.settings
        if not settings.xero_client_id or not settings.token_key:
            raise SettingsError(
                "To sign in, XERO_CLIENT_ID of your app, its XERO_CLIENT_SECRET if it has one, and TOKEN_KEY must be "
                "set: `shopify-xero login --new-key` generates a key."
            )
        app = XeroCredentials(settings.xero_client_id, settings.xero_client_secret, settings.xero_tenant_id or None)
        base_url, transport = settings.xero_base_url or None, self._xero_transport
        result = Login(app, self._tokens, self.clock, base_url=base_url, transport=transport).run(
            port, notify, host=host
        )
        tenant_ids = [organisation.tenant_id for organisation in result.organisations]
        self.store.put_value(self._tenant_key, tenant_ids[0] if len(tenant_ids) == 1 else "")
        return result

    def sign_in_warning(self) -> str | None:
        """Return the warning about the sign-in to Xero, if any, without a call."""
        sign_in = self.sign_in
        return None if sign_in is None else sign_in.warning(self.clock.now())

    def unfinished_token_refresh(self) -> datetime | None:
        """Return the start of a token refresh with an unknown outcome, UTC; None without one."""
        sign_in = self.sign_in
        return None if sign_in is None or sign_in.refused else sign_in.refresh_started_at

    @cached_property
    def _tokens(self) -> TokenStore:
        """The token store for the app in the settings; it may be empty."""
        return self.store.tokens(f"xero-{_hash(self.settings.xero_client_id)}", self.settings.token_key)

    @property
    def _consent(self) -> TokenStore | None:
        """The token store, if a person signed in or TOKEN_KEY is set; None for a custom connection."""
        return self._tokens if self.settings.token_key or self._tokens.peek() is not None else None

    @cached_property
    def _tenant(self) -> str:
        """The tenant id from the settings, or the only one of the sign-in; empty without either."""
        if self.settings.xero_tenant_id or self._consent is None:
            return self.settings.xero_tenant_id
        known = self.store.get_value(self._tenant_key)
        return known[0] if known else ""

    @property
    def _tenant_key(self) -> str:
        return f"organisation.tenant.{_hash(self.settings.xero_client_id)}"

    @property
    def payload_retention(self) -> timedelta:
        """Retention of personal data in payloads after their settlement, and in stored days after a run."""
        return timedelta(days=self.settings.payload_retention_days)

    @property
    def sign_in(self) -> SignIn | None:
        """The state of the sign-in to Xero; None for a custom connection."""
        return self._tokens.peek()

    @property
    def shop_domain(self) -> str:
        """The shop's `myshopify.com` domain."""
        return self.settings.shopify_shop

    @property
    def calls(self) -> tuple[int, int]:
        """Numbers of calls to Shopify and to Xero so far."""
        opened = self.__dict__  # a cached property is in here once it was used
        shopify_calls = self.shopify_client.calls if "shopify_client" in opened else 0
        return shopify_calls, self.xero_client.calls if "xero_client" in opened else 0

    def check_settings(self) -> None:
        """Check that all credentials are set.

        Raises:
            SettingsError: some are missing; the message names each of them.
        """
        missing = self.settings.missing()
        if missing:
            raise SettingsError(" ".join(missing) + " Settings come from the environment or from the file .env.")

    def check_shopify(self) -> str:
        """Check the connection to Shopify with one call and return a sentence for people.

        Raises:
            ShopifyError: Shopify refuses the credentials or does not respond.
        """
        shop = self.shop_reader.shop()
        return f"Shopify accepts the credentials: {self.shop_domain}, {shop.iana_timezone}."

    def check_xero(self) -> str:
        """Check the connection to Xero with one call and return a sentence for people.

        An exhausted daily quota is no failure; its message is returned.

        Raises:
            XeroError: Xero refuses the credentials or does not respond.
        """
        try:
            return f"Xero accepts the credentials: {organisation_name(self.xero_client)}."
        except DailyQuotaExceededError as error:
            return str(error)

    def today(self) -> date:
        """Return the present day in the shop's time zone."""
        return self.clock.now().astimezone(self.policy.zone).date()

    def days(self) -> list[date]:
        """Return the days of the books, from the start date to today."""
        return days_between(self.policy.start_date, self.today())

    @property
    def shop_handle(self) -> str:
        """The shop's name in addresses of the Shopify admin."""
        return self.shop_domain.removesuffix(".myshopify.com")

    @cached_property
    def shop_currency(self) -> str:
        """The shop's currency code; only the first read calls Shopify."""
        known = self.store.get_value("shop.currency")
        return known[0] if known else self.reader.shop().currency_code

    def cached_organisation(self) -> Organisation | None:
        """Return the organisation's settings of the last read, of any age; None before the first one."""
        known = self._stored_organisation()
        return None if known is None else known[0]

    def organisation(
        self, max_age: timedelta | None = None, *, accounts_max_age: timedelta | None = None
    ) -> Organisation:
        """Return the organisation's settings, from Xero if the stored ones are too old or of other credentials.

        Call this before any other read or write in Xero, because it refuses a store of another organisation.

        Args:
            max_age: the maximum age of stored settings; None accepts any age.
            accounts_max_age: the maximum age of currencies, accounts and tax rates; None for the same.

        Raises:
            PipelineError: the store belongs to another organisation.
            XeroError: Xero could not be read.
        """
        known = self._stored_organisation()
        has_fresh_accounts = max_age is None or self._has_fresh_accounts(accounts_max_age or max_age)
        if known is not None and has_fresh_accounts:
            if max_age is None or is_recent(known[1], self.clock.now(), max_age):
                return known[0]
            organisation, read = read_organisation_again(self.xero_client, known[0]), dict[str, str | None]()
        else:
            organisation = read_organisation(self.xero_client)
            read = {self._accounts_key: "yes", SETTINGS_DOUBTED_KEY: None}
        _bind(self.store, ORGANISATION_KEY, organisation.short_code or organisation.name)
        self.store.put_values({**read, self._settings_key: organisation.model_dump_json()})
        self._organisation = organisation, self.clock.now()
        return organisation

    def _has_fresh_accounts(self, max_age: timedelta) -> bool:
        """Return whether accounts are younger than an age, and no write was refused since they were read."""
        stored = self.store.get_present([self._accounts_key, SETTINGS_DOUBTED_KEY])
        _, read_at = stored.get(self._accounts_key, ("", None))
        return SETTINGS_DOUBTED_KEY not in stored and is_recent(read_at, self.clock.now(), max_age)

    def doubt_settings(self) -> None:
        """Make the next plan that writes read the organisation's settings again, because Xero refused a write."""
        self.store.put_value(SETTINGS_DOUBTED_KEY, "yes")

    def _stored_organisation(self) -> tuple[Organisation, datetime] | None:
        """Return the settings of the last read and its time, UTC; the store is read once per run."""
        if self._organisation is None and (known := self.store.get_value(self._settings_key)) is not None:
            self._organisation = Organisation.model_validate_json(known[0]), known[1]
        return self._organisation

    @property
    def _settings_key(self) -> str:
        return f"organisation.settings.{self._credentials_hash}"

    @property
    def _accounts_key(self) -> str:
        return f"organisation.accounts_read.{self._credentials_hash}"

    @property
    def _credentials_hash(self) -> str:
        return _hash(f"{self.settings.xero_client_id}/{self._tenant}")


def _bind(store: StateStore, key: str, value: str) -> None:
    """Bind a state store to its owner; with the mapping of another owner, a sync would post everything again.

    Raises:
        PipelineError: the store belongs to another shop or organisation.
    """
    known = store.get_value(key)
    if known is None:
        store.put_value(key, value)
    elif known[0] != value:
        owner, setting = OWNERS[key]
        raise PipelineError(
            f"The state store {store.name} belongs to {owner} {known[0]}, not to {value}: "
            f"check {setting}, or give this pair a STATE_URL of its own."
        )


def _hash(name: str) -> str:
    """Return a short hash of a name, so that the store does not contain the name."""
    return hashlib.sha256(name.encode()).hexdigest()[:12]
