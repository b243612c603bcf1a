"""The log: every line valid, every call in it, no secret and nobody's details; in commands and in Dagster's runs."""

import io
import json
import logging
import logging.config
import re
import sys
import uuid
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import dagster as dg
import pytest
from click.testing import CliRunner, Result

from shopify_xero_pipeline import cli
from shopify_xero_pipeline.cli import options
from shopify_xero_pipeline.clock import ManualClock
from shopify_xero_pipeline.defs.dagster_logging import install_run_logger
from shopify_xero_pipeline.observability import events, logs
from shopify_xero_pipeline.sandbox.faults import Fault, FaultKind
from shopify_xero_pipeline.sandbox.shop_generator import GeneratedShop
from shopify_xero_pipeline.settings import Settings
from shopify_xero_pipeline_tests.cli.test_storage_errors import disk_full
from shopify_xero_pipeline_tests.support.markers import PERSONAL, SECRET, MarkedShop, found_in
from shopify_xero_pipeline_tests.support.stage import Stage, at, staged
from shopify_xero_pipeline_tests.support.sync_round import FIRST

REQUIRED = {"timestamp", "level", "event", "sync_id", "entity_type", "partition", "duration_ms"}
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
ROUTE = re.compile(r"/[A-Za-z]+|/connect/token|/admin/(api/2026-10/graphql\.json|oauth/access_token)")
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def settings(**environ: str) -> Settings:
    return Settings.from_environment(environ, dotenv=None)


class Written:
    """Standard error, and what the log wrote to it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.file = io.StringIO()
        monkeypatch.setattr(logs, "sys", SimpleNamespace(stderr=self.file))  # pytest keeps changing the real one

    @property
    def text(self) -> str:
        return self.file.getvalue()

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]

    def of(self, event: str) -> list[dict[str, Any]]:
        return [line for line in self.lines() if line["event"] == event]


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[Written]:
    written = Written(monkeypatch)
    end = logs.configure_logging(settings())
    yield written
    end()


def test_a_line_is_a_json_object_with_the_names_everybody_may_rely_on(written: Written) -> None:
    with events.bind_context(sync_id="run-1", partition="2026-10-01"):
        events.log_event("sync_completed", entity_type="invoice", duration_ms=12, created=3)
    (line,) = written.lines()
    assert INSTANT.fullmatch(line.pop("timestamp"))
    assert line == {
        "level": "info", "event": "sync_completed", "sync_id": "run-1", "entity_type": "invoice",
        "partition": "2026-10-01", "duration_ms": 12, "created": 3,
    }  # fmt: skip


def test_what_is_said_around_ends_with_what_it_is_about(written: Written) -> None:
    with events.bind_context(sync_id="run-1"), events.bind_context(partition="2026-10-01"):
        events.log_event("inner")
    events.log_event("outer")
    assert [(one["sync_id"], one["partition"]) for one in written.lines()] == [("run-1", "2026-10-01"), (None, None)]


def test_work_that_fails_says_so_with_its_time_and_its_reason(written: Written) -> None:
    clock = ManualClock(at(FIRST))

    def fail() -> None:
        with events.log_operation(clock, "read", "order", [FIRST]):
            clock.sleep(1.5)
            raise ValueError("jane@example.com has a bad order")

    with pytest.raises(ValueError, match="jane"):
        fail()
    (line,) = written.lines()
    assert (line["event"], line["level"], line["duration_ms"]) == ("read_failed", "error", 1500)
    assert (line["entity_type"], line["error"], line["reason"]) == ("order", "ValueError", "… has a bad order")


def test_a_plain_message_of_the_loader_is_an_event_with_its_words(written: Written) -> None:
    logging.getLogger("shopify_xero_pipeline").info("batch %d: %s", 7, "3 of 3 settled")
    (line,) = written.lines()
    assert (line["event"], line["message"]) == ("message", "batch 7: 3 of 3 settled")


@pytest.mark.parametrize(
    "secret",
    [
        "jane.doe@example.com", "shpat_0123456789abcdef0123456789abcdef", "Bearer abc.def.ghi", "Basic dXNlcjpwYXNz",
        "eyJhbGciOiJSUzI1NiJ9.eyJuYmYiOjE3.c2lnbmF0dXJl", "gAAAAABmQ0123456789abcdefghij==", "0123456789abcdef" * 2,
        "https://hooks.slack.com/services/T0/B0/X", "kq8E0bZ1x2c3v4b5n6m7a8s9d0f1g2h3j4k5l6q7w8E=", "my-own-secret",
    ],
)  # fmt: skip
@pytest.mark.parametrize("where", ["message", "field", "name", "exception", "inner"])
def test_what_looks_like_a_secret_or_an_address_is_masked_wherever_it_stands(
    secret: str, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = Written(monkeypatch)
    end = logs.configure_logging(settings(XERO_CLIENT_SECRET="my-own-secret"))
    try:
        if where == "message":
            logging.getLogger("shopify_xero_pipeline").warning("it said %s", secret)
        elif where == "field":
            events.log_event("said", said=secret)
        elif where == "name":
            events.log_event("said", **{f"about {secret}": 1})
        elif where == "inner":
            events.log_event("said", said=[{"it": (secret,)}])
        else:
            error = RuntimeError(f"it said {secret}")
            logging.getLogger("shopify_xero_pipeline").error("failed", exc_info=error)
    finally:
        end()
    assert secret not in json.dumps(written.lines(), ensure_ascii=False)
    assert "…" in written.text


def test_ids_days_and_amounts_are_not_taken_for_secrets(written: Written) -> None:
    run = "0c9b2f8e-5d6a-4a7b-9c1d-2e3f4a5b6c7d"
    events.log_event(
        "said", run=run, order="SH-1001", shopify_id="gid://shopify/Order/7300000000101", amount="1,234.50 NZD"
    )
    (line,) = written.lines()
    assert (line["run"], line["order"], line["amount"]) == (run, "SH-1001", "1,234.50 NZD")
    assert line["shopify_id"] == "gid://shopify/Order/7300000000101"


def test_a_line_for_people_is_one_line_whatever_stands_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    written = Written(monkeypatch)
    end = logs.configure_logging(settings(LOG_FORMAT="text"))
    events.log_event("said", name="two words", broken="a\nb\x1b[31m", count=3, nothing=None)
    end()
    assert re.fullmatch(
        r'\d\d:\d\d:\d\d info     said name="two words" broken=a\\nb\\x1b\[31m count=3\n', written.text
    ), written.text


def test_the_level_is_a_setting_and_nothing_is_written_after_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    written = Written(monkeypatch)
    end = logs.configure_logging(settings(LOG_LEVEL="warning"))
    events.log_event("quiet")
    events.log_event("loud", level=logging.WARNING)
    end()
    events.log_event("late", level=logging.ERROR)
    assert [line["event"] for line in written.lines()] == ["loud"]


def test_started_stop_process_logging_twice_each_line_is_written_once(monkeypatch: pytest.MonkeyPatch) -> None:
    written = Written(monkeypatch)
    monkeypatch.setattr(logs, "_stop_process_logging", None)
    logs.configure_process_logging(settings())
    logs.configure_process_logging(settings())
    events.log_event("once")
    assert logs._stop_process_logging is not None
    logs._stop_process_logging()
    assert len(written.lines()) == 1


@pytest.fixture
def speak(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A command that answers, logs and fails as it is told; the folder of its logs."""

    @click.command("speak", hidden=True)
    @click.option("--code", default=0)
    @options.report_errors
    def speaking(code: int) -> None:
        events.log_event("spoken")
        click.echo("the answer")
        sys.exit(code)

    cli.main.add_command(options.add_verbose_option(speaking))
    monkeypatch.setenv("LOG_FOLDER", str(tmp_path / "log"))
    monkeypatch.setenv("LOG_LEVEL", "")
    yield tmp_path / "log"
    del cli.main.commands["speak"]


def run(*arguments: str, **environ: str) -> Result:
    return CliRunner().invoke(cli.main, arguments, env={"LOG_FORMAT": "", **environ})


@pytest.mark.parametrize("arguments", [("-v", "speak"), ("speak", "-v"), ("--verbose", "speak")])
@pytest.mark.parametrize(
    ("options", "environ", "begins"),
    [
        ([], {}, "{"),
        (["--log-format", "text"], {}, "\\d\\d:"),
        ([], {"LOG_FORMAT": "text"}, "\\d\\d:"),
        (["--log-format", "json"], {"LOG_FORMAT": "text"}, "{"),
    ],
)
def test_a_command_shows_its_log_where_it_is_asked_to_in_the_format_asked_for(
    speak: Path, arguments: tuple[str, ...], options: list[str], environ: dict[str, str], begins: str
) -> None:
    result = run(*options, *arguments, **environ)
    assert (result.exit_code, result.stdout) == (0, "the answer\n")
    assert re.match(begins, result.stderr)
    assert result.stderr.count("\n") == 1
    assert not speak.exists()


def test_what_a_command_prints_is_its_answer_and_its_log_is_in_a_file(speak: Path) -> None:
    result = run("speak")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "the answer\n", "")
    (log,) = speak.iterdir()
    assert re.fullmatch(r"\d{8}T\d{6}-speak-\d+\.log", log.name)
    assert json.loads(log.read_text())["event"] == "spoken"
    assert (speak.stat().st_mode & 0o777, log.stat().st_mode & 0o777) == (0o700, 0o600)


def test_the_log_is_named_when_something_failed_and_not_when_orders_are_only_blocked(speak: Path) -> None:
    for code in (1, 2, 70, 75):
        result = run("speak", "--code", str(code))
        (named,) = result.stderr.splitlines()
        assert Path(named.removeprefix("The log is ")).parent == speak
    assert run("speak", "--code", "3").stderr == ""


def test_of_logs_only_the_last_ones_stay(speak: Path) -> None:
    speak.mkdir()
    for number in range(60):
        (speak / f"202601{number:02}T000000-sync-1.log").touch()
    run("speak")
    names = sorted(path.name for path in speak.iterdir())
    assert len(names) == 50
    assert names[0] == "20260111T000000-sync-1.log"
    assert "speak" in names[-1]


def test_a_log_that_cannot_be_written_disturbs_nothing_and_is_told_if_something_failed(
    speak: Path, tmp_path: Path
) -> None:
    (tmp_path / "log").write_text("a file")
    well = run("speak")
    assert (well.exit_code, well.stdout, well.stderr) == (0, "the answer\n", "")
    failed = run("speak", "--code", "1")
    assert failed.stderr.startswith(f"The log could not be written to {speak}/")
    assert failed.stderr.endswith("rerun with -v to see it.\n")


def test_a_log_on_a_disk_that_is_full_adds_one_sentence_and_no_traceback(speak: Path) -> None:
    """What could not be written is tried once more when the file is closed."""
    with disk_full(10):
        failed = run("speak", "--code", "2")
    assert (failed.exit_code, type(failed.exception)) == (2, SystemExit)
    (said,) = failed.stderr.splitlines()
    assert said.startswith(f"The log could not be written to {speak}/")
    assert said.endswith("(File too large): rerun with -v to see it.")


def test_a_run_of_dagsters_does_not_end_the_log_of_its_command(speak: Path) -> None:
    """Dagster configures logging anew for each run, which closes the handlers there are."""
    log = logs.CommandLog(settings(LOG_FOLDER=str(speak)), "sync", at(FIRST))
    try:
        events.log_event("before")
        logging.config.dictConfig({"version": 1, "incremental": False, "disable_existing_loggers": False})
        events.log_event("after")
    finally:
        log.end()
    (file,) = speak.iterdir()
    assert [json.loads(line)["event"] for line in file.read_text().splitlines()] == ["before", "after"]
    assert log.location_sentence == f"The log is {file}"


# --- a whole day


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    secret = f"{SECRET}alert"
    with staged(
        tmp_path,
        at(FIRST + timedelta(days=1)),
        MarkedShop(GeneratedShop(1, opened=FIRST)),
        ALERT_SLACK_URL=f"https://hooks.example.com/{secret}",
        ALERT_PAGERDUTY_KEY=secret,
    ) as stage:
        yield stage


def fail_now_and_then(stage: Stage) -> None:
    """Both sides fail in passing, and Xero repeats a customer's name in what it refuses."""
    for fault in (
        Fault(kind=FaultKind.TOKEN_EXPIRED, path="/api.xro/2.0/"),
        Fault(kind=FaultKind.DROP_AFTER, method="PUT", path="/Contacts"),
        Fault(kind=FaultKind.MINUTE_LIMIT, method="PUT", path="/Items", retry_after=7),
        Fault(kind=FaultKind.HTML, method="GET", path="/Invoices"),
        Fault(
            kind=FaultKind.REFUSED, path="/Invoices", body="SH-", answer=f"{PERSONAL} <{PERSONAL}@example.com> is odd"
        ),
        Fault(
            kind=FaultKind.ANSWER, path="graphql", body="query FirstPages", status=503, answer=f"{PERSONAL}@example.com"
        ),
    ):
        stage.sandbox.faults.add(fault)


def test_the_log_of_a_whole_day_is_complete_valid_and_tells_nothing_of_anybody(
    stage: Stage, instance: dg.DagsterInstance, written: Written
) -> None:
    fail_now_and_then(stage)
    runner = stage.runner(instance)
    report = runner.sync([FIRST])

    lines = written.lines()
    assert all(line.keys() >= REQUIRED and INSTANT.fullmatch(line["timestamp"]) for line in lines)
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", line["event"]) for line in lines)
    assert {line["sync_id"] for line in lines} == {run.run_id for run in instance.get_runs()}

    calls = written.of("api_call")
    made = Counter(line["api"] for line in calls)
    assert (made["shopify"], made["xero"]) == runner.sync_service.connections.calls
    assert made["xero"] > 20
    assert report.failures == []
    for call in calls:
        assert {"method", "route", "status", "duration_ms"} <= call.keys()
        assert call["method"] in {"GET", "PUT", "POST"}
        assert ROUTE.fullmatch(call["route"])
        if call["api"] == "xero" and call["status"] == 200:
            assert UUID.fullmatch(call["request_id"] or str(uuid.UUID(int=0)))
            assert call["calls_left"] is None or call["calls_left"] > 4_900
        if call["api"] == "shopify" and call.get("operation") and call["status"] == 200:
            assert call["request_id"]
            assert call["points_left"] > 0
    ends = {(call["status"], call.get("error")) for call in calls}
    assert ends >= {(401, None), (429, None), (None, "ReadError"), (503, "ShopifyUnavailableError")}
    assert max(call["attempt"] for call in calls if call.get("attempt")) >= 2

    synced = written.of("sync_completed")
    assert Counter(line["entity_type"] for line in synced) == dict.fromkeys(
        ("contact", "item", "invoice", "credit_note", "payment"), 1
    )
    assert {line["partition"] for line in synced} == {str(FIRST)}
    assert sum(line["failed"] for line in synced) > 0
    assert len(written.of("reconciliation_completed")) == 1

    planted = {PERSONAL, SECRET}
    assert found_in(written.text.encode(), planted) == set()
    events.log_event("leak", name=f"Jane {PERSONAL}")
    assert found_in(written.text.encode(), planted) == {PERSONAL}


def test_dagsters_own_words_are_lines_too_and_ours_are_not_written_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "dagster.yaml").write_text(
        "telemetry: {enabled: false}\n"
        "python_logs: {managed_python_loggers: [shopify_xero_pipeline], python_log_level: INFO}\n"
    )

    @dg.op
    def speak() -> None:
        events.log_event("spoken", order="SH-1001")
        logging.getLogger("shopify_xero_pipeline").info("batch %d", 7)
        events.EVENTS.info("plain")
        with events.log_api_call(ManualClock(at(FIRST)), "xero", "GET", "/Invoices"):
            pass
        raise RuntimeError("bad token shpat_0123456789abcdef for jane@example.com")

    @dg.job
    def speaking() -> None:
        speak()

    with dg.DagsterInstance.from_config(str(home)) as instance:
        written = Written(monkeypatch)
        end, before = logs.configure_logging(settings()), logging.getLoggerClass()
        install_run_logger(settings())
        result = speaking.execute_in_process(instance=instance, raise_on_error=False)
        logging.setLoggerClass(before)
        end()
        kept = [record.event_log_entry for record in instance.get_records_for_run(result.run_id).records]
    said = Counter(line["event"] for line in written.lines())
    assert said == {"spoken": 1, "message": 2, "api_call": 1, "step_failure": 1, "pipeline_failure": 1}
    (failure,) = written.of("step_failure")
    assert (failure["sync_id"], failure["step"], failure["level"]) == (result.run_id, "speak", "error")
    assert "bad token … for …" in failure["reason"]
    assert "jane@" not in written.text
    messages = [entry.user_message for entry in kept]
    assert sum("spoken order=SH-1001" in message for message in messages) == 1
    assert not any("api_call" in message for message in messages)


@pytest.mark.parametrize(("run_config", "ours"), [({}, False), ({"loggers": {"console": {}}}, True)])
def test_dagster_uses_a_logger_of_the_code_location_only_if_the_run_names_it(
    instance: dg.DagsterInstance, run_config: dict[str, Any], ours: bool
) -> None:
    """The reason for `logging.setLoggerClass` in `defs/dagster_logging.py`; without it, that module can go."""
    lines = io.StringIO()

    @dg.logger
    def console(_: dg.InitLoggerContext) -> logging.Logger:
        logger = logging.Logger("ours")
        logger.addHandler(logging.StreamHandler(lines))
        return logger

    @dg.asset
    def speaking() -> None:
        """Materialise nothing."""

    definitions = dg.Definitions(assets=[speaking], loggers={"console": console})
    job = definitions.resolve_implicit_global_asset_job_def()
    assert job.execute_in_process(instance=instance, run_config=run_config).success
    assert ("RUN_SUCCESS" in lines.getvalue()) is ours
