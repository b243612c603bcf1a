"""Signing in to Xero by a person's consent: a refresh token that every renewal spends, shared by several processes.

Only when a token is renewed, by whom, and what follows a refusal belong here. One process at a time renews; it looks
again once it is alone, writes down that it begins, asks, and stores the new pair before it is used. If it dies in
between, the next one asks with the same token, which Xero accepts for 30 minutes after its first use (Xero fact
sheet 1). What Xero refuses is tried with the token before it, once, and then not again: a person has to sign in.
"""

from dataclasses import replace

import httpx

from shopify_xero_pipeline.clock import Clock
from shopify_xero_pipeline.state.database import LockTimeoutError
from shopify_xero_pipeline.state.tokens import TokenSet, TokenStore
from shopify_xero_pipeline.xero.auth import (
    AccessToken,
    ClientCredentialsToken,
    GrantRefusedError,
    TokenEndpoint,
    XeroCredentials,
    auth_headers,
)
from shopify_xero_pipeline.xero.errors import XeroConsentError, XeroSignInError, XeroUnavailableError

MAX_REFRESH_SECONDS = 60
LOGIN_HINT = "Xero's consent must be renewed, as it accepts this sign-in no more: run `shopify-xero login`."


class RefreshingToken:
    """The access token of a stored sign-in.

    Args:
        identity: where new tokens are asked for.
        tokens: where they are kept.
        clock: the time.
    """

    def __init__(self, identity: TokenEndpoint, tokens: TokenStore, clock: Clock) -> None:
        self._identity = identity
        self._tokens = tokens
        self._clock = clock
        self._known: TokenSet | None = None

    def headers(self) -> dict[str, str]:
        """Return the headers that sign a call in, with a token that is good for some minutes more.

        Raises:
            TokenKeyError: TOKEN_KEY does not open the stored sign-in.
            XeroConsentError: a person has to sign in.
            XeroSignInError: Xero does not accept the app's credentials.
            XeroUnavailableError: no new token could be had now.
        """
        if self._known is None or not self._known.is_fresh(self._clock.now()):
            self._known = self._current(refused=None)
        return auth_headers(self._known.access, self._identity.credentials.tenant_id)

    def renew(self) -> None:
        """Get another token than the present one, which was refused; raises what `headers` raises."""
        self._known = self._current(refused=self._known.generation if self._known else None)

    def mark_verified(self) -> None:
        """Take note that the present pair works: what came before it is forgotten."""
        if self._known is not None and self._known.verified_at is None:
            self._tokens.mark_verified(self._known)
            self._known = replace(self._known, verified_at=self._clock.now(), previous_refresh="")

    def _current(self, refused: int | None) -> TokenSet:
        known = self._stored()
        if self._is_usable(known, refused):
            return known
        try:
            with self._tokens.lock(MAX_REFRESH_SECONDS):
                known = self._stored()
                return known if self._is_usable(known, refused) else self._renewed(known)
        except LockTimeoutError:
            raise XeroUnavailableError(
                f"Another process is renewing the sign-in to Xero and has not finished in {MAX_REFRESH_SECONDS} s. "
                "Try again later; if it hangs, end it."
            ) from None

    def _is_usable(self, known: TokenSet, refused: int | None) -> bool:
        return known.generation != refused and known.is_fresh(self._clock.now())

    def _stored(self) -> TokenSet:
        known = self._tokens.load()
        if known is None:
            raise XeroConsentError("Nobody has signed in to Xero yet: run `shopify-xero login`.")
        if known.refused:
            raise XeroConsentError(LOGIN_HINT)
        return known

    def _renewed(self, known: TokenSet) -> TokenSet:
        """Spend the refresh token, or if Xero refuses it the one before, and store what comes of it."""
        self._tokens.start_refresh(known)
        for refresh in filter(None, (known.refresh, known.previous_refresh)):
            try:
                grant = self._identity.request_token({"grant_type": "refresh_token", "refresh_token": refresh})
            except GrantRefusedError as refused:
                if refused.word != "invalid_grant":
                    raise wrong_app(refused) from None
                found = self._stored()
                if found.generation != known.generation:
                    return found
                continue
            self._tokens.finish_refresh(
                known, grant.access, grant.refresh or refresh, grant.issued_at, grant.expires_at
            )
            return self._stored()
        self._tokens.mark_refused(known)
        raise XeroConsentError(LOGIN_HINT)


def wrong_app(refused: GrantRefusedError) -> XeroSignInError:
    """Return the error of an app that Xero does not accept."""
    return XeroSignInError(
        f"Xero does not accept the app ({refused.word}). Check XERO_CLIENT_ID and XERO_CLIENT_SECRET."
    )


def build_access_token(
    credentials: XeroCredentials, http: httpx.Client, host: str, clock: Clock, tokens: TokenStore | None
) -> AccessToken:
    """Return what signs calls in: by the stored consent, or without one as a custom connection.

    Args:
        credentials: of the app.
        http: towards the sign-in service.
        host: of the sign-in service.
        clock: the time.
        tokens: where a sign-in by consent is kept; None for a custom connection.
    """
    identity = TokenEndpoint(credentials, http, host, clock)
    return ClientCredentialsToken(identity, clock) if tokens is None else RefreshingToken(identity, tokens, clock)
