"""Signing in to Xero: the token endpoint, and the token of a custom connection, for which client id and secret do.

Only the hosts, the asking and what is kept in memory belong here; a token for which a person gave consent is kept in
the state store and stands in `oauth_token.py`. Credentials go to `identity.xero.com` and to nowhere else; another
address is accepted for a sandbox only, and only on this machine.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Any, Protocol
from urllib.parse import urlsplit

import httpx

from shopify_xero_pipeline.clock import Clock
from shopify_xero_pipeline.observability import events
from shopify_xero_pipeline.state.tokens import usable_for
from shopify_xero_pipeline.xero.errors import XeroSettingsError, XeroSignInError, XeroUnavailableError

API_HOST = "https://api.xero.com"
IDENTITY_HOST = "https://identity.xero.com"
LOGIN_HOST = "https://login.xero.com"
SCOPES = "accounting.contacts accounting.invoices accounting.payments accounting.settings.read"
MAX_ATTEMPTS = 4


@dataclass(frozen=True)
class XeroCredentials:
    """An app's credentials. A custom connection needs no `tenant_id`; an app for PKCE has no secret."""

    client_id: str
    client_secret: str = field(repr=False)
    tenant_id: str | None = None
    scopes: str = SCOPES


@dataclass(frozen=True)
class TokenResponse:
    """What the sign-in service gave; a custom connection gets no refresh token. Instants in UTC.

    Source: docs/contracts/xero.md §1.
    """

    access: str = field(repr=False)
    refresh: str = field(repr=False)
    issued_at: datetime
    expires_at: datetime


class GrantRefusedError(Exception):
    """The sign-in service refused; `word` is OAuth's, such as invalid_grant."""

    def __init__(self, error_code: str) -> None:
        super().__init__(error_code)
        self.word = error_code


class AccessToken(Protocol):
    """What signs calls in, whichever way it is got."""

    def headers(self) -> dict[str, str]:
        """Return the headers that sign a call in, with a token that is good for some minutes more."""
        ...

    def renew(self) -> None:
        """Get another token, because the present one was refused."""
        ...

    def mark_verified(self) -> None:
        """Take note that a call with the present token was answered."""
        ...


class TokenEndpoint:
    """The token endpoint of the sign-in service, asked as one app; an app without a secret names itself in the form."""

    def __init__(self, credentials: XeroCredentials, http: httpx.Client, host: str, clock: Clock) -> None:
        self.credentials = credentials
        self._http = http
        self._url = f"{host}/connect/token"
        self._clock = clock

    def request_token(self, form: Mapping[str, str]) -> TokenResponse:
        """Ask for a token, a few times if no usable answer comes.

        Raises:
            GrantRefusedError: Xero says no.
            XeroUnavailableError: the service gave no usable answer.
        """
        asked_at = self._clock.now()
        answer = self._asked(form)
        if answer.status_code in (400, 401, 403):
            raise GrantRefusedError(_word(answer))
        try:
            found = answer.json() if answer.status_code == 200 else {}
            expires_at = asked_at + timedelta(seconds=int(found["expires_in"]))
            return TokenResponse(str(found["access_token"]), str(found.get("refresh_token", "")), asked_at, expires_at)
        except (ValueError, KeyError, TypeError):
            raise XeroUnavailableError(
                f"Xero's sign-in service gave no usable answer (status {answer.status_code}). Try again later."
            ) from None

    def _asked(self, form: Mapping[str, str]) -> httpx.Response:
        app = (self.credentials.client_id, self.credentials.client_secret)
        account = app if app[1] else httpx.USE_CLIENT_DEFAULT
        form = dict(form) if app[1] else {**form, "client_id": app[0]}
        answer: httpx.Response | None = None
        for attempt in range(MAX_ATTEMPTS):
            answer = self._posted(form, account, attempt + 1)
            if answer is not None and answer.status_code != 429 and answer.status_code < 500:
                return answer
            self._clock.sleep(2**attempt)
        if answer is None:
            raise XeroUnavailableError("Xero's sign-in service cannot be reached. Check the network and try again.")
        return answer

    def _posted(self, form: Mapping[str, str], account: Any, attempt: int) -> httpx.Response | None:
        try:
            with events.log_api_call(self._clock, "xero_sign_in", "POST", "/connect/token", attempt=attempt) as told:
                answer = self._http.post(self._url, data=form, auth=account)
                told["status"] = answer.status_code
                return answer
        except httpx.RequestError:
            return None


class ClientCredentialsToken:
    """A custom connection's access token, kept in memory and asked for anew before it lapses."""

    def __init__(self, identity: TokenEndpoint, clock: Clock) -> None:
        self._identity = identity
        self._clock = clock
        self._grant: TokenResponse | None = None
        self._renew_at = 0.0

    def headers(self) -> dict[str, str]:
        """Return the headers that sign a call in, with a token that is good for some minutes more."""
        grant = self._grant
        if grant is None or self._clock.elapsed() >= self._renew_at:
            grant = self._asked()
        return auth_headers(grant.access, self._identity.credentials.tenant_id)

    def renew(self) -> None:
        """Get a new token.

        Raises:
            XeroSignInError: Xero does not accept the credentials or the scopes.
            XeroUnavailableError: the sign-in service gave no usable answer.
        """
        self._asked()

    def mark_verified(self) -> None:
        """Take note of nothing: a custom connection can always ask for another token."""

    def _asked(self) -> TokenResponse:
        scopes, asked = self._identity.credentials.scopes, self._clock.elapsed()
        try:
            self._grant = self._identity.request_token({"grant_type": "client_credentials", "scope": scopes})
        except GrantRefusedError as refused:
            raise XeroSignInError(
                f"Xero does not accept the credentials ({refused.word}). Check XERO_CLIENT_ID and "
                f"XERO_CLIENT_SECRET, and that the custom connection is authorised with the scopes {scopes}."
            ) from None
        life = self._grant.expires_at - self._grant.issued_at
        self._renew_at = asked + usable_for(life).total_seconds()
        return self._grant


def auth_headers(access: str, tenant_id: str | None) -> dict[str, str]:
    """Return the headers of a call with this token, to this organisation where one has to be named."""
    tenant = {"xero-tenant-id": tenant_id} if tenant_id else {}
    return {"Authorization": f"Bearer {access}", **tenant}


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
