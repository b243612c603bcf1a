"""Signing in to Xero with a custom connection: client id and secret give an access token, kept in memory and renewed.

Only the token and the two hosts belong here. Credentials go to `identity.xero.com` and to nowhere else; another address
is accepted for a sandbox only, and only on this machine.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from ipaddress import ip_address
from urllib.parse import urlsplit

import httpx

from shopify_xero_pipeline.clock import Clock
from shopify_xero_pipeline.xero.errors import XeroSettingsError, XeroSignInError, XeroUnavailableError

API_HOST = "https://api.xero.com"
IDENTITY_HOST = "https://identity.xero.com"
SCOPES = "accounting.contacts accounting.invoices accounting.payments accounting.settings.read"
RENEW_BEFORE = timedelta(minutes=5)
ATTEMPTS = 4


@dataclass(frozen=True)
class XeroCredentials:
    """A custom connection's credentials. `tenant_id` is only needed by apps that serve several organisations."""

    client_id: str
    client_secret: str = field(repr=False)
    tenant_id: str | None = None
    scopes: str = SCOPES


class Token:
    """An access token, renewed before it lapses; a custom connection has no refresh token (Xero fact sheet 1)."""

    def __init__(self, credentials: XeroCredentials, http: httpx.Client, host: str, clock: Clock) -> None:
        self._credentials = credentials
        self._http = http
        self._url = f"{host}/connect/token"
        self._clock = clock
        self._access = ""
        self._renew_at: datetime | None = None

    def headers(self) -> dict[str, str]:
        """Return the headers that sign a call in, with a token that is good for some minutes more."""
        if self._renew_at is None or self._clock.now() >= self._renew_at:
            self.renew()
        tenant = {"xero-tenant-id": self._credentials.tenant_id} if self._credentials.tenant_id else {}
        return {"Authorization": f"Bearer {self._access}", **tenant}

    def renew(self) -> None:
        """Get a new token.

        Raises:
            XeroSignInError: Xero does not accept the credentials or the scopes.
            XeroUnavailableError: the sign-in service gave no usable answer.
        """
        answer = self._asked()
        if answer.status_code in (400, 401, 403):
            raise XeroSignInError(
                f"Xero does not accept the credentials ({_word(answer)}). Check XERO_CLIENT_ID and "
                "XERO_CLIENT_SECRET, and that the custom connection is authorised with the scopes "
                f"{self._credentials.scopes}."
            )
        try:
            found = answer.json() if answer.status_code == 200 else {}
            self._access = str(found["access_token"])
            lifetime = timedelta(seconds=int(found["expires_in"]))
        except (ValueError, KeyError, TypeError):
            raise XeroUnavailableError(
                f"Xero's sign-in service gave no usable answer (status {answer.status_code}). Try again later."
            ) from None
        self._renew_at = self._clock.now() + max(lifetime - RENEW_BEFORE, lifetime / 2)

    def _asked(self) -> httpx.Response:
        form = {"grant_type": "client_credentials", "scope": self._credentials.scopes}
        account = (self._credentials.client_id, self._credentials.client_secret)
        answer: httpx.Response | None = None
        for attempt in range(ATTEMPTS):
            try:
                answer = self._http.post(self._url, data=form, auth=account)
            except httpx.TransportError:
                answer = None
            if answer is not None and answer.status_code != 429 and answer.status_code < 500:
                return answer
            self._clock.sleep(2**attempt)
        if answer is None:
            raise XeroUnavailableError("Xero's sign-in service cannot be reached. Check the network and try again.")
        return answer


def host_of(base_url: str | None, default: str) -> str:
    """Return the host calls go to: Xero's own, or a sandbox on this machine.

    Raises:
        XeroSettingsError: the URL is not on this machine; credentials are never sent to an unknown host.
    """
    if base_url is None:
        return default
    parts = urlsplit(base_url)
    if parts.scheme not in ("http", "https") or not _is_loopback(parts.hostname or ""):
        raise XeroSettingsError(
            "XERO_BASE_URL is for a sandbox on this machine: use an address like http://127.0.0.1:8765 or leave it out."
        )
    return base_url.rstrip("/")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _word(answer: httpx.Response) -> str:
    """Return OAuth's error word, such as invalid_client; nothing else of the answer is repeated."""
    try:
        word = str(answer.json()["error"])
    except (ValueError, KeyError, TypeError):
        return f"status {answer.status_code}"
    return word if word.replace("_", "").isalpha() else f"status {answer.status_code}"
