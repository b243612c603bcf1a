"""Wrong settings, wrong credentials, hosts that do not answer: one clear message each, and nothing written."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest

from shopify_xero_pipeline.books.policy import PolicyError
from shopify_xero_pipeline.pipeline.connections import load_policy
from shopify_xero_pipeline.sandbox.faults import Fault, FaultKind
from shopify_xero_pipeline.settings import SettingsError
from shopify_xero_pipeline.state.database_errors import StoreUrlError
from shopify_xero_pipeline.xero.models import Kind
from shopify_xero_pipeline_tests.support.stage import Stage, at, staged
from shopify_xero_pipeline_tests.support.sync_round import FIRST, books_file

pytestmark = pytest.mark.campaign

NOW = at(FIRST + timedelta(days=1))


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with staged(tmp_path, NOW) as stage:
        yield stage


def told(stage: Stage, instance: dg.DagsterInstance) -> str:
    """Sync a day that cannot be synced and return the one thing that is said about it."""
    report = stage.runner(instance).sync([FIRST])
    assert not report.succeeded
    assert report.days == []
    assert stage.size() == 0
    assert not any(stage.sync_service.connections.store.mapped(kind) for kind in Kind)
    assert not list((stage.folder / "assets").rglob("*.partial"))
    (message,) = report.failures
    assert "Traceback" not in message
    assert "Error:" not in message
    return message


@pytest.mark.parametrize("name", ["SHOPIFY_BASE_URL", "XERO_BASE_URL"])
def test_missing_credentials_are_named_before_any_run_begins(
    stage: Stage, instance: dg.DagsterInstance, name: str
) -> None:
    stage.environ[name] = ""
    side = name.partition("_")[0].capitalize()
    with pytest.raises(SettingsError, match=f"{side} credentials are not set: give .*from the file .env") as caught:
        stage.restart().connections.check_settings()
    other = {"Shopify": "Xero", "Xero": "Shopify"}[side]
    assert f"{other} credentials" not in str(caught.value)
    with pytest.raises(SettingsError):
        stage.runner(instance).sync([FIRST])
    assert instance.get_runs() == []


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("SHOPIFY_ACCESS_TOKEN", "Shopify does not accept the access token. Check SHOPIFY_ACCESS_TOKEN"),
        ("SHOPIFY_CLIENT_SECRET", "SHOPIFY_CLIENT_ID or SHOPIFY_CLIENT_SECRET is wrong; copy both again"),
    ],
)
def test_wrong_shopify_credentials_fail_the_step_with_one_message(
    stage: Stage, instance: dg.DagsterInstance, name: str, said: str
) -> None:
    stage.environ[name] = "not-the-secret"
    stage.restart()
    message = told(stage, instance)
    assert message.startswith("shopify/customers, shopify/orders, shopify/products: ")
    assert said in message
    assert "not-the-secret" not in message


def test_wrong_xero_credentials_fail_the_step_with_one_message(stage: Stage, instance: dg.DagsterInstance) -> None:
    stage.environ["XERO_CLIENT_SECRET"] = "not-the-secret"
    stage.restart()
    message = told(stage, instance)
    assert message.startswith("changes/contacts, ")
    assert "Xero does not accept the credentials (invalid_client). Check XERO_CLIENT_ID and" in message
    assert "not-the-secret" not in message


def test_a_tenant_that_the_connection_does_not_know_is_named(stage: Stage, instance: dg.DagsterInstance) -> None:
    stage.environ["XERO_TENANT_ID"] = "11111111-2222-3333-4444-555555555555"
    stage.restart()
    assert "Check XERO_TENANT_ID" in told(stage, instance)


@pytest.mark.parametrize(
    ("path", "kind", "said"),
    [
        ("/admin/", FaultKind.UNREACHABLE, "sandbox.myshopify.com could not be reached (ConnectError)."),
        ("/admin/", FaultKind.HTML, "Shopify sent an invalid or incomplete JSON response"),
        ("/connect/token", FaultKind.UNREACHABLE, "Xero's sign-in service cannot be reached. Check the network"),
        ("/connect/token", FaultKind.HTML, "Xero's sign-in service gave no usable response"),
        ("/api.xro/", FaultKind.UNREACHABLE, "Reading /Organisation failed 6 times: no response (ConnectError)."),
        ("/api.xro/", FaultKind.HTML, "Reading /Organisation failed 6 times: "),
    ],
)
def test_a_side_that_cannot_be_reached_or_answers_with_a_web_page_is_named(
    stage: Stage, instance: dg.DagsterInstance, path: str, kind: FaultKind, said: str
) -> None:
    stage.sandbox.faults.add(Fault(kind=kind, path=path, times=None))
    message = told(stage, instance)
    assert said in message
    assert "ry again" in message
    assert "<html" not in message.lower()


def test_an_unknown_key_is_named_with_its_line_and_what_was_meant(tmp_path: Path) -> None:
    path = books_file(tmp_path, ("\nstart_date:", "\nstart_dat:"))
    line = next(n for n, text in enumerate(Path(path).read_text().splitlines(), 1) if text.startswith("start_dat:"))
    with pytest.raises(PolicyError, match=f"line {line}: start_dat is not a setting; did you mean start_date"):
        load_policy(Path(path))


def test_a_folder_in_the_place_of_the_books_file_is_not_called_missing(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match=r"is a folder: set BOOKS_FILE to the books\.yaml in it"):
        load_policy(tmp_path)


def test_a_missing_books_file_says_where_it_is_looked_for(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match=r"nowhere\.yaml does not exist: set BOOKS_FILE to your books\.yaml"):
        load_policy(tmp_path / "nowhere.yaml")


def test_a_books_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "books.yaml"
    file.write_bytes(b"prefix: \xff\xfe")
    with pytest.raises(PolicyError, match=r"cannot be read .*: it must be a text file in UTF-8"):
        load_policy(file)


def test_a_start_date_in_the_future_is_refused_on_the_shops_calendar(tmp_path: Path) -> None:
    path = books_file(tmp_path, ("2026-09-21 ", "2026-09-23 "))
    with staged(tmp_path, NOW, BOOKS_FILE=path) as stage:
        with pytest.raises(PolicyError, match=r"start_date 2026-09-23 is in the future \(today is 2026-09-22\): set"):
            _ = stage.sync_service.connections.policy
        stage.clock.sleep(12 * 3600)
        assert stage.sync_service.connections.today() == FIRST + timedelta(days=2)


def test_another_time_zone_than_the_shops_is_refused(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    path = books_file(tmp_path, ("Pacific/Auckland ", "Europe/Berlin "))
    with staged(tmp_path, NOW, BOOKS_FILE=path) as stage:
        message = told(stage, instance)
        assert "time_zone is Europe/Berlin, but the shop's is Pacific/Auckland: set time_zone to" in message


def test_an_account_and_a_tax_rate_that_xero_does_not_have_are_both_named_before_anything_is_written(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    path = books_file(tmp_path, ('sales: "200"', 'sales: "999"'), ("tax_type: OUTPUT2", "tax_type: OUTPUT9"))
    with staged(tmp_path, NOW, BOOKS_FILE=path) as stage:
        message = told(stage, instance)
        assert "accounts.sales names account 999, which Xero does not have: create it in Xero, or name" in message
        assert (
            "tax.rates[0].tax_type names the tax type OUTPUT9, which does not exist or is not active in Xero" in message
        )
        assert "books.yaml does not fit" in message


def test_a_store_of_another_kind_is_refused_without_showing_its_password(stage: Stage) -> None:
    stage.environ["STATE_URL"] = "mysql://me:secret@db/state"
    with pytest.raises(StoreUrlError, match=r"set STATE_URL to sqlite:///path/to/state\.db") as caught:
        stage.restart().record_ownership.unfinished_days()
    assert "secret" not in str(caught.value)


def test_a_store_of_another_shop_fails_the_step_with_a_way_out(stage: Stage, instance: dg.DagsterInstance) -> None:
    stage.sync_service.record_ownership.unfinished_days()
    stage.sync_service.connections.close()
    stage.environ["SHOPIFY_SHOP"] = "other.myshopify.com"
    stage.restart()
    report = stage.runner(instance).sync([FIRST])
    (message,) = report.failures
    assert "belongs to shop sandbox.myshopify.com, not to other.myshopify.com" in message
    assert stage.size() == 0


def test_a_store_of_another_organisation_fails_the_step_and_leaves_both_as_they_were(
    stage: Stage, instance: dg.DagsterInstance
) -> None:
    stage.sync_service.planner.plan_contacts({}, stage.sync_service.extractor.read_orders([FIRST]))
    stage.sandbox.books.organisation["ShortCode"] = "!other"
    stage.clock.sleep(3600)
    assert "not to !other: check XERO_CLIENT_ID and XERO_TENANT_ID" in told(stage, instance)


def test_the_stages_own_message_reaches_the_runs_page(stage: Stage, instance: dg.DagsterInstance) -> None:
    stage.sandbox.faults.add(Fault(kind=FaultKind.UNREACHABLE, path="/admin/", times=None))
    stage.runner(instance).sync([FIRST])
    (run,) = instance.get_runs()
    assert run.status is dg.DagsterRunStatus.FAILURE
    steps = [record.event_log_entry.dagster_event for record in instance.get_records_for_run(run.run_id).records]
    failed = [step.step_failure_data for step in steps if step is not None and step.is_step_failure]
    assert len(failed) == 3
    assert all(one.user_failure_data and "could not be reached" in str(one.user_failure_data) for one in failed)
