"""Signing in to Xero as a person: the browser gives consent, a callback on this machine takes the code, we keep tokens.

Only the steps of the authorization code flow belong here (docs/contracts/xero.md §1). Renewing what they gave is done
in `oauth_token.py`, keeping it in `state/tokens.py`. An app without a secret proves with PKCE that it is the one that
asked. Neither code nor token is ever printed.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
TIMEOUT = 30.0
RETRY_HINT = "Run `shopify-xero login` again."


@dataclass(frozen=True)
class ReachableOrganisation:
    """An organisation that a sign-in reaches."""

    tenant_id: str
    name: str


@dataclass(frozen=True)
class LoginResult:
    """What a sign-in gave: the organisations it reaches, the one that is meant, when it lapses if unused (UTC)."""

    organisations: tuple[ReachableOrganisation, ...]
    tenant_id: str | None
    lapses_at: datetime

    @property
    def verdict(self) -> str:
        """What a person should know, and do if no organisation is clearly meant."""
        if not self.organisations:
            return f"This sign-in reaches no organisation: choose one when Xero asks. {RETRY_HINT}"
        if self.tenant_id is None:
            return "Set XERO_TENANT_ID to the organisation whose books these are."
        return f"Signed in. This lapses on {self.lapses_at:%Y-%m-%d} unless a sync runs before then."


class Login:
    """One person's sign-in.

    Args:
        credentials: of the app; without a secret PKCE is used. The tenant, if any, is the one that is meant.
        tokens: where the tokens are kept.
        clock: the time.
        base_url: of a sandbox on this machine; None for Xero itself.
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
    ) -> None:
        self._credentials = credentials
        self._tokens = tokens
        self._clock = clock
        self._base_url = base_url
        self._http = http_client(clock, TIMEOUT, transport=transport)
        self._identity = TokenEndpoint(credentials, self._http, host_of(base_url, IDENTITY_HOST), clock)
        self._state = secrets.token_urlsafe(32)
        self._verifier = "" if credentials.client_secret else secrets.token_urlsafe(32)

    def run(self, port: int, tell: Callable[[str], None], *, host: str = HOST) -> LoginResult:
        """Tell the address to open, wait for the person's consent, keep the tokens and see what they reach.

        Args:
            port: of this machine, to which the browser is sent back; 0 takes a free one.
            tell: is given the address to open and the one to enter in the app's settings.
            host: the address to listen on; another one than 127.0.0.1 only where a container publishes the port there.

        Raises:
            SettingsError: the port is taken, or the address is not this machine's.
            XeroConsentError: consent was not given, or not in time.
            XeroSignInError: Xero does not accept the app.
            XeroUnavailableError: Xero gave no usable answer.
        """
        until = self._clock.elapsed() + CONSENT_TIMEOUT.total_seconds()
        with self._http, _callback(host, port, self._state) as callback:
            tell(f"Open this address in a browser and give consent:\n\n  {self._address(callback.address)}\n")
            tell(f"Xero only goes on if the app's redirect URI is {callback.address}. Waiting ...")
            code = callback.wait(self._clock, until)
            grant = self._redeemed(code, callback.address)
            self._tokens.put(grant.access, grant.refresh, grant.issued_at, grant.expires_at)
            return self._reached()

    def _address(self, back: str) -> str:
        query = {
            "response_type": "code",
            "client_id": self._credentials.client_id,
            "redirect_uri": back,
            "scope": f"offline_access {self._credentials.scopes}",
            "state": self._state,
        }
        if self._verifier:
            query |= {"code_challenge": _challenge(self._verifier), "code_challenge_method": "S256"}
        return f"{host_of(self._base_url, LOGIN_HOST)}/identity/connect/authorize?{urlencode(query)}"

    def _redeemed(self, code: str, back: str) -> TokenResponse:
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": back}
        if self._verifier:
            form["code_verifier"] = self._verifier
        try:
            grant = self._identity.request_token(form)
        except GrantRefusedError as refused:
            if refused.word == "invalid_grant":
                raise XeroConsentError(f"Xero takes its code no more (invalid_grant). {RETRY_HINT}") from None
            raise wrong_app(refused) from None
        if not grant.refresh:
            raise XeroConsentError("Xero gave no refresh token: allow the app the scope offline_access. " + RETRY_HINT)
        return grant

    def _reached(self) -> LoginResult:
        token = RefreshingToken(self._identity, self._tokens, self._clock)
        headers = {"Accept": "application/json", "Authorization": token.headers()["Authorization"]}
        try:
            answer = self._http.get(f"{host_of(self._base_url, API_HOST)}/connections", headers=headers)
            listed = answer.json()
            if answer.status_code != 200:
                raise ValueError(answer.status_code)  # noqa: TRY301 - for a person it is the same as no list
            found = [one for one in listed if one["tenantType"] == "ORGANISATION"]
            organisations = tuple(ReachableOrganisation(str(one["tenantId"]), str(one["tenantName"])) for one in found)
        except (httpx.RequestError, ValueError, KeyError, TypeError):
            raise XeroUnavailableError(
                "The sign-in is kept, but Xero did not say which organisations it reaches. " + RETRY_HINT
            ) from None
        token.mark_verified()
        kept = self._tokens.peek()
        assert kept is not None
        return LoginResult(organisations, self._meant([one.tenant_id for one in organisations]), kept.lapses_at)

    def _meant(self, found: list[str]) -> str | None:
        wanted = self._credentials.tenant_id
        if wanted:
            return wanted if wanted in found else None
        return found[0] if len(found) == 1 else None


class _Callback(HTTPServer):
    """Takes the browser's way back, once; what was not asked for with our state is turned away."""

    def __init__(self, host: str, port: int, state: str) -> None:
        self.state = state
        self.answer: dict[str, str] | None = None
        super().__init__((host, port), _Handler)

    @property
    def address(self) -> str:
        """The redirect URI; Xero accepts the name localhost only, not 127.0.0.1 (docs/contracts/xero.md §1)."""
        return f"http://localhost:{self.server_port}/callback"

    def wait(self, clock: Clock, until: float) -> str:
        """Return the code; waited for until a moment by `Clock.elapsed`.

        Raises:
            XeroConsentError: consent was refused, or nobody came in time.
        """
        self.timeout = 1.0
        while self.answer is None and clock.elapsed() < until:
            self.handle_request()
        if self.answer is None:
            raise XeroConsentError(
                f"Nobody gave consent within {CONSENT_TIMEOUT // timedelta(minutes=1)} minutes. {RETRY_HINT}"
            )
        if "code" not in self.answer:
            word = self.answer.get("error", "")
            said = f" ({word})" if word.replace("_", "").isalpha() else ""
            raise XeroConsentError(f"Consent was not given{said}. {RETRY_HINT}")
        return self.answer["code"]


class _Handler(BaseHTTPRequestHandler):
    """One call of the callback's address."""

    timeout = 2.0

    def do_GET(self) -> None:
        """Take the answer if it is one to what we asked."""
        server, asked = self.server, urlsplit(self.path)
        assert isinstance(server, _Callback)
        answer = dict(parse_qsl(asked.query))
        if asked.path != "/callback":
            self._say(404, "There is nothing here.")
        elif not hmac.compare_digest(answer.get("state", "").encode(), server.state.encode()):
            self._say(400, "This sign-in was not begun here. Open the address that shopify-xero login shows.")
        else:
            server.answer = answer
            self._say(200, "Thank you. Close this window and go back to the terminal.")

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the address holds the code."""

    def _say(self, status: int, words: str) -> None:
        body = words.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def _callback(host: str, port: int, state: str) -> Iterator[_Callback]:
    try:
        server = _Callback(host, port, state)
    except OSError:
        raise SettingsError(
            f"Port {port} of {host} is taken: give `shopify-xero login` another one with --port, and enter its address "
            "in the app's settings."
        ) from None
    with server:
        yield server


def _challenge(verifier: str) -> str:
    """Return PKCE's S256 challenge (RFC 7636)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
