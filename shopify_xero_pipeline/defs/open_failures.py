"""Checks over all days, and the asset `books/open_failures`, which lists the open failures of all days.

The UI displays the result of a check by day for the day that ran last, so the success of a later day hides the failure
of an earlier one. Each load and `books/reconciliation` therefore has a second check over all days. Every run evaluates
it after its own work, the job `open_failures` every night. It only reads local files. `pipeline/open_failures.py`
collects the failures; the checks by day are with their assets.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date

import dagster as dg

from shopify_xero_pipeline.defs.check_results import CheckOutcome, log_evaluation
from shopify_xero_pipeline.defs.metadata.tables import Links, record_table
from shopify_xero_pipeline.defs.resources import as_dagster_failure
from shopify_xero_pipeline.observability.escaping import escape_markdown
from shopify_xero_pipeline.pipeline.open_failures import OpenRecord, days_with_most, open_records
from shopify_xero_pipeline.pipeline.record_views import TableView, join_first, open_records_table, record_label
from shopify_xero_pipeline.pipeline.sync import SyncService
from shopify_xero_pipeline.reconciliation.disagreements import Disagreement
from shopify_xero_pipeline.reconciliation.rollup import format_amounts
from shopify_xero_pipeline.reconciliation.verdict import count_of
from shopify_xero_pipeline.xero.models import Kind

ALL_DAYS_LOADED: Mapping[dg.AssetKey, tuple[Kind, ...]] = {
    dg.AssetKey(["xero", "contacts"]): (Kind.CONTACT,),
    dg.AssetKey(["xero", "items"]): (Kind.ITEM,),
    dg.AssetKey(["xero", "invoices"]): (Kind.INVOICE,),
    dg.AssetKey(["xero", "credit_notes"]): (Kind.CREDIT_NOTE,),
    dg.AssetKey(["xero", "payments"]): (Kind.PAYMENT, Kind.ALLOCATION),
}
ALL_DAYS_AGREE = dg.AssetKey(["books", "reconciliation"])
OPEN_FAILURES_KEY = dg.AssetKey(["books", "open_failures"])
CHECKS: Mapping[dg.AssetKey, str] = {
    **dict.fromkeys(ALL_DAYS_LOADED, "all_days_loaded"),
    ALL_DAYS_AGREE: "all_days_agree",
    OPEN_FAILURES_KEY: "nothing_open",
}
"""The check over all days by asset. The UI sorts checks by name and opens the first, which has to be this one."""

DESCRIPTIONS = {
    "all_days_loaded": "Every record of every day is in Xero, whichever day ran last.",
    "all_days_agree": "The books of every day agree as last reconciled, whichever day ran last.",
    "nothing_open": "No record of any day is missing in Xero, and no day's books disagree.",
}
RECORDS_REMEDY = (
    "Fix the cause in Shopify, in Xero or in books.yaml, then sync the day again; nothing is written twice. "
    "`shopify-xero retry --key KEY` retries one record at once; if it is to stay as it is, "
    'run `shopify-xero dismiss --key KEY --because "…"`.'
)
DAYS_REMEDY = (
    "`shopify-xero status NAME` prints the history of an order, with links to Shopify and Xero. Fix the cause, then "
    "sync the day again."
)
MAX_DAYS = 5  # named in a description
DayCounts = Sequence[tuple[date, int]]
"""Days with their number of failures, the largest first."""


def open_failures_asset() -> dg.AssetSpec:
    """Return the external asset `books/open_failures`, without partitions, so that the Catalog displays its checks."""
    return dg.AssetSpec(
        OPEN_FAILURES_KEY,
        deps=[ALL_DAYS_AGREE],
        group_name="books",
        kinds={"python"},
        description="Records that are not in Xero, and books that do not agree, on all days. Red while there is any.",
    )


def all_days_loaded(records: Sequence[OpenRecord], links: Links) -> CheckOutcome:
    """Return whether every record of a load is in Xero.

    Args:
        records: the open records of the load, on all days.
        links: links to Shopify and Xero.
    """
    if not records:
        return CheckOutcome(True, "Every record of every day is in Xero.", {})
    days = days_with_most(record.day for record in records)
    is_single, first = len(records) == 1, records[0]
    description = (
        f"{count_of(len(records), 'record')} {'is' if is_single else 'are'} not in Xero, on {_format_days(days)}. "
        f"{'' if is_single else 'The first: '}{record_label(first.kind, first.name)}: {first.reason}"
    )
    metadata = {
        "failures": record_table(open_records_table(records)),
        "what to do": dg.MetadataValue.text(RECORDS_REMEDY),
        "records not in Xero": len(records),
        "worst days": dg.MetadataValue.text(_format_counts(days)),
    }
    pages = links.order_pages((record.order_id, record.order_name) for record in records)
    return CheckOutcome(False, description, metadata | pages)


def all_days_agree(disagreements: Sequence[Disagreement], links: Links) -> CheckOutcome:
    """Return whether the books of every day agree.

    Args:
        disagreements: the days that do not agree.
        links: links to Shopify and Xero.
    """
    if not disagreements:
        return CheckOutcome(True, "The books of every day agree as last reconciled.", {})
    days = days_with_most({disagreement.day: disagreement.orders for disagreement in disagreements})
    orders = [(disagreement.day, order) for disagreement in disagreements for order in disagreement.named]
    first = orders[0][1]
    days_to_check = [(str(day.day), str(day.orders), format_amounts(day.differences.items())) for day in disagreements]
    description = (
        f"{count_of(sum(disagreement.orders for disagreement in disagreements), 'order')} to look at, "
        f"on {_format_days(days)}. {'' if len(orders) == 1 else 'The first: '}{first.order_name}: {first.reason}"
    )
    metadata = {
        "orders": record_table(
            TableView(("day", "order", "reason"), [(str(day), order.order_name, order.reason) for day, order in orders])
        ),
        "days": record_table(TableView(("day", "orders", "difference"), days_to_check)),
        "what to do": dg.MetadataValue.text(DAYS_REMEDY),
        "days that disagree": len(disagreements),
        "worst days": dg.MetadataValue.text(_format_counts(days)),
    }
    pages = links.order_pages((order.order_id, order.order_name) for _, order in orders)
    return CheckOutcome(False, description, metadata | pages)


def nothing_open(outcomes: Mapping[dg.AssetKey, CheckOutcome]) -> CheckOutcome:
    """Return whether the checks over all days passed for every asset, with links to the failed ones."""
    failed = {key: outcome for key, outcome in outcomes.items() if not outcome.passed}
    if not failed:
        return CheckOutcome(True, "Nothing is open: every record is in Xero, and the books of every day agree.", {})
    rows = [(key.to_user_string(), outcome.description) for key, outcome in failed.items()]
    pages = {f"checks of {key.to_user_string()}": dg.MetadataValue.asset(key) for key in failed}
    names = ", ".join(key.to_user_string() for key in failed)
    description = f"{count_of(len(failed), 'asset')} with open failures: {names}."
    return CheckOutcome(False, description, {"open": record_table(TableView(("asset", "result"), rows)), **pages})


def evaluate_loads(sync_service: SyncService, loads: Collection[dg.AssetKey]) -> dict[dg.AssetKey, CheckOutcome]:
    """Return the present outcome of the check over all days of each load, with one read of their open records.

    Args:
        sync_service: the service with the state store.
        loads: keys of the loads.

    Raises:
        dg.Failure: the state store cannot be read.
    """
    links = Links(sync_service.connections.shop_domain)
    with as_dagster_failure():
        records = open_records(sync_service.connections.store, [kind for key in loads for kind in ALL_DAYS_LOADED[key]])
    return {
        key: all_days_loaded([record for record in records if record.kind in ALL_DAYS_LOADED[key]], links)
        for key in loads
    }


def _evaluate_checks(sync_service: SyncService) -> dict[dg.AssetKey, CheckOutcome]:
    """Return the present outcomes of all checks over all days."""
    outcomes = evaluate_loads(sync_service, ALL_DAYS_LOADED)
    with as_dagster_failure():
        disagreements = sync_service.reconciliations.disagreements()
    outcomes[ALL_DAYS_AGREE] = all_days_agree(disagreements, Links(sync_service.connections.shop_domain))
    return {**outcomes, OPEN_FAILURES_KEY: nothing_open(outcomes)}


def log_all_days_checks(context: dg.AssetExecutionContext, sync_service: SyncService) -> None:
    """Log `books/open_failures` and the checks over all days of it and of `books/reconciliation`.

    Raises:
        dg.Failure: the state store cannot be read.
    """
    outcomes = _evaluate_checks(sync_service)
    log_evaluation(context, ALL_DAYS_AGREE, CHECKS[ALL_DAYS_AGREE], outcomes[ALL_DAYS_AGREE])
    context.log_event(_materialise_open_failures(outcomes[OPEN_FAILURES_KEY]))  # the evaluation targets it
    log_evaluation(context, OPEN_FAILURES_KEY, CHECKS[OPEN_FAILURES_KEY], outcomes[OPEN_FAILURES_KEY])


@dg.multi_asset_check(
    specs=[dg.AssetCheckSpec(check, asset=key, description=DESCRIPTIONS[check]) for key, check in CHECKS.items()],
    can_subset=True,
)
def all_days(
    context: dg.AssetCheckExecutionContext, sync_service: dg.ResourceParam[SyncService]
) -> Iterator[dg.AssetCheckResult]:
    """Evaluate the checks over all days, without a call to Shopify or Xero."""
    outcomes = _evaluate_checks(sync_service)
    context.instance.report_runless_asset_event(_materialise_open_failures(outcomes[OPEN_FAILURES_KEY]))
    for check_key in context.selected_asset_check_keys:
        outcome = outcomes[check_key.asset_key]
        yield dg.AssetCheckResult(
            asset_key=check_key.asset_key,
            check_name=check_key.name,
            passed=outcome.passed,
            description=escape_markdown(outcome.description),
            metadata=dict(outcome.metadata),
        )


def _materialise_open_failures(outcome: CheckOutcome) -> dg.AssetMaterialization:
    """Return the materialisation of `books/open_failures` with the metadata of its check."""
    return dg.AssetMaterialization(
        OPEN_FAILURES_KEY, metadata={"open": dg.MetadataValue.text("nothing")} | dict(outcome.metadata)
    )


def check_keys() -> list[dg.AssetCheckKey]:
    """Return the keys of the checks over all days."""
    return [dg.AssetCheckKey(key, check) for key, check in CHECKS.items()]


def _format_days(days: DayCounts) -> str:
    return str(days[0][0]) if len(days) == 1 else f"{len(days)} days: {_format_counts(days)}"


def _format_counts(days: DayCounts) -> str:
    return join_first([f"{day} ({count})" for day, count in days], MAX_DAYS, noun="days")
