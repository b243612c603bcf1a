"""Authentication: the identity server's tokens and consent, `/connections`, and the check of every call (B1 to B3).

Access tokens are signed and contain their expiry, so they survive a restart; refresh tokens are stored in the books.
"""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit

from shopify_xero_pipeline.clock import Clock
from shopify_xero_pipeline.sandbox.xero.answers import Refused, Reply, json_reply, not_found, problem
from shopify_xero_pipeline.sandbox.xero.books import XeroBooks
from shopify_xero_pipeline.sandbox.xero.options import XeroOptions
from shopify_xero_pipeline.sandbox.xero.records import RefreshToken

# Lifetimes from docs/contracts/xero.md §1; GRACE is that of a used refresh token.
ACCESS_LIFE = timedelta(minutes=30)
CODE_LIFE = timedelta(minutes=5)
REFRESH_LIFE = timedelta(days=60)
GRACE = timedelta(minutes=30)
_USER_SCOPES = frozenset({"openid", "profile", "email", "offline_access"})
_CONNECTION_ID = "e1eede29-f875-4a5d-8470-17f6a29a88b1"
_CHALLENGE_LENGTH = 43  # a SHA-256 in base64 without padding


@dataclass(frozen=True)
class Session:
    """An accepted access token; `custom` marks a custom connection."""

    client_id: str
    scopes: frozenset[str]
    custom: bool

    def must_have(self, scopes: tuple[str, ...]) -> None:
        """Check that one of the scopes is granted; the header has Xero's spelling (docs/contracts/xero.md §1).

        Raises:
            Refused: 401 if none is granted.
        """
        if self.scopes.isdisjoint(scopes):
            refusal = problem(401, "Unauthorized", "AuthorizationUnsuccessful").reply
            refusal.headers["WWW-Authenticate"] = "insufficent_scope"
            raise Refused(refusal)


class Sessions:
    """The identity server, and the gateway's check of tokens."""

    def __init__(self, books: XeroBooks, clock: Clock, options: XeroOptions) -> None:
        self._books = books
        self._clock = clock
        self._options = options
        self._spent_codes: set[str] = set()
        self.connected = True

    def authorise(self, query: Mapping[str, str]) -> Reply:
        """Consent at once and redirect the browser with a code that is valid for 5 minutes."""
        address, challenge = query.get("redirect_uri", ""), query.get("code_challenge", "")
        if query.get("client_id") != self._options.client_id or not _is_redirect_allowed(address):
            return _oauth_error("invalid_request")
        if query.get("response_type") != "code":
            return _redirect(address, query, error="unsupported_response_type")
        if not self._is_challenge_valid(challenge, query.get("code_challenge_method", "")):
            return _redirect(address, query, error="invalid_request")
        scopes = self._scopes(query.get("scope", ""))
        if scopes is None:
            return _redirect(address, query, error="invalid_scope")
        self.connected = True
        bound = {"redirect_uri": address, "challenge": challenge}
        code = self._sign({"use": "code", "scope": sorted(scopes), "exp": self._expiry(CODE_LIFE), **bound})
        return _redirect(address, query, code=code, scope=" ".join(sorted(scopes)))

    def token(self, form: Mapping[str, str], authorization: str) -> Reply:
        """Respond to the token endpoint."""
        if not self._is_client(form, authorization):
            return _oauth_error("invalid_client")
        grant = form.get("grant_type")
        if grant == "client_credentials":
            return self._client_credentials(form.get("scope", ""))
        if grant == "authorization_code":
            return self._code(form)
        if grant == "refresh_token":
            return self._refresh(form.get("refresh_token", ""))
        return _oauth_error("unsupported_grant_type")

    def grant_refresh_token(self, scopes: frozenset[str] | None = None) -> str:
        """Return a refresh token as after a completed consent."""
        token = self._books.new_id().replace("-", "")
        granted = sorted(scopes or self._options.scopes)
        self._books.refresh_tokens[token] = RefreshToken(self._options.client_id, granted, self._clock.now())
        return token

    def revoke(self, form: Mapping[str, str], authorization: str) -> Reply:
        """Delete the user's refresh tokens and connections; respond with an empty 200 in any case."""
        if not self._is_client(form, authorization):
            return _oauth_error("invalid_client")
        if form.get("token") in self._books.refresh_tokens:
            self._books.refresh_tokens.clear()
            self.connected = False
        return Reply(200)

    def connections(self, authorization: str) -> Reply:
        """List the organisations of the token; no tenant header is needed."""
        self._check_token(authorization)
        created = "2026-09-01T09:00:00.5165400"
        connection = {
            "id": _CONNECTION_ID,
            "authEventId": "d99ecdfe-391d-43d2-b834-17636ba90e8d",
            "tenantId": self._books.tenant_id,
            "tenantType": "ORGANISATION",
            "tenantName": self._books.organisation["Name"],
            "createdDateUtc": created,
            "updatedDateUtc": created,
        }
        return json_reply([connection] if self.connected else [])

    def disconnect(self, authorization: str, connection_id: str) -> Reply:
        """Remove a connection.

        Raises:
            Refused: 404 for an unknown connection.
        """
        self._check_token(authorization)
        if connection_id != _CONNECTION_ID or not self.connected:
            raise not_found()
        self.connected = False
        return Reply(204)

    def accept(self, authorization: str, tenant: str) -> Session:
        """Check the token, then the tenant header, which only a custom connection may omit.

        Raises:
            Refused: 401 for the token, 403 for the tenant.
        """
        session = self._check_token(authorization)
        if not (session.custom and not tenant) and (tenant.lower() != self._books.tenant_id or not self.connected):
            raise problem(403, "Forbidden", "AuthenticationUnsuccessful")
        return session

    def _check_token(self, authorization: str) -> Session:
        claims = self._verify(authorization.removeprefix("Bearer ")) if authorization.startswith("Bearer ") else None
        if claims is None or claims["use"] != "access":
            raise problem(401, "Unauthorized", "AuthenticationUnsuccessful")
        expiry = datetime.fromtimestamp(claims["exp"], tz=UTC)
        if self._clock.now() >= expiry:
            raise problem(401, "Unauthorized", f"TokenExpired: token expired at {expiry:%m/%d/%Y %H:%M:%S}")
        return Session(self._options.client_id, frozenset(claims["scope"]), claims["custom"])

    def _is_client(self, form: Mapping[str, str], authorization: str) -> bool:
        """Return whether the secret in the Authorization header or in the form is the app's."""
        credentials = f"{form.get('client_id', '')}:{form.get('client_secret', '')}"
        if authorization.startswith("Basic "):
            try:
                credentials = base64.b64decode(authorization.removeprefix("Basic "), validate=True).decode()
            except (binascii.Error, UnicodeDecodeError):
                return False
        return hmac.compare_digest(credentials, f"{self._options.client_id}:{self._options.client_secret}")

    def _is_challenge_valid(self, challenge: str, method: str) -> bool:
        """Return whether a challenge is valid; an app without a secret needs PKCE, and S256 is the only method."""
        if not challenge:
            return bool(self._options.client_secret)
        return method == "S256" and len(challenge) == _CHALLENGE_LENGTH

    def _client_credentials(self, requested: str) -> Reply:
        if not self._options.client_secret:
            return _oauth_error("unauthorized_client")
        scopes = self._scopes(requested)
        if scopes is None or _USER_SCOPES & set(requested.split()):
            return _oauth_error("invalid_scope")
        return self._issue(scopes - _USER_SCOPES, custom=True)

    def _code(self, form: Mapping[str, str]) -> Reply:
        code = form.get("code", "")
        claims = self._verify(code)
        fresh = claims is not None and claims["use"] == "code" and self._clock.now().timestamp() < claims["exp"]
        if claims is None or not fresh or code in self._spent_codes or not _is_same_caller(claims, form):
            return _oauth_error("invalid_grant")
        self._spent_codes.add(code)
        scopes = frozenset(claims["scope"])
        offline = "offline_access" in scopes
        return self._issue(scopes, refresh_token=self.grant_refresh_token(scopes) if offline else None)

    def _refresh(self, token: str) -> Reply:
        """Rotate a refresh token; the old one stays valid for 30 minutes, in case the response was lost."""
        known = self._books.refresh_tokens.get(token)
        now = self._clock.now()
        if known is None or now > known.issued + REFRESH_LIFE or (known.used and now > known.used + GRACE):
            return _oauth_error("invalid_grant")
        known.used = known.used or now
        scopes = frozenset(known.scopes)
        return self._issue(scopes, refresh_token=self.grant_refresh_token(scopes))

    def _scopes(self, requested: str) -> frozenset[str] | None:
        """Return the requested scopes, all of them for an empty request, or None if the app lacks one."""
        scopes = frozenset(requested.split()) or self._options.scopes
        return scopes if scopes - {"openid", "profile", "email"} <= self._options.scopes else None

    def _issue(self, scopes: frozenset[str], *, custom: bool = False, refresh_token: str | None = None) -> Reply:
        claims = {"use": "access", "scope": sorted(scopes), "custom": custom, "exp": self._expiry(ACCESS_LIFE)}
        answer: dict[str, Any] = {
            "access_token": self._sign(claims),
            "expires_in": int(ACCESS_LIFE.total_seconds()),
            "token_type": "Bearer",
            "scope": " ".join(sorted(scopes)),
        }
        return json_reply(answer | ({"refresh_token": refresh_token} if refresh_token else {}))

    def _expiry(self, life: timedelta) -> float:
        return (self._clock.now() + life).timestamp()

    def _sign(self, claims: Mapping[str, Any]) -> str:
        """Return a JSON Web Token; a serial number distinguishes two tokens of one instant."""
        head = _base64(b'{"alg":"HS256","typ":"JWT"}')
        body = _base64(json.dumps({**claims, "jti": self._books.next_number("token")}).encode())
        return f"{head}.{body}.{self._signature(head, body)}"

    def _verify(self, token: str) -> dict[str, Any] | None:
        """Return the claims of a token that this server signed, or None."""
        parts = token.split(".")
        if len(parts) != 3 or not hmac.compare_digest(parts[2].encode(), self._signature(*parts[:2]).encode()):
            return None
        claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(parts[1] + "=="))
        return claims

    def _signature(self, head: str, body: str) -> str:
        key = self._options.client_secret.encode()
        return _base64(hmac.new(key, f"{head}.{body}".encode(), hashlib.sha256).digest())


def _is_redirect_allowed(address: str) -> bool:
    """Return whether an address is https or `http://localhost`; 127.0.0.1 is refused (docs/contracts/xero.md §1)."""
    parts = urlsplit(address)
    return bool(parts.hostname) and (parts.scheme == "https" or (parts.scheme, parts.hostname) == ("http", "localhost"))


def _redirect(address: str, query: Mapping[str, str], **answer: str) -> Reply:
    state = {"state": query["state"]} if "state" in query else {}
    return Reply(302, headers={"Location": f"{address}?{urlencode({**answer, **state})}"})


def _is_same_caller(claims: Mapping[str, Any], form: Mapping[str, str]) -> bool:
    """Return whether a code's redirect address matches, and with PKCE its verifier (43 to 128 characters)."""
    if form.get("redirect_uri") != claims["redirect_uri"]:
        return False
    verifier = form.get("code_verifier", "")
    if not claims["challenge"]:
        return not verifier
    expected = _base64(hashlib.sha256(verifier.encode()).digest())
    return 43 <= len(verifier) <= 128 and hmac.compare_digest(expected, claims["challenge"])


def _base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _oauth_error(error: str) -> Reply:
    return json_reply({"error": error}, 400)
