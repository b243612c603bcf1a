"""What is broken now, on whatever day, as checks of the assets themselves; `books/open_failures` lists all of it.

A check by day is shown by its last day, so that a later day's success hides an earlier day's failure. Each load and
`books/reconciliation` therefore has a second check that looks at all days. Every run evaluates it after its own work,
and the job `open_failures` does so at night. It reads our own files alone. What is open is gathered in
`shopify_xero_pipeline/open_failures.py`; the checks by day stand with their assets.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date

import dagster as dg

from shopify_xero_pipeline.defs.check_results import Verdict, evaluate
from shopify_xero_pipeline.defs.metadata import tables
from shopify_xero_pipeline.defs.resources import told_to_people
from shopify_xero_pipeline.observability.escaping import markdown
from shopify_xero_pipeline.pipeline.open_failures import OpenRecord, open_records, worst_days
from shopify_xero_pipeline.pipeline.sync import Bookkeeper
from shopify_xero_pipeline.reconciliation.disagreements import Disagreement
from shopify_xero_pipeline.reconciliation.verdict import counted
from shopify_xero_pipeline.xero.models import Kind

LOADED: Mapping[dg.AssetKey, tuple[Kind, ...]] = {
    dg.AssetKey(["xero", "contacts"]): (Kind.CONTACT,),
    dg.AssetKey(["xero", "items"]): (Kind.ITEM,),
    dg.AssetKey(["xero", "invoices"]): (Kind.INVOICE,),
    dg.AssetKey(["xero", "credit_notes"]): (Kind.CREDIT_NOTE,),
    dg.AssetKey(["xero", "payments"]): (Kind.PAYMENT, Kind.ALLOCATION),
}
RECONCILED = dg.AssetKey(["books", "reconciliation"])
ALL = dg.AssetKey(["books", "open_failures"])
CHECKS: Mapping[dg.AssetKey, str] = {
    **dict.fromkeys(LOADED, "all_days_loaded"),
    RECONCILED: "all_days_agree",
    ALL: "nothing_open",
}
"""The check of each asset that looks at all days. The UI lists checks by name and opens the first: these are it."""

SAYS = {
    "all_days_loaded": "Every record of every day is in Xero, whichever day ran last.",
    "all_days_agree": "The books of every day agree as they were last compared, whichever day ran last.",
    "nothing_open": "No record of any day is missing in Xero, and no day's books disagree.",
}
MEND = (
    "Mend the cause in Shopify, in Xero or in books.yaml, then sync the day again; nothing is written twice. "
    "`shopify-xero retry --key KEY` tries one record at once; if it shall stay as it is, "
    '`shopify-xero dismiss --key KEY --because "…"`.'
)
COMPARE = (
    "`shopify-xero status NAME` shows an order whole, with its pages on both sides. Mend the cause, then sync the day "
    "again."
)
MOST_DAYS = 5
Counted = Sequence[tuple[date, int]]


def all_spec() -> dg.AssetSpec:
    """Return the external asset `books/open_failures`. It has no days, so that the Catalog shows its checks."""
    return dg.AssetSpec(
        ALL,
        deps=[RECONCILED],
        group_name="books",
        kinds={"python"},
        description="What is not in Xero or does not agree now, on all days. Red until all of it is mended.",
    )


def all_days_loaded(found: Sequence[OpenRecord], links: tables.Links) -> Verdict:
    """Return whether every record of a load is in Xero; of those that are not: how many, when, why, what to do."""
    if not found:
        return Verdict(True, "Every record of every day is in Xero.", {})
    days = worst_days(one.day for one in found)
    one, first = len(found) == 1, found[0]
    says = (
        f"{counted(len(found), 'record')} {'is' if one else 'are'} not in Xero, on {_spelled(days)}. "
        f"{'' if one else 'The first: '}{_label(first)}: {first.reason}"
    )
    shown = {
        "failures": tables.table(_record(one) for one in found),
        "what to do": dg.MetadataValue.text(MEND),
        "records not in Xero": len(found),
        "worst days": dg.MetadataValue.text(_listed(days)),
    }
    return Verdict(False, says, shown | links.pages((one.order_id, one.order_name) for one in found))


def all_days_agree(found: Sequence[Disagreement], links: tables.Links) -> Verdict:
    """Return whether every day's books agree, and the days that do not: how many orders, which first, what to do."""
    if not found:
        return Verdict(True, "The books of every day agree as they were last compared.", {})
    days = worst_days({one.day: one.orders for one in found})
    named = [(one.day, order) for one in found for order in one.named]
    says = (
        f"{counted(sum(one.orders for one in found), 'order')} to look at, on {_spelled(days)}. "
        f"{'' if len(named) == 1 else 'The first: '}{named[0][1].order_name}: {named[0][1].reason}"
    )
    shown = {
        "orders": tables.table(
            {"day": str(day), "order": order.order_name, "reason": order.reason} for day, order in named
        ),
        "days": tables.table(
            {
                "day": str(one.day),
                "orders": str(one.orders),
                "difference": f"{one.difference:,.2f}" if one.difference else "",
            }
            for one in found
        ),
        "what to do": dg.MetadataValue.text(COMPARE),
        "days that do not agree": len(found),
        "worst days": dg.MetadataValue.text(_listed(days)),
    }
    return Verdict(False, says, shown | links.pages((order.order_id, order.order_name) for _, order in named))


def nothing_open(verdicts: Mapping[dg.AssetKey, Verdict]) -> Verdict:
    """Return whether nothing is open in any asset, and which asset's check says what."""
    red = {key: found for key, found in verdicts.items() if not found.passed}
    if not red:
        return Verdict(True, "Nothing is open: every record is in Xero, and the books of every day agree.", {})
    rows = [{"asset": key.to_user_string(), "what": found.says} for key, found in red.items()]
    pages = {f"checks of {key.to_user_string()}": dg.MetadataValue.asset(key) for key in red}
    says = f"Something is open in {counted(len(red), 'asset')}: {', '.join(key.to_user_string() for key in red)}."
    return Verdict(False, says, {"open": tables.table(rows), **pages})


def loaded(bookkeeper: Bookkeeper, key: dg.AssetKey) -> Verdict:
    """Return what the check of a load that looks at all days finds now."""
    with told_to_people():
        return all_days_loaded(open_records(bookkeeper.store, LOADED[key]), tables.Links(bookkeeper.shop_domain))


def _verdicts(bookkeeper: Bookkeeper) -> dict[dg.AssetKey, Verdict]:
    """Return what all these checks find now; the open records of all loads are read at once."""
    links = tables.Links(bookkeeper.shop_domain)
    with told_to_people():
        found = open_records(bookkeeper.store, [kind for kinds in LOADED.values() for kind in kinds])
        verdicts = {
            key: all_days_loaded([one for one in found if one.kind in kinds], links) for key, kinds in LOADED.items()
        }
        verdicts[RECONCILED] = all_days_agree(bookkeeper.disagreements(), links)
    return {**verdicts, ALL: nothing_open(verdicts)}


def evaluate_all(context: dg.AssetExecutionContext, bookkeeper: Bookkeeper) -> None:
    """Evaluate the check of `books/reconciliation` that looks at all days, and list everything that is open."""
    found = _verdicts(bookkeeper)
    evaluate(context, RECONCILED, CHECKS[RECONCILED], found[RECONCILED])
    context.log_event(_listing(found[ALL]))
    evaluate(context, ALL, CHECKS[ALL], found[ALL])


@dg.multi_asset_check(
    specs=[dg.AssetCheckSpec(check, asset=key, description=SAYS[check]) for key, check in CHECKS.items()],
    can_subset=True,
)
def all_days(
    context: dg.AssetCheckExecutionContext, bookkeeper: dg.ResourceParam[Bookkeeper]
) -> Iterator[dg.AssetCheckResult]:
    """Evaluate the checks that look at all days, without a call to either side."""
    found = _verdicts(bookkeeper)
    context.instance.report_runless_asset_event(_listing(found[ALL]))
    for selected in context.selected_asset_check_keys:
        one = found[selected.asset_key]
        yield dg.AssetCheckResult(
            asset_key=selected.asset_key,
            check_name=selected.name,
            passed=one.passed,
            description=markdown(one.says),
            metadata=dict(one.shown),
        )


def _listing(everything: Verdict) -> dg.AssetMaterialization:
    """Return `books/open_failures` as it is now, so that its page lists what its check found."""
    return dg.AssetMaterialization(ALL, metadata={"open": dg.MetadataValue.text("nothing")} | dict(everything.shown))


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
        "next try": f"{one.next_try:%d %b %H:%M} UTC" if one.next_try else "with the next load",
        "request": one.correlation_id,
    }


def _label(one: OpenRecord) -> str:
    return f"{one.kind.replace('_', ' ')} {one.name}"


def _spelled(days: Counted) -> str:
    return str(days[0][0]) if len(days) == 1 else f"{len(days)} days: {_listed(days)}"


def _listed(days: Counted) -> str:
    more = f" and {len(days) - MOST_DAYS} more days" if len(days) > MOST_DAYS else ""
    return ", ".join(f"{day} ({count})" for day, count in days[:MOST_DAYS]) + more
