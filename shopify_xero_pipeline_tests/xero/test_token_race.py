"""Eight real processes share one sign-in: one renewal for each time it lapses, none refused, also under SIGKILL."""

from pathlib import Path

import pytest

from shopify_xero_pipeline_tests.support.postgres import Server
from shopify_xero_pipeline_tests.xero.token_race import race

pytestmark = [pytest.mark.campaign, pytest.mark.long]


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/state.db"
    server: Server = request.getfixturevalue("postgres")
    return server.new_schema()


def test_one_of_many_processes_renews_and_no_spent_token_is_ever_used(url: str, tmp_path: Path) -> None:
    found = race(url, tmp_path, renewals=10)
    assert found.failures == []
    assert (found.spent, found.refused) == (0, 0)
    assert found.kept is not None
    assert found.kept.generation == found.renewals + 1
    # A token is renewed after one minute, or when it was answered 401.
    assert 10 <= found.renewals <= found.minutes + found.lapsed + 1
    assert found.calls > 50


def test_processes_that_are_killed_while_they_renew_lose_no_sign_in(url: str, tmp_path: Path) -> None:
    found = race(url, tmp_path, renewals=10, share=0.6)
    assert found.failures == []
    assert found.refused == 0
    assert found.kills >= 2
    assert found.spent <= found.kills
    assert found.kept is not None
    assert not found.kept.refused
    assert found.renewals - found.kills <= found.kept.generation - 1 <= found.renewals
