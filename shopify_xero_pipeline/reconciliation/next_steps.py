"""What to do about an order or a record that is not simply posted: the remedy beside each reason.

Only the words of remedies belong here. A rule of the books that blocks an order names its remedy itself, at the end of
its reason, and is parted from it here; every other outcome has one remedy. A remedy that may be pasted is not changed.
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
    "waiting": f"{NO_ACTION}: it is posted by itself once what it waits for has come",
    "skipped": f"{NO_ACTION}: a rule of the books leaves it out",
    "blocked": f"mend what the reason names, {RETRIED_HINT}",
    "postponed": f"{NO_ACTION} but to run the day again later; automation does that by itself",
    "conflict": f"decide which side is right: undo theirs in Xero, {RETRIED_HINT}; or leave it: {DISMISS_HINT}",
    "failed": f"mend what the reason names, {RETRIED_HINT}, or `shopify-xero dismiss` the record for a reason",
}
UNEQUAL = "compare both sides, correct the one that is wrong, {again}: `shopify-xero status '{name}'` shows all of it"
ON_BOTH_SIDES = f"set it to the same on both sides, or set on_conflict: restore in books.yaml; {RETRIED_HINT}"
SET_BACK = f"set the document back in Xero, {RETRIED_HINT}"
REMOVE_THEIRS = f"compare both sides; if Shopify's shall stand, remove theirs in Xero, {RETRIED_HINT}"
OF_CONFLICT = {
    Kind.CONTACT: ON_BOTH_SIDES,
    Kind.ITEM: ON_BOTH_SIDES,
    Kind.INVOICE: SET_BACK,
    Kind.CREDIT_NOTE: SET_BACK,
    Kind.PAYMENT: REMOVE_THEIRS,
    Kind.ALLOCATION: REMOVE_THEIRS,
}


def order_next_step(outcome: str, reason: str, problems: Sequence[str], name: str) -> tuple[str, str]:
    """Return why an order is not simply posted, and what to do about it.

    Args:
        outcome: of the order.
        reason: as its row of the reconciliation says.
        problems: where its columns differ.
        name: of the order, as people know it.
    """
    why, remedy = remedies.split_reason(reason) if outcome == "blocked" else (reason, "")
    said = "; ".join(filter(None, (why, *problems)))
    if outcome in DEFAULTS:
        return said, remedy or DEFAULTS[outcome].replace("{key}", shlex.quote(name))
    return said, UNEQUAL.format(again=RETRIED_HINT, name=name) if problems else ""


def conflict_next_step(line: Change) -> tuple[str, str]:
    """Return why a line of a plan writes nothing, and what to do about it; of any other line only its reason."""
    if line.action is Action.CONFLICT:
        leave = DISMISS_HINT.format(key=shlex.quote(line.order_name or line.natural_key))
        return line.reason, f"{_of_conflict(line)}; or leave it as it is: {leave}"
    if line.action in (Action.BLOCKED, Action.WAITING, Action.SKIPPED):
        return order_next_step(line.action.value, line.reason, (), line.order_name or "")
    return line.reason, ""


def _of_conflict(line: Change) -> str:
    if line.xero_id is None:
        return f"nothing of it is in Xero: clear up there what the reason names, {RETRIED_HINT}"
    if line.kind in (Kind.INVOICE, Kind.CREDIT_NOTE) and not line.fields:
        return "Xero cannot bring it back: enter there what is to replace it, if anything is"
    return OF_CONFLICT[line.kind]
