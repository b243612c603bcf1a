"""Tests of stored OAuth tokens: encryption, token refresh, and the warnings about age and keys."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import select

from shopify_xero_pipeline.clock import ManualClock
from shopify_xero_pipeline.state.database import Database, LockTimeoutError, open_database
from shopify_xero_pipeline.state.store import StateStore
from shopify_xero_pipeline.state.tables import oauth_token
from shopify_xero_pipeline.state.tokens import TokenKeyError, TokenSet, TokenStore, new_key, renew_at

START = datetime(2026, 9, 22, tzinfo=UTC)
HALF_AN_HOUR = timedelta(minutes=30)
OLD, NEW = new_key(), new_key()
Opened = Callable[..., TokenStore]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


@pytest.fixture
def opened(store: StateStore, url: str, clock: ManualClock) -> Iterator[Opened]:
    """Opens the sign-in of an app as one more process would."""
    databases: list[Database] = []

    def open_it(keys: str = OLD, name: str = "xero") -> TokenStore:
        databases.append(open_database(url))
        return TokenStore(databases[-1], name, keys, clock)

    yield open_it
    for database in databases:
        database.engine.dispose()


def signed_in(tokens: TokenStore, clock: ManualClock, number: int = 1) -> TokenSet:
    now = clock.now()
    tokens.put(f"access-{number}", f"refresh-{number}", now, now + HALF_AN_HOUR)
    return loaded(tokens)


def renewed(tokens: TokenStore, known: TokenSet, clock: ManualClock, number: int) -> TokenSet:
    tokens.start_refresh(known)
    now = clock.now()
    tokens.finish_refresh(known, f"access-{number}", f"refresh-{number}", now, now + HALF_AN_HOUR)
    return loaded(tokens)


def loaded(tokens: TokenStore) -> TokenSet:
    found = tokens.load()
    assert found is not None
    return found


# -- one pair after the other ------------------------------------------------------------------------------------------


def test_where_nobody_signed_in_there_is_nothing(opened: Opened) -> None:
    assert opened().load() is None
    assert opened().peek() is None


def test_a_sign_in_is_kept_for_every_process(opened: Opened, clock: ManualClock) -> None:
    signed_in(opened(), clock)
    assert loaded(opened()) == TokenSet(
        generation=1, expires_at=START + HALF_AN_HOUR, refreshed_at=START, refresh_started_at=None, verified_at=None,
        refused=False, access="access-1", refresh="refresh-1", previous_refresh="",
    )  # fmt: skip


def test_two_apps_know_nothing_of_each_other(opened: Opened, clock: ManualClock) -> None:
    signed_in(opened(name="one"), clock)
    assert opened(name="other").load() is None
    with (
        opened(name="one").lock(0),
        opened(name="other").lock(0),
        pytest.raises(LockTimeoutError),
        opened(name="one").lock(0),
    ):
        raise AssertionError("entered")


def test_a_renewal_is_written_down_before_and_after_and_keeps_the_spent_token_until_the_new_one_worked(
    opened: Opened, clock: ManualClock
) -> None:
    tokens = opened()
    first = signed_in(tokens, clock)
    clock.sleep(1500)
    tokens.start_refresh(first)
    begun = loaded(opened())
    assert (begun.generation, begun.refresh) == (1, "refresh-1")
    assert begun.refresh_started_at == START + timedelta(minutes=25)

    clock.sleep(10)
    now = clock.now()
    tokens.finish_refresh(begun, "access-2", "refresh-2", now, now + HALF_AN_HOUR)
    second = loaded(opened())
    assert (second.generation, second.access, second.refresh) == (2, "access-2", "refresh-2")
    assert (second.previous_refresh, second.refresh_started_at, second.verified_at) == ("refresh-1", None, None)
    assert (second.refreshed_at, second.expires_at) == (now, now + HALF_AN_HOUR)

    clock.sleep(3)
    tokens.mark_verified(second)
    worked = loaded(opened())
    assert (worked.generation, worked.refresh, worked.previous_refresh) == (2, "refresh-2", "")
    assert worked.verified_at == now + timedelta(seconds=3)


def test_of_several_attempts_the_first_one_counts_as_the_beginning(opened: Opened, clock: ManualClock) -> None:
    tokens = opened()
    tokens.start_refresh(signed_in(tokens, clock))
    clock.sleep(60)
    tokens.start_refresh(loaded(tokens))
    assert loaded(tokens).refresh_started_at == START


def test_whoever_comes_late_with_an_older_pair_changes_nothing(opened: Opened, clock: ManualClock) -> None:
    tokens = opened()
    first = signed_in(tokens, clock)
    second = renewed(tokens, first, clock, 2)
    tokens.start_refresh(first)
    tokens.finish_refresh(first, "access-x", "refresh-x", START, START + HALF_AN_HOUR)
    tokens.mark_verified(first)
    tokens.mark_refused(first)
    assert loaded(tokens) == second


def test_a_new_consent_takes_the_place_of_whatever_was_there(opened: Opened, clock: ManualClock) -> None:
    tokens = opened()
    first = signed_in(tokens, clock)
    tokens.start_refresh(first)
    tokens.mark_refused(first)
    assert loaded(tokens).refused

    again = signed_in(tokens, clock, 2)
    assert (again.generation, again.access, again.refresh, again.previous_refresh) == (2, "access-2", "refresh-2", "")
    assert not again.refused
    assert again.refresh_started_at is None


def test_a_refused_sign_in_still_holds_its_refresh_token(opened: Opened, clock: ManualClock) -> None:
    tokens = opened()
    tokens.mark_refused(signed_in(tokens, clock))
    assert (loaded(tokens).refused, loaded(tokens).refresh) == (True, "refresh-1")


# -- keys --------------------------------------------------------------------------------------------------------------


def contents(store: StateStore, url: str) -> bytes:
    """Return everything that stands in the store, as bytes."""
    if url.startswith("sqlite"):
        folder = Path(url.removeprefix("sqlite:///")).parent
        return b"".join(path.read_bytes() for path in folder.iterdir())
    with store._engine.begin() as connection:
        return repr(connection.execute(select(oauth_token)).all()).encode()


def test_no_token_and_no_key_is_plain_to_read_in_the_store(
    opened: Opened, store: StateStore, url: str, clock: ManualClock
) -> None:
    tokens = opened()
    known = renewed(tokens, signed_in(tokens, clock), clock, 2)
    renewed(tokens, known, clock, 3)
    found = contents(store, url)
    assert b"gAAAA" in found
    for secret in (b"access-", b"refresh-1", b"refresh-2", b"refresh-3", OLD.encode()):
        assert secret not in found
    for word in ("access-", "refresh-", OLD):
        assert word not in repr(loaded(tokens))


def test_the_new_key_encrypts_and_the_old_one_still_opens_what_it_closed(opened: Opened, clock: ManualClock) -> None:
    known = signed_in(opened(OLD), clock)
    both = opened(f" {NEW} , {OLD},")
    assert loaded(both) == known
    second = renewed(both, known, clock, 2)
    with pytest.raises(TokenKeyError):
        opened(OLD).load()
    assert loaded(opened(NEW)) == second


def test_a_wrong_key_is_told_with_what_to_do(opened: Opened, clock: ManualClock) -> None:
    signed_in(opened(OLD), clock)
    with pytest.raises(TokenKeyError, match=r"TOKEN_KEY does not decrypt .* in .*login` again") as told:
        opened(NEW).load()
    assert told.value.__suppress_context__
    assert NEW not in str(told.value)
    assert opened(NEW).peek() is not None


def test_a_missing_key_is_told_with_how_to_make_one(opened: Opened, clock: ManualClock) -> None:
    assert opened("").load() is None
    with pytest.raises(TokenKeyError, match=r"TOKEN_KEY is not set.*--new-key"):
        signed_in(opened(""), clock)
    assert opened().peek() is None
    signed_in(opened(), clock)
    with pytest.raises(TokenKeyError, match="TOKEN_KEY is not set"):
        opened(" ,").load()


def test_what_is_no_key_is_told_without_repeating_it(opened: Opened) -> None:
    for keys in ("password", f"{OLD},short", OLD[:-1], f"{OLD} {NEW}", "é" * 44, OLD[:-1] + "/"):
        with pytest.raises(TokenKeyError, match="TOKEN_KEY is not a key of 44") as told:
            opened(keys)
        assert keys not in str(told.value)


def test_a_damaged_token_is_not_taken_for_another_one(opened: Opened, store: StateStore, clock: ManualClock) -> None:
    signed_in(opened(), clock)
    with store._engine.begin() as connection:
        forged = Fernet(NEW).encrypt(b"forged").decode()
        connection.execute(oauth_token.update().values(refresh=forged))
    with pytest.raises(TokenKeyError):
        opened().load()


# -- age ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("life", "use"), [(30, 25), (60, 55), (10, 5), (6, 3), (1, 0.5)])
def test_a_token_is_used_until_5_minutes_before_it_lapses_or_for_half_a_short_life(life: float, use: float) -> None:
    assert renew_at(START, START + timedelta(minutes=life)) == START + timedelta(minutes=use)


def test_a_pair_is_fresh_for_25_minutes_unless_its_renewal_was_left_unfinished(
    opened: Opened, clock: ManualClock
) -> None:
    tokens = opened()
    known = signed_in(tokens, clock)
    assert known.is_fresh(START + timedelta(minutes=24, seconds=59))
    assert not known.is_fresh(START + timedelta(minutes=25))
    tokens.start_refresh(known)
    assert not loaded(tokens).is_fresh(START)


def test_a_week_before_an_unused_sign_in_lapses_a_person_is_told(opened: Opened, clock: ManualClock) -> None:
    tokens = opened()
    known = signed_in(tokens, clock)
    in_time, soon, gone = (START + timedelta(days=days) for days in (52, 53, 60))
    assert known.warning(in_time) is None
    assert "expires on 2026-11-21 because it is unused" in str(known.warning(soon))
    assert "is no longer valid: run `shopify-xero login`" in str(known.warning(gone))

    clock.move_to(soon)
    assert renewed(tokens, known, clock, 2).warning(clock.now()) is None


def test_a_renewal_that_is_unfinished_after_the_30_minutes_of_grace_is_told(opened: Opened, clock: ManualClock) -> None:
    tokens = opened()
    tokens.start_refresh(signed_in(tokens, clock))
    known = opened("").peek()
    assert known is not None
    assert known.warning(START + timedelta(minutes=30)) is None
    late = str(known.warning(START + timedelta(minutes=31)))
    assert (
        "started at 2026-09-22 00:00 UTC and never finished: if the next call fails, run `shopify-xero login`" in late
    )


def test_a_refused_sign_in_is_told_without_its_key(opened: Opened, clock: ManualClock) -> None:
    tokens = opened()
    tokens.mark_refused(signed_in(tokens, clock))
    known = opened("").peek()
    assert known is not None
    assert known.warning(START) == "The sign-in to Xero is no longer valid: run `shopify-xero login`."
