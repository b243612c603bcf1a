"""Metadata of a day's load, and the outcome of its check `all_loaded`."""

from collections.abc import Iterable, Sequence
from typing import Any

import dagster as dg

from shopify_xero_pipeline.defs.check_results import CheckOutcome
from shopify_xero_pipeline.defs.metadata.tables import (
    Links,
    count_values,
    money_table,
    record_table,
    summarise_failures,
)
from shopify_xero_pipeline.loading.load_report import LoadResult
from shopify_xero_pipeline.pipeline.record_views import missing_records_table, record_label
from shopify_xero_pipeline.reconciliation.rollup import by_currency
from shopify_xero_pipeline.state.records import SyncError


def load_metadata(results: Sequence[LoadResult]) -> dict[str, Any]:
    """Return counts by outcome and posted amounts by currency.

    Both are text, because the UI plots numbers in the sidebar of the asset above its checks; the numbers are in
    `books/trends` (`defs/trends.py`).
    """
    posted = [result for result in results if result.outcome in {"created", "adopted"}]
    return {
        "posted amount": money_table(by_currency((result.currency, result.amount) for result in posted)),
        "records": dg.MetadataValue.text(count_values(result.outcome.value for result in results)),
    }


def all_loaded_outcome(results: Sequence[LoadResult], links: Links, errors: Iterable[SyncError]) -> CheckOutcome:
    """Return whether every record of a day is in Xero, with a table of the missing ones.

    Args:
        results: results of the day's load.
        links: links to Shopify and Xero.
        errors: failed records of the state store, with attempts of all runs and the next attempt (UTC).
    """
    missing = [result for result in results if result.outcome in {"failed", "postponed"}]
    names = [record_label(result.kind, result.natural_key, result.shopify_id) for result in missing]
    failures = record_table(missing_records_table(missing, errors))
    pages = links.order_pages((result.order_id, result.order_name or "") for result in missing)
    return CheckOutcome(
        not missing,
        summarise_failures(names, len(results), "record", "not in Xero"),
        {"failures": failures, **pages, **links.record_pages(missing)},
    )
