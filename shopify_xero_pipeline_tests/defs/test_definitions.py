import subprocess
import sys
from datetime import date, timedelta
from typing import Any

import dagster as dg
import pytest

from shopify_xero_pipeline.books.policy import BooksPolicy
from shopify_xero_pipeline.definitions import build_definitions
from shopify_xero_pipeline.defs.jobs import respects_retry_schedule

LINEAGE = {
    "shopify/customers": set(),
    "shopify/products": set(),
    "shopify/orders": set(),
    "entity_mapping": set(),
    "changes/contacts": {"shopify/customers", "shopify/orders", "entity_mapping"},
    "changes/items": {"shopify/products", "shopify/orders", "entity_mapping"},
    "changes/invoices": {"shopify/orders", "entity_mapping"},
    "changes/credit_notes": {"shopify/orders", "entity_mapping"},
    "changes/payments": {"shopify/orders", "entity_mapping"},
    "xero/contacts": {"changes/contacts"},
    "xero/items": {"changes/items"},
    "xero/invoices": {"changes/invoices", "xero/contacts", "xero/items"},
    "xero/credit_notes": {"changes/credit_notes", "xero/invoices"},
    "xero/payments": {"changes/payments", "xero/credit_notes"},
    "books/reconciliation": {
        "shopify/orders", "xero/contacts", "xero/items", "xero/invoices", "xero/credit_notes", "xero/payments",
    },
    "books/trends": {"books/reconciliation"},
    "books/open_failures": {"books/reconciliation"},
}  # fmt: skip


@pytest.fixture(scope="module")
def definitions() -> dg.Definitions:
    return build_definitions(policy=BooksPolicy())


def test_the_code_location_loads_and_its_graph_has_no_cycle(definitions: dg.Definitions) -> None:
    dg.Definitions.validate_loadable(definitions)
    assert len(definitions.resolve_asset_graph().toposorted_asset_keys) == len(LINEAGE)


def test_the_lineage_is_the_one_of_the_architecture(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    found = {
        key.to_user_string(): {parent.to_user_string() for parent in graph.get(key).parent_keys}
        for key in graph.get_all_asset_keys()
    }
    assert found == LINEAGE


def test_a_backfill_of_any_length_is_one_run(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    for key in graph.materializable_asset_keys:
        assert graph.get(key).partitions_def is not None
        assert graph.get(key).backfill_policy == dg.BackfillPolicy.single_run()


def test_only_the_mapping_and_the_list_of_open_failures_have_no_days(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    without = {key.to_user_string() for key in graph.get_all_asset_keys() if graph.get(key).partitions_def is None}
    assert without == {"entity_mapping", "books/open_failures"}


def test_every_asset_says_what_it_is_and_whose_it_is(definitions: dg.Definitions) -> None:
    for spec in definitions.resolve_all_asset_specs():
        assert spec.description, spec.key
        assert spec.kinds, spec.key
        assert list(spec.owners) == ["team:bookkeeping"]
        assert "owner page" not in spec.metadata


def test_an_outage_is_one_asset_that_is_not_fresh_the_last_of_each_sync(definitions: dg.Definitions) -> None:
    policies = {spec.key.to_user_string(): spec.freshness_policy for spec in definitions.resolve_all_asset_specs()}
    assert {key: policy for key, policy in policies.items() if policy is not None} == {
        "books/reconciliation": dg.FreshnessPolicy.time_window(
            fail_window=timedelta(hours=26), warn_window=timedelta(hours=4)
        )
    }


def test_every_asset_links_to_its_owners_where_a_page_is_set_and_the_mapping_shows_its_database() -> None:
    found = build_definitions(policy=BooksPolicy(), database="postgres", owners_page="https://wiki.example/books")
    specs = {spec.key.to_user_string(): spec for spec in found.resolve_all_asset_specs()}
    assert {spec.metadata["owner page"].value for spec in specs.values()} == {"https://wiki.example/books"}
    assert specs["entity_mapping"].kinds == {"postgres"}


def test_loads_and_reconciliation_hold_the_pool_and_nothing_else_does(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    holding = {key.to_user_string() for key in graph.materializable_asset_keys if graph.get(key).pools == {"xero"}}
    assert holding == {key for key in LINEAGE if key.startswith("xero/")} | {"books/reconciliation"}


def test_every_load_and_the_reconciliation_have_their_checks_by_day(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    checks = {f"{key.asset_key.to_user_string()}:{key.name}" for key in graph.asset_check_keys}
    loads = {f"xero/{name}:all_loaded" for name in ("contacts", "items", "invoices", "credit_notes", "payments")}
    books = {
        f"books/reconciliation:{name}"
        for name in ("every_order_accounted_for", "totals_equal", "no_duplicates_or_missing")
    }
    mapping = {f"entity_mapping:{name}" for name in ("no_duplicate_xero_id", "no_orphan", "rows_intact")}
    all_days = {check.replace("all_loaded", "all_days_loaded") for check in loads}
    all_days |= {"books/reconciliation:all_days_agree", "books/open_failures:nothing_open"}
    assert checks == loads | books | mapping | all_days


def test_the_check_that_looks_at_all_days_is_the_first_that_the_ui_lists_of_each_asset(
    definitions: dg.Definitions,
) -> None:
    """It lists them by name and opens the first."""
    names: dict[str, list[str]] = {}
    for key in definitions.resolve_asset_graph().asset_check_keys:
        names.setdefault(key.asset_key.to_user_string(), []).append(key.name)
    del names["entity_mapping"]
    first = {asset: min(checks) for asset, checks in names.items()}
    assert first == dict.fromkeys([key for key in LINEAGE if key.startswith("xero/")], "all_days_loaded") | {
        "books/reconciliation": "all_days_agree", "books/open_failures": "nothing_open",
    }  # fmt: skip


def test_a_sync_has_no_steps_for_the_checks_that_look_at_all_days_and_the_nightly_job_has_nothing_else(
    definitions: dg.Definitions,
) -> None:
    assert "all_days" not in definitions.resolve_job_def("sync").graph.node_names()
    assert definitions.resolve_job_def("open_failures").graph.node_names() == ["all_days"]


def test_jobs_and_schedules_are_the_ones_the_readme_names(definitions: dg.Definitions) -> None:
    repository = definitions.get_repository_def()
    assert {"sync", "plan", "mapping_checks", "open_failures"} <= {job.name for job in repository.get_all_jobs()}
    nightly = {"nightly", "nightly_mapping_checks", "nightly_open_failures"}
    assert {s.name for s in repository.schedule_defs} == {"hourly", *nightly}


def test_every_job_schedule_and_sensor_says_in_the_ui_what_it_does(definitions: dg.Definitions) -> None:
    repository = definitions.get_repository_def()
    jobs = [job for job in repository.get_all_jobs() if not job.name.startswith("__")]
    found: list[Any] = [*jobs, *repository.schedule_defs, *repository.sensor_defs]
    assert len(found) == 12
    assert [one.name for one in found if not one.description] == []


def test_schedules_stand_still_unless_automation_is_on() -> None:
    def status(*, automation: bool) -> set[dg.DefaultScheduleStatus]:
        found = build_definitions(policy=BooksPolicy(), automation=automation).get_repository_def()
        return {schedule.default_status for schedule in found.schedule_defs}

    assert status(automation=False) == {dg.DefaultScheduleStatus.STOPPED}
    assert status(automation=True) == {dg.DefaultScheduleStatus.RUNNING}


def test_the_plan_job_cannot_write(definitions: dg.Definitions) -> None:
    keys = definitions.resolve_job_def("plan").asset_layer.executable_asset_keys
    assert {key.path[0] for key in keys} == {"shopify", "changes"}


def test_days_follow_the_start_date_and_the_shops_zone() -> None:
    policy = BooksPolicy(start_date=date(2026, 4, 4), time_zone="Pacific/Auckland")
    graph = build_definitions(policy=policy).resolve_asset_graph()
    partitions = graph.get(dg.AssetKey(["shopify", "orders"])).partitions_def
    assert isinstance(partitions, dg.DailyPartitionsDefinition)
    window = partitions.time_window_for_partition_key("2026-04-05")
    assert (window.end.timestamp() - window.start.timestamp()) / 3600 == 25
    assert partitions.get_first_partition_key() == "2026-04-04"


@pytest.mark.parametrize("tag", ["shopify-xero/respect-retry-schedule", "shopify-xero/patient"])
def test_a_run_with_the_present_or_the_former_tag_respects_the_retry_schedule(tag: str) -> None:
    assert respects_retry_schedule({tag: "yes"})
    assert not respects_retry_schedule({})


def test_importing_the_definitions_reads_neither_files_nor_the_environment(tmp_path: object) -> None:
    code = "import shopify_xero_pipeline.definitions as d; print(type(d.defs).__name__)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=str(tmp_path),
        env={"BOOKS_FILE": "/nowhere"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
