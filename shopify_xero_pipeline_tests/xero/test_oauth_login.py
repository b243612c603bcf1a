"""Signing in to Xero in a browser: the way there and back, who is turned away, what the sign-in is then used for."""

import json
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from click.testing import CliRunner

from shopify_xero_pipeline import cli
from shopify_xero_pipeline.sandbox.faults import Fault, FaultKind
from shopify_xero_pipeline.sandbox.transport import InProcessTransport
from shopify_xero_pipeline.settings import SettingsError
from shopify_xero_pipeline.state.tokens import TokenKeyError, TokenSet, TokenStore, new_key
from shopify_xero_pipeline.xero.auth import XeroCredentials
from shopify_xero_pipeline.xero.errors import XeroConsentError, XeroDeniedError, XeroSignInError, XeroUnavailableError
from shopify_xero_pipeline.xero.oauth_login import Login, LoginResult, ReachableOrganisation
from shopify_xero_pipeline_tests.cli.test_cli import on_stage
from shopify_xero_pipeline_tests.support.stage import ADDRESS, Stage, at, staged
from shopify_xero_pipeline_tests.support.sync_round import FIRST

OTHER = {"id": "1", "tenantId": "other-tenant", "tenantType": "ORGANISATION", "tenantName": "Other Ltd"}
PRACTICE = {"id": "2", "tenantId": "practice", "tenantType": "PRACTICEMANAGER", "tenantName": "Accountants"}


class Browser:
    """Opens the address it is told, and follows Xero back to the callback. It gives up by letting time pass."""

    def __init__(self, stage: Stage, meddle: Callable[[str], str] = lambda back: back) -> None:
        self.told: list[str] = []
        self.shown: list[httpx.Response] = []
        self._stage = stage
        self._meddle = meddle
        self._xero = httpx.Client(transport=InProcessTransport(stage.sandbox.asgi))

    def tell(self, words: str) -> None:
        self.told.append(words)
        found = re.search(r"http\S+/authorize\S+", words)
        if found is not None:
            threading.Thread(target=self._visit, args=(found.group(),), daemon=True).start()

    @property
    def asked(self) -> dict[str, str]:
        (address,) = re.findall(r"http\S+/authorize\S+", self.told[0])
        return dict(parse_qsl(urlsplit(address).query))

    def _visit(self, address: str) -> None:
        try:
            back = self._meddle(self._xero.get(address).headers["Location"])
            self.open(back)
        except BaseException:
            self.give_up()
            raise

    def open(self, address: str) -> None:
        self.shown.append(httpx.get(address, trust_env=False))

    def give_up(self) -> None:
        self._stage.clock.sleep(601)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with staged(tmp_path, at(FIRST + timedelta(days=1)), TOKEN_KEY=new_key()) as stage:
        yield stage


def signed_in(stage: Stage, meddle: Callable[[str], str] = lambda back: back) -> LoginResult:
    return stage.sync_service.connections.login(0, Browser(stage, meddle).tell)


def kept(stage: Stage) -> TokenSet | None:
    return stage.sync_service.connections._tokens.load()


def reaches(stage: Stage, *organisations: dict[str, str]) -> None:
    """Let the sign-in reach other organisations than the sandbox's one."""
    rule = Fault(kind=FaultKind.ANSWER, path="/connections", times=None, status=200, answer=json.dumps(organisations))
    stage.sandbox.faults.add(rule)


# -- there and back ----------------------------------------------------------------------------------------------------


def test_a_person_signs_in_and_xero_is_used_in_their_name_from_then_on(stage: Stage) -> None:
    with pytest.raises(XeroConsentError, match="There is no sign-in to Xero yet: run `shopify-xero login`"):
        stage.sync_service.connections.organisation()

    browser = Browser(stage)
    found = stage.sync_service.connections.login(0, browser.tell)

    tenant = stage.sandbox.books.tenant_id
    assert found.organisations == (ReachableOrganisation(tenant, "Demo Company (NZ)"),)
    assert (found.tenant_id, found.lapses_at) == (tenant, stage.clock.now() + timedelta(days=60))
    assert found.verdict.startswith("Signed in. The sign-in expires on 2026-11-21 unless")
    assert [(page.status_code, page.text) for page in browser.shown] == [
        (200, "Thank you. Close this window and go back to the terminal.")
    ]
    assert browser.asked["scope"].split()[:2] == ["offline_access", "accounting.contacts"]
    assert browser.asked["redirect_uri"].startswith("http://localhost:")
    assert f"redirect URI is {browser.asked['redirect_uri']}" in browser.told[1]
    assert "code_challenge" not in browser.asked

    assert stage.restart().connections.organisation().name == "Demo Company (NZ)"
    assert stage.sync_service.connections.sign_in_warning() is None
    assert len(stage.sandbox.books.refresh_tokens) == 1


def test_the_address_is_xeros_own_where_there_is_no_sandbox(stage: Stage, tmp_path: Path) -> None:
    told: list[str] = []

    def tell(words: str) -> None:
        told.append(words)
        stage.clock.sleep(601)

    credentials = XeroCredentials("app", "hidden")
    with pytest.raises(XeroConsentError, match="Consent was not given within 10 minutes"):
        Login(credentials, stage.sync_service.connections._tokens, stage.clock).run(0, tell)
    assert "https://login.xero.com/identity/connect/authorize?response_type=code&client_id=app&" in told[0]
    assert "hidden" not in "".join(told)


def test_an_app_without_a_secret_proves_with_pkce_who_it_is(stage: Stage) -> None:
    stage.sandbox._xero.state.xero.options.client_secret = ""  # type: ignore[attr-defined]
    browser, tokens = Browser(stage), stage.sync_service.connections._tokens
    transport = InProcessTransport(stage.sandbox.asgi)
    login = Login(XeroCredentials("sandbox", ""), tokens, stage.clock, base_url=ADDRESS, transport=transport)
    assert login.run(0, browser.tell).tenant_id == stage.sandbox.books.tenant_id
    assert (browser.asked["code_challenge_method"], len(browser.asked["code_challenge"])) == ("S256", 43)


def test_two_sign_ins_are_not_alike(stage: Stage) -> None:
    one, other = Browser(stage), Browser(stage)
    stage.sync_service.connections.login(0, one.tell)
    stage.sync_service.connections.login(0, other.tell)
    assert one.asked["state"] != other.asked["state"]
    assert len(one.asked["state"]) == 43
    found = kept(stage)
    assert found is not None
    assert found.generation == 2


def test_whoever_comes_with_another_state_is_turned_away_and_the_waiting_goes_on(stage: Stage) -> None:
    pages: list[tuple[int, str]] = []

    def meddle(back: str) -> str:
        parts = urlsplit(back)
        for wrong in (f"{parts.path}?code=stolen&state=guessed", f"{parts.path}?code=stolen", "/favicon.ico"):
            page = httpx.get(f"http://{parts.netloc}{wrong}", trust_env=False)
            pages.append((page.status_code, page.text))
        with socket.create_connection(("127.0.0.1", int(parts.port or 0))) as line:
            line.sendall(b"\x16\x03\x01 no HTTP at all\r\n\r\n")
            line.recv(1000)
        return back

    assert signed_in(stage, meddle).tenant_id
    assert [status for status, _ in pages] == [400, 400, 404]
    assert "was not started here" in pages[0][1]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("error=access_denied", r"Consent was not given \(access_denied\)\. Run"),
        ("error=<b>", r"Consent was not given\. Run"),
        ("", r"Consent was not given\. Run"),
    ],
)
def test_a_person_who_says_no_ends_the_sign_in(stage: Stage, answer: str, said: str) -> None:
    def refused(back: str) -> str:
        return re.sub(r"\?code=.*&state=", f"?{answer}&state=", back)

    with pytest.raises(XeroConsentError, match=said):
        signed_in(stage, refused)
    assert kept(stage) is None


def test_a_code_that_was_used_before_is_told(stage: Stage) -> None:
    def replaced(back: str) -> str:
        return re.sub(r"code=[^&]*", "code=spent", back)

    with pytest.raises(XeroConsentError, match=r"no longer accepts its code \(invalid_grant\)"):
        signed_in(stage, replaced)


def test_a_wrong_secret_is_told(stage: Stage) -> None:
    stage.environ["XERO_CLIENT_SECRET"] = "not-the-secret"
    stage.restart()
    with pytest.raises(XeroSignInError, match=r"does not accept the app \(invalid_client\)"):
        signed_in(stage)


def test_an_answer_without_a_refresh_token_is_no_sign_in(stage: Stage) -> None:
    answer = json.dumps({"access_token": "a", "expires_in": 1800})
    stage.sandbox.faults.add(Fault(kind=FaultKind.ANSWER, path="/connect/token", status=200, answer=answer))
    with pytest.raises(XeroConsentError, match="no refresh token: allow the app the scope offline_access"):
        signed_in(stage)
    assert kept(stage) is None


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_the_way_back_is_taken_on_the_address_that_is_asked_for(stage: Stage, host: str) -> None:
    browser = Browser(stage)
    assert stage.sync_service.connections.login(0, browser.tell, host=host).tenant_id == stage.sandbox.books.tenant_id


def test_a_port_that_is_taken_is_told(stage: Stage) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(SettingsError, match=r"with another --port"):
        stage.sync_service.connections.login(taken.getsockname()[1], lambda _: None)


@pytest.mark.parametrize(
    ("status", "answer"), [(200, "<html>"), (200, '[{"tenantType": "ORGANISATION"}]'), (200, "[1]"), (500, "[]")]
)
def test_the_sign_in_is_kept_although_xero_does_not_say_what_it_reaches(stage: Stage, status: int, answer: str) -> None:
    stage.sandbox.faults.add(Fault(kind=FaultKind.ANSWER, path="/connections", status=status, answer=answer))
    with pytest.raises(XeroUnavailableError, match="The sign-in is stored, but Xero did not list"):
        signed_in(stage)
    assert kept(stage) is not None


# -- which organisation ------------------------------------------------------------------------------------------------


def test_of_several_organisations_a_person_chooses(stage: Stage) -> None:
    tenant = stage.sandbox.books.tenant_id
    mine = {**OTHER, "tenantId": tenant, "tenantName": "Mine"}
    reaches(stage, OTHER, PRACTICE, mine)
    found = signed_in(stage)
    assert found.organisations == (
        ReachableOrganisation("other-tenant", "Other Ltd"),
        ReachableOrganisation(tenant, "Mine"),
    )
    assert found.tenant_id is None
    assert found.verdict == "Set XERO_TENANT_ID to the id of the organisation for these books."
    stage.restart()
    with pytest.raises(SettingsError, match=r"XERO_TENANT_ID is not set.*`shopify-xero login` lists them"):
        stage.sync_service.connections.organisation()

    stage.environ["XERO_TENANT_ID"] = tenant
    assert stage.restart().connections.organisation().name == "Demo Company (NZ)"
    assert signed_in(stage).tenant_id == tenant
    stage.environ["XERO_TENANT_ID"] = "neither"
    stage.restart()
    assert signed_in(stage).tenant_id is None


def test_a_sign_in_that_reaches_nothing_is_told(stage: Stage) -> None:
    reaches(stage, PRACTICE)
    found = signed_in(stage)
    assert (found.organisations, found.tenant_id) == ((), None)
    assert "has access to no organisation" in found.verdict


def test_after_another_sign_in_what_is_known_of_one_organisation_is_not_taken_for_the_other(stage: Stage) -> None:
    signed_in(stage)
    stage.restart().connections.organisation()
    reaches(stage, OTHER)
    signed_in(stage)
    stage.sandbox.faults.clear()
    with pytest.raises(XeroDeniedError, match="XERO_TENANT_ID"):
        stage.restart().connections.organisation()


# -- which way to sign in ----------------------------------------------------------------------------------------------


def test_without_a_key_and_a_sign_in_the_app_is_a_custom_connection(stage: Stage) -> None:
    stage.environ["TOKEN_KEY"] = ""
    assert stage.restart().connections.organisation().name == "Demo Company (NZ)"
    assert stage.sandbox.books.refresh_tokens == {}


def test_a_sign_in_is_not_forgotten_with_its_key(stage: Stage) -> None:
    signed_in(stage)
    stage.environ["TOKEN_KEY"] = ""
    with pytest.raises(TokenKeyError, match="TOKEN_KEY is not set"):
        stage.restart().connections.organisation()
    with pytest.raises(
        SettingsError, match="and TOKEN_KEY must be set: `shopify-xero login --new-key` generates a key"
    ):
        signed_in(stage)
    assert stage.sync_service.connections.sign_in_warning() is None


def test_another_app_has_a_sign_in_of_its_own(stage: Stage) -> None:
    signed_in(stage)
    stage.environ |= {"TOKEN_KEY": "", "XERO_CLIENT_ID": "other"}
    with pytest.raises(XeroSignInError, match="custom connection is authorised"):
        stage.restart().connections.organisation()


# -- the command -------------------------------------------------------------------------------------------------------


def test_the_command_makes_a_key_that_will_do(stage: Stage) -> None:
    result = CliRunner().invoke(cli.main, ["login", "--new-key"])
    assert result.exit_code == 0
    key = result.stdout.strip()
    assert CliRunner().invoke(cli.main, ["login", "--new-key"]).stdout.strip() != key
    TokenStore(stage.sync_service.connections._tokens._database, "xero", key, stage.clock)


@contextmanager
def person_before(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the command run on the stage, with a person who opens the address it shows."""
    browser, login = Browser(stage), stage.sync_service.connections.login

    def watched(port: int, tell: Callable[[str], None], *, host: str) -> LoginResult:
        def both(words: str) -> None:
            tell(words)
            browser.tell(words)

        return login(port, both, host=host)

    monkeypatch.setattr(stage.sync_service.connections, "login", watched)
    with on_stage(stage, monkeypatch):
        yield


def test_the_command_shows_the_address_and_what_was_reached(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    with person_before(stage, monkeypatch):
        result = CliRunner().invoke(cli.main, ["login", "--port", "0", "--json", "-"])
    tenant = stage.sandbox.books.tenant_id
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == {
        "organisations": [{"tenant_id": tenant, "name": "Demo Company (NZ)"}],
        "tenant_id": tenant,
        "lapses_at": "2026-11-21 00:00:00+00:00",
    }
    assert f"{ADDRESS}/identity/connect/authorize?" in result.stderr
    assert "Signed in. The sign-in expires on 2026-11-21" in result.stderr
    found = kept(stage)
    assert found is not None
    for secret in (found.access, found.refresh, "sandbox:sandbox"):
        assert secret not in result.output


def test_the_command_names_all_of_several_organisations_and_says_what_to_set(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    reaches(stage, OTHER, {**OTHER, "tenantId": "twin-tenant"})
    with person_before(stage, monkeypatch):
        result = CliRunner().invoke(cli.main, ["login", "--port", "0"])
    assert result.exit_code == 2
    assert re.findall(r"Other Ltd +(\S+)", result.output) == ["other-tenant", "twin-tenant"]
    assert "Set XERO_TENANT_ID" in result.stderr


def test_the_command_says_what_is_missing(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.environ["TOKEN_KEY"] = ""
    stage.restart()
    with on_stage(stage, monkeypatch):
        result = CliRunner().invoke(cli.main, ["login"])
    assert result.exit_code == 2
    assert result.stderr.startswith("shopify-xero: To sign in, XERO_CLIENT_ID of your app")


def test_status_warns_of_a_sign_in_that_is_about_to_lapse(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    signed_in(stage)
    with on_stage(stage, monkeypatch):
        assert "sign-in to Xero" not in CliRunner().invoke(cli.main, ["status"]).output
        stage.clock.sleep(54 * 86_400)
        assert (
            "sign-in to Xero          The sign-in to Xero expires on" in CliRunner().invoke(cli.main, ["status"]).output
        )
