"""Renewing a stored sign-in: one at a time, through a crash at every point, refusals, and no end of lost answers.

The sandbox's sign-in service plays Xero: a refresh token is spent by its first use and good for 30 minutes more.
"""

import random
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from shopify_xero_pipeline.clock import ManualClock
from shopify_xero_pipeline.sandbox.faults import Fault, FaultKind
from shopify_xero_pipeline.state.database import open_database
from shopify_xero_pipeline.state.store import StateStore
from shopify_xero_pipeline.state.tokens import SignIn, TokenKeyError, TokenSet, TokenStore, new_key
from shopify_xero_pipeline.xero import oauth_token
from shopify_xero_pipeline.xero.auth import IDENTITY_HOST, TokenEndpoint, XeroCredentials
from shopify_xero_pipeline.xero.client import XeroClient
from shopify_xero_pipeline.xero.errors import XeroConsentError, XeroSignInError, XeroUnavailableError
from shopify_xero_pipeline.xero.oauth_token import RefreshingToken
from shopify_xero_pipeline_tests.sandbox.xero.caller import Caller
from shopify_xero_pipeline_tests.support.postgres import Server

KEY = new_key()
MINUTE = 60
RENEW = r"consent must be renewed.*run `shopify-xero login`"
BEFORE_LOCK, BEGUN, UNSENT, EXECUTED, KEPT = "before the lock", "begun", "on the way", "answer lost", "kept"


class Killed(BaseException):
    """The process ends here."""


class Mortal(TokenStore):
    """A process's door to the tokens, in which it may be killed."""

    fatal = ""

    def lock(self, wait: int):  # type: ignore[no-untyped-def]
        self._die(BEFORE_LOCK)
        return super().lock(wait)

    def start_refresh(self, known: SignIn) -> None:
        super().start_refresh(known)
        self._die(BEGUN)

    def finish_refresh(self, known: TokenSet, *given) -> None:  # type: ignore[no-untyped-def]
        super().finish_refresh(known, *given)
        self._die(KEPT)

    def _die(self, point: str) -> None:
        if self.fatal == point:
            raise Killed(point)


class Wire(httpx.BaseTransport):
    """The way to the sandbox: notes what was asked of the sign-in service; on it a process may be killed."""

    def __init__(self, scene: "Scene", fatal: str) -> None:
        self._scene = scene
        self._fatal = fatal

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path != "/connect/token":
            return self._scene.xero.client._transport.handle_request(request)
        if self._fatal == UNSENT:
            raise Killed(UNSENT)
        self._scene.asked.append(dict(httpx.QueryParams(request.read().decode()))["refresh_token"])
        answer = self._scene.xero.client._transport.handle_request(request)
        if self._fatal == EXECUTED:
            raise Killed(EXECUTED)
        return answer


class Process:
    """One process that calls Xero."""

    def __init__(self, scene: "Scene", fatal: str = "", credentials: XeroCredentials | None = None) -> None:
        self.database = open_database(scene.url)
        self.tokens = Mortal(self.database, "xero", KEY, scene.clock)
        self.tokens.fatal = fatal
        self.http = httpx.Client(transport=Wire(scene, fatal))
        credentials = credentials or XeroCredentials("sandbox", "sandbox", scene.xero.books.tenant_id)
        self.token = RefreshingToken(
            TokenEndpoint(credentials, self.http, IDENTITY_HOST, scene.clock, random.Random(1)),
            self.tokens,
            scene.clock,
        )

    def call(self) -> int:
        """Call Xero as the client does: a refused token is renewed once. Return the status."""
        answer = self._sent()
        if answer.status_code == 401:
            self.token.renew(self.token.headers())
            answer = self._sent()
        if answer.status_code < 400:
            self.token.mark_verified()
        return answer.status_code

    def _sent(self) -> httpx.Response:
        return self.http.get("https://api.xero.com/api.xro/2.0/Organisation", headers=self._headers())

    def _headers(self) -> dict[str, str]:
        return {"Accept": "application/json", **self.token.headers()}


class Scene:
    """A sandbox, and a store in which somebody signed in just now; `asked` are the refresh tokens that were used."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.xero = Caller()
        self.clock: ManualClock = self.xero.clock
        self.asked: list[str] = []
        self._opened: list[Process] = []
        with closing(StateStore(url, self.clock)):
            pass
        first = self.xero.sandbox.sessions.grant_refresh_token()
        answer = self.xero.token(grant_type="refresh_token", refresh_token=first).json()
        self.first = answer["refresh_token"]
        now = self.clock.now()
        self.process().tokens.put(answer["access_token"], self.first, now, now + timedelta(minutes=30))

    def process(self, fatal: str = "", credentials: XeroCredentials | None = None) -> Process:
        self._opened.append(Process(self, fatal, credentials))
        return self._opened[-1]

    def stored(self) -> TokenSet:
        found = self.process().tokens.load()
        assert found is not None
        return found

    def is_good(self, refresh: str) -> bool:
        """Whether the sign-in service would still take a refresh token."""
        known = self.xero.books.refresh_tokens.get(refresh)
        if known is None:
            return False
        return known.used is None or self.clock.now() <= known.used + timedelta(minutes=30)

    def close(self) -> None:
        for process in self._opened:
            process.database.engine.dispose()


@pytest.fixture(params=["sqlite", "postgres"])
def scene(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Scene]:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/state.db"
    else:
        server: Server = request.getfixturevalue("postgres")
        url = server.new_schema()
    scene = Scene(url)
    yield scene
    scene.close()


IN_MAKE_TEST_ON_SQLITE = pytest.mark.parametrize(
    "scene", ["sqlite", pytest.param("postgres", marks=[pytest.mark.campaign, pytest.mark.long])], indirect=True
)
"""For every point and every pause; that nothing of it rests on SQLite's ways is seen by the other tests."""


# -- in peace ----------------------------------------------------------------------------------------------------------


def test_a_token_is_used_for_25_minutes_and_then_renewed_once_for_every_process(scene: Scene) -> None:
    processes = [scene.process() for _ in range(3)]
    for minutes in (0, 24):
        scene.clock.sleep(minutes * MINUTE)
        assert [process.call() for process in processes] == [200, 200, 200]
    assert scene.asked == []

    scene.clock.sleep(MINUTE)
    assert [process.call() for process in processes] == [200, 200, 200]
    assert scene.asked == [scene.first]
    assert scene.stored().generation == 2


def test_a_sign_in_lives_on_as_long_as_it_is_used(scene: Scene) -> None:
    process = scene.process()
    for _ in range(5):
        scene.clock.sleep(59 * 24 * 60 * MINUTE)
        assert process.call() == 200
    assert len(set(scene.asked)) == 5
    assert scene.stored().generation == 6


def test_the_spent_token_is_kept_until_the_new_pair_has_worked(scene: Scene) -> None:
    process = scene.process()
    scene.clock.sleep(25 * MINUTE)
    process.token.headers()
    assert (scene.stored().previous_refresh, scene.stored().verified_at) == (scene.first, None)
    assert process.call() == 200
    assert (scene.stored().previous_refresh, scene.stored().verified_at) == ("", scene.clock.now())


def test_a_token_that_was_refused_is_renewed_once_for_all_who_used_it(scene: Scene) -> None:
    one, two = scene.process(), scene.process()
    assert (one.call(), two.call()) == (200, 200)
    refused = one.token.headers()
    one.token.renew(refused)
    two.token.renew(refused)
    assert scene.asked == [scene.first]
    assert one.token.headers() == two.token.headers()


def test_a_refused_token_that_another_thread_has_replaced_is_not_renewed_again(scene: Scene) -> None:
    process = scene.process()
    assert process.call() == 200
    refused = process.token.headers()
    process.token.renew(refused)
    process.token.renew(refused)
    assert scene.asked == [scene.first]


def test_an_answer_that_is_no_success_proves_nothing(scene: Scene) -> None:
    scene.clock.sleep(25 * MINUTE)
    scene.xero.sandbox.sessions.connected = False
    assert scene.process().call() == 403
    assert scene.stored().verified_at is None


def test_the_client_signs_in_by_consent_and_takes_note_of_the_first_success(scene: Scene) -> None:
    process = scene.process()
    with closing(
        XeroClient(
            XeroCredentials("sandbox", "sandbox", scene.xero.books.tenant_id),
            clock=scene.clock,
            transport=Wire(scene, ""),
            tokens=process.tokens,
        )
    ) as client:
        assert client.get("/Organisation")["Organisations"]
        assert scene.stored().verified_at == scene.clock.now()
        scene.clock.sleep(26 * MINUTE)
        assert client.get("/Organisation")["Organisations"]
    assert scene.asked == [scene.first]
    assert scene.stored().previous_refresh == ""


# -- killed ------------------------------------------------------------------------------------------------------------


def killed(scene: Scene, point: str) -> None:
    """Let a process die at a point of a renewal that is due."""
    scene.clock.sleep(25 * MINUTE)
    with pytest.raises(Killed, match=point):
        scene.process(point).call()


@IN_MAKE_TEST_ON_SQLITE
@pytest.mark.parametrize("minutes", [0, 1, 4, 6, 29, 31, 24 * 60])
@pytest.mark.parametrize("point", [BEFORE_LOCK, BEGUN, UNSENT])
def test_killed_before_anything_was_sent_the_next_process_renews_whenever_it_comes(
    scene: Scene, point: str, minutes: int
) -> None:
    killed(scene, point)
    assert scene.asked == []
    assert scene.stored().refresh_started_at == (None if point == BEFORE_LOCK else scene.clock.now())

    scene.clock.sleep(minutes * MINUTE)
    assert scene.process().call() == 200
    assert scene.asked == [scene.first]
    assert scene.stored().refresh_started_at is None


@IN_MAKE_TEST_ON_SQLITE
@pytest.mark.parametrize("minutes", [0, 1, 4, 6, 29])
def test_killed_before_the_answer_was_kept_the_next_process_asks_with_the_old_token_within_its_grace(
    scene: Scene, minutes: int
) -> None:
    killed(scene, EXECUTED)
    scene.clock.sleep(minutes * MINUTE)
    assert scene.process().call() == 200
    assert scene.asked == [scene.first, scene.first]
    kept = scene.stored()
    assert (kept.generation, kept.refresh_started_at, kept.previous_refresh) == (2, None, "")
    assert scene.is_good(kept.refresh)
    assert kept.warning(scene.clock.now()) is None


def test_after_the_grace_a_person_is_asked_to_sign_in_and_xero_is_not_asked_again(scene: Scene) -> None:
    killed(scene, EXECUTED)
    scene.clock.sleep(31 * MINUTE)
    assert "never finished" in str(scene.stored().warning(scene.clock.now()))
    for process in (scene.process(), scene.process()):
        for _ in range(3):
            with pytest.raises(XeroConsentError, match=RENEW):
                process.call()
    assert scene.asked == [scene.first, scene.first]
    assert "is no longer valid" in str(scene.stored().warning(scene.clock.now()))


@IN_MAKE_TEST_ON_SQLITE
@pytest.mark.parametrize("minutes", [0, 24, 26, 31, 24 * 60])
def test_killed_after_the_pair_was_kept_the_next_process_goes_on_with_it(scene: Scene, minutes: int) -> None:
    killed(scene, KEPT)
    second = scene.stored()
    assert (second.generation, second.previous_refresh) == (2, scene.first)

    scene.clock.sleep(minutes * MINUTE)
    assert scene.process().call() == 200
    assert scene.asked == [scene.first] + ([second.refresh] if minutes >= 25 else [])
    assert scene.stored().verified_at == scene.clock.now()


def test_killed_again_and_again_within_the_grace_the_sign_in_is_not_lost(scene: Scene) -> None:
    killed(scene, EXECUTED)
    for point in (BEFORE_LOCK, EXECUTED, BEGUN, UNSENT, EXECUTED):
        scene.clock.sleep(5 * MINUTE)
        with pytest.raises(Killed):
            scene.process(point).call()
        assert scene.is_good(scene.stored().refresh)
    scene.clock.sleep(4 * MINUTE)
    assert scene.process().call() == 200


def test_an_unfinished_renewal_is_finished_by_the_next_process_although_its_token_is_still_good(scene: Scene) -> None:
    process = scene.process(EXECUTED)
    assert process.call() == 200
    with pytest.raises(Killed):
        process.token.renew(process.token.headers())
    assert scene.process().call() == 200
    assert scene.asked == [scene.first, scene.first]


# -- refused and unanswered --------------------------------------------------------------------------------------------


def test_a_refused_pair_is_tried_with_the_token_before_it_once(scene: Scene) -> None:
    killed(scene, KEPT)
    second = scene.stored()
    del scene.xero.books.refresh_tokens[second.refresh]
    scene.clock.sleep(26 * MINUTE)
    assert scene.process().call() == 200
    assert scene.asked == [scene.first, second.refresh, scene.first]
    assert (scene.stored().generation, scene.stored().previous_refresh) == (3, "")


def test_when_neither_token_is_accepted_nobody_tries_again(scene: Scene) -> None:
    killed(scene, KEPT)
    second = scene.stored()
    scene.xero.books.refresh_tokens.clear()
    scene.clock.sleep(26 * MINUTE)
    for _ in range(3):
        with pytest.raises(XeroConsentError, match=RENEW) as told:
            scene.process().call()
        assert second.refresh not in str(told.value)
    assert scene.asked == [scene.first, second.refresh, scene.first]
    assert scene.stored().refused


def test_a_new_consent_ends_the_alarm(scene: Scene) -> None:
    waiting = scene.process()
    scene.clock.sleep(25 * MINUTE)
    scene.xero.books.refresh_tokens.clear()
    with pytest.raises(XeroConsentError):
        waiting.call()

    given = scene.xero.sandbox.sessions.grant_refresh_token()
    answer = scene.xero.token(grant_type="refresh_token", refresh_token=given).json()
    now = scene.clock.now()
    scene.process().tokens.put(answer["access_token"], answer["refresh_token"], now, now + timedelta(minutes=30))
    assert waiting.call() == 200


def test_a_refused_token_that_somebody_else_has_replaced_meanwhile_is_no_alarm(scene: Scene) -> None:
    """As after a lock that was lost: the session of Postgres ended, the file lies on another host."""
    process, other = scene.process(), scene.process()
    scene.clock.sleep(25 * MINUTE)
    begin = process.tokens.start_refresh

    def overtaken(known: SignIn) -> None:
        begin(known)
        other.tokens.finish_refresh(*renewed_by_another(scene))
        del scene.xero.books.refresh_tokens[scene.first]

    process.tokens.start_refresh = overtaken  # type: ignore[method-assign]
    assert process.call() == 200
    assert scene.asked == [scene.first]
    assert scene.stored().generation == 2


def renewed_by_another(scene: Scene) -> tuple[TokenSet, str, str, object, object]:
    answer = scene.xero.token(grant_type="refresh_token", refresh_token=scene.first).json()
    now = scene.clock.now()
    return scene.stored(), answer["access_token"], answer["refresh_token"], now, now + timedelta(minutes=30)


@pytest.mark.parametrize(
    "kind", [FaultKind.UNREACHABLE, FaultKind.DROP_BEFORE, FaultKind.DROP_AFTER, FaultKind.SERVER_ERROR_AFTER_COMMIT]
)
def test_a_lost_answer_is_asked_for_again_at_once(scene: Scene, kind: FaultKind) -> None:
    scene.clock.sleep(25 * MINUTE)
    scene.xero.faults.add(Fault(kind=kind, path="/connect/token", times=2))
    assert scene.process().call() == 200
    assert set(scene.asked) == {scene.first}
    assert len(scene.asked) == 3


def test_while_the_sign_in_service_is_down_nothing_is_lost(scene: Scene) -> None:
    scene.clock.sleep(25 * MINUTE)
    began = scene.clock.now()
    outage = Fault(kind=FaultKind.UNREACHABLE, path="/connect/token", times=None)
    scene.xero.faults.add(outage)
    for _ in range(4):
        with pytest.raises(XeroUnavailableError, match="cannot be reached"):
            scene.process().call()
        scene.clock.sleep(20 * MINUTE)
    assert scene.stored().refresh_started_at == began
    scene.xero.faults.clear()
    assert scene.process().call() == 200


def test_a_wrong_secret_is_told_and_costs_neither_token_nor_consent(scene: Scene) -> None:
    scene.clock.sleep(25 * MINUTE)
    wrong = scene.process(credentials=XeroCredentials("sandbox", "wrong", scene.xero.books.tenant_id))
    with pytest.raises(XeroSignInError, match=r"does not accept the app \(invalid_client\)\. Check XERO_CLIENT_ID and"):
        wrong.call()
    assert scene.process().call() == 200


def test_without_a_sign_in_and_with_another_key_a_person_is_told_what_to_do(scene: Scene) -> None:
    process = scene.process()
    process.token._tokens = TokenStore(process.database, "another app", KEY, scene.clock)
    with pytest.raises(XeroConsentError, match="There is no sign-in to Xero yet: run `shopify-xero login`"):
        process.token.headers()
    process.token._tokens = TokenStore(process.database, "xero", new_key(), scene.clock)
    with pytest.raises(TokenKeyError):
        process.token.headers()
    assert scene.asked == []


def test_an_app_without_a_secret_names_itself_in_the_form(scene: Scene) -> None:
    scene.clock.sleep(25 * MINUTE)
    scene.xero.options.client_secret = ""
    assert scene.process(credentials=XeroCredentials("sandbox", "", scene.xero.books.tenant_id)).call() == 200


# -- one at a time -----------------------------------------------------------------------------------------------------


def test_while_somebody_renews_others_wait_and_are_told_if_it_takes_too_long(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oauth_token, "MAX_REFRESH_SECONDS", 1)
    scene.clock.sleep(25 * MINUTE)
    late = pytest.raises(XeroUnavailableError, match=r"Another process is renewing.*has not finished in 1 s")
    with scene.process().tokens.lock(0), late:
        scene.process().call()
    assert scene.asked == []


def test_of_many_at_once_one_renews(scene: Scene) -> None:
    scene.clock.sleep(25 * MINUTE)
    statuses: list[object] = []
    start = threading.Barrier(6)

    def call(process: Process) -> None:
        start.wait()
        try:
            statuses.append(process.call())
        except Exception as problem:
            statuses.append(problem)

    threads = [threading.Thread(target=call, args=(scene.process(),)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 6
    assert scene.asked == [scene.first]
