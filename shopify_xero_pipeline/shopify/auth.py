"""Authentication with a static token, or with client credentials that are exchanged for tokens.

Source: docs/contracts/shopify.md §1.1, §1.2.

This module contains the credentials and the cache of the current token; `client.py` sends the token request. Secrets
have no repr and appear in no message.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from shopify_xero_pipeline.clock import Clock
from shopify_xero_pipeline.shopify.errors import SettingError, ShopifyUnavailableError

RENEW_AT = 0.8
"""Fraction of a token's life after which it is replaced, so that it does not expire between pages."""


@dataclass(frozen=True)
class StaticToken:
    """The Admin API token of a custom app from the Shopify admin, which does not expire.

    Raises:
        SettingError: the token is empty or contains an invalid character.
    """

    token: str = field(repr=False)

    def __post_init__(self) -> None:
        check_secret(self.token, "SHOPIFY_ACCESS_TOKEN")


@dataclass(frozen=True)
class ClientCredentials:
    """Client id and secret of an app from the Dev Dashboard, exchanged for tokens with a life of 24 hours.

    Raises:
        SettingError: one of them is empty or contains an invalid character.
    """

    client_id: str = field(repr=False)
    client_secret: str = field(repr=False)

    def __post_init__(self) -> None:
        check_secret(self.client_id, "SHOPIFY_CLIENT_ID")
        check_secret(self.client_secret, "SHOPIFY_CLIENT_SECRET")

    @property
    def form(self) -> dict[str, str]:
        """Form fields of the token request."""
        return {
            "grant_type": "client_credentials",
            "client_id": self.client_id,
            "client_secret": self.client_secret,
        }


def check_secret(secret: str, setting: str) -> None:
    """Check that a secret is valid in an HTTP header.

    Raises:
        SettingError: the secret is invalid; the message names the setting and not the secret.
    """
    if not secret or not secret.isascii() or not secret.isprintable() or " " in secret:
        raise SettingError(
            f"{setting} is empty or contains a space, a line break or another character that no Shopify secret has; "
            "copy it again from the app's settings."
        )


class TokenProvider:
    """Cache of the current token, which is replaced after 80 % of its life.

    Args:
        credentials: the configured credentials.
        request: sends the form of a token request and returns the JSON object of the response.
        clock: measures the life of the token.
    """

    def __init__(
        self,
        credentials: StaticToken | ClientCredentials,
        request: Callable[[Mapping[str, str]], dict[str, Any]],
        clock: Clock,
    ) -> None:
        self._credentials = credentials
        self._request = request
        self._clock = clock
        self._token: str | None = None
        self._renew_at: float | None = None

    @property
    def renewable(self) -> bool:
        """Whether a refused token can be replaced."""
        return isinstance(self._credentials, ClientCredentials)

    def token(self) -> str:
        """Return a valid token, from the cache or from a new request.

        Raises:
            ShopifyError: the token request failed.
        """
        if isinstance(self._credentials, StaticToken):
            return self._credentials.token
        if self._token is None or self._renew_at is None or self._clock.elapsed() >= self._renew_at:
            self._token, life = _parse_grant(self._request(self._credentials.form))
            self._renew_at = self._clock.elapsed() + RENEW_AT * life.total_seconds()
        return self._token

    def discard(self) -> None:
        """Drop the current token, because Shopify refused it."""
        self._token = None


def _parse_grant(answer: Mapping[str, Any]) -> tuple[str, timedelta]:
    """Return the token and its life from the response to a token request."""
    token, seconds = answer.get("access_token"), answer.get("expires_in")
    if not isinstance(token, str) or isinstance(seconds, bool) or not isinstance(seconds, int):
        raise ShopifyUnavailableError("Shopify answered the token request without a token and its lifetime in seconds.")
    check_secret(token, "The access token from Shopify")
    return token, timedelta(seconds=seconds)
