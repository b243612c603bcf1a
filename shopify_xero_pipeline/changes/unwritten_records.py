"""The reasons why records of an order are not in Xero: rejected, held by the plan, or not written yet.

This module only decides the reason. Held lines are stored with each plan, because reconciliation runs after the load
and does not read the plan.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date

from shopify_xero_pipeline.changes.decisions import without_personal_data
from shopify_xero_pipeline.changes.models import Action, Change, ChangeSet
from shopify_xero_pipeline.state.records import Operation, OperationState, SyncError

Key = tuple[str, str]
"""The kind and the Shopify id of a record."""

HeldLines = Mapping[date, Sequence[Change]]
"""Held lines by day, in the shop's time zone."""

POSTPONED_REASON = {
    OperationState.PLANNED: "planned, and not written yet",
    OperationState.IN_BATCH: "sent without a known outcome; a later run reads it back from Xero",
    OperationState.NEEDS_CHECK: "sent without a known outcome; a later run looks it up in Xero",
}


def lines_held_back(plan: ChangeSet, posted: Collection[str]) -> list[Change]:
    """Return the held lines of a plan: conflicts, decided conflicts, and blocked lines of orders to be posted.

    People read these lines, so they have no record and, for a Contact, no personal values.

    Args:
        plan: the change-set of one kind and day.
        posted: ids of the orders that the books want posted.
    """
    lines = [
        line
        for line in plan.changes
        if line.action is Action.CONFLICT or line.decided or (line.action is Action.BLOCKED and line.order_id in posted)
    ]
    return [without_personal_data(line) for line in lines]


def conflict_lines(held: HeldLines) -> list[tuple[date, Change]]:
    """Return the conflicts without a decision, with their days, oldest first.

    Args:
        held: held lines by day.
    """
    return [(day, line) for day, lines in sorted(held.items()) for line in lines if line.action is Action.CONFLICT]


def decided_lines(held: HeldLines) -> list[tuple[date, Change]]:
    """Return the conflicts with a decision, with their days, oldest first.

    Args:
        held: held lines by day.
    """
    return [(day, line) for day, lines in sorted(held.items()) for line in lines if line.decided]


def missing_reason(
    missing: Mapping[Key, str],
    refused: Iterable[SyncError],
    held_back: Sequence[Change],
    unwritten: Mapping[Key, Operation],
) -> tuple[str, str]:
    """Return the outcome of an order with missing records, and the reason.

    Args:
        missing: natural keys of the missing records, by kind and Shopify id.
        refused: failed records of the order, including dismissed ones.
        held_back: held lines of the order's plans, including decided ones.
        unwritten: operations without a confirmed outcome, by kind and Shopify id.
    """
    refused, decisions = list(refused), _decisions_by_key(refused, held_back)
    undecided = {key: name for key, name in missing.items() if key not in decisions}
    not_written = f"not in Xero yet: {', '.join(undecided.values())}"
    if reasons := sorted({error.reason for error in refused if error.dismissed_at is None}):
        return "failed", f"{'; '.join(reasons)} ({not_written})"
    held_back = [line for line in held_back if not line.decided]
    if not undecided and not held_back:
        return "skipped", "; ".join(dict.fromkeys(decisions[key] for key in missing))
    own_lines = [line for line in held_back if (line.kind, line.shopify_id) in missing]
    open_writes = [unwritten[key] for key in undecided if key in unwritten]
    if open_writes and not own_lines:
        reasons = list(dict.fromkeys(write.reason or POSTPONED_REASON[write.state] for write in open_writes))
        return "postponed", "; ".join(reasons)
    if lines := own_lines or held_back:
        outcome = "conflict" if any(line.action is Action.CONFLICT for line in lines) else "blocked"
        return outcome, "; ".join(dict.fromkeys(line.reason for line in lines))
    return "failed", not_written


def _decisions_by_key(refused: Iterable[SyncError], held_back: Iterable[Change]) -> dict[Key, str]:
    """Return the decisions about records of an order, as text by record."""
    decisions: dict[Key, str] = {
        (line.kind, line.shopify_id): f"{line.reason}; {line.decided}" for line in held_back if line.decided
    }
    for error in refused:
        if error.dismissed_at is not None:
            dismissal = f"dismissed {error.dismissed_at:%Y-%m-%d %H:%M} UTC: {error.dismissal_reason}"
            decisions[error.kind, error.shopify_id] = f"{error.reason}; {dismissal}"
    return decisions
