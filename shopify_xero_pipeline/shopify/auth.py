"""Who we are to Shopify: a static token, or client credentials exchanged for tokens.

Source: docs/contracts/shopify.md §1.1, §1.2.

Credentials and the keeper of the current token belong here; how a token request travels is the client's. Secrets have
no repr and appear in no message.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from shopify_xero_pipeline.clock import Clock
from shopify_xero_pipeline.shopify.errors import SettingError, ShopifyUnavailableError

# A token is renewed well before it lapses, so that it cannot lapse in the middle of a page.
RENEW_AT = 0.8


@dataclass(frozen=True)
class StaticToken:
    """The Admin API token of a custom app made in the Shopify admin; it does not lapse.

    Raises:
        SettingError: the token is empty or holds characters no token has.
    """

    token: str = field(repr=False)

    def __post_init__(self) -> None:
        check_secret(self.token, "SHOPIFY_ACCESS_TOKEN")


@dataclass(frozen=True)
class ClientCredentials:
    """Client id and secret of an app made in the Dev Dashboard, exchanged for tokens that live 24 hours.

    Raises:
        SettingError: one of them is empty or holds characters it cannot have.
    """

    client_id: str = field(repr=False)
    client_secret: str = field(repr=False)

    def __post_init__(self) -> None:
        check_secret(self.client_id, "SHOPIFY_CLIENT_ID")
        check_secret(self.client_secret, "SHOPIFY_CLIENT_SECRET")

    @property
    def form(self) -> dict[str, str]:
        """The body of the token request."""
        return {
            "grant_type": "client_credentials",
            "client_id": self.client_id,
            "client_secret": self.client_secret,
        }


def check_secret(secret: str, setting: str) -> None:
    """Refuse what cannot travel in a header, without showing it.

    Raises:
        SettingError: naming the setting only.
    """
    if not secret or not secret.isascii() or not secret.isprintable() or " " in secret:
        raise SettingError(
            f"{setting} is empty or holds a space, a line break or another character a Shopify secret never has; "
            "copy it again from the app's settings."
        )


class TokenProvider:
    """Hands out the current token, asking for a new one when there is none or 80 % of its life is over.

    Args:
        credentials: What the merchant configured.
        request: Sends the token request's form and returns the answered JSON object.
        clock: Where the time comes from.
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
        """Whether a refused token can be replaced by a new one."""
        return isinstance(self._credentials, ClientCredentials)

    def token(self) -> str:
        """Return a token that is good now, asking for one if need be.

        Raises:
            ShopifyError: Shopify did not give one.
        """
        if isinstance(self._credentials, StaticToken):
            return self._credentials.token
        if self._token is None or self._renew_at is None or self._clock.elapsed() >= self._renew_at:
            self._token, life = _granted(self._request(self._credentials.form))
            self._renew_at = self._clock.elapsed() + RENEW_AT * life.total_seconds()
        return self._token

    def discard(self) -> None:
        """Drop the current token, because Shopify refused it."""
        self._token = None


def _granted(answer: Mapping[str, Any]) -> tuple[str, timedelta]:
    """Read token and lifetime from a token answer."""
    token, seconds = answer.get("access_token"), answer.get("expires_in")
    if not isinstance(token, str) or isinstance(seconds, bool) or not isinstance(seconds, int):
        raise ShopifyUnavailableError("Shopify answered the token request without a token and its lifetime in seconds.")
    check_secret(token, "The access token Shopify issued")
    return token, timedelta(seconds=seconds)
