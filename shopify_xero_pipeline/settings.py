"""Settings from the environment and from `.env`: addresses, credentials, and the places of this project's files.

This module only reads and checks settings; accounting policies are in `books.yaml`. Secrets appear neither in `repr`
nor in an error, and logs mask them. A side with the address of a sandbox and without credentials gets those of the
sandbox.
"""

import ipaddress
from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path
from tempfile import TemporaryFile
from typing import Annotated
from urllib.parse import unquote, urlsplit

import yaml
from dotenv import dotenv_values
from dotenv.parser import parse_stream
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

SANDBOX_SHOP = "sandbox.myshopify.com"
SANDBOX_PORT = 8765
SANDBOX_ADDRESS = f"http://127.0.0.1:{SANDBOX_PORT}"
SANDBOX_SECRET = "sandbox"  # noqa: S105 - the sandbox's published credential
LOCAL_FOLDER = Path(".local")
MAX_RETENTION_DAYS = 3_650
LOCAL_PROTOCOLS = ("", "file", "local")
"""Protocols of universal-pathlib that stand for a local folder."""

LOG_FORMATS = ("text", "json")


class SettingsError(Exception):
    """A setting is missing or wrong; the message names it and the remedy."""


def _parse_switch(text: str) -> bool:
    if text.lower() not in {"on", "off"}:
        raise ValueError(f"must be on or off, not {text!r}.")
    return text.lower() == "on"


def _whole_number(noun: str, longest: int) -> BeforeValidator:
    """Return the validator of a number from 1 in ASCII digits."""

    def parse(text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) <= 5 and 1 <= int(text) <= longest):
            raise ValueError(f"must be a {noun} from 1 to {longest}.")
        return int(text)

    return BeforeValidator(parse)


def _one_of(*words: str) -> AfterValidator:
    """Return the validator of one of several words, in either case."""

    def find(text: str) -> str:
        for word in words:
            if word.lower() == text.lower():
                return word
        raise ValueError(f"must be one of {', '.join(words)}, or unset.")

    return AfterValidator(find)


def _address(*schemes: str) -> AfterValidator:
    """Return the validator of an address with a host; an error does not quote it, because it may contain a password."""

    def check(url: str) -> str:
        if not _has_host(url, schemes):
            raise ValueError(f"must be an address that begins with {schemes[-1]}://.")
        return url

    return AfterValidator(check)


def _has_host(url: str, schemes: Sequence[str]) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _check_loopback(url: str) -> str:
    """Return a local address; others are refused, so that credentials never reach an unknown host."""
    try:
        host = urlsplit(url).hostname or ""
        is_local = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_local = False
    if not is_local or not _has_host(url, ("http", "https")):
        raise ValueError(
            f"is for a sandbox on this machine and must be a loopback address such as {SANDBOX_ADDRESS}. "
            "Leave it unset otherwise."
        )
    return url.rstrip("/")


def _check_webhook(url: str) -> str:
    """Return an address with HTTPS, so that its secret is encrypted on the way, or a local one."""
    if url.startswith("http://"):
        _check_loopback(url)
    elif not _has_host(url, ("https",)):
        raise ValueError("must be an address that begins with https://.")
    return url


def _parse_hosts(text: str) -> tuple[str, ...]:
    """Return host names, each with or without a port, from a list separated by commas; wildcards are refused."""
    hosts = tuple(host.strip().lower() for host in text.split(",") if host.strip())
    for host in hosts:
        if not _has_host(f"http://{host}", ("http",)) or {*host} & {*"@*/?# "}:
            raise ValueError(
                "must be host names separated by commas, such as books.example or books.example:8443, without "
                "scheme, path or *."
            )
    return hosts


Secret = Annotated[str, Field(repr=False)]
"""A value that `repr` leaves out."""

Loopback = Annotated[str, AfterValidator(_check_loopback)]
WebAddress = Annotated[str, _address("http", "https")]


class Settings(BaseModel):
    """The settings of a process. Relative paths refer to the working directory.

    Each field has the name of its variable in small letters, unless it states another one.
    """

    model_config = ConfigDict(frozen=True, alias_generator=str.upper, hide_input_in_errors=True)

    shopify_shop: str = ""
    shopify_client_id: Secret = ""
    shopify_client_secret: Secret = ""
    shopify_access_token: Secret = ""
    xero_client_id: Secret = ""
    xero_client_secret: Secret = ""
    xero_tenant_id: str = ""
    token_key: Secret = ""
    shopify_base_url: Loopback = ""
    xero_base_url: Loopback = ""
    state_url: Secret
    state_witness: Path | None = None
    asset_storage: str
    books_file: Path = Path("books.yaml")
    automation: Annotated[bool, BeforeValidator(_parse_switch)]
    payload_retention_days: Annotated[int, _whole_number("whole number of days", MAX_RETENTION_DAYS)] = Field(
        30, alias="KEEP_PAYLOADS_DAYS"
    )
    serve_port: Annotated[int, _whole_number("port number", 65_535)] = 8770
    shopify_webhook_secret: Secret = ""
    xero_webhook_key: Secret = ""
    log_format: Annotated[str, _one_of(*LOG_FORMATS)] = ""
    log_level: Annotated[str, _one_of("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")] = "INFO"
    log_folder: Path
    dagster_url: Annotated[WebAddress, AfterValidator(lambda url: url.rstrip("/"))] = ""
    dagster_hosts: Annotated[tuple[str, ...], BeforeValidator(_parse_hosts)] = ()
    owners_page: WebAddress = ""
    alert_slack_url: Annotated[Secret, AfterValidator(_check_webhook)] = ""
    alert_smtp_url: Annotated[Secret, _address("smtp", "smtps")] = ""
    alert_mail_to: Secret = ""
    alert_mail_from: Secret = ""
    alert_pagerduty_key: Secret = ""
    alert_pagerduty_region: Annotated[str, _one_of("us", "eu")] = "us"

    @classmethod
    def from_environment(
        cls, environ: Mapping[str, str], dotenv: Path | None = Path(".env"), *, automation: str = "off"
    ) -> "Settings":
        """Return the settings; the environment takes precedence over `.env`, and an empty value means the default.

        Args:
            environ: the environment variables.
            dotenv: a file with defaults for them; None for none.
            automation: the default of AUTOMATION.

        Raises:
            SettingsError: `.env` cannot be read, or a value is invalid.
        """
        file = _read_dotenv(dotenv) if dotenv is not None and dotenv.is_file() else {}
        texts = {name: value.strip() for name, value in {**file, **environ}.items() if value}
        values = {name: text for name, text in texts.items() if text}
        if ("ALERT_SMTP_URL" in values) != ("ALERT_MAIL_TO" in values):
            raise SettingsError("Alerts by e-mail need both ALERT_SMTP_URL and ALERT_MAIL_TO: set the other one too.")
        try:
            return cls.model_validate({"AUTOMATION": automation, **_dependent_defaults(values), **values})
        except ValidationError as error:
            problem = error.errors(include_input=False)[0]
        # Raised outside the handler, because an error of pydantic contains the environment.
        raise SettingsError(f"{problem['loc'][0]} {problem['ctx']['error']}")

    @property
    def database(self) -> str:
        """The kind of database of the state store: `sqlite` or `postgres`."""
        return "sqlite" if self.state_url.startswith("sqlite") else "postgres"

    @property
    def bulk_folder(self) -> Path:
        """The folder for the rows of reads in bulk, beside the file of the state store or the witness file."""
        if self.database == "sqlite":
            return Path(self.state_url.partition("///")[2].partition("?")[0]).parent / "bulk"
        return (self.state_witness or LOCAL_FOLDER / "witness").parent / "bulk"

    @property
    def has_any_credential(self) -> bool:
        """Whether a shop or any credential is set for either side."""
        shopify = self.shopify_shop, self.shopify_client_id, self.shopify_client_secret, self.shopify_access_token
        return any((*shopify, self.xero_client_id, self.xero_client_secret))

    def secrets(self) -> list[str]:
        """Return the values that must not appear in a log; the sandbox's published credential is not one of them."""
        keys = f"{self.token_key},{self.shopify_webhook_secret},{self.xero_webhook_key}".split(",")
        secrets = [
            self.shopify_client_secret,
            self.shopify_access_token,
            self.xero_client_secret,
            *_passwords(self.state_url),
            *_passwords(self.alert_smtp_url),
            self.alert_slack_url,
            urlsplit(self.alert_slack_url).path.strip("/"),
            self.alert_pagerduty_key,
            *(key.strip() for key in keys),
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


def _dependent_defaults(values: Mapping[str, str]) -> dict[str, str]:
    """Return the defaults that depend on other settings: places, the sandbox's credentials, the signing secret."""
    shopify_sandbox, xero_sandbox = "SHOPIFY_BASE_URL" in values, "XERO_BASE_URL" in values
    folder = LOCAL_FOLDER / "sandbox" if shopify_sandbox or xero_sandbox else LOCAL_FOLDER
    defaults = {
        "STATE_URL": f"sqlite:///{folder / 'state.db'}",
        "ASSET_STORAGE": str(folder / "assets"),
        "LOG_FOLDER": str(folder / "log"),
    }
    if not values.get("STATE_URL", "sqlite:").startswith("sqlite:"):  # beside an SQLite file otherwise
        defaults["STATE_WITNESS"] = str(folder / "witness")
    if shopify_sandbox:
        defaults["SHOPIFY_SHOP"] = SANDBOX_SHOP
        if "SHOPIFY_ACCESS_TOKEN" not in values:
            defaults |= {"SHOPIFY_CLIENT_ID": SANDBOX_SECRET, "SHOPIFY_CLIENT_SECRET": SANDBOX_SECRET}
    if xero_sandbox:
        defaults |= {"XERO_CLIENT_ID": SANDBOX_SECRET, "XERO_CLIENT_SECRET": SANDBOX_SECRET}
    defaults["SHOPIFY_WEBHOOK_SECRET"] = {**defaults, **values}.get("SHOPIFY_CLIENT_SECRET", "")
    return defaults


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


def _passwords(url: str) -> list[str]:
    """Return the password in an address, as written and decoded; the whole address if it cannot be parsed."""
    try:
        password = urlsplit(url).password
    except ValueError:
        return [url]
    return [] if password is None else [password, unquote(password)]
