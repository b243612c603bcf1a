"""Settings from the environment and from `.env`: addresses, credentials, and the places of this project's files.

This module only reads and checks settings; accounting policies are in `books.yaml`. Secrets do not appear in `repr`,
and logs mask them. A side with the address of a sandbox and without credentials gets the sandbox's own.
"""

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from tempfile import TemporaryFile
from urllib.parse import unquote, urlsplit

import yaml
from dotenv import dotenv_values
from dotenv.parser import parse_stream

SANDBOX_SHOP = "sandbox.myshopify.com"
SANDBOX_PORT = 8765
SANDBOX_ADDRESS = f"http://127.0.0.1:{SANDBOX_PORT}"
SANDBOX_SECRET = "sandbox"  # noqa: S105 - the sandbox's published credential
LOCAL_FOLDER = Path(".local")
MAX_RETENTION_DAYS = 3_650
LOCAL_PROTOCOLS = ("", "file", "local")
"""Protocols of universal-pathlib that stand for a local folder."""

LOG_FORMATS, LOG_LEVELS = ("text", "json"), ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
REGIONS = ("us", "eu")


class SettingsError(Exception):
    """A setting is missing or wrong; the message names it and the remedy."""


@dataclass(frozen=True)
class Settings:
    """The settings of a process. Relative paths refer to the working directory."""

    shopify_shop: str
    shopify_client_id: str = field(repr=False)
    shopify_client_secret: str = field(repr=False)
    shopify_access_token: str = field(repr=False)
    xero_client_id: str = field(repr=False)
    xero_client_secret: str = field(repr=False)
    xero_tenant_id: str
    token_key: str = field(repr=False)
    shopify_base_url: str
    xero_base_url: str
    state_url: str = field(repr=False)
    state_witness: Path | None
    asset_storage: str
    books_file: Path
    automation: bool
    payload_retention_days: int = 30
    serve_port: int = 8770
    shopify_webhook_secret: str = field(default="", repr=False)
    xero_webhook_key: str = field(default="", repr=False)
    log_format: str = ""
    log_level: str = ""
    log_folder: Path = LOCAL_FOLDER / "log"
    dagster_url: str = ""
    dagster_hosts: tuple[str, ...] = ()
    owners_page: str = ""
    alert_slack_url: str = field(default="", repr=False)
    alert_smtp_url: str = field(default="", repr=False)
    alert_mail_to: str = field(default="", repr=False)
    alert_mail_from: str = field(default="", repr=False)
    alert_pagerduty_key: str = field(default="", repr=False)
    alert_pagerduty_region: str = "us"

    @classmethod
    def from_environment(
        cls, environ: Mapping[str, str], dotenv: Path | None = Path(".env"), *, automation: str = "off"
    ) -> "Settings":
        """Return the settings; the environment takes precedence over `.env`.

        Args:
            environ: the environment variables.
            dotenv: a file with defaults for them; None for none.
            automation: the default of AUTOMATION.

        Raises:
            SettingsError: `.env` cannot be read; an address of a sandbox is not a loopback address; AUTOMATION is
                neither `on` nor `off`; KEEP_PAYLOADS_DAYS is not a number of days; SERVE_PORT is not a port; or a value
                or an address for logs or alerts is invalid.
        """
        defaults = _read_dotenv(dotenv) if dotenv is not None and dotenv.is_file() else {}
        values = {**{name: value for name, value in defaults.items() if value}, **environ}

        def text(name: str, default: str = "") -> str:
            return values.get(name, "").strip() or default

        shopify_url = _loopback("SHOPIFY_BASE_URL", text("SHOPIFY_BASE_URL"))
        xero_url = _loopback("XERO_BASE_URL", text("XERO_BASE_URL"))
        token = text("SHOPIFY_ACCESS_TOKEN")
        to_shopify = SANDBOX_SECRET if shopify_url and not token else ""
        to_xero = SANDBOX_SECRET if xero_url else ""
        local = LOCAL_FOLDER / "sandbox" if shopify_url or xero_url else LOCAL_FOLDER
        if bool(text("ALERT_SMTP_URL")) != bool(text("ALERT_MAIL_TO")):
            raise SettingsError("Alerts by e-mail need both ALERT_SMTP_URL and ALERT_MAIL_TO: set the other one too.")
        return cls(
            shopify_shop=text("SHOPIFY_SHOP", SANDBOX_SHOP if shopify_url else ""),
            shopify_client_id=text("SHOPIFY_CLIENT_ID", to_shopify),
            shopify_client_secret=text("SHOPIFY_CLIENT_SECRET", to_shopify),
            shopify_access_token=token,
            xero_client_id=text("XERO_CLIENT_ID", to_xero),
            xero_client_secret=text("XERO_CLIENT_SECRET", to_xero),
            xero_tenant_id=text("XERO_TENANT_ID"),
            token_key=text("TOKEN_KEY"),
            shopify_base_url=shopify_url,
            xero_base_url=xero_url,
            state_url=text("STATE_URL", f"sqlite:///{local / 'state.db'}"),
            state_witness=_watermark_folder(text("STATE_WITNESS"), text("STATE_URL"), local),
            asset_storage=text("ASSET_STORAGE", str(local / "assets")),
            books_file=Path(text("BOOKS_FILE", "books.yaml")),
            automation=_switch("AUTOMATION", text("AUTOMATION", automation)),
            payload_retention_days=_days("KEEP_PAYLOADS_DAYS", text("KEEP_PAYLOADS_DAYS", "30")),
            serve_port=_port("SERVE_PORT", text("SERVE_PORT", "8770")),
            shopify_webhook_secret=text("SHOPIFY_WEBHOOK_SECRET", text("SHOPIFY_CLIENT_SECRET", to_shopify)),
            xero_webhook_key=text("XERO_WEBHOOK_KEY"),
            log_format=_word("LOG_FORMAT", text("LOG_FORMAT").lower(), LOG_FORMATS),
            log_level=_word("LOG_LEVEL", text("LOG_LEVEL").upper(), LOG_LEVELS),
            log_folder=Path(text("LOG_FOLDER", str(local / "log"))),
            dagster_url=_address("DAGSTER_URL", text("DAGSTER_URL"), ("http", "https")).rstrip("/"),
            dagster_hosts=_hosts("DAGSTER_HOSTS", text("DAGSTER_HOSTS")),
            owners_page=_address("OWNERS_PAGE", text("OWNERS_PAGE"), ("http", "https")),
            alert_slack_url=_webhook("ALERT_SLACK_URL", text("ALERT_SLACK_URL")),
            alert_smtp_url=_address("ALERT_SMTP_URL", text("ALERT_SMTP_URL"), ("smtp", "smtps")),
            alert_mail_to=text("ALERT_MAIL_TO"),
            alert_mail_from=text("ALERT_MAIL_FROM"),
            alert_pagerduty_key=text("ALERT_PAGERDUTY_KEY"),
            alert_pagerduty_region=_word(
                "ALERT_PAGERDUTY_REGION", text("ALERT_PAGERDUTY_REGION", "us").lower(), REGIONS
            ),
        )

    @property
    def database(self) -> str:
        """The kind of database of the state store: `sqlite` or `postgres`."""
        return "sqlite" if self.state_url.startswith("sqlite") else "postgres"

    @property
    def has_any_credential(self) -> bool:
        """Whether a shop or any credential is set for either side."""
        shopify = self.shopify_shop, self.shopify_client_id, self.shopify_client_secret, self.shopify_access_token
        return any((*shopify, self.xero_client_id, self.xero_client_secret))

    def secrets(self) -> list[str]:
        """Return the values that must not appear in a log; the sandbox's published credential is not one of them."""
        passwords = [password for url in (self.state_url, self.alert_smtp_url) for password in _passwords(url)]
        webhook = [self.alert_slack_url, urlsplit(self.alert_slack_url).path.strip("/"), self.alert_pagerduty_key]
        keys = [key.strip() for key in self.token_key.split(",")]
        keys += [key.strip() for key in f"{self.shopify_webhook_secret},{self.xero_webhook_key}".split(",")]
        secrets = [
            self.shopify_client_secret,
            self.shopify_access_token,
            self.xero_client_secret,
            *passwords,
            *webhook,
            *keys,
        ]
        return [secret for secret in secrets if secret and secret != SANDBOX_SECRET]

    def missing(self) -> list[str]:
        """Return a sentence for each missing setting without which no day can be synced."""
        sentences = []
        if not self.shopify_shop:
            sentences.append("SHOPIFY_SHOP is not set: give the shop's own domain, such as name.myshopify.com.")
        if not self.shopify_access_token and not (self.shopify_client_id and self.shopify_client_secret):
            sentences.append(
                "Shopify credentials are not set: give SHOPIFY_CLIENT_ID and SHOPIFY_CLIENT_SECRET of your app, "
                "or SHOPIFY_ACCESS_TOKEN of an older custom app."
            )
        # An app with PKCE has no secret; people sign in to it.
        if not (self.xero_client_id and (self.xero_client_secret or self.token_key)):
            sentences.append(
                "Xero credentials are not set: give XERO_CLIENT_ID and XERO_CLIENT_SECRET of your custom connection, "
                "or of your app together with TOKEN_KEY, and run `shopify-xero login`."
            )
        return sentences


def check_yaml(file: Path) -> None:
    """Check that a configuration file of Dagster, such as `dagster.yaml`, is readable YAML; Dagster checks its content.

    Raises:
        SettingsError: it is not UTF-8 text or not YAML.
    """
    try:
        yaml.safe_load(file.read_text(encoding="utf-8"))
    except UnicodeDecodeError:
        raise SettingsError(f"{file} is not UTF-8 text: save it as UTF-8.") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" line {mark.line + 1}" if mark is not None else ""
        raise SettingsError(f"{file}{where} is not YAML: check the indentation, colons, brackets and quotes.") from None


def check_folder(name: str, folder: Path) -> Path:
    """Return a folder after checking that it exists or can be created, and is writable.

    Args:
        name: the setting that names the folder.
        folder: the folder; it is created with permissions for its owner only.

    Raises:
        SettingsError: the folder cannot be used.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with TemporaryFile(dir=folder):
            return folder
    except OSError as error:
        raise SettingsError(
            f"{name} names {folder}, which cannot be used as a folder ({error.strerror}): name a folder that this user "
            "may write to."
        ) from None


def _read_dotenv(file: Path) -> Mapping[str, str | None]:
    """Return the values in a `.env` file; a byte order mark, which some editors write, is skipped."""
    text = _read_text(file)
    for binding in parse_stream(StringIO(text)):
        if binding.error:
            line = binding.original.line + len(binding.original.string) - len(binding.original.string.lstrip("\n"))
            raise SettingsError(f"{file} line {line} cannot be read: write NAME=value, with both quotes or none.")
    return dotenv_values(stream=StringIO(text))


def _read_text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        line = file.read_bytes()[: error.start].count(b"\n") + 1
        raise SettingsError(f"{file} is not UTF-8 text: save it as UTF-8 (see line {line}).") from None
    except OSError as error:
        raise SettingsError(f"{file} cannot be read ({error.strerror}): make it readable for this user.") from None


def _loopback(name: str, url: str) -> str:
    """Return a local address; others are refused, so that credentials never reach an unknown host."""
    if not url:
        return ""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        local = host == "localhost" or ipaddress.ip_address(host).is_loopback
        usable = local and parts.scheme in {"http", "https"} and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise SettingsError(
            f"{name} is for a sandbox on this machine and must be a loopback address such as http://127.0.0.1:8765. "
            "Leave it unset otherwise."
        )
    return url.rstrip("/")


def _watermark_folder(setting: str, state_url: str, local: Path) -> Path | None:
    """Return the folder of the send watermark: STATE_WITNESS, else None beside an SQLite file, else a local folder."""
    if setting:
        return Path(setting)
    return local / "witness" if state_url and not state_url.startswith("sqlite:") else None


def _days(name: str, value: str) -> int:
    if not (value.isascii() and value.isdigit() and 1 <= int(value) <= MAX_RETENTION_DAYS):
        raise SettingsError(f"{name} must be a whole number of days from 1 to {MAX_RETENTION_DAYS}.")
    return int(value)


def _port(name: str, value: str) -> int:
    if not (value.isascii() and value.isdigit() and len(value) <= 5 and 1 <= int(value) <= 65_535):
        raise SettingsError(f"{name} must be a port number from 1 to 65535.")
    return int(value)


def _word(name: str, value: str, words: Sequence[str]) -> str:
    if value and value not in words:
        raise SettingsError(f"{name} must be one of {', '.join(words)}, or unset.")
    return value


def _address(name: str, url: str, schemes: Sequence[str]) -> str:
    """Return an address that has a host; an error does not quote it, because it may contain a password."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if url and not usable:
        raise SettingsError(f"{name} must be an address that begins with {schemes[-1]}://.")
    return url


def _hosts(name: str, value: str) -> tuple[str, ...]:
    """Return host names, each with or without a port, from a list separated by commas; wildcards are refused."""
    hosts = tuple(host.strip().lower() for host in value.split(",") if host.strip())
    try:
        usable = all(_is_host(host) for host in hosts)
    except ValueError:
        usable = False
    if not usable:
        raise SettingsError(
            f"{name} must be host names separated by commas, such as books.example or books.example:8443, without "
            "scheme, path or *."
        )
    return hosts


def _is_host(host: str) -> bool:
    parts = urlsplit(f"//{host}")
    return bool(parts.hostname) and parts.netloc == host and parts.port != 0 and not {*host} & {*"@*/ "}


def _webhook(name: str, url: str) -> str:
    """Return an address with HTTPS, so that its secret is encrypted on the way, or a local one."""
    return url if url.startswith("http://") and _loopback(name, url) else _address(name, url, ("https",))


def _passwords(url: str) -> list[str]:
    """Return the password in an address, as written and decoded; an empty list if it has none."""
    password = urlsplit(url).password
    return [] if password is None else [password, unquote(password)]


def _switch(name: str, value: str) -> bool:
    if value.lower() not in {"on", "off"}:
        raise SettingsError(f"{name} must be on or off, not {value!r}.")
    return value.lower() == "on"
