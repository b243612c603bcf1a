"""The sign-in to Xero, with the token endpoint and the token of a custom connection (docs/contracts/xero.md §1).

This module only has the hosts, the token requests and the tokens in memory. Tokens from a person's consent, which are
in the state store, are in `oauth_token.py`. Credentials go only to `identity.xero.com`; the sole exception is a sandbox
on this machine.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import httpx

from shopify_xero_pipeline.clock import Clock
from shopify_xero_pipeline.http.retries import RetryableError, RetryPolicy, retry_after
from shopify_xero_pipeline.http.transport import is_loopback
from shopify_xero_pipeline.observability import events
from shopify_xero_pipeline.state.tokens import usable_for
from shopify_xero_pipeline.xero.errors import XeroSettingsError, XeroSignInError, XeroUnavailableError

API_HOST = "https://api.xero.com"
IDENTITY_HOST = "https://identity.xero.com"
LOGIN_HOST = "https://login.xero.com"
SCOPES = "accounting.contacts accounting.invoices accounting.payments accounting.settings.read"
UNUSABLE = "Xero's sign-in service gave no usable response (status {}). Try again later."
RETRIES = RetryPolicy(attempts=4, first=2.0, longest=15.0)
"""The attempts of a token request.

All pauses together end before another process gives up its wait for the renewal (`oauth_token.MAX_REFRESH_SECONDS`).
"""


@dataclass(frozen=True)
class XeroCredentials:
    """The credentials of an app. A custom connection needs no `tenant_id`; an app with PKCE has no secret."""

    client_id: str
    client_secret: str = field(repr=False)
    tenant_id: str | None = None
    scopes: str = SCOPES


@dataclass(frozen=True)
class TokenResponse:
    """The tokens in a response of the token endpoint, with instants in UTC (docs/contracts/xero.md §1).

    A custom connection gets no refresh token, which leaves `refresh` empty.
    """

    access: str = field(repr=False)
    refresh: str = field(repr=False)
    issued_at: datetime
    expires_at: datetime


class GrantRefusedError(Exception):
    """The sign-in service refused a token; `error_code` is OAuth's, such as invalid_grant."""

    def __init__(self, error_code: str) -> None:
        super().__init__(error_code)
        self.error_code = error_code


class TokenEndpoint:
    """The token endpoint of the sign-in service for one app; an app without a secret sends its id in the form.

    Args:
        credentials: credentials of the app.
        http: client for the requests.
        host: address of the sign-in service.
        clock: time and pauses.
        rng: draws the pauses.
    """

    def __init__(
        self, credentials: XeroCredentials, http: httpx.Client, host: str, clock: Clock, rng: random.Random
    ) -> None:
        self.credentials = credentials
        self._http = http
        self._url = f"{host}/connect/token"
        self._clock = clock
        self._rng = rng

    def request_token(self, form: Mapping[str, str]) -> TokenResponse:
        """Request a token, again while no usable response arrives.

        Args:
            form: fields of the request, such as `grant_type`.

        Raises:
            GrantRefusedError: Xero refuses the token.
            XeroUnavailableError: no usable response arrived.
        """
        issued_at = self._clock.now()  # before the request, so that the token never counts as valid too long
        try:
            answer = RETRIES.run(lambda number: self._post(form, number), self._clock, self._rng)
        except RetryableError as error:
            raise XeroUnavailableError(str(error)) from None
        if answer.status_code in (400, 401, 403):
            raise GrantRefusedError(_error_code(answer))
        try:
            body = answer.json() if answer.status_code == 200 else {}
            expires_at = issued_at + timedelta(seconds=int(body["expires_in"]))
            return TokenResponse(str(body["access_token"]), str(body.get("refresh_token", "")), issued_at, expires_at)
        except (ValueError, KeyError, TypeError):
            raise XeroUnavailableError(UNUSABLE.format(answer.status_code)) from None

    def _post(self, form: Mapping[str, str], attempt: int) -> httpx.Response:
        client_id, secret = self.credentials.client_id, self.credentials.client_secret
        auth = (client_id, secret) if secret else httpx.USE_CLIENT_DEFAULT
        data = dict(form) if secret else {**form, "client_id": client_id}
        try:
            with events.log_api_call(self._clock, "xero_sign_in", "POST", "/connect/token", attempt=attempt) as fields:
                answer = self._http.post(self._url, data=data, auth=auth)
                fields["status"] = answer.status_code
        except httpx.RequestError:
            raise RetryableError("Xero's sign-in service cannot be reached. Check the network and try again.") from None
        if answer.status_code == 429 or answer.status_code >= 500:
            raise RetryableError(UNUSABLE.format(answer.status_code), retry_after(answer.headers))
        return answer


class ClientCredentialsToken:
    """The access token of a custom connection, cached in memory and renewed before it expires."""

    def __init__(self, identity: TokenEndpoint, clock: Clock) -> None:
        self._identity = identity
        self._clock = clock
        self._grant: TokenResponse | None = None
        self._renew_at = 0.0

    def headers(self) -> dict[str, str]:
        """Return the headers that sign a call in, with a token that stays valid for some minutes."""
        grant = self._grant
        if grant is None or self._clock.elapsed() >= self._renew_at:
            grant = self._request()
        return auth_headers(grant.access, self._identity.credentials.tenant_id)

    def renew(self, refused: Mapping[str, str]) -> None:
        """Get a new token, unless another thread has already replaced the refused one.

        Args:
            refused: the headers of the call that Xero refused.

        Raises:
            XeroSignInError: Xero does not accept the credentials or the scopes.
            XeroUnavailableError: no usable response arrived.
        """
        if self.headers() == refused:
            self._request()

    def mark_verified(self) -> None:
        """Do nothing: a custom connection can always request another token."""

    def _request(self) -> TokenResponse:
        scopes, requested_at = self._identity.credentials.scopes, self._clock.elapsed()
        try:
            self._grant = self._identity.request_token({"grant_type": "client_credentials", "scope": scopes})
        except GrantRefusedError as error:
            raise XeroSignInError(
                f"Xero does not accept the credentials ({error.error_code}). Check XERO_CLIENT_ID and "
                f"XERO_CLIENT_SECRET, and that the custom connection is authorised with the scopes {scopes}."
            ) from None
        lifetime = self._grant.expires_at - self._grant.issued_at
        self._renew_at = requested_at + usable_for(lifetime).total_seconds()
        return self._grant


def auth_headers(access: str, tenant_id: str | None) -> dict[str, str]:
    """Return the headers that sign a call in; `tenant_id` is None for a custom connection."""
    tenant = {"xero-tenant-id": tenant_id} if tenant_id else {}
    return {"Authorization": f"Bearer {access}", **tenant}


def host_of(base_url: str | None, default: str) -> str:
    """Return the host of the calls, which is Xero's own or a sandbox on this machine.

    Raises:
        XeroSettingsError: the URL is not on this machine; credentials never go to an unknown host.
    """
    if base_url is None:
        return default
    if not is_loopback(base_url):
        raise XeroSettingsError(
            "XERO_BASE_URL is for a sandbox on this machine: use an address like http://127.0.0.1:8765 or leave it out."
        )
    return base_url.rstrip("/")


def _error_code(answer: httpx.Response) -> str:
    """Return OAuth's error code, such as invalid_client, or the status; other text of the response may be secret."""
    try:
        code = str(answer.json()["error"])
    except (ValueError, KeyError, TypeError):
        return f"status {answer.status_code}"
    return code if code.replace("_", "").isalpha() else f"status {answer.status_code}"
