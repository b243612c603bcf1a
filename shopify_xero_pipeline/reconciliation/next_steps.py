"""The next step for an order or record that is not posted: the remedy for each reason.

This module only has the texts of remedies. A reason that blocks an order ends with its own remedy, which is split off
here unchanged, as people paste it. Every other outcome has one remedy.
"""

import shlex
from collections.abc import Sequence

from shopify_xero_pipeline.books import remedies
from shopify_xero_pipeline.changes.models import Action, Change
from shopify_xero_pipeline.xero.models import Kind

RETRIED_HINT = "then run the day again"
DISMISS_HINT = "shopify-xero dismiss --key {key} --because TEXT"
NO_ACTION = "nothing has to be done"
DEFAULTS = {
    "waiting": f"{NO_ACTION}: a later sync posts it when the event in the reason occurs",
    "skipped": f"{NO_ACTION}: a rule of the books excludes it",
    "blocked": f"fix the cause in the reason, {RETRIED_HINT}",
    "postponed": f"{NO_ACTION}: automation retries the day; without automation, run the day again later",
    "conflict": f"decide which side is right: undo the change in Xero, {RETRIED_HINT}; or leave it: {DISMISS_HINT}",
    "failed": f"fix the cause in the reason, {RETRIED_HINT}, or `shopify-xero dismiss` the record with a reason",
}
UNEQUAL = "compare both sides with `shopify-xero status '{name}'`, correct the wrong one, {again}"
ON_BOTH_SIDES = f"set the same value on both sides, or set on_conflict: restore in books.yaml; {RETRIED_HINT}"
SET_BACK = f"set the document back in Xero, {RETRIED_HINT}"
REMOVE_THEIRS = f"compare both sides; if Shopify's is right, remove theirs in Xero, {RETRIED_HINT}"
OF_CONFLICT = {
    Kind.CONTACT: ON_BOTH_SIDES,
    Kind.ITEM: ON_BOTH_SIDES,
    Kind.INVOICE: SET_BACK,
    Kind.CREDIT_NOTE: SET_BACK,
    Kind.PAYMENT: REMOVE_THEIRS,
    Kind.ALLOCATION: REMOVE_THEIRS,
}


def order_next_step(outcome: str, reason: str, problems: Sequence[str], name: str) -> tuple[str, str]:
    """Return the reason why an order is not posted in full, and the remedy.

    Args:
        outcome: the outcome of the order.
        reason: the reason of its row in the reconciliation.
        problems: the differences between its columns, as sentences.
        name: the order's name in Shopify, such as `#1001`.
    """
    cause, remedy = remedies.split_reason(reason) if outcome == "blocked" else (reason, "")
    text = "; ".join(filter(None, (cause, *problems)))
    if outcome in DEFAULTS:
        return text, remedy or DEFAULTS[outcome].replace("{key}", shlex.quote(name))
    return text, UNEQUAL.format(again=RETRIED_HINT, name=name) if problems else ""


def conflict_next_step(line: Change) -> tuple[str, str]:
    """Return the reason of a line that writes nothing, and the remedy; any other line has no remedy."""
    if line.action is Action.CONFLICT:
        leave = DISMISS_HINT.format(key=shlex.quote(line.order_name or line.natural_key))
        return line.reason, f"{_conflict_remedy(line)}; or leave it as it is: {leave}"
    if line.action in (Action.BLOCKED, Action.WAITING, Action.SKIPPED):
        return order_next_step(line.action.value, line.reason, (), line.order_name or "")
    return line.reason, ""


def _conflict_remedy(line: Change) -> str:
    if line.xero_id is None:
        return f"it is not in Xero: fix the cause in the reason there, {RETRIED_HINT}"
    if line.kind in (Kind.INVOICE, Kind.CREDIT_NOTE) and not line.fields:
        return "Xero cannot restore it: enter its replacement there, if it needs one"
    return OF_CONFLICT[line.kind]
