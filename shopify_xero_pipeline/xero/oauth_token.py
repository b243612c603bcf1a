"""The access token of a person's consent, renewed with a rotating refresh token that processes share.

This module only has the time of a renewal, its lock and the handling of a refusal. One process at a time renews. It
takes the lock, reads the store again, records the start, requests new tokens and stores them before their first use. If
it dies in between, the next process repeats the request with the same refresh token, which Xero accepts for 30 minutes
after its first use (docs/contracts/xero.md §1). If Xero refuses a refresh token, the process tries the previous one
once; after that a person must sign in.
"""

from collections.abc import Mapping
from dataclasses import replace

from shopify_xero_pipeline.clock import Clock
from shopify_xero_pipeline.state.database import LockTimeoutError
from shopify_xero_pipeline.state.tokens import TokenSet, TokenStore
from shopify_xero_pipeline.xero.auth import GrantRefusedError, TokenEndpoint, auth_headers
from shopify_xero_pipeline.xero.errors import XeroConsentError, XeroSignInError, XeroUnavailableError

MAX_REFRESH_SECONDS = 60  # time limit of the wait for the lock
LOGIN_REQUIRED = "Xero's consent must be renewed, as Xero no longer accepts this sign-in: run `shopify-xero login`."


class RefreshingToken:
    """The access token of a stored sign-in.

    Args:
        identity: the token endpoint.
        tokens: the encrypted token store.
        clock: the clock.
    """

    def __init__(self, identity: TokenEndpoint, tokens: TokenStore, clock: Clock) -> None:
        self._identity = identity
        self._tokens = tokens
        self._clock = clock
        self._cached: TokenSet | None = None

    def headers(self) -> dict[str, str]:
        """Return the headers that sign a call in, with a token that stays valid for some minutes.

        Raises:
            TokenKeyError: TOKEN_KEY does not decrypt the stored sign-in.
            XeroConsentError: a person must sign in.
            XeroSignInError: Xero does not accept the app's credentials.
            XeroUnavailableError: Xero issues no new token now.
        """
        cached = self._cached
        if cached is None or not cached.is_fresh(self._clock.now()):
            cached = self._cached = self._load_or_renew(refused_generation=None)
        return self._headers_of(cached)

    def renew(self, refused: Mapping[str, str]) -> None:
        """Get another token, unless another thread has already replaced the refused one.

        Args:
            refused: the headers of the call that Xero refused.

        Raises:
            XeroError: as for `headers`.
        """
        cached = self._cached
        if cached is not None and self._headers_of(cached) == refused:
            self._cached = self._load_or_renew(refused_generation=cached.generation)

    def mark_verified(self) -> None:
        """Record that Xero accepted the present tokens, and delete the previous refresh token."""
        cached = self._cached
        if cached is not None and cached.verified_at is None:
            self._tokens.mark_verified(cached)
            self._cached = replace(cached, verified_at=self._clock.now(), previous_refresh="")

    def _headers_of(self, tokens: TokenSet) -> dict[str, str]:
        return auth_headers(tokens.access, self._identity.credentials.tenant_id)

    def _load_or_renew(self, refused_generation: int | None) -> TokenSet:
        stored = self._load()
        if self._is_usable(stored, refused_generation):
            return stored
        try:
            with self._tokens.lock(MAX_REFRESH_SECONDS):
                stored = self._load()  # another process may have renewed the tokens before the lock was free
                return stored if self._is_usable(stored, refused_generation) else self._renew_stored(stored)
        except LockTimeoutError:
            raise XeroUnavailableError(
                f"Another process is renewing the sign-in to Xero and has not finished in {MAX_REFRESH_SECONDS} s. "
                "Try again later; if the process hangs, end it."
            ) from None

    def _is_usable(self, tokens: TokenSet, refused_generation: int | None) -> bool:
        return tokens.generation != refused_generation and tokens.is_fresh(self._clock.now())

    def _load(self) -> TokenSet:
        stored = self._tokens.load()
        if stored is None:
            raise XeroConsentError("There is no sign-in to Xero yet: run `shopify-xero login`.")
        if stored.refused:
            raise XeroConsentError(LOGIN_REQUIRED)
        return stored

    def _renew_stored(self, stored: TokenSet) -> TokenSet:
        """Return the stored new tokens, from the refresh token or, if Xero refuses it, the previous one."""
        self._tokens.start_refresh(stored)
        for refresh in filter(None, (stored.refresh, stored.previous_refresh)):
            try:
                grant = self._identity.request_token({"grant_type": "refresh_token", "refresh_token": refresh})
            except GrantRefusedError as error:
                if error.error_code != "invalid_grant":
                    raise wrong_app(error) from None
                newest = self._load()
                if newest.generation != stored.generation:
                    return newest
                continue
            self._tokens.finish_refresh(
                stored, grant.access, grant.refresh or refresh, grant.issued_at, grant.expires_at
            )
            return self._load()
        self._tokens.mark_refused(stored)
        raise XeroConsentError(LOGIN_REQUIRED)


def wrong_app(error: GrantRefusedError) -> XeroSignInError:
    """Return the exception for an app that Xero does not accept."""
    return XeroSignInError(
        f"Xero does not accept the app ({error.error_code}). Check XERO_CLIENT_ID and XERO_CLIENT_SECRET."
    )
