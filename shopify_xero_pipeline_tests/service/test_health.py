"""`/health` tells the truth: each part is broken in turn, named with what to do, and well again when it is mended."""

import platform
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import httpx
import pytest
from dagster._daemon.types import DaemonHeartbeat

from shopify_xero_pipeline.clock import ManualClock
from shopify_xero_pipeline.defs import daemon_health
from shopify_xero_pipeline.pipeline.connections import Connections
from shopify_xero_pipeline.sandbox.app import build_sandbox
from shopify_xero_pipeline.sandbox.faults import Fault, FaultKind
from shopify_xero_pipeline.sandbox.shop_generator import GeneratedShop
from shopify_xero_pipeline.sandbox.transport import InProcessTransport
from shopify_xero_pipeline.service.body_reader import Limits
from shopify_xero_pipeline.service.command import build
from shopify_xero_pipeline.service.health import Health, HealthStatus, PolledCheck
from shopify_xero_pipeline.settings import Settings
from shopify_xero_pipeline.state.records import BatchRequest, OperationState, PlannedWrite
from shopify_xero_pipeline_tests.service.sending import NOW, sqlite

ADDRESS = "http://127.0.0.1:9"
PARTS = {"shopify", "xero", "state_store", "unsettled_writes", "clock", "dagster_daemon"}
MINUTE, TEN = 60, 600


class Watched:
    """A service before a sandbox, with a daemon that is heard of, all on one clock."""

    def __init__(self, folder: Path, instance: dg.DagsterInstance, **environ: str) -> None:
        self.folder, self.instance, self.clock = folder, instance, ManualClock(NOW)
        self.sandbox = build_sandbox(clock=self.clock, source=GeneratedShop(1))
        transport = InProcessTransport(self.sandbox.asgi)
        given = {"SHOPIFY_BASE_URL": ADDRESS, "XERO_BASE_URL": ADDRESS, "STATE_URL": sqlite(folder), **environ}
        settings = Settings.from_environment(given, dotenv=None)
        self.connections = Connections(settings, self.clock, shopify_transport=transport, xero_transport=transport)
        daemon = daemon_health.check_daemon(instance, self.clock)
        self.service = build(self.connections, settings, daemon, self.clock, Limits())
        self.client = httpx.Client(transport=InProcessTransport(self.service.app()), base_url="http://service")

    def wait(self, seconds: float) -> None:
        """Let time pass while the daemon lives."""
        self.clock.sleep(seconds)
        self.beat()

    def beat(self, **only: bool) -> None:
        for name in self.instance.get_required_daemon_types():
            if only.get(name, True):
                self.instance.add_daemon_heartbeat(DaemonHeartbeat(self.clock.now().timestamp(), name, "one"))

    def health(self) -> tuple[int, dict[str, Any]]:
        answer = self.client.get("/health")
        found = answer.json()
        assert found["parts"].keys() == PARTS
        assert found["healthy"] == (answer.status_code == 200)
        assert found["healthy"] == all(part["ok"] for part in found["parts"].values())
        return answer.status_code, found["parts"]

    def broken(self) -> dict[str, str]:
        """What is not well, in words; everything else is."""
        return {name: part["message"] for name, part in self.health()[1].items() if not part["ok"]}

    def calls(self) -> tuple[int, int]:
        return self.connections.calls

    def fault(self, path: str, **other: Any) -> None:
        self.sandbox.faults.add(Fault(**{"kind": FaultKind.ANSWER, "path": path, "times": None, **other}))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dg.DagsterInstance]:
    """An instance on disk: one in memory needs no daemon."""
    with dg.DagsterInstance.local_temp(str(tmp_path_factory.mktemp("home"))) as instance:
        yield instance


@pytest.fixture
def instance(home: dg.DagsterInstance) -> dg.DagsterInstance:
    home.wipe_daemon_heartbeats()
    return home


@contextmanager
def watching(folder: Path, instance: dg.DagsterInstance, **environ: str) -> Iterator[Watched]:
    made = Watched(folder, instance, **environ)
    made.beat()
    try:
        yield made
    finally:
        made.client.close()
        made.connections.close()


@pytest.fixture
def watched(tmp_path: Path, instance: dg.DagsterInstance) -> Iterator[Watched]:
    with watching(tmp_path, instance) as made:
        yield made


def test_when_all_is_well_every_part_says_so_and_since_when(watched: Watched) -> None:
    status, parts = watched.health()
    assert status == 200
    assert {name: part["message"] for name, part in parts.items()} == {
        "shopify": "Shopify accepts the credentials: sandbox.myshopify.com, Pacific/Auckland.",
        "xero": "Xero accepts the credentials: Demo Company (NZ).",
        "state_store": f"The state store {sqlite(watched.folder)} is readable and writable.",
        "unsettled_writes": "The outcome of every write is known.",
        "clock": "The clock agrees with Xero's to within a minute.",
        "dagster_daemon": "The Dagster daemon is alive.",
    }
    assert {part["since"] for part in parts.values()} == {NOW.isoformat()}


def test_whoever_polls_causes_no_calls(watched: Watched) -> None:
    watched.health()
    first = watched.calls()
    for _ in range(9):
        watched.wait(MINUTE)
        assert watched.broken() == {}
    assert watched.calls() == first
    watched.wait(MINUTE)
    assert watched.broken() == {}
    assert watched.calls() == (first[0] + 1, first[1] + 1)


def test_an_answer_is_kept_for_a_minute(watched: Watched) -> None:
    assert watched.broken() == {}
    watched.clock.sleep(59)
    before = watched.client.get("/health").json()["checked_at"]
    watched.clock.sleep(1)
    assert before == NOW.isoformat()
    assert watched.client.get("/health").json()["checked_at"] == (NOW + timedelta(seconds=60)).isoformat()


@pytest.mark.parametrize(
    ("part", "fault", "says"),
    [
        ("shopify", {"path": "/admin/api", "status": 401}, "Shopify"),
        ("shopify", {"path": "/admin/api", "status": 402, "answer": "{}"}, "sandbox.myshopify.com|shop"),
        ("shopify", {"path": "/admin/", "kind": FaultKind.UNREACHABLE}, "could not be reached .*Check the network"),
        ("xero", {"path": "/Organisation", "status": 401}, r"does not allow this connection to GET /Organisation"),
        ("xero", {"path": "/Organisation", "status": 403}, "Check XERO_TENANT_ID"),
        ("xero", {"path": "/Organisation", "status": 503}, "Reading /Organisation failed: status 503. Try again later"),
        ("xero", {"path": "/Organisation", "kind": FaultKind.UNREACHABLE}, "Reading /Organisation failed: no response"),
        ("xero", {"path": "/Organisation", "status": 200, "answer": '{"Organisations":[]}'},
         "returned no organisation"),
        ("xero", {"path": "/Organisation", "status": 200, "answer": "<html>"}, "the response was not JSON"),
    ],
)  # fmt: skip
def test_an_api_that_does_not_let_us_in_or_does_not_answer_is_told_and_its_recovery_too(
    watched: Watched, part: str, fault: dict[str, Any], says: str
) -> None:
    assert watched.broken() == {}
    watched.fault(**fault)
    watched.wait(TEN)
    broken_at = watched.clock.now()
    (told,) = watched.broken().items()
    assert told[0] == part
    assert re.search(says, told[1]), told[1]
    since = datetime.fromisoformat(watched.health()[1][part]["since"])
    assert broken_at <= since <= watched.clock.now()

    watched.sandbox.faults.clear()
    watched.wait(1_000)
    assert watched.broken() == {}


def test_credentials_that_are_not_accepted_are_told_for_each_side(watched: Watched) -> None:
    watched.fault("/connect/token", status=400, answer='{"error": "invalid_client"}')
    watched.fault("/admin/oauth", status=400, answer="invalid_client")
    broken = watched.broken()
    assert broken.keys() == {"shopify", "xero"}
    assert "SHOPIFY_CLIENT_ID or SHOPIFY_CLIENT_SECRET is wrong" in broken["shopify"]
    assert "XERO_CLIENT_ID" in broken["xero"]


def test_a_broken_xero_is_asked_once_in_ten_minutes(watched: Watched) -> None:
    watched.fault("/Organisation", status=503)
    watched.health()
    first = watched.calls()[1]
    for _ in range(10):
        watched.wait(MINUTE)
        assert watched.broken().keys() == {"xero"}
    assert watched.calls()[1] == first + 1


def test_that_xero_denies_a_load_is_told_without_asking_it(watched: Watched) -> None:
    assert watched.broken() == {}
    made = watched.calls()
    with watched.connections.store.calls.transaction() as traffic:
        traffic.status.denied, traffic.status.denied_at = 403, traffic.now
        traffic.status.denied_until = traffic.now + timedelta(minutes=15)
    watched.wait(MINUTE)
    assert watched.broken() == {
        "xero": "Xero denied a load (status 403): nothing is written before 10:15 UTC. Check XERO_TENANT_ID "
        "and the scopes, and connect the app again if it was disconnected."
    }
    assert watched.calls() == made


def test_a_day_that_is_used_up_is_no_fault(watched: Watched) -> None:
    with watched.connections.store.calls.transaction() as traffic:
        traffic.status.day_left, traffic.status.day_seen_at, traffic.status.day_most = 0, traffic.now, 1_000
    status, parts = watched.health()
    assert (status, watched.calls()[1]) == (200, 0)
    assert parts["xero"]["message"].startswith("Xero allows 0 more calls today")


def test_a_store_that_cannot_be_read_is_told_and_xero_is_not_asked_meanwhile(watched: Watched) -> None:
    assert watched.broken() == {}
    file = watched.folder / "state.db"
    kept = file.read_bytes()
    file.write_bytes(b"no database, but long enough to be taken for one" * 1_000)
    watched.wait(MINUTE)
    broken = watched.broken()
    assert broken.keys() == {"state_store", "unsettled_writes", "clock", "xero"}
    assert broken["state_store"].startswith("The state store is damaged: its file is no longer a database.")
    assert "shopify-xero rebuild" in broken["state_store"]
    assert broken["xero"] == "Xero is not checked while the state store is unavailable."
    file.write_bytes(kept)
    watched.wait(MINUTE)
    assert watched.broken() == {}


def test_a_store_that_can_be_read_and_not_written_is_told(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    assert watched.broken() == {}
    engine = watched.connections.store._engine
    from sqlalchemy import event

    def read_only(connection: Any, _: Any) -> None:
        connection.execute("PRAGMA query_only = ON")

    event.listen(engine, "connect", read_only)
    watched.wait(MINUTE)
    assert watched.broken().keys() == {"state_store", "unsettled_writes", "clock", "xero"}
    assert watched.broken()["state_store"].startswith("The state store cannot be written")
    event.remove(engine, "connect", read_only)
    watched.wait(MINUTE)
    assert watched.broken() == {}


def test_a_store_of_another_shop_is_told(watched: Watched) -> None:
    with watching(watched.folder, watched.instance, SHOPIFY_SHOP="sandbox.myshopify.com") as first:
        assert first.broken() == {}
    with watching(watched.folder, watched.instance, SHOPIFY_SHOP="other.myshopify.com") as other:
        assert "belongs to shop sandbox.myshopify.com, not to other" in other.broken()["state_store"]


def test_a_wrong_clock_is_said_and_nothing_is_unwell_because_of_it(watched: Watched) -> None:
    assert watched.broken() == {}
    with watched.connections.store.calls.transaction() as traffic:
        traffic.read_clock(timedelta(days=-3, hours=-2))
    watched.wait(MINUTE)
    status, parts = watched.health()
    assert (status, parts["clock"]["ok"]) == (200, True)
    host = platform.node()
    assert parts["clock"]["message"] == f"The clock of {host} is 3 days 2 h behind Xero's: set it with a time server."


def test_a_write_in_doubt_is_told_after_a_quarter_of_an_hour_until_it_is_settled(watched: Watched) -> None:
    journal = watched.connections.store.journal
    write = PlannedWrite(
        kind="invoice", shopify_id="1", natural_key="SH-1", payload="{}", partition=date(2026, 11, 19), run_id="run",
        verb="create", checksum="c",
    )  # fmt: skip
    journal.plan([write])
    request = BatchRequest(kind="invoice", method="PUT", path="/Invoices", body=b"{}", idempotency_key="a")
    batch = journal.intend(request, journal.in_state(OperationState.PLANNED))
    watched.wait(15 * MINUTE)
    assert watched.broken() == {}
    assert watched.health()[1]["unsettled_writes"]["says"] == "Writes are in progress, the oldest for 15 minutes."

    watched.wait(MINUTE)
    _, parts = watched.health()
    assert watched.broken().keys() == {"unsettled_writes"}
    assert parts["unsettled_writes"]["message"].startswith(
        "The outcome of a write has been unknown for 16 minutes. The next"
    )
    assert parts["unsettled_writes"]["since"] == NOW.isoformat()

    mine = journal.take_over(batch)
    assert mine is not None
    journal.release(mine, "nothing had left")
    watched.wait(MINUTE)
    assert watched.broken() == {}


def test_a_daemon_that_is_silent_is_told_and_its_return_too(watched: Watched) -> None:
    assert watched.broken() == {}
    watched.clock.sleep(5 * MINUTE)
    assert watched.broken() == {}
    watched.clock.sleep(MINUTE)
    _, parts = watched.health()
    assert watched.broken().keys() == {"dagster_daemon"}
    assert parts["dagster_daemon"]["message"].startswith(
        "The Dagster daemon has sent no heartbeat since 19 Nov 10:00 UTC"
    )
    assert parts["dagster_daemon"]["message"].endswith("Start `dagster-daemon run` (or `make up`), or look at its log.")
    assert parts["dagster_daemon"]["since"] == NOW.isoformat()
    watched.wait(MINUTE)
    assert watched.broken() == {}


def test_a_part_of_the_daemon_that_is_silent_is_named(watched: Watched) -> None:
    watched.clock.sleep(6 * MINUTE)
    watched.beat(SENSOR=False)
    (told,) = watched.broken().values()
    assert told.startswith("The Dagster daemon has sent no heartbeat since 19 Nov 10:00 UTC (sensor).")


def test_a_daemon_that_never_ran_is_told_also_where_dagster_asks_for_none(instance: dg.DagsterInstance) -> None:
    with dg.DagsterInstance.ephemeral() as in_memory:
        for one in (instance, in_memory):
            verdict = daemon_health.check_daemon(one, ManualClock(NOW))()
            assert not verdict.ok
            assert verdict.message.startswith("The Dagster daemon has never run on this DAGSTER_HOME.")


# -- how it is asked ---------------------------------------------------------------------------------------------------


def test_an_api_that_does_not_come_back_is_not_waited_for_and_not_asked_again() -> None:
    clock, gate, asked = ManualClock(NOW), threading.Event(), []

    def look() -> HealthStatus:
        asked.append(clock.now())
        gate.wait(60)
        return HealthStatus(True, "there")

    slow = PolledCheck(look, clock, timeout_seconds=0)
    first = slow()
    assert (first.ok, first.message) == (False, "The request of 10:00:00 UTC has no response yet.")
    clock.sleep(3_600)
    assert not slow().ok
    gate.set()
    slow._is_done.wait(60)
    clock.move_to(clock.now())
    assert len(asked) == 1
    patient = PolledCheck(look, clock, timeout_seconds=60)
    assert patient() == HealthStatus(True, "there")


def test_the_last_answer_stands_while_the_next_one_is_on_its_way_but_not_for_long() -> None:
    clock, gate, answers = ManualClock(NOW), threading.Event(), iter([False, True])

    def look() -> HealthStatus:
        if next(answers):
            gate.wait(60)
        return HealthStatus(True, "there")

    asked = PolledCheck(look, clock, timeout_seconds=60)
    assert asked().ok
    asked._timeout_seconds = 0
    clock.sleep(TEN)
    assert asked().ok
    clock.sleep(150)
    assert asked().ok
    clock.sleep(1)
    assert not asked().ok
    gate.set()
    asked._timeout_seconds = 60
    assert asked().ok


def test_since_is_when_a_part_was_first_seen_as_it_is() -> None:
    clock = ManualClock(NOW)
    verdicts = iter([True, True, False, False, True])
    health = Health({"part": lambda: HealthStatus(next(verdicts), "")}, clock)
    seen = []
    for _ in range(5):
        seen.append(datetime.fromisoformat(health.report()["parts"]["part"]["since"]).minute)
        clock.sleep(MINUTE)
    assert seen == [0, 0, 2, 2, 4]
    assert clock.now().tzinfo is UTC


def test_a_part_that_cannot_even_be_looked_at_is_not_well(caplog: pytest.LogCaptureFixture) -> None:
    def look() -> HealthStatus:
        raise ZeroDivisionError("a customer's name")

    part = Health({"part": look}, ManualClock(NOW)).report()["parts"]["part"]
    assert (part["ok"], part["message"]) == (False, "The check failed (ZeroDivisionError); see the log for details.")
    assert "a health check failed" in caplog.text
