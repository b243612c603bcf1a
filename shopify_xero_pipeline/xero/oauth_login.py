"""The sign-in of a person to Xero, by OAuth's authorization code flow (docs/contracts/xero.md §1).

The person gives consent in the browser, a callback server on this machine receives the code, and the tokens go to the
store. This module only has these steps. The renewal is in `oauth_token.py`, the storage in `state/tokens.py`. An app
without a secret uses PKCE. Neither code nor token is ever printed.
"""

import base64
import hashlib
import hmac
import random
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx

from shopify_xero_pipeline.clock import Clock
from shopify_xero_pipeline.http.transport import build_client as http_client
from shopify_xero_pipeline.settings import SettingsError
from shopify_xero_pipeline.state.tokens import TokenStore
from shopify_xero_pipeline.xero.auth import (
    API_HOST,
    IDENTITY_HOST,
    LOGIN_HOST,
    GrantRefusedError,
    TokenEndpoint,
    TokenResponse,
    XeroCredentials,
    host_of,
)
from shopify_xero_pipeline.xero.errors import XeroConsentError, XeroUnavailableError
from shopify_xero_pipeline.xero.oauth_token import RefreshingToken, wrong_app

HOST, PORT = "127.0.0.1", 8767
CONSENT_TIMEOUT = timedelta(minutes=10)
TIMEOUT = 30.0  # seconds, for each exchange with Xero
RETRY_HINT = "Run `shopify-xero login` again."


@dataclass(frozen=True)
class ReachableOrganisation:
    """An organisation to which a sign-in has access."""

    tenant_id: str
    name: str


@dataclass(frozen=True)
class LoginResult:
    """The result of a sign-in.

    Attributes:
        organisations: all organisations to which it has access.
        tenant_id: id of the organisation for the books; None if it is not clear.
        lapses_at: when the sign-in expires without use, in UTC.
    """

    organisations: tuple[ReachableOrganisation, ...]
    tenant_id: str | None
    lapses_at: datetime

    @property
    def verdict(self) -> str:
        """The result in words for people, with the next step if there is one."""
        if not self.organisations:
            return f"This sign-in has access to no organisation: select one on Xero's consent page. {RETRY_HINT}"
        if self.tenant_id is None:
            return "Set XERO_TENANT_ID to the id of the organisation for these books."
        return f"Signed in. The sign-in expires on {self.lapses_at:%Y-%m-%d} unless a sync runs before."


class Login:
    """One person's sign-in.

    Args:
        credentials: credentials of the app, without a secret for PKCE; `tenant_id`, if set, selects the organisation.
        tokens: the encrypted token store.
        clock: the clock.
        base_url: address of a sandbox on this machine; None for Xero itself.
        transport: replaces the network, for tests.
    """

    def __init__(
        self,
        credentials: XeroCredentials,
        tokens: TokenStore,
        clock: Clock,
        *,
        base_url: str | None = None,
        transport: httpx.BaseTransport | None = None,
        rng: random.Random | None = None,
    ) -> None:
        rng = rng or random.Random()  # noqa: S311 - jitter, not a secret
        self._credentials = credentials
        self._tokens = tokens
        self._clock = clock
        self._base_url = base_url
        self._http = http_client(clock, TIMEOUT, transport=transport)
        self._identity = TokenEndpoint(credentials, self._http, host_of(base_url, IDENTITY_HOST), clock, rng)
        self._state = secrets.token_urlsafe(32)
        self._verifier = "" if credentials.client_secret else secrets.token_urlsafe(32)

    def run(self, port: int, notify: Callable[[str], None], *, host: str = HOST) -> LoginResult:
        """Show the consent address, wait for the person's consent, store the tokens and return their organisations.

        Args:
            port: port of the callback server on this machine; 0 selects a free one.
            notify: receives the texts for the person, with the address to open and the app's redirect URI.
            host: address of the callback server; not 127.0.0.1 only in a container that publishes the port.

        Raises:
            SettingsError: the port is in use, or the address is not this machine's.
            XeroConsentError: the person gave no consent, or not in time.
            XeroSignInError: Xero does not accept the app.
            XeroUnavailableError: Xero gave no usable response.
        """
        until = self._clock.elapsed() + CONSENT_TIMEOUT.total_seconds()
        with self._http, _Callback(host, port, self._state) as callback:
            notify(f"Open this address in a browser and give consent:\n\n  {self._consent_url(callback.address)}\n")
            notify(f"Xero accepts the consent only if the app's redirect URI is {callback.address}. Waiting ...")
            code = callback.wait(self._clock, until)
            grant = self._redeem(code, callback.address)
            self._tokens.put(grant.access, grant.refresh, grant.issued_at, grant.expires_at)
            return self._list_organisations()

    def _consent_url(self, redirect_uri: str) -> str:
        query = {
            "response_type": "code",
            "client_id": self._credentials.client_id,
            "redirect_uri": redirect_uri,
            "scope": f"offline_access {self._credentials.scopes}",
            "state": self._state,
        }
        if self._verifier:
            digest = base64.urlsafe_b64encode(hashlib.sha256(self._verifier.encode()).digest())
            query |= {"code_challenge": digest.rstrip(b"=").decode(), "code_challenge_method": "S256"}  # RFC 7636
        return f"{host_of(self._base_url, LOGIN_HOST)}/identity/connect/authorize?{urlencode(query)}"

    def _redeem(self, code: str, redirect_uri: str) -> TokenResponse:
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri}
        if self._verifier:
            form["code_verifier"] = self._verifier
        try:
            grant = self._identity.request_token(form)
        except GrantRefusedError as error:
            if error.error_code == "invalid_grant":
                raise XeroConsentError(f"Xero no longer accepts its code (invalid_grant). {RETRY_HINT}") from None
            raise wrong_app(error) from None
        if not grant.refresh:
            raise XeroConsentError("Xero gave no refresh token: allow the app the scope offline_access. " + RETRY_HINT)
        return grant

    def _list_organisations(self) -> LoginResult:
        token = RefreshingToken(self._identity, self._tokens, self._clock)
        headers = {"Accept": "application/json", "Authorization": token.headers()["Authorization"]}
        try:
            answer = self._http.get(f"{host_of(self._base_url, API_HOST)}/connections", headers=headers)
            connections = answer.json()
            if answer.status_code != 200:
                raise ValueError(answer.status_code)  # noqa: TRY301 - the same error for people as no list
            organisations = tuple(
                ReachableOrganisation(str(connection["tenantId"]), str(connection["tenantName"]))
                for connection in connections
                if connection["tenantType"] == "ORGANISATION"
            )
        except (httpx.RequestError, ValueError, KeyError, TypeError):
            raise XeroUnavailableError(
                "The sign-in is stored, but Xero did not list its organisations. " + RETRY_HINT
            ) from None
        token.mark_verified()
        stored = self._tokens.peek()
        assert stored is not None
        tenant_ids = [organisation.tenant_id for organisation in organisations]
        wanted_ids = [self._credentials.tenant_id] if self._credentials.tenant_id else tenant_ids
        tenant_id = wanted_ids[0] if len(wanted_ids) == 1 and wanted_ids[0] in tenant_ids else None
        return LoginResult(organisations, tenant_id, stored.lapses_at)


class _Callback(HTTPServer):
    """The callback server, which accepts one redirect of the browser and rejects any without our `state`."""

    def __init__(self, host: str, port: int, state: str) -> None:
        self.state = state
        self.answer: dict[str, str] | None = None
        try:
            super().__init__((host, port), _Handler)
        except OSError:
            raise SettingsError(
                f"Port {port} of {host} is in use: run `shopify-xero login` with another --port, and enter its address "
                "in the app's settings."
            ) from None

    @property
    def address(self) -> str:
        """The redirect URI; Xero accepts localhost, not 127.0.0.1 (docs/contracts/xero.md §1)."""
        return f"http://localhost:{self.server_port}/callback"

    def wait(self, clock: Clock, until: float) -> str:
        """Return the authorization code; wait until `until`, in seconds of `Clock.elapsed`.

        Raises:
            XeroConsentError: the person refused consent, or gave none in time.
        """
        self.timeout = 1.0  # seconds between two looks at the clock
        while self.answer is None and clock.elapsed() < until:
            self.handle_request()
        if self.answer is None:
            raise XeroConsentError(
                f"Consent was not given within {CONSENT_TIMEOUT // timedelta(minutes=1)} minutes. {RETRY_HINT}"
            )
        if "code" not in self.answer:
            code = self.answer.get("error", "")
            suffix = f" ({code})" if code.replace("_", "").isalpha() else ""  # no other text is safe to print
            raise XeroConsentError(f"Consent was not given{suffix}. {RETRY_HINT}")
        return self.answer["code"]


class _Handler(BaseHTTPRequestHandler):
    """The handler of one request to the callback server."""

    timeout = 2.0  # seconds, so that an idle connection does not block the server

    def do_GET(self) -> None:
        """Accept a redirect with our `state`."""
        server, url = self.server, urlsplit(self.path)
        assert isinstance(server, _Callback)
        answer = dict(parse_qsl(url.query))
        if url.path != "/callback":
            self._respond(404, "Not found.")
        elif not hmac.compare_digest(answer.get("state", "").encode(), server.state.encode()):
            self._respond(400, "This sign-in was not started here. Open the address that shopify-xero login prints.")
        else:
            server.answer = answer
            self._respond(200, "Thank you. Close this window and go back to the terminal.")

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: the address contains the code."""

    def _respond(self, status: int, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
