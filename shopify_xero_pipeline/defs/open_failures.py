"""What is broken now, on whatever day, as checks of the assets themselves; `books/open_failures` lists all of it.

A check by day is shown by its last day, so that a later day's success hides an earlier day's failure. Each load and
`books/reconciliation` therefore has a second check that looks at all days. Every run evaluates it after its own work,
and the job `open_failures` does so at night. It reads our own files alone. What is open is gathered in
`shopify_xero_pipeline/open_failures.py`; the checks by day stand with their assets.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date

import dagster as dg

from shopify_xero_pipeline.defs.check_results import CheckOutcome, log_evaluation
from shopify_xero_pipeline.defs.metadata import tables
from shopify_xero_pipeline.defs.resources import as_dagster_failure
from shopify_xero_pipeline.observability.escaping import escape_markdown
from shopify_xero_pipeline.pipeline.open_failures import OpenRecord, days_with_most, open_records
from shopify_xero_pipeline.pipeline.sync import SyncService
from shopify_xero_pipeline.reconciliation.disagreements import Disagreement
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
"""The check of each asset that looks at all days. The UI lists checks by name and opens the first: these are it."""

DESCRIPTIONS = {
    "all_days_loaded": "Every record of every day is in Xero, whichever day ran last.",
    "all_days_agree": "The books of every day agree as they were last compared, whichever day ran last.",
    "nothing_open": "No record of any day is missing in Xero, and no day's books disagree.",
}
RECORDS_REMEDY = (
    "Mend the cause in Shopify, in Xero or in books.yaml, then sync the day again; nothing is written twice. "
    "`shopify-xero retry --key KEY` tries one record at once; if it shall stay as it is, "
    '`shopify-xero dismiss --key KEY --because "…"`.'
)
DAYS_REMEDY = (
    "`shopify-xero status NAME` shows an order whole, with its pages on both sides. Mend the cause, then sync the day "
    "again."
)
MAX_DAYS = 5
Counted = Sequence[tuple[date, int]]


def open_failures_asset() -> dg.AssetSpec:
    """Return the external asset `books/open_failures`. It has no days, so that the Catalog shows its checks."""
    return dg.AssetSpec(
        OPEN_FAILURES_KEY,
        deps=[ALL_DAYS_AGREE],
        group_name="books",
        kinds={"python"},
        description="What is not in Xero or does not agree now, on all days. Red until all of it is mended.",
    )


def all_days_loaded(found: Sequence[OpenRecord], links: tables.Links) -> CheckOutcome:
    """Return whether every record of a load is in Xero; of those that are not: how many, when, why, what to do."""
    if not found:
        return CheckOutcome(True, "Every record of every day is in Xero.", {})
    days = days_with_most(one.day for one in found)
    one, first = len(found) == 1, found[0]
    says = (
        f"{count_of(len(found), 'record')} {'is' if one else 'are'} not in Xero, on {_spelled(days)}. "
        f"{'' if one else 'The first: '}{_label(first)}: {first.reason}"
    )
    shown = {
        "failures": tables.record_table(_record(one) for one in found),
        "what to do": dg.MetadataValue.text(RECORDS_REMEDY),
        "records not in Xero": len(found),
        "worst days": dg.MetadataValue.text(_listed(days)),
    }
    return CheckOutcome(False, says, shown | links.pages((one.order_id, one.order_name) for one in found))


def all_days_agree(found: Sequence[Disagreement], links: tables.Links) -> CheckOutcome:
    """Return whether every day's books agree, and the days that do not: how many orders, which first, what to do."""
    if not found:
        return CheckOutcome(True, "The books of every day agree as they were last compared.", {})
    days = days_with_most({one.day: one.orders for one in found})
    named = [(one.day, order) for one in found for order in one.named]
    says = (
        f"{count_of(sum(one.orders for one in found), 'order')} to look at, on {_spelled(days)}. "
        f"{'' if len(named) == 1 else 'The first: '}{named[0][1].order_name}: {named[0][1].reason}"
    )
    shown = {
        "orders": tables.record_table(
            {"day": str(day), "order": order.order_name, "reason": order.reason} for day, order in named
        ),
        "days": tables.record_table(
            {
                "day": str(one.day),
                "orders": str(one.orders),
                "difference": f"{one.difference:,.2f}" if one.difference else "",
            }
            for one in found
        ),
        "what to do": dg.MetadataValue.text(DAYS_REMEDY),
        "days that do not agree": len(found),
        "worst days": dg.MetadataValue.text(_listed(days)),
    }
    return CheckOutcome(False, says, shown | links.pages((order.order_id, order.order_name) for _, order in named))


def nothing_open(verdicts: Mapping[dg.AssetKey, CheckOutcome]) -> CheckOutcome:
    """Return whether nothing is open in any asset, and which asset's check says what."""
    red = {key: found for key, found in verdicts.items() if not found.passed}
    if not red:
        return CheckOutcome(True, "Nothing is open: every record is in Xero, and the books of every day agree.", {})
    rows = [{"asset": key.to_user_string(), "what": found.description} for key, found in red.items()]
    pages = {f"checks of {key.to_user_string()}": dg.MetadataValue.asset(key) for key in red}
    says = f"Something is open in {count_of(len(red), 'asset')}: {', '.join(key.to_user_string() for key in red)}."
    return CheckOutcome(False, says, {"open": tables.record_table(rows), **pages})


def all_days_loaded_outcome(sync_service: SyncService, key: dg.AssetKey) -> CheckOutcome:
    """Return what the check of a load that looks at all days finds now."""
    with as_dagster_failure():
        return all_days_loaded(
            open_records(sync_service.connections.store, ALL_DAYS_LOADED[key]),
            tables.Links(sync_service.connections.shop_domain),
        )


def _verdicts(sync_service: SyncService) -> dict[dg.AssetKey, CheckOutcome]:
    """Return what all these checks find now; the open records of all loads are read at once."""
    links = tables.Links(sync_service.connections.shop_domain)
    with as_dagster_failure():
        found = open_records(
            sync_service.connections.store, [kind for kinds in ALL_DAYS_LOADED.values() for kind in kinds]
        )
        verdicts = {
            key: all_days_loaded([one for one in found if one.kind in kinds], links)
            for key, kinds in ALL_DAYS_LOADED.items()
        }
        verdicts[ALL_DAYS_AGREE] = all_days_agree(sync_service.disagreements(), links)
    return {**verdicts, OPEN_FAILURES_KEY: nothing_open(verdicts)}


def log_all_days_checks(context: dg.AssetExecutionContext, sync_service: SyncService) -> None:
    """Evaluate the check of `books/reconciliation` that looks at all days, and list everything that is open."""
    found = _verdicts(sync_service)
    log_evaluation(context, ALL_DAYS_AGREE, CHECKS[ALL_DAYS_AGREE], found[ALL_DAYS_AGREE])
    context.log_event(_listing(found[OPEN_FAILURES_KEY]))
    log_evaluation(context, OPEN_FAILURES_KEY, CHECKS[OPEN_FAILURES_KEY], found[OPEN_FAILURES_KEY])


@dg.multi_asset_check(
    specs=[dg.AssetCheckSpec(check, asset=key, description=DESCRIPTIONS[check]) for key, check in CHECKS.items()],
    can_subset=True,
)
def all_days(
    context: dg.AssetCheckExecutionContext, sync_service: dg.ResourceParam[SyncService]
) -> Iterator[dg.AssetCheckResult]:
    """Evaluate the checks that look at all days, without a call to either side."""
    found = _verdicts(sync_service)
    context.instance.report_runless_asset_event(_listing(found[OPEN_FAILURES_KEY]))
    for selected in context.selected_asset_check_keys:
        one = found[selected.asset_key]
        yield dg.AssetCheckResult(
            asset_key=selected.asset_key,
            check_name=selected.name,
            passed=one.passed,
            description=escape_markdown(one.description),
            metadata=dict(one.metadata),
        )


def _listing(everything: CheckOutcome) -> dg.AssetMaterialization:
    """Return `books/open_failures` as it is now, so that its page lists what its check found."""
    return dg.AssetMaterialization(
        OPEN_FAILURES_KEY, metadata={"open": dg.MetadataValue.text("nothing")} | dict(everything.metadata)
    )


def check_keys() -> list[dg.AssetCheckKey]:
    """Return the checks that look at all days."""
    return [dg.AssetCheckKey(key, check) for key, check in CHECKS.items()]


def _record(one: OpenRecord) -> dict[str, str]:
    return {
        "day": str(one.day),
        "order": one.order_name,
        "record": _label(one),
        "reason": one.reason,
        "attempts": str(one.attempts),
        "next try": f"{one.next_attempt_at:%d %b %H:%M} UTC" if one.next_attempt_at else "with the next load",
        "request": one.correlation_id,
    }


def _label(one: OpenRecord) -> str:
    return f"{one.kind.replace('_', ' ')} {one.name}"


def _spelled(days: Counted) -> str:
    return str(days[0][0]) if len(days) == 1 else f"{len(days)} days: {_listed(days)}"


def _listed(days: Counted) -> str:
    more = f" and {len(days) - MAX_DAYS} more days" if len(days) > MAX_DAYS else ""
    return ", ".join(f"{day} ({count})" for day, count in days[:MAX_DAYS]) + more
