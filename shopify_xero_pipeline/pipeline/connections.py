"""One run's connections: Shopify, Xero and the state store that belongs to just this pair, made on first use.

Made on first use, so that a wrong setting is told by the step that needs it. What is done with them stands in
`sync.py`.
"""

import hashlib
import random
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx

from shopify_xero_pipeline.books.policy import BooksPolicy, PolicyError
from shopify_xero_pipeline.clock import Clock, is_recent
from shopify_xero_pipeline.settings import Settings, SettingsError
from shopify_xero_pipeline.shopify.address import admin_address
from shopify_xero_pipeline.shopify.auth import ClientCredentials, StaticToken
from shopify_xero_pipeline.shopify.client import ShopifyClient
from shopify_xero_pipeline.shopify.errors import ShopifyError, ShopifyUnavailableError, ThrottledError
from shopify_xero_pipeline.shopify.reader import ShopifyReader
from shopify_xero_pipeline.state.database_errors import (
    StoreBusyError,
    StoreReplacedError,
    StoreUnreachableError,
    StoreUnwritableError,
    StoreUrlError,
)
from shopify_xero_pipeline.state.migrations import StoreTooNewError
from shopify_xero_pipeline.state.row_checksums import StoreDamagedError
from shopify_xero_pipeline.state.store import StateStore
from shopify_xero_pipeline.state.tokens import SignIn, TokenKeyError, TokenStore
from shopify_xero_pipeline.xero.auth import XeroCredentials
from shopify_xero_pipeline.xero.client import XeroClient
from shopify_xero_pipeline.xero.errors import DailyQuotaExceededError, XeroError, XeroUnavailableError
from shopify_xero_pipeline.xero.models import Organisation
from shopify_xero_pipeline.xero.oauth_login import HOST, Login, LoginResult
from shopify_xero_pipeline.xero.organisation import organisation_name, read_organisation

SHOP_KEY, ORGANISATION_KEY = "shop.domain", "organisation.identity"
OWNERS = {
    SHOP_KEY: ("shop", "SHOPIFY_SHOP"),
    ORGANISATION_KEY: ("organisation in Xero", "XERO_CLIENT_ID and XERO_TENANT_ID"),
}
"""What a store belongs to, by its key: what people call it, and the settings that name it."""


class PipelineError(Exception):
    """Something in the way of the whole step: the message says what, and what to do."""


class TryLaterError(PipelineError):
    """Something in the way that passes by itself: the message says what, and to come again."""


EXPECTED_ERRORS = (
    PipelineError, PolicyError, SettingsError, ShopifyError, StoreBusyError, StoreDamagedError, StoreReplacedError,
    StoreTooNewError, StoreUnwritableError, StoreUrlError, TokenKeyError, XeroError
)  # fmt: skip

TRANSIENT_ERRORS = (
    TryLaterError, DailyQuotaExceededError, ShopifyUnavailableError, StoreBusyError, StoreReplacedError, StoreUnreachableError, ThrottledError,
    XeroUnavailableError,
)  # fmt: skip
"""Those of `PROBLEMS` that pass by themselves, so that the same thing may be tried again later."""


def load_policy(path: Path) -> BooksPolicy:
    """Read `books.yaml`.

    Raises:
        PolicyError: the file is missing, is no text, or something in it is wrong.
    """
    if path.is_dir():
        raise PolicyError(f"{path} is a folder: set BOOKS_FILE to your books.yaml in it, or to another one.")
    if not path.is_file():
        raise PolicyError(f"{path} does not exist: set BOOKS_FILE to your books.yaml, or run where it lies.")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise PolicyError(f"{path} cannot be read ({type(error).__name__}): it must be a text in UTF-8.") from None
    return BooksPolicy.from_yaml(text, str(path))


class Connections:
    """One run's connections to the shop, the organisation and the state store, each made on first use.

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
        self.rng = rng or random.SystemRandom()
        self._opened: list[ShopifyClient | XeroClient | StateStore] = []
        self._organisations: dict[str, tuple[Organisation, datetime]] = {}
        self._shop_currency: str | None = None

    def close(self) -> None:
        """Close whatever was opened."""
        while self._opened:
            self._opened.pop().close()

    @cached_property
    def policy(self) -> BooksPolicy:
        """The merchant's `books.yaml`; a start date in the future is refused."""
        policy = load_policy(self._settings.books_file)
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
        store = StateStore(self._settings.state_url, self._clock, self._settings.state_witness)
        self._opened.append(store)
        if self._settings.shopify_shop:  # without it only our own files are looked at
            admin_address(self._settings.shopify_shop, None)  # what is no shop's domain is neither kept nor repeated
            _bind(store, SHOP_KEY, self._settings.shopify_shop)
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
            rng=self.rng,
        )
        self._opened.append(client)
        return client

    @cached_property
    def shop_reader(self) -> ShopifyReader:
        """The reader of the shop, whatever `books.yaml` says."""
        return ShopifyReader(self.shopify_client, self._clock)

    @cached_property
    def reader(self) -> ShopifyReader:
        """The reader of the shop, whose zone must be the one `books.yaml` names."""
        reader = self.shop_reader
        shop = reader.shop()
        if shop.iana_timezone != self.policy.time_zone:
            raise PolicyError(
                f"{self._settings.books_file}: time_zone is {self.policy.time_zone}, but the shop's is "
                f"{shop.iana_timezone}: set time_zone to {shop.iana_timezone}, or a day's orders would be cut wrongly."
            )
        self.store.put_value("shop.currency", shop.currency_code)
        return reader

    @cached_property
    def xero_client(self) -> XeroClient:
        """The connection to Xero."""
        self.check_settings()
        given = self._settings
        tokens = self._consent
        if tokens is not None and tokens.peek() is not None and not self._tenant:
            raise SettingsError(
                "XERO_TENANT_ID is not set, and the sign-in to Xero does not reach just one organisation: set it to "
                "the one whose books these are; `shopify-xero login` names them."
            )
        client = XeroClient(
            XeroCredentials(given.xero_client_id, given.xero_client_secret, self._tenant or None),
            clock=self._clock,
            base_url=given.xero_base_url or None,
            transport=self._xero_transport,
            rng=self.rng,
            calls=self.store.calls,
            tokens=tokens,
        )
        self._opened.append(client)
        return client

    def login(self, port: int, notify: Callable[[str], None], *, host: str = HOST) -> LoginResult:
        """Let a person sign in to Xero, and remember the organisation if it is the only one; see `Login.run`."""
        given = self._settings
        if not given.xero_client_id or not given.token_key:
            raise SettingsError(
                "To sign in, XERO_CLIENT_ID of your app, its XERO_CLIENT_SECRET if it has one, and TOKEN_KEY must be "
                "set: `shopify-xero login --new-key` makes a key."
            )
        app = XeroCredentials(given.xero_client_id, given.xero_client_secret, given.xero_tenant_id or None)
        base_url, transport = given.xero_base_url or None, self._xero_transport
        signed_in = Login(app, self._tokens, self._clock, base_url=base_url, transport=transport).run(
            port, notify, host=host
        )
        found = [one.tenant_id for one in signed_in.organisations]
        self.store.put_value(self._tenant_name, found[0] if len(found) == 1 else "")
        return signed_in

    def sign_in_warning(self) -> str | None:
        """Return what a person should know or do about the sign-in to Xero, from our own files alone."""
        kept = self.sign_in
        return None if kept is None else kept.warning(self._clock.now())

    def unfinished_token_refresh(self) -> datetime | None:
        """Return when a renewal of the sign-in was begun whose outcome is not known; None if there is none."""
        kept = self.sign_in
        return None if kept is None or kept.refused else kept.refresh_started_at

    @cached_property
    def _tokens(self) -> TokenStore:
        """The sign-in by consent of the app that the settings name, whether there is one or not."""
        return self.store.tokens(f"xero-{_short(self._settings.xero_client_id)}", self._settings.token_key)

    @property
    def _consent(self) -> TokenStore | None:
        """The sign-in by consent, if somebody signed in or TOKEN_KEY says that somebody shall; else None."""
        return self._tokens if self._settings.token_key or self._tokens.peek() is not None else None

    @cached_property
    def _tenant(self) -> str:
        """The organisation to speak to: as set, or the only one that a sign-in reaches."""
        if self._settings.xero_tenant_id or self._consent is None:
            return self._settings.xero_tenant_id
        known = self.store.get_value(self._tenant_name)
        return known[0] if known else ""

    @property
    def _tenant_name(self) -> str:
        return f"organisation.tenant.{_short(self._settings.xero_client_id)}"

    @property
    def payload_retention(self) -> timedelta:
        """How long payloads with personal data are kept after they were settled, and stored days after a run."""
        return timedelta(days=self._settings.payload_retention_days)

    @property
    def sign_in(self) -> SignIn | None:
        """What is known of the sign-in to Xero; None for a custom connection."""
        return self._tokens.peek()

    @property
    def clock(self) -> Clock:
        """The clock all of this goes by."""
        return self._clock

    @property
    def secrets(self) -> Sequence[str]:
        """The settings that must be told to nobody."""
        return self._settings.secrets()

    @property
    def books_file(self) -> Path:
        """Where `books.yaml` lies, as the settings say."""
        return self._settings.books_file

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

    def check_shopify(self) -> str:
        """Ask Shopify, now, who we are to it, and return in a sentence that it lets us in.

        Raises:
            ShopifyError: it does not, or does not answer.
        """
        shop = self.shop_reader.shop()
        return f"Shopify lets us in: {self.shop_domain}, {shop.iana_timezone}."

    def check_xero(self) -> str:
        """Ask Xero, now and in one call, who we are to it, and return in a sentence that it lets us in.

        That today's calls are used up is the end of a day's work, and told as it is.

        Raises:
            XeroError: it does not let us in, or does not answer.
        """
        try:
            return f"Xero lets us in: {organisation_name(self.xero_client)}."
        except DailyQuotaExceededError as spent:
            return str(spent)

    def today(self) -> date:
        """Return the shop's present day."""
        return self._clock.now().astimezone(self.zone).date()

    @property
    def zone(self) -> ZoneInfo:
        """The shop's zone, by which instants become days."""
        return ZoneInfo(self.policy.time_zone)

    @property
    def shop_handle(self) -> str:
        """The shop's name in admin addresses."""
        return self.shop_domain.removesuffix(".myshopify.com")

    def shop_currency(self) -> str:
        """Return the shop's currency, asked of Shopify only the first time."""
        if self._shop_currency is None:
            known = self.store.get_value("shop.currency")
            self._shop_currency = known[0] if known else self.reader.shop().currency_code
        return self._shop_currency

    def cached_organisation(self) -> Organisation | None:
        """Return the organisation's settings as they were last read, however long ago."""
        known = self._stored_organisation()
        return None if known is None else known[0]

    def organisation(self, max_age: timedelta | None = None) -> Organisation:
        """Return the organisation's settings, read again if older than asked for, or read with other credentials.

        Whatever is read from Xero, or written, comes after this: another organisation's records must not mix with ours.
        """
        known = self._stored_organisation()
        if known is not None and (max_age is None or is_recent(known[1], self._clock.now(), max_age)):
            return known[0]
        organisation = read_organisation(self.xero_client)
        identity = organisation.short_code or organisation.name
        _bind(self.store, ORGANISATION_KEY, identity)
        self.store.put_value(self._settings_name, organisation.model_dump_json())
        self._organisations[self._settings_name] = organisation, self._clock.now()
        return organisation

    def _stored_organisation(self) -> tuple[Organisation, datetime] | None:
        """Return the settings last read and when; the store is read once a run."""
        name = self._settings_name
        if name not in self._organisations:
            known = self.store.get_value(name)
            if known is None:
                return None
            self._organisations[name] = Organisation.model_validate_json(known[0]), known[1]
        return self._organisations[name]

    @property
    def _settings_name(self) -> str:
        return f"organisation.settings.{_short(f'{self._settings.xero_client_id}/{self._tenant}')}"


def _bind(store: StateStore, key: str, value: str) -> None:
    """Bind a state store to one shop and one organisation; another one's mapping would post everything again.

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


def _short(name: str) -> str:
    """Return a name for a name that is not to be read in the store."""
    return hashlib.sha256(name.encode()).hexdigest()[:12]
