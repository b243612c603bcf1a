"""OAuth tokens of an app, one encrypted row of `oauth_token` for each app.

This module stores tokens and interprets their age; `xero/oauth_token.py` requests new ones. A refresh token is valid
for one use, so a token refresh is stored in two steps: its start and its result. The used refresh token stays until a
call with the new pair succeeds. The encryption keys are not in the store but in the setting TOKEN_KEY.
"""

import re
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from sqlalchemy import select, update

from shopify_xero_pipeline.clock import Clock
from shopify_xero_pipeline.state.database import Database
from shopify_xero_pipeline.state.row_checksums import put_rows
from shopify_xero_pipeline.state.tables import oauth_token

RENEW_BEFORE = timedelta(minutes=5)
GRACE = timedelta(minutes=30)
"""Age at which an unfinished token refresh counts as stuck, so that the refresh token may be lost."""

LIFE = timedelta(days=60)
"""Life of an unused refresh token (docs/contracts/xero.md §1)."""

WARN_BEFORE = timedelta(days=7)
KEY = re.compile(r"[A-Za-z0-9_-]{43}=")
SECRETS = ("access", "refresh", "previous_refresh")


class TokenKeyError(ValueError):
    """TOKEN_KEY is missing, invalid, or not the key with which the tokens were encrypted."""


@dataclass(frozen=True)
class SignIn:
    """The unencrypted data of an app's tokens. Instants are UTC.

    Attributes:
        generation: the number of token pairs so far.
        expires_at: the expiry of the access token.
        refreshed_at: the time when Xero issued the present pair.
        refresh_started_at: the start of a token refresh whose result is unknown; None if there is none.
        verified_at: the first successful call with the present access token.
        refused: whether Xero refused both refresh tokens.
    """

    generation: int
    expires_at: datetime
    refreshed_at: datetime
    refresh_started_at: datetime | None
    verified_at: datetime | None
    refused: bool

    def is_fresh(self, now: datetime) -> bool:
        """Return whether the access token is usable and no token refresh is unfinished."""
        return self.refresh_started_at is None and now < renew_at(self.refreshed_at, self.expires_at)

    @property
    def lapses_at(self) -> datetime:
        """Expiry of the refresh token if it is not used (docs/contracts/xero.md §1: 60 days)."""
        return self.refreshed_at + LIFE

    def warning(self, now: datetime) -> str | None:
        """Return the problem of the sign-in and its remedy, None if there is no problem."""
        if self.refused or now >= self.lapses_at:
            return "The sign-in to Xero is no longer valid: run `shopify-xero login`."
        if self.refresh_started_at is not None and now > self.refresh_started_at + GRACE:
            return (
                f"A token refresh for Xero started at {self.refresh_started_at:%Y-%m-%d %H:%M} UTC and never finished: "
                "if the next call fails, run `shopify-xero login`."
            )
        if now >= self.lapses_at - WARN_BEFORE:
            return (
                f"The sign-in to Xero expires on {self.lapses_at:%Y-%m-%d} because it is unused: run a sync before "
                "then, or run `shopify-xero login`."
            )
        return None


@dataclass(frozen=True)
class TokenSet(SignIn):
    """A sign-in with its tokens. `previous_refresh` is empty after the first successful call with the present pair."""

    access: str = field(repr=False)
    refresh: str = field(repr=False)
    previous_refresh: str = field(repr=False)


class TokenStore:
    """The OAuth tokens of one app in one state store.

    Args:
        database: the database of a migrated state store.
        name: the name of the app, the key of the row and of the lock.
        keys: TOKEN_KEY, Fernet keys separated by commas; the first key encrypts, all keys decrypt.
        clock: stamps the row.

    Raises:
        TokenKeyError: `keys` contains an invalid key; the message does not contain it.
    """

    def __init__(self, database: Database, name: str, keys: str, clock: Clock) -> None:
        self._database = database
        self._name = name
        self._cipher = _cipher(keys)
        self._clock = clock
        self._own_row = oauth_token.c.name == name

    def lock(self, wait: int) -> AbstractContextManager[None]:
        """Return the lock for a change of the tokens, which waits at most `wait` seconds for another process.

        Raises:
            LockTimeoutError: another process holds the lock for that time.
        """
        return self._database.lock(f"token.{self._name}", wait)

    def peek(self) -> SignIn | None:
        """Return the unencrypted data, which needs no key; None if there is no sign-in."""
        row = self._row()
        return None if row is None else SignIn(**_plain_columns(row))

    def load(self) -> TokenSet | None:
        """Return the present token pair, None if there is no sign-in.

        Raises:
            TokenKeyError: TOKEN_KEY does not decrypt the pair.
        """
        row = self._row()
        if row is None:
            return None
        return TokenSet(**_plain_columns(row) | {name: self._decrypt(row[name]) for name in SECRETS})

    def put(self, access: str, refresh: str, issued_at: datetime, expires_at: datetime) -> None:
        """Store the token pair of a new sign-in, which replaces an earlier one.

        Args:
            access: the access token.
            refresh: the refresh token.
            issued_at: the time when Xero issued the pair, in UTC.
            expires_at: the expiry of the access token, in UTC.

        Raises:
            TokenKeyError: TOKEN_KEY is not set.
        """
        with self._database.engine.begin() as connection:
            last = connection.scalar(select(oauth_token.c.generation).where(self._own_row)) or 0
            values = self._encrypt_pair(access, refresh, "", issued_at, expires_at)
            put_rows(connection, oauth_token, [{"name": self._name, "generation": last + 1, **values}])

    def start_refresh(self, known: SignIn) -> None:
        """Store the start of a token refresh before the refresh token is used. Repeated calls keep the first start."""
        if known.refresh_started_at is None:
            self._change(known, refresh_started_at=self._clock.now())

    def finish_refresh(
        self, known: TokenSet, access: str, refresh: str, issued_at: datetime, expires_at: datetime
    ) -> None:
        """Replace a token pair by a new one. The old refresh token stays until a call with the new pair succeeds.

        Args:
            known: the pair to replace; if the row has another one by now, nothing changes.
            access: the new access token.
            refresh: the new refresh token.
            issued_at: the time when Xero issued the new pair, in UTC.
            expires_at: the expiry of the new access token, in UTC.

        Raises:
            TokenKeyError: TOKEN_KEY is not set.
        """
        values = self._encrypt_pair(access, refresh, known.refresh, issued_at, expires_at)
        self._change(known, generation=known.generation + 1, **values)

    def mark_verified(self, known: SignIn) -> None:
        """Store that a call with the pair succeeded, and delete the previous refresh token."""
        self._change(known, verified_at=self._clock.now(), previous_refresh="")

    def mark_refused(self, known: SignIn) -> None:
        """Store that Xero refused the pair, so that no process retries it; the refresh token stays."""
        self._change(known, access="")

    def _change(self, known: SignIn, **values: object) -> None:
        """Update the row if it still contains the same pair."""
        same = oauth_token.c.generation == known.generation
        with self._database.engine.begin() as connection:
            connection.execute(update(oauth_token).where(self._own_row, same).values(**values))

    def _encrypt_pair(
        self, access: str, refresh: str, previous: str, issued_at: datetime, expires_at: datetime
    ) -> dict[str, object]:
        return {
            "access": self._encrypt(access),
            "refresh": self._encrypt(refresh),
            "previous_refresh": self._encrypt(previous),
            "expires_at": expires_at,
            "refreshed_at": issued_at,
            "refresh_started_at": None,
            "verified_at": None,
        }

    def _row(self) -> dict[str, Any] | None:
        with self._database.engine.begin() as connection:
            row = connection.execute(select(oauth_token).where(self._own_row)).mappings().one_or_none()
        return None if row is None else dict(row)

    def _encrypt(self, secret: str) -> str:
        return self._key().encrypt(secret.encode()).decode() if secret else ""

    def _decrypt(self, token: str) -> str:
        try:
            return self._key().decrypt(token.encode()).decode() if token else ""
        except InvalidToken:
            raise TokenKeyError(
                f"TOKEN_KEY does not decrypt the sign-in to Xero in {self._database.name}: set it to the key of the "
                "sign-in (several keys: separated by commas, the new one first), or run `shopify-xero login` again."
            ) from None

    def _key(self) -> MultiFernet:
        if self._cipher is None:
            raise TokenKeyError(
                "TOKEN_KEY is not set, and the sign-in to Xero is encrypted with it: set it to the key of the sign-in, "
                "or create a new key with `shopify-xero login --new-key` and sign in again."
            )
        return self._cipher


def new_key() -> str:
    """Return a new random key for TOKEN_KEY."""
    return Fernet.generate_key().decode()


def renew_at(issued_at: datetime, expires_at: datetime) -> datetime:
    """Return the time from which a token is no longer used.

    Args:
        issued_at: the time when the token was issued, in UTC.
        expires_at: its expiry, in UTC.
    """
    return issued_at + usable_for(expires_at - issued_at)


def usable_for(life: timedelta) -> timedelta:
    """Return the usable part of a token's life: until 5 minutes before its end, or half of a short life."""
    return max(life - RENEW_BEFORE, life / 2)


def _cipher(keys: str) -> MultiFernet | None:
    key_list = [key.strip() for key in keys.split(",") if key.strip()]
    # Fernet itself accepts many longer texts and uses only their beginning as the key.
    if not all(KEY.fullmatch(key) for key in key_list):
        raise TokenKeyError(
            "TOKEN_KEY is not a key of 44 characters, as `shopify-xero login --new-key` prints it, or several such "
            "keys separated by commas."
        )
    return MultiFernet([Fernet(key) for key in key_list]) if key_list else None


def _plain_columns(row: dict[str, Any]) -> dict[str, Any]:
    names = ("generation", "expires_at", "refreshed_at", "refresh_started_at", "verified_at")
    return {**{name: row[name] for name in names}, "refused": not row["access"]}
