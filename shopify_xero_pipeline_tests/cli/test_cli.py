"""The command line: what each command prints, writes as JSON and exits with. The network is the stage's."""

import json
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import dagster as dg
import pytest
from click.testing import CliRunner, Result
from rich.console import Console
from upath import UPath

from shopify_xero_pipeline import cli
from shopify_xero_pipeline.cli import demo, dev, exit_codes, job_runner, output
from shopify_xero_pipeline.pipeline.sync import SyncService
from shopify_xero_pipeline.reconciliation.verdict import Standing
from shopify_xero_pipeline.sandbox.faults import Fault, FaultKind
from shopify_xero_pipeline.settings import SettingsError
from shopify_xero_pipeline_tests.support.stage import Stage, at, staged
from shopify_xero_pipeline_tests.support.sync_round import FIRST, books_file

NOW = at(FIRST + timedelta(days=1))
SYNC_KEYS = {
    "verdict", "message", "says", "days", "orders", "posted", "waiting", "skipped", "blocked", "postponed",
    "conflict", "failed",
    "documents", "payments", "unequal", "difference", "differences", "duplicates", "lost", "without_order",
    "xero_calls", "shopify_calls", "seconds", "failures", "failed_records", "days_left_for_later", "listed_orders",
    "conflicts", "warnings", "order_warnings",
}  # fmt: skip


@contextmanager
def on_stage(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Connect the commands to a stage instead of the environment's settings."""

    @contextmanager
    def connected() -> Iterator[tuple[SyncService, UPath]]:
        yield stage.sync_service, UPath(stage.folder / "assets")

    @contextmanager
    def instance() -> Iterator[dg.DagsterInstance]:
        with dg.DagsterInstance.ephemeral() as opened:
            yield opened

    with monkeypatch.context() as patch:
        patch.setattr(cli.options, "open_service", connected)
        patch.setattr(job_runner, "dagster_instance", instance)
        patch.setattr(output, "console", Console(highlight=False, width=240))
        yield


def invoke(*arguments: str) -> Result:
    return CliRunner(env={"LOG_LEVEL": "CRITICAL"}).invoke(cli.main, list(arguments))


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    with staged(tmp_path, NOW) as stage, on_stage(stage, monkeypatch):
        yield stage


def one_message(result: Result, code: int) -> str:
    """Check that a command ended with one message and nothing else, and return it."""
    assert result.exit_code == code
    assert isinstance(result.exception, SystemExit)
    assert "Traceback" not in result.output
    (message,) = filter(str.strip, result.stderr.splitlines())
    return message


@pytest.mark.campaign
def test_a_day_is_planned_synced_and_shown(stage: Stage, tmp_path: Path) -> None:
    planned = invoke("plan", "--day", "2026-09-21", "--json", "-")
    assert planned.exit_code == 0
    plan = json.loads(planned.stdout)
    assert set(plan) == {"days", "xero_write_calls", "failures", "changes", "listed_orders", "warnings"}
    assert (plan["days"], plan["failures"], stage.size()) == (1, [], 0)
    assert plan["xero_write_calls"] > 0
    assert {line["day"] for line in plan["changes"]} == {"2026-09-21"}
    assert "plan: nothing has been written to Xero" in planned.stderr

    file = tmp_path / "figures" / "sync.json"
    synced = invoke("sync", "--day", "2026-09-21", "--json", str(file))
    assert synced.exit_code == 0, synced.output
    assert synced.stderr == ""
    figures = json.loads(file.read_text())
    assert set(figures) == SYNC_KEYS
    sound = {"days": 1, "failed": 0, "difference": "0.00", "duplicates": 0, "lost": 0, "failures": []}
    assert {name: figures[name] for name in sound} == sound
    assert figures["orders"] == sum(figures[name] for name in ("posted", "waiting", "skipped", "blocked"))
    assert figures["documents"] > 0
    assert figures["payments"] > 0
    assert figures["xero_calls"] > 0
    assert "the books agree" in synced.stdout

    status = invoke("status", "--json", "-")
    assert status.exit_code == 0
    found = json.loads(status.stdout)
    assert [day["day"] for day in found["days"]] == ["2026-09-21"]
    assert (found["failed_records"], found["unfinished_days"]) == ([], [])
    assert "days with work left      none" in status.stderr


@pytest.mark.campaign
def test_what_a_range_will_take_is_told_before_anything_is_written(stage: Stage) -> None:
    result = invoke("sync", "--from", "2026-09-21", "--to", "2026-09-21", "--json", "-")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    planned = told["planned"]
    assert set(told) == SYNC_KEYS | {"planned"}
    assert planned["xero_calls"] == planned["xero_write_calls"] + planned["xero_read_calls"]
    assert (planned["runs"], planned["xero_read_calls"], planned["days_of_quota"]) == (1, 4, 1)
    assert planned["xero_calls"] == told["xero_calls"]
    before, after = result.stderr.index("calls to Xero ("), result.stderr.index("the books agree")
    assert before < after
    assert "today is enough" in result.stderr
    again = invoke("sync", "--from", "2026-09-21", "--to", "2026-09-21", "--at-once")
    assert again.exit_code == 0
    assert "calls to Xero (" not in again.stdout


@pytest.mark.campaign
def test_wrong_credentials_end_a_sync_with_one_message(stage: Stage, tmp_path: Path) -> None:
    stage.environ["SHOPIFY_ACCESS_TOKEN"] = "not-the-secret"
    stage.restart()
    file = tmp_path / "sync.json"
    result = invoke("sync", "--from", "2026-09-21", "--json", str(file))
    message = one_message(result, 2)
    assert message.startswith("failed: shopify/customers, shopify/orders, shopify/products: Shopify does not accept")
    assert result.stdout.strip() == ""
    assert json.loads(file.read_text())["failures"] == [message.removeprefix("failed: ")]


def test_an_unreachable_host_ends_a_plan_with_one_message(stage: Stage) -> None:
    stage.sandbox.faults.add(Fault(kind=FaultKind.UNREACHABLE, path="/admin/", times=None))
    result = invoke("plan", "--from", "2026-09-21", "--to", "2026-09-22", "--json", "-")
    assert "could not be reached" in one_message(result, exit_codes.RETRY_LATER)
    assert json.loads(result.stdout) == {
        "days": 2, "xero_write_calls": 0, "failures": [result.stderr.strip().removeprefix("failed: ")], "changes": [],
        "warnings": [],
        "listed_orders": [],
    }  # fmt: skip


def test_a_wrong_setting_ends_a_command_with_one_message_and_code_2(stage: Stage) -> None:
    stage.environ["XERO_BASE_URL"] = ""
    stage.restart()
    message = one_message(invoke("sync", "--day", "2026-09-21"), 2)
    assert message.startswith("shopify-xero: Xero credentials are not set: give XERO_CLIENT_ID and XERO_CLIENT_SECRET")


def test_an_unknown_key_in_books_yaml_ends_a_command_with_its_line(stage: Stage, tmp_path: Path) -> None:
    stage.environ["BOOKS_FILE"] = books_file(tmp_path, ("\nprefix:", "\nprefxi:"))
    stage.restart()
    message = one_message(invoke("plan", "--day", "2026-09-21"), 2)
    assert re.search(r"books\.yaml line \d+: prefxi is not a setting; did you mean prefix\?", message)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "Give --day, or --from with or without --to."),
        (("--to", "2026-09-21"), "Give --day, or --from with or without --to."),
        (("--day", "2026-09-21", "--from", "2026-09-21"), "Give --day, or --from with or without --to."),
        (("--day", "2026-09-21", "--to", "2026-09-22"), "Give --day, or --from with or without --to."),
        (("--day", "2026-09-20"), "Days run from start_date 2026-09-21 (books.yaml) to today, 2026-09-22 in the shop"),
        (("--day", "2026-09-23"), "Days run from start_date 2026-09-21"),
        (("--from", "2026-09-22", "--to", "2026-09-21"), "--to 2026-09-21 is before --from 2026-09-22."),
        (("--from", "2026-09-23"), "Days run from start_date 2026-09-21"),
        (("--day", "21.9.2026"), "'21.9.2026' does not match the format '%Y-%m-%d'"),
    ],
)
@pytest.mark.parametrize("command", ["plan", "sync"])
def test_days_that_cannot_be_are_refused(stage: Stage, command: str, options: tuple[str, ...], said: str) -> None:
    result = invoke(command, *options)
    assert result.exit_code == 2
    assert said in result.stderr
    assert stage.sync_service.connections.calls == (0, 0)


def test_status_tells_failed_records_and_work_left_without_any_call(stage: Stage) -> None:
    empty = invoke("status")
    assert empty.exit_code == 0
    assert "no day has been reconciled yet" in empty.stdout
    sync_service = stage.sync_service
    orders = sync_service.extractor.read_orders([FIRST])
    plans = sync_service.planner.plan_contacts({}, orders)
    stage.sandbox.faults.add(Fault(kind=FaultKind.ANSWER, method="PUT", path="/Contacts", status=503, times=None))
    sync_service.loader.load(plans, "a run")
    calls = sync_service.connections.calls
    result = invoke("status", "--json", "-")
    assert result.exit_code == exit_codes.RETRY_LATER
    assert json.loads(result.stdout)["unfinished_days"] == ["2026-09-21"]
    assert "days with work left      2026-09-21" in result.stderr
    assert sync_service.connections.calls == calls


def commands(group: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    if isinstance(group, click.Group):
        for name, command in group.commands.items():
            yield from commands(command, (*path, name))


def refused_invoice(stage: Stage) -> str:
    """Sync the first day while Xero refuses one of its Invoices; return its number."""
    plan = json.loads(invoke("plan", "--day", "2026-09-21", "--json", "-").stdout)
    number = next(line["natural_key"] for line in plan["changes"] if line["kind"] == "invoice" and line["record"])
    rule = Fault(kind=FaultKind.REFUSED, path="/Invoices", body=f'"{number}"', answer="Account is archived", times=None)
    stage.sandbox.faults.add(rule)
    assert invoke("sync", "--day", "2026-09-21").exit_code == 1
    return str(number)


@pytest.mark.campaign
def test_a_failed_record_is_tried_again_by_name_or_dismissed_for_a_reason(stage: Stage) -> None:
    number = refused_invoice(stage)

    shown = invoke("status", number, "--json", "-")
    assert shown.exit_code == 1
    (order,) = json.loads(shown.stdout)
    assert {one["name"]: one["state"] for one in order["records"]}[number] == "refused"
    for words in (number, "Account is archived", order["page"], "create: refused", "PUT /Invoices"):
        assert words in shown.stderr

    again = invoke("retry", "--all", "--json", "-")
    assert again.exit_code == 1
    told = json.loads(again.stdout)
    assert (told["tried"], [one["natural_key"] for one in told["still_failed"]]) == (1, [number])
    assert told["still_failed"][0]["attempts"] == 2
    assert told["still_failed"][0]["next_try"]

    dismissed = invoke("dismiss", "--key", number, "--because", "by hand", "--json", "-")
    (row,) = stage.sync_service.connections.store.failed_records(open_only=False)
    assert json.loads(dismissed.stdout) == {"dismissed": [["invoice", row.shopify_id]], "kept": [], "left": []}
    assert json.loads(invoke("status", "--json", "-").stdout)["failed_records"] == []
    assert json.loads(invoke("retry", "--all", "--json", "-").stdout)["tried"] == 0

    stage.sandbox.faults.clear()
    mended = invoke("retry", "--key", number, "--json", "-")
    assert mended.exit_code == 0, mended.output
    assert json.loads(mended.stdout) == {
        "tried": 1,
        "still_failed": [],
        "open_again": [],
        "conflicts": [],
        "failures": [],
    }
    assert number in [row.natural_key for row in stage.sync_service.connections.store.mapped("invoice").values()]
    assert invoke("status", number).exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("retry",), "Name records with --kind, --id or --key, or use --all."),
        (("retry", "--all", "--kind", "item"), "Name records with --kind, --id or --key, or use --all."),
        (("dismiss", "--because", "so"), "Name records with --kind, --id or --key, or use --before-start."),
        (("dismiss", "--because", " ", "--key", "SH-1"), "Give a reason with --because; it is stored."),
        (("dismiss", "--kind", "item"), "Missing option '--because'"),
    ],
)
def test_which_failed_records_are_meant_must_be_said(stage: Stage, arguments: tuple[str, ...], said: str) -> None:
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert said in result.output


def test_a_name_that_nothing_is_known_of_is_said_to_be_one(stage: Stage) -> None:
    message = one_message(invoke("status", "SH-0000"), 1)
    assert "Nothing is known of SH-0000: give an order's name or id, or a document's number." in message


def test_dismissing_what_has_not_failed_ends_with_code_1(stage: Stage) -> None:
    result = invoke("dismiss", "--key", "SH-9", "--because", "so", "--json", "-")
    assert (result.exit_code, json.loads(result.stdout)) == (1, {"dismissed": [], "kept": [], "left": []})


@pytest.mark.parametrize("path", list(commands(cli.main)), ids=" ".join)
def test_every_command_explains_itself(path: tuple[str, ...]) -> None:
    result = invoke(*path, "--help")
    assert result.exit_code == 0
    assert result.stdout.startswith(f"Usage: {' '.join(('main', *path))}")
    assert len(result.stdout.splitlines()[2]) > 20


def test_the_commands_know_their_version() -> None:
    assert re.fullmatch(r"main, version \d+\.\d+\.\d+\n", invoke("--version").stdout)


def test_the_sandbox_refuses_a_port_that_is_taken_with_one_sentence() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        message = one_message(invoke("sandbox", "--port", str(port), "--now", "2026-09-21"), 2)
    assert message.startswith(f"Error: port {port} of 127.0.0.1 cannot be bound (")
    assert message.endswith("choose another one")


@pytest.mark.parametrize(
    ("given", "starts"),
    [
        ("2026-11-01", "2026-11-01T00:00:00"),
        ("2026-11-01T10:00:00Z", "2026-11-01T10:00:00"),
        ("2026-11-01T10:00:00+13:00", "2026-10-31T21:00:00"),
        ("2026-11-01T10:00:00.250-02:30", "2026-11-01T12:30:00.250000"),
        ("2026-11-01T10:00", "2026-11-01T10:00:00"),
        ("2026-11-01 10:00:00", "2026-11-01T10:00:00"),
        (" 20261101T100000Z ", "2026-11-01T10:00:00"),
        ("2026-W44-7", "2026-11-01T00:00:00"),
        (None, None),
    ],
)
def test_the_sandboxs_clock_starts_at_any_instant_of_iso_8601(
    given: str | None, starts: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[datetime | None] = []
    monkeypatch.setattr("shopify_xero_pipeline.sandbox.command.run", lambda **options: ran.append(options["now"]))
    assert invoke("sandbox", *([] if given is None else ["--now", given])).exit_code == 0
    assert ran == [None if starts is None else datetime.fromisoformat(f"{starts}+00:00")]


@pytest.mark.parametrize("given", ["yesterday", "2026-13-01", "10:00", "", "0001-01-01T00:00:00+13:00", "1790000000"])
def test_what_is_no_instant_is_refused_with_examples(given: str) -> None:
    result = invoke("sandbox", "--now", given)
    assert result.exit_code == 2
    assert "is not an ISO 8601 date or time, such as 2026-11-01" in result.stderr


def test_the_webserver_takes_the_options_of_dagsters(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[tuple[str, ...]] = []
    monkeypatch.setattr("shopify_xero_pipeline.webserver.command.run", lambda words, _: ran.append(words))
    words = ("-h", "0.0.0.0", "-p", "3000", "-w", "workspace.yaml", "--log-format", "json")
    assert invoke("webserver", *words).exit_code == 0
    assert ran == [words]


@pytest.mark.parametrize(("standing", "code"), [(Standing.AGREE, 0), (Standing.INCOMPLETE, 3), (Standing.DISAGREE, 1)])
def test_the_demo_exits_with_what_it_found(standing: Standing, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    played: list[object] = []

    def play(seed: int, *, fresh: bool, keep_runs: bool, json_file: Path | None) -> Standing:
        played.append((seed, fresh, keep_runs, json_file))
        return standing

    monkeypatch.setattr(demo, "run_demo", play)
    assert invoke("demo", "--seed", "7", "--fresh").exit_code == code
    assert played == [(7, True, False, None)]


def test_up_hands_its_ports_on_and_tells_a_wrong_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dev, "run_processes", lambda port, sandbox_port: port - sandbox_port)
    assert invoke("up", "--port", "3007", "--sandbox-port", "3002").exit_code == 5

    def refused(*_: int) -> int:
        raise SettingsError("XERO_CLIENT_ID is missing.")

    monkeypatch.setattr(dev, "run_processes", refused)
    assert one_message(invoke("up"), 2) == "shopify-xero: XERO_CLIENT_ID is missing."


class TestOnTheEnvironmentsSettings:
    """Commands with nothing replaced but the environment; none of them reaches for the network."""

    @pytest.fixture(autouse=True)
    def environment(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        for name in ("SHOPIFY_BASE_URL", "XERO_BASE_URL", "STATE_URL", "ASSET_STORAGE", "BOOKS_FILE", "AUTOMATION"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("SHOPIFY_SHOP", "goods.myshopify.com")
        yesterday = datetime.now(UTC).date() - timedelta(days=1)
        books_file(tmp_path, ("2026-09-21 ", f"{yesterday} "))

    def test_status_of_a_new_house_is_fine(self, tmp_path: Path) -> None:
        result = invoke("status")
        assert result.exit_code == 0, result.output
        assert (tmp_path / ".local" / "state.db").stat().st_mode & 0o777 == 0o600
        assert "sandbox" not in result.stderr

    def test_without_credentials_status_says_that_it_does_not_see_the_sandbox(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("SHOPIFY_SHOP")
        result = invoke("status")
        assert result.stderr.splitlines() == [
            "No credentials are set, so this command does not see the sandbox of `make up`. To use that: "
            "export SHOPIFY_BASE_URL=http://127.0.0.1:8765 XERO_BASE_URL=http://127.0.0.1:8765"
        ]

    @pytest.mark.parametrize(
        ("name", "value", "said"),
        [
            (
                "STATE_URL",
                "mysql://db/state",
                "set STATE_URL to sqlite:///path/to/state.db or postgresql://user:password@",
            ),
            ("SHOPIFY_BASE_URL", "https://example.com", "SHOPIFY_BASE_URL is for a sandbox on this machine"),
            ("AUTOMATION", "maybe", "AUTOMATION must be on or off, not 'maybe'."),
            ("BOOKS_FILE", "nowhere.yaml", "nowhere.yaml does not exist: set BOOKS_FILE to your books.yaml"),
        ],
    )
    def test_a_wrong_setting_is_named(self, monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str) -> None:
        monkeypatch.setenv(name, value)
        message = one_message(invoke("status"), 2)
        assert message.startswith("shopify-xero: ")
        assert said in message


def test_an_account_that_xero_does_not_have_is_a_setting_for_every_command_that_looks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    books = tmp_path / "books.yaml"
    books.write_text(Path("books.yaml").read_text(encoding="utf-8").replace('sales: "200"', 'sales: "999"'), "utf-8")
    with staged(tmp_path, NOW, BOOKS_FILE=str(books)) as stage, on_stage(stage, monkeypatch):
        for command in (["sync", "--day"], ["sync", "--from"], ["plan", "--day"]):
            result = invoke(*command, "2026-09-21")
            assert "accounts.sales names account 999" in one_message(result, 2)
