"""Looking after the whole: facts from a real store and a real Dagster, told by the sensor and by the command."""

import dataclasses
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import httpx
import pytest
from click.testing import CliRunner, Result
from rich.console import Console
from upath import UPath

from shopify_xero_pipeline import cli
from shopify_xero_pipeline.alerts import service
from shopify_xero_pipeline.alerts.channels import (
    AlertSource,
    Channel,
    DeliveryFailedError,
    Mail,
    Message,
    PagerDuty,
    Slack,
)
from shopify_xero_pipeline.alerts.rules import RemainingCalls
from shopify_xero_pipeline.alerts.service import AlertService
from shopify_xero_pipeline.books.policy import BooksPolicy
from shopify_xero_pipeline.cli import job_runner, output
from shopify_xero_pipeline.clock import ManualClock
from shopify_xero_pipeline.definitions import build_definitions
from shopify_xero_pipeline.defs.alerts import alerts_sensor
from shopify_xero_pipeline.defs.run_history import InstanceHistory
from shopify_xero_pipeline.pipeline.sync import SyncService
from shopify_xero_pipeline.sandbox.faults import Fault, FaultKind
from shopify_xero_pipeline.sandbox.shop_generator import GeneratedShop
from shopify_xero_pipeline.settings import Settings, SettingsError
from shopify_xero_pipeline.state.database_errors import StoreBusyError
from shopify_xero_pipeline.state.tokens import new_key
from shopify_xero_pipeline_tests.support.markers import PERSONAL, SECRET, MarkedShop
from shopify_xero_pipeline_tests.support.stage import Stage, at, staged
from shopify_xero_pipeline_tests.support.sync_round import FIRST

NOW = at(FIRST + timedelta(days=1))
CLOCK = ManualClock(NOW)
PAGERDUTY = f"{SECRET}key"
ALERTS: dict[str, Any] = {
    "ALERT_SLACK_URL": f"https://hooks.example.com/{SECRET}path",
    "ALERT_PAGERDUTY_KEY": PAGERDUTY,
    "ALERT_SMTP_URL": f"smtp://ann%40example.com:{SECRET}pass@mail.example.com",
    "ALERT_MAIL_TO": "ann@example.com",
    "DAGSTER_URL": "https://dagster.example.com/",
}


class Web(httpx.BaseTransport):
    """Slack and PagerDuty; `down` of them do not answer. `slack` and `pagerduty` are what they were told."""

    def __init__(self) -> None:
        self.down = False
        self.slack: list[str] = []
        self.pagerduty: list[str] = []
        self.all = ""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if self.down:
            raise httpx.ConnectTimeout("no")
        said = json.loads(request.content)
        if request.url.host == "hooks.example.com":
            self.all += str(said)
            self.slack.append(said["text"])
            return httpx.Response(200, text="ok")
        assert said.pop("routing_key") == PAGERDUTY
        self.all += str(said)
        self.pagerduty.append(f"{said['event_action']} {said['dedup_key'].rpartition('/')[2]}")
        return httpx.Response(202, json={"status": "success"})


class House:
    """A stage, an instance, and the sensor `alerts`, a minute at a time."""

    def __init__(self, stage: Stage, instance: dg.DagsterInstance) -> None:
        self.stage, self.instance, self.web = stage, instance, Web()
        self.cursor: str | None = None
        self.channels: list[Channel] = [
            Slack(ALERTS["ALERT_SLACK_URL"], AlertSource("goods", "https://dagster.example.com"), CLOCK, self.web),
            PagerDuty(PAGERDUTY, AlertSource("goods"), CLOCK, transport=self.web),
        ]

    def minutes(self, number: int) -> str:
        """Let the sensor look once a minute; return what it said last."""
        said = ""
        for _ in range(number):
            with dg.build_sensor_context(
                instance=self.instance,
                cursor=self.cursor,
                resources={"sync_service": self.stage.sync_service, "channels": self.channels},
            ) as context:
                tick = alerts_sensor(automation=False).evaluate_tick(context)
            assert tick.run_requests == []
            said, self.cursor = str(tick.skip_message), tick.cursor
            self.stage.clock.sleep(60)
        return said

    def sync(self) -> list[str]:
        return self.stage.runner(self.instance).run("sync", [FIRST])

    def causes(self) -> list[str]:
        return [
            cause.key
            for cause in AlertService(self.stage.sync_service, InstanceHistory(self.instance)).current_alerts()
        ]


@pytest.fixture
def house(tmp_path: Path, instance: dg.DagsterInstance) -> Iterator[House]:
    shop = MarkedShop(GeneratedShop(1, opened=FIRST))
    with staged(tmp_path, NOW, shop, **ALERTS) as stage:
        yield House(stage, instance)


@pytest.mark.campaign
def test_a_day_of_failures_is_told_cause_by_cause_and_each_end_once(house: House) -> None:
    stage = house.stage
    assert house.minutes(1) == "active alerts: none; channels: slack, pagerduty"

    stage.sandbox.faults.add(Fault(kind=FaultKind.ANSWER, path="graphql", status=423, times=None, answer=PERSONAL))
    assert house.sync() != []
    assert house.minutes(3) == "active alerts: run:sync; channels: slack, pagerduty"
    (slack,) = house.web.slack
    assert "A run of sync failed, and no later run succeeded for the same days. The shop is locked." in slack
    assert f"Where: {FIRST}" in slack
    assert "https://dagster.example.com/runs/" in slack

    stage.sandbox.faults.clear()
    refusal = f"{PERSONAL} <{PERSONAL}@example.com> is odd"
    stage.sandbox.faults.add(Fault(kind=FaultKind.REFUSED, path="/Invoices", body="SH-", times=None, answer=refusal))
    assert house.sync() == []
    house.web.down = True
    house.minutes(8)
    house.web.down = False
    house.minutes(2)
    checks = f"checks:{FIRST}"
    assert house.web.pagerduty == ["trigger run:sync", f"trigger {checks}", "trigger failure-rate", "resolve run:sync"]

    stage.sandbox.faults.clear()
    stage.clock.sleep(900)
    assert house.sync() == []
    house.minutes(7)
    assert house.web.pagerduty[4:] == [f"resolve {checks}", "resolve failure-rate"]
    assert len(house.web.slack) == 6
    assert house.minutes(1) == "active alerts: none; channels: slack, pagerduty"
    assert not any(word in house.web.all.lower() for word in (PERSONAL, SECRET))


def test_a_write_of_which_nothing_is_known_calls_until_it_is_read_back(house: House) -> None:
    sync_service, clock = house.stage.sync_service, house.stage.clock
    fault = Fault(kind=FaultKind.SERVER_ERROR_AFTER_COMMIT, method="PUT", path="/Contacts")
    house.stage.sandbox.faults.add(fault)
    contacts = sync_service.planner.plan_contacts(sync_service.extractor.read_customers([FIRST]), {})
    sync_service.loader.load(contacts, "a run")
    clock.sleep(14 * 60)
    assert house.causes() == []
    clock.sleep(2 * 60)
    (cause,) = AlertService(sync_service, InstanceHistory(house.instance)).current_alerts()
    assert (cause.key, cause.location) == ("unsettled", "writes to Xero")
    assert "The outcome of writes to Xero is unknown; the oldest was sent at 2026-09-22 00:" in cause.summary
    sync_service.loader.load(contacts, "another run")
    assert house.causes() == []


def test_days_are_synced_while_one_of_the_newest_was_compared_lately(house: House) -> None:
    sync_service, clock = house.stage.sync_service, house.stage.clock
    assert house.causes() == []
    sync_service.connections.store.put_value(f"day_summary.{FIRST + timedelta(days=1)}", "today's")
    clock.sleep(20 * 3600)
    sync_service.connections.store.put_value(f"day_summary.{FIRST}", "yesterday's, later")
    clock.sleep(24 * 3600)
    assert house.causes() == []
    clock.sleep(3600)
    assert house.causes() == ["nothing-synced"]
    clock.sleep(40 * 86_400)
    assert house.causes() == ["nothing-synced"]
    sync_service.connections.store.put_value(f"day_summary.{sync_service.connections.today()}", "today's")
    assert house.causes() == []


def test_what_is_left_of_xeros_day_counts_until_it_is_said_anew_or_the_day_has_turned(house: House) -> None:
    store, clock = house.stage.sync_service.connections.store, house.stage.clock

    def left(calls: int | None, **more: Any) -> RemainingCalls | None:
        with store.calls.transaction() as traffic:
            standing = traffic.status
            standing.day_left, standing.day_seen_at, standing.day_most = calls, clock.now(), 4_000
            standing.day_turns_at = more.get("turns_at")
        return AlertService(house.stage.sync_service, InstanceHistory(house.instance)).gather_facts().remaining_calls

    assert (
        AlertService(house.stage.sync_service, InstanceHistory(house.instance)).gather_facts().remaining_calls is None
    )
    assert left(499) == RemainingCalls(499, 5_000)
    assert house.causes() == ["budget"]
    clock.sleep(23 * 3600)
    assert house.causes() == ["budget"]
    clock.sleep(2 * 3600)
    assert house.causes() == []
    assert left(None, turns_at=clock.now() + timedelta(hours=3)) == RemainingCalls(0, 5_000)
    clock.sleep(3 * 3600)
    assert house.causes() == []


def test_slow_calls_are_seen_in_the_record_of_calls(house: House) -> None:
    store, clock = house.stage.sync_service.connections.store, house.stage.clock
    for seconds in (1.0,) * 18 + (6.5,) * 2:
        with store.calls.transaction() as traffic:
            call = traffic.start()
        clock.sleep(seconds)
        with store.calls.transaction() as traffic:
            traffic.end(call)
    (cause,) = AlertService(house.stage.sync_service, InstanceHistory(house.instance)).current_alerts()
    assert cause.summary == "One in 20 of the last 20 calls to Xero took 6.5 s or more."
    clock.sleep(700)
    assert house.causes() == []


def test_a_sign_in_that_nobody_uses_calls_a_week_before_it_lapses_and_when_it_has(house: House) -> None:
    house.stage.sync_service.connections.close()
    house.stage.environ |= {"TOKEN_KEY": new_key()}
    sync_service, clock = house.stage.restart(), house.stage.clock
    sync_service.connections._tokens.put("access", "refresh", clock.now(), clock.now() + timedelta(minutes=30))
    clock.sleep(52 * 86_400)
    assert house.causes() == []
    clock.sleep(86_400)
    assert house.causes() == ["consent:lapsing"]
    clock.sleep(7 * 86_400)
    assert house.causes() == ["consent:lapsed"]


def test_a_damaged_store_is_told_once_although_nothing_can_be_kept_in_it(house: House) -> None:
    house.minutes(1)
    house.stage.sync_service.connections.close()
    (house.stage.folder / "state.db").write_bytes(b"SQLite format 3\0" + b"damaged" * 1_000)
    house.stage.restart()
    assert house.minutes(10).startswith("active alerts: store;")
    assert house.web.pagerduty == ["trigger store"]


class Busy(AlertService):
    """A watch while another process keeps the store."""

    def notify(self, *_: object) -> Any:
        raise StoreBusyError("state.db")


def test_a_store_that_another_process_keeps_is_looked_at_a_minute_later(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.cursor = "{}"
    monkeypatch.setattr(service, "AlertService", Busy)
    assert house.minutes(1).startswith("The state store state.db is locked by another process")
    assert (house.cursor, house.web.slack) == ("{}", [])


def failed(instance: dg.DagsterInstance, job: str, tags: dict[str, str], *, good: bool = False) -> None:
    """Record a run that ended."""

    @dg.job(name=job)
    def nothing() -> None: ...

    run = instance.create_run_for_job(nothing, tags=tags)
    instance.report_run_failed(run)
    if good:
        instance.handle_run_event(run.run_id, dg.DagsterEvent(dg.DagsterEventType.RUN_SUCCESS.value, job), None)


DAYS = {"dagster/asset_partition_range_start": "2026-09-21", "dagster/asset_partition_range_end": "2026-09-22"}


@pytest.mark.parametrize(
    ("later", "causes"),
    [
        ([], ["run:sync"]),
        ([("sync", {"dagster/partition": "2026-09-21"})], ["run:sync"]),
        ([("sync", {"dagster/partition": "2026-09-22"}), ("sync", {"dagster/partition": "2026-09-21"})], []),
        ([("plan", DAYS)], ["run:sync"]),
        ([("sync", DAYS)], []),
    ],
)
def test_a_run_is_made_good_by_later_runs_of_all_its_days(
    later: list[tuple[str, dict[str, str]]], causes: list[str], house: House
) -> None:
    failed(house.instance, "sync", DAYS)
    for job, tags in later:
        failed(house.instance, job, tags, good=True)
    assert house.causes() == causes


def test_a_sync_makes_a_plan_good_and_jobs_without_days_make_themselves_good(house: House) -> None:
    failed(house.instance, "plan", DAYS)
    failed(house.instance, "mapping_checks", {})
    assert house.causes() == ["run:mapping_checks", "run:plan"]
    failed(house.instance, "sync", DAYS, good=True)
    assert house.causes() == ["run:mapping_checks"]
    failed(house.instance, "mapping_checks", {}, good=True)
    assert house.causes() == []


def test_a_run_that_dagster_will_try_again_is_not_told_yet(house: House) -> None:
    failed(house.instance, "sync", {**DAYS, "dagster/will_retry": "true"})
    assert house.causes() == []


def test_the_sensor_stands_still_unless_automation_is_on() -> None:
    def status(*, automation: bool) -> dg.DefaultSensorStatus:
        repository = build_definitions(policy=BooksPolicy(), automation=automation).get_repository_def()
        return repository.get_sensor_def("alerts").default_status

    assert status(automation=False) is dg.DefaultSensorStatus.STOPPED
    assert status(automation=True) is dg.DefaultSensorStatus.RUNNING


def test_the_settings_name_the_channels() -> None:
    settings = Settings.from_environment(ALERTS, dotenv=None)
    assert [type(channel) for channel in service.build_channels(settings, CLOCK)] == [Slack, Mail, PagerDuty]
    assert service.build_channels(Settings.from_environment({}, dotenv=None), CLOCK) == []
    assert SECRET not in repr(settings)
    assert {"ann@example.com", "mail.example.com"} & set(settings.secrets()) == set()
    assert {f"{SECRET}path", PAGERDUTY, f"{SECRET}pass"} <= set(settings.secrets())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ALERT_SLACK_URL", f"http://hooks.example.com/{SECRET}"),
        ("ALERT_SLACK_URL", SECRET),
        ("ALERT_SMTP_URL", f"https://{SECRET}"),
        ("ALERT_SMTP_URL", "smtp://"),
        ("ALERT_MAIL_TO", ""),
        ("ALERT_PAGERDUTY_REGION", f"{SECRET}"),
        ("DAGSTER_URL", f"ftp://{SECRET}"),
        ("OWNERS_PAGE", f"javascript:{SECRET}"),
        ("LOG_FORMAT", SECRET),
        ("LOG_LEVEL", SECRET),
    ],
)
def test_a_wrong_setting_is_named_and_not_repeated(name: str, value: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_environment({**ALERTS, name: value}, dotenv=None)
    assert name in str(caught.value)
    assert SECRET not in str(caught.value)


# --- the command


class Fake:
    """A channel that takes messages or does not."""

    def __init__(self, name: str, failure: str = "") -> None:
        self.name, self.failure = name, failure
        self.got: list[Message] = []

    def send(self, message: Message) -> None:
        if self.failure:
            raise DeliveryFailedError(self.failure)
        self.got.append(message)


def invoke(*arguments: str, **environ: str) -> Result:
    return CliRunner(env={"LOG_LEVEL": "CRITICAL", **environ}).invoke(cli.main, ["alerts", *arguments])


@pytest.mark.parametrize(("failure", "code"), [("", 0), ("the webhook answered 404", 1)])
def test_the_command_sends_one_test_to_each_channel_and_says_what_became_of_it(
    failure: str, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    slack, mail = Fake("slack", failure), Fake("mail")
    monkeypatch.setattr(service, "build_channels", lambda *_: [slack, mail])
    result = invoke("--test", "--json", "-")
    assert result.exit_code == code, result.output
    assert json.loads(result.stdout) == {
        "channels": [{"channel": "slack", "failure": failure}, {"channel": "mail", "failure": ""}]
    }
    assert [message.is_resolved for message in mail.got] == [False, True]


def test_without_a_channel_there_is_nothing_to_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "build_channels", lambda *_: [])
    result = invoke("--test")
    assert result.exit_code == 2
    assert "ALERT_SLACK_URL" in result.stderr


def test_the_command_lists_what_calls_for_a_person_and_tells_nobody(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def connected() -> Iterator[tuple[SyncService, UPath]]:
        yield house.stage.sync_service, UPath(house.stage.folder)

    @contextmanager
    def instance() -> Iterator[dg.DagsterInstance]:
        yield house.instance

    monkeypatch.setattr(cli.options, "open_service", connected)
    monkeypatch.setattr(job_runner, "dagster_instance", instance)
    monkeypatch.setattr(output, "console", Console(highlight=False, width=240))
    quiet = invoke()
    assert (quiet.exit_code, quiet.stdout) == (0, "no alerts\n")
    failed(house.instance, "sync", DAYS)
    told = invoke()
    assert told.exit_code == 1
    assert "A run of sync failed" in told.stdout
    (cause,) = json.loads(invoke("--json", "-").stdout)["alerts"]
    assert cause == dataclasses.asdict(
        AlertService(house.stage.sync_service, InstanceHistory(house.instance)).current_alerts()[0]
    )
    assert house.stage.sync_service.connections.store.get_value(service.ALERT_STATE_KEY) is None
