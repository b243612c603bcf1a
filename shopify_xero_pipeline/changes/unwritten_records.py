"""Why records of an order that is to be posted are not in Xero: refused, held back by the plan, or not written yet.

Only that decision belongs here. `held` lines are kept with each plan, because the comparison comes after the load and
no longer sees the plan.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date

from shopify_xero_pipeline.changes.decisions import without_personal_data
from shopify_xero_pipeline.changes.models import Action, Change, ChangeSet
from shopify_xero_pipeline.state.records import Operation, OperationState, SyncError

Key = tuple[str, str]
"""Kind and Shopify id."""

HeldLines = Mapping[date, Sequence[Change]]
"""Lines that are held back, by day."""

POSTPONED_REASON = {
    OperationState.PLANNED: "planned, and not written yet",
    OperationState.IN_BATCH: "sent, and read back by a later run, as no answer said what became of it",
    OperationState.NEEDS_CHECK: "looked up in Xero by a later run, as no answer said what became of it",
}


def lines_held_back(plan: ChangeSet, posted: Collection[str]) -> list[Change]:
    """Return the lines of a plan that are or were in conflict, and those of orders to be posted that it blocks.

    Without the records, and without both sides of what is a customer's: a line is kept for people to read.

    Args:
        plan: of one kind and day.
        posted: ids of the orders that the books want posted.
    """
    lines = [
        line
        for line in plan.changes
        if line.action is Action.CONFLICT or line.decided or (line.action is Action.BLOCKED and line.order_id in posted)
    ]
    return [without_personal_data(line) for line in lines]


def conflict_lines(found: HeldLines) -> list[tuple[date, Change]]:
    """Return the lines in conflict that nobody decided about, with their days, oldest first."""
    return [(day, line) for day, lines in sorted(found.items()) for line in lines if line.action is Action.CONFLICT]


def decided_lines(found: HeldLines) -> list[tuple[date, Change]]:
    """Return the lines that a person decided about, with their days, oldest first."""
    return [(day, line) for day, lines in sorted(found.items()) for line in lines if line.decided]


def missing_reason(
    missing: Mapping[Key, str],
    refused: Iterable[SyncError],
    held_back: Sequence[Change],
    unwritten: Mapping[Key, Operation],
) -> tuple[str, str]:
    """Return the outcome of an order of which records are missing in Xero, and the reason.

    Args:
        missing: their natural keys.
        refused: failed records of the order, dismissed ones among them.
        held_back: lines of its plans that write nothing, those among them that a person decided about.
        unwritten: open writes.
    """
    refused, settled = list(refused), _decisions(refused, held_back)
    still = {key: name for key, name in missing.items() if key not in settled}
    left = f"not in Xero yet: {', '.join(still.values())}"
    if reasons := sorted({error.reason for error in refused if error.dismissed_at is None}):
        return "failed", f"{'; '.join(reasons)} ({left})"
    held_back = [line for line in held_back if not line.decided]
    if not still and not held_back:
        return "skipped", "; ".join(dict.fromkeys(settled[key] for key in missing))
    own = [line for line in held_back if (line.kind, line.shopify_id) in missing]
    waiting = [unwritten[key] for key in still if key in unwritten]
    if waiting and not own:
        reasons = list(dict.fromkeys(one.reason or POSTPONED_REASON[one.state] for one in waiting))
        return "postponed", "; ".join(reasons)
    if lines := own or held_back:
        outcome = "conflict" if any(line.action is Action.CONFLICT for line in lines) else "blocked"
        return outcome, "; ".join(dict.fromkeys(line.reason for line in lines))
    return "failed", left


def _decisions(refused: Iterable[SyncError], held_back: Iterable[Change]) -> dict[Key, str]:
    """Return what a person decided about records of an order."""
    found: dict[Key, str] = {
        (line.kind, line.shopify_id): f"{line.reason}; {line.decided}" for line in held_back if line.decided
    }
    for error in refused:
        if error.dismissed_at is not None:
            since = f"dismissed {error.dismissed_at:%Y-%m-%d %H:%M} UTC: {error.dismissal_reason}"
            found[error.kind, error.shopify_id] = f"{error.reason}; {since}"
    return found
