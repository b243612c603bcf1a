"""The sign-in of an app that a person gave their consent to: one row of `token_set`, its tokens encrypted.

Keeping the tokens belongs here, and what their age means; asking for new ones stands in `xero/oauth_token.py`. A
refresh token is spent by its first use, so a renewal is written down in two steps: that it begins, and what came of it.
The spent one is kept until the new pair has worked. The keys lie apart from the store, in the setting TOKEN_KEY.
"""

import re
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from sqlalchemy import delete, insert, select, update

from shopify_xero_pipeline.clock import Clock
from shopify_xero_pipeline.state.database import Database
from shopify_xero_pipeline.state.tables import oauth_token

RENEW_BEFORE = timedelta(minutes=5)
GRACE = timedelta(minutes=30)
LIFE = timedelta(days=60)
WARN_BEFORE = timedelta(days=7)
KEY = re.compile(r"[A-Za-z0-9_-]{43}=")
SECRETS = ("access", "refresh", "previous_refresh")


class TokenKeyError(ValueError):
    """TOKEN_KEY is missing, is no key, or is not the one the tokens were encrypted with."""


@dataclass(frozen=True)
class SignIn:
    """What is known of a sign-in without its keys. All instants are in UTC.

    Attributes:
        generation: counts the pairs of tokens there have been.
        expires_at: when the access token lapses.
        refreshed_at: when the present pair was given.
        refresh_started_at: when the present refresh token was first used, if what came of it is not known.
        verified_at: when a call with the present access token first succeeded.
        refused: Xero accepts neither of the refresh tokens any more.
    """

    generation: int
    expires_at: datetime
    refreshed_at: datetime
    refresh_started_at: datetime | None
    verified_at: datetime | None
    refused: bool

    def is_fresh(self, now: datetime) -> bool:
        """Whether the access token is good for some minutes more, and no renewal was left unfinished."""
        return self.refresh_started_at is None and now < renew_at(self.refreshed_at, self.expires_at)

    @property
    def lapses_at(self) -> datetime:
        """When the refresh token dies if it is not used (docs/contracts/xero.md §1: 60 days)."""
        return self.refreshed_at + LIFE

    def expires_soon(self, now: datetime) -> bool:
        """Whether the refresh token dies within a week if nothing uses it."""
        return now >= self.lapses_at - WARN_BEFORE

    def is_stuck(self, now: datetime) -> bool:
        """Whether a renewal has been unfinished for so long that the refresh token may be spent for good."""
        return self.refresh_started_at is not None and now > self.refresh_started_at + GRACE

    def warning(self, now: datetime) -> str | None:
        """Return what a person should know or do about the sign-in, None if all is well."""
        if self.refused or now >= self.lapses_at:
            return "Xero's consent must be renewed: run `shopify-xero login`."
        if self.is_stuck(now):
            return (
                f"Renewing the sign-in to Xero was begun at {self.refresh_started_at:%Y-%m-%d %H:%M} UTC and never "
                "finished: if the next call fails, run `shopify-xero login`."
            )
        if self.expires_soon(now):
            return (
                f"The sign-in to Xero lapses on {self.lapses_at:%Y-%m-%d} as it was not used: let a sync run before "
                "then, or run `shopify-xero login`."
            )
        return None


@dataclass(frozen=True)
class TokenSet(SignIn):
    """A sign-in with its tokens; `previous_refresh` is empty once the present pair has worked."""

    access: str = field(repr=False)
    refresh: str = field(repr=False)
    previous_refresh: str = field(repr=False)


class TokenStore:
    """The sign-in of one app in one state store.

    Args:
        database: of a state store whose tables are there.
        name: of the app, the row's key; also of the lock.
        keys: TOKEN_KEY: Fernet keys, divided by commas; the first one encrypts, all of them decrypt.
        clock: stamps the row.

    Raises:
        TokenKeyError: `keys` holds something that is not a key; it is not repeated.
    """

    def __init__(self, database: Database, name: str, keys: str, clock: Clock) -> None:
        self._database = database
        self._name = name
        self._cipher = _cipher(keys)
        self._clock = clock
        self._mine = oauth_token.c.name == name

    def lock(self, wait: int) -> AbstractContextManager[None]:
        """Hold the right to change this sign-in, waiting so many seconds for whoever holds it.

        Raises:
            HeldError: somebody else holds it all that time.
        """
        return self._database.lock(f"token.{self._name}", wait)

    def peek(self) -> SignIn | None:
        """Return what can be known without the key, None if nobody has signed in."""
        row = self._row()
        return None if row is None else SignIn(**_known(row))

    def load(self) -> TokenSet | None:
        """Return the present pair, None if nobody has signed in.

        Raises:
            TokenKeyError: there is a pair, and TOKEN_KEY does not open it.
        """
        row = self._row()
        if row is None:
            return None
        return TokenSet(**_known(row) | {name: self._opened(row[name]) for name in SECRETS})

    def put(self, access: str, refresh: str, given_at: datetime, expires_at: datetime) -> None:
        """Keep the pair that a person's consent gave, in place of whatever was there.

        Raises:
            TokenKeyError: there is no key to encrypt it with.
        """
        with self._database.engine.begin() as connection:
            last = connection.scalar(select(oauth_token.c.generation).where(self._mine)) or 0
            values = self._pair(access, refresh, "", given_at, expires_at)
            connection.execute(delete(oauth_token).where(self._mine))
            connection.execute(insert(oauth_token).values(name=self._name, generation=last + 1, **values))

    def start_refresh(self, known: SignIn) -> None:
        """Write down that the refresh token of a pair is about to be used; of several times the first one stays."""
        if known.refresh_started_at is None:
            self._change(known, refresh_started_at=self._clock.now())

    def finish_refresh(
        self, known: TokenSet, access: str, refresh: str, given_at: datetime, expires_at: datetime
    ) -> None:
        """Put a new pair in the place of a known one, whose refresh token is kept until the new pair has worked."""
        values = self._pair(access, refresh, known.refresh, given_at, expires_at)
        self._change(known, generation=known.generation + 1, **values)

    def mark_verified(self, known: SignIn) -> None:
        """Write down that a pair has worked, and forget the one before it."""
        self._change(known, verified_at=self._clock.now(), previous_refresh="")

    def mark_refused(self, known: SignIn) -> None:
        """Write down that Xero accepts the pair no more, so that nobody tries it again; the refresh token is kept."""
        self._change(known, access="")

    def _change(self, known: SignIn, **values: object) -> None:
        """Change the row if it still holds the pair that is meant."""
        same = oauth_token.c.generation == known.generation
        with self._database.engine.begin() as connection:
            connection.execute(update(oauth_token).where(self._mine, same).values(**values))

    def _pair(
        self, access: str, refresh: str, previous: str, given_at: datetime, expires_at: datetime
    ) -> dict[str, object]:
        return {
            "access": self._closed(access),
            "refresh": self._closed(refresh),
            "previous_refresh": self._closed(previous),
            "expires_at": expires_at,
            "refreshed_at": given_at,
            "refresh_started_at": None,
            "verified_at": None,
        }

    def _row(self) -> dict[str, Any] | None:
        with self._database.engine.begin() as connection:
            row = connection.execute(select(oauth_token).where(self._mine)).mappings().one_or_none()
        return None if row is None else dict(row)

    def _closed(self, secret: str) -> str:
        return self._key().encrypt(secret.encode()).decode() if secret else ""

    def _opened(self, kept: str) -> str:
        try:
            return self._key().decrypt(kept.encode()).decode() if kept else ""
        except InvalidToken:
            raise TokenKeyError(
                f"TOKEN_KEY does not open the sign-in to Xero kept in {self._database.name}: set it to the key it was "
                "made with (several keys: divided by commas, the new one first), or run `shopify-xero login` again."
            ) from None

    def _key(self) -> MultiFernet:
        if self._cipher is None:
            raise TokenKeyError(
                "TOKEN_KEY is not set, and the sign-in to Xero is kept encrypted with it: set it to the key the "
                "sign-in was made with, or make a new one with `shopify-xero login --new-key` and sign in again."
            )
        return self._cipher


def new_key() -> str:
    """Return a fresh key for TOKEN_KEY."""
    return Fernet.generate_key().decode()


def renew_at(given_at: datetime, expires_at: datetime) -> datetime:
    """Return from when on a token is not used any more: 5 minutes before it lapses, of a short-lived one half its life.

    Args:
        given_at: when it was given, in UTC.
        expires_at: when it lapses, in UTC.
    """
    return given_at + usable_for(expires_at - given_at)


def usable_for(life: timedelta) -> timedelta:
    """Return for how long a token of this life is used."""
    return max(life - RENEW_BEFORE, life / 2)


def _cipher(keys: str) -> MultiFernet | None:
    given = [key.strip() for key in keys.split(",") if key.strip()]
    # Fernet itself would take the beginning of many another text for a key.
    if not all(KEY.fullmatch(key) for key in given):
        raise TokenKeyError(
            "TOKEN_KEY is not a key of 44 characters as `shopify-xero login --new-key` prints it, or several of them "
            "divided by commas."
        )
    return MultiFernet([Fernet(key) for key in given]) if given else None


def _known(row: dict[str, Any]) -> dict[str, Any]:
    names = ("generation", "expires_at", "refreshed_at", "refresh_started_at", "verified_at")
    return {**{name: row[name] for name in names}, "refused": not row["access"]}
