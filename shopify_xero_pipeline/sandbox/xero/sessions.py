"""Who is calling: the identity server's tokens and consent, `/connections`, and the check of every call (B1 to B3).

Access tokens are signed and carry their own expiry, so they outlive a restart; refresh tokens are kept in the books.
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

ACCESS_LIFE = timedelta(minutes=30)
CODE_LIFE = timedelta(minutes=5)
REFRESH_LIFE = timedelta(days=60)
GRACE = timedelta(minutes=30)
_USER_SCOPES = frozenset({"openid", "profile", "email", "offline_access"})
_CONNECTION_ID = "e1eede29-f875-4a5d-8470-17f6a29a88b1"
_CHALLENGE_LENGTH = 43  # a SHA-256 in base64 without padding


@dataclass(frozen=True)
class Session:
    """An access token that was accepted; `custom` is a custom connection's."""

    client_id: str
    scopes: frozenset[str]
    custom: bool

    def must_have(self, scopes: tuple[str, ...]) -> None:
        """Refuse unless one of the scopes was granted (section 1: the header is spelt Xero's way)."""
        if self.scopes.isdisjoint(scopes):
            refusal = problem(401, "Unauthorized", "AuthorizationUnsuccessful").reply
            refusal.headers["WWW-Authenticate"] = "insufficent_scope"
            raise Refused(refusal)


class Sessions:
    """The identity server and the gateway's check of tokens."""

    def __init__(self, books: XeroBooks, clock: Clock, options: XeroOptions) -> None:
        self._books = books
        self._clock = clock
        self._options = options
        self._spent_codes: set[str] = set()
        self.connected = True

    def authorise(self, query: Mapping[str, str]) -> Reply:
        """Consent at once and send the browser back with a code that is good for 5 minutes."""
        back, challenge = query.get("redirect_uri", ""), query.get("code_challenge", "")
        if query.get("client_id") != self._options.client_id or not _may_be_sent_to(back):
            return _oauth_error("invalid_request")
        if query.get("response_type") != "code":
            return _sent_back(back, query, error="unsupported_response_type")
        if not self._may_challenge(challenge, query.get("code_challenge_method", "")):
            return _sent_back(back, query, error="invalid_request")
        scopes = self._scopes(query.get("scope", ""))
        if scopes is None:
            return _sent_back(back, query, error="invalid_scope")
        self.connected = True
        bound = {"redirect_uri": back, "challenge": challenge}
        code = self._signed({"use": "code", "scope": sorted(scopes), "exp": self._expiry(CODE_LIFE), **bound})
        return _sent_back(back, query, code=code, scope=" ".join(sorted(scopes)))

    def token(self, form: Mapping[str, str], authorization: str) -> Reply:
        """Answer the token endpoint."""
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
        """Return a refresh token as a finished consent would have left it."""
        token = self._books.new_id().replace("-", "")
        granted = sorted(scopes or self._options.scopes)
        self._books.refresh_tokens[token] = RefreshToken(self._options.client_id, granted, self._clock.now())
        return token

    def revoke(self, form: Mapping[str, str], authorization: str) -> Reply:
        """Forget the user's refresh tokens and connections; 200 and empty in any case."""
        if not self._is_client(form, authorization):
            return _oauth_error("invalid_client")
        if form.get("token") in self._books.refresh_tokens:
            self._books.refresh_tokens.clear()
            self.connected = False
        return Reply(200)

    def connections(self, authorization: str) -> Reply:
        """List the organisations the token may speak to; no tenant header is asked for."""
        self._accepted(authorization)
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
        """Remove a connection."""
        self._accepted(authorization)
        if connection_id != _CONNECTION_ID or not self.connected:
            raise not_found()
        self.connected = False
        return Reply(204)

    def accept(self, authorization: str, tenant: str) -> Session:
        """Check the token, then the tenant header, which only a custom connection may leave out.

        Raises:
            Refused: 401 for the token, 403 for the tenant.
        """
        session = self._accepted(authorization)
        if not (session.custom and not tenant) and (tenant.lower() != self._books.tenant_id or not self.connected):
            raise problem(403, "Forbidden", "AuthenticationUnsuccessful")
        return session

    def _accepted(self, authorization: str) -> Session:
        claims = self._verified(authorization.removeprefix("Bearer ")) if authorization.startswith("Bearer ") else None
        if claims is None or claims["use"] != "access":
            raise problem(401, "Unauthorized", "AuthenticationUnsuccessful")
        expiry = datetime.fromtimestamp(claims["exp"], tz=UTC)
        if self._clock.now() >= expiry:
            raise problem(401, "Unauthorized", f"TokenExpired: token expired at {expiry:%m/%d/%Y %H:%M:%S}")
        return Session(self._options.client_id, frozenset(claims["scope"]), claims["custom"])

    def _is_client(self, form: Mapping[str, str], authorization: str) -> bool:
        """Accept the secret in the Authorization header or in the form."""
        given = f"{form.get('client_id', '')}:{form.get('client_secret', '')}"
        if authorization.startswith("Basic "):
            try:
                given = base64.b64decode(authorization.removeprefix("Basic "), validate=True).decode()
            except (binascii.Error, UnicodeDecodeError):
                return False
        return hmac.compare_digest(given, f"{self._options.client_id}:{self._options.client_secret}")

    def _may_challenge(self, challenge: str, method: str) -> bool:
        """An app without a secret has to prove with PKCE that it is the one that asked; S256 is the only method."""
        if not challenge:
            return bool(self._options.client_secret)
        return method == "S256" and len(challenge) == _CHALLENGE_LENGTH

    def _client_credentials(self, asked: str) -> Reply:
        if not self._options.client_secret:
            return _oauth_error("unauthorized_client")
        scopes = self._scopes(asked)
        if scopes is None or _USER_SCOPES & set(asked.split()):
            return _oauth_error("invalid_scope")
        return self._issue(scopes - _USER_SCOPES, custom=True)

    def _code(self, form: Mapping[str, str]) -> Reply:
        code = form.get("code", "")
        claims = self._verified(code)
        fresh = claims is not None and claims["use"] == "code" and self._clock.now().timestamp() < claims["exp"]
        if claims is None or not fresh or code in self._spent_codes or not _is_same_caller(claims, form):
            return _oauth_error("invalid_grant")
        self._spent_codes.add(code)
        scopes = frozenset(claims["scope"])
        offline = "offline_access" in scopes
        return self._issue(scopes, refresh_token=self.grant_refresh_token(scopes) if offline else None)

    def _refresh(self, token: str) -> Reply:
        """Rotate: the old token may be tried again for 30 minutes, for an answer may have been lost."""
        known = self._books.refresh_tokens.get(token)
        now = self._clock.now()
        if known is None or now > known.issued + REFRESH_LIFE or (known.used and now > known.used + GRACE):
            return _oauth_error("invalid_grant")
        known.used = known.used or now
        scopes = frozenset(known.scopes)
        return self._issue(scopes, refresh_token=self.grant_refresh_token(scopes))

    def _scopes(self, asked: str) -> frozenset[str] | None:
        """Return the scopes asked for, all if none is named, None if one is not the app's."""
        scopes = frozenset(asked.split()) or self._options.scopes
        return scopes if scopes - {"openid", "profile", "email"} <= self._options.scopes else None

    def _issue(self, scopes: frozenset[str], *, custom: bool = False, refresh_token: str | None = None) -> Reply:
        claims = {"use": "access", "scope": sorted(scopes), "custom": custom, "exp": self._expiry(ACCESS_LIFE)}
        answer: dict[str, Any] = {
            "access_token": self._signed(claims),
            "expires_in": int(ACCESS_LIFE.total_seconds()),
            "token_type": "Bearer",
            "scope": " ".join(sorted(scopes)),
        }
        return json_reply(answer | ({"refresh_token": refresh_token} if refresh_token else {}))

    def _expiry(self, life: timedelta) -> float:
        return (self._clock.now() + life).timestamp()

    def _signed(self, claims: Mapping[str, Any]) -> str:
        """Return a JSON Web Token; a serial number keeps two of the same instant apart."""
        head = _base64(b'{"alg":"HS256","typ":"JWT"}')
        body = _base64(json.dumps({**claims, "jti": self._books.next_number("token")}).encode())
        return f"{head}.{body}.{self._signature(head, body)}"

    def _verified(self, token: str) -> dict[str, Any] | None:
        """Return the claims of a token of ours, or None."""
        parts = token.split(".")
        if len(parts) != 3 or not hmac.compare_digest(parts[2].encode(), self._signature(*parts[:2]).encode()):
            return None
        claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(parts[1] + "=="))
        return claims

    def _signature(self, head: str, body: str) -> str:
        key = self._options.client_secret.encode()
        return _base64(hmac.new(key, f"{head}.{body}".encode(), hashlib.sha256).digest())


def _may_be_sent_to(address: str) -> bool:
    """A browser is sent back over https, or to `http://localhost`; 127.0.0.1 is refused (section 1)."""
    parts = urlsplit(address)
    return bool(parts.hostname) and (parts.scheme == "https" or (parts.scheme, parts.hostname) == ("http", "localhost"))


def _sent_back(address: str, query: Mapping[str, str], **answer: str) -> Reply:
    state = {"state": query["state"]} if "state" in query else {}
    return Reply(302, headers={"Location": f"{address}?{urlencode({**answer, **state})}"})


def _is_same_caller(claims: Mapping[str, Any], form: Mapping[str, str]) -> bool:
    """A code is for the address it was sent to, and with PKCE for whoever knows the verifier (43 to 128 characters)."""
    if form.get("redirect_uri") != claims["redirect_uri"]:
        return False
    verifier = form.get("code_verifier", "")
    if not claims["challenge"]:
        return not verifier
    made = _base64(hashlib.sha256(verifier.encode()).digest())
    return 43 <= len(verifier) <= 128 and hmac.compare_digest(made, claims["challenge"])


def _base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _oauth_error(error: str) -> Reply:
    return json_reply({"error": error}, 400)
