"""The cost of a plan in Xero API calls, known before the first request.

A batch has up to 50 records. Xero takes Allocations of one Credit Note per call, and deletes one Allocation per call.
This module does not count reads.
"""

from collections.abc import Iterable, Sequence

from shopify_xero_pipeline.changes.models import Action, Change, ChangeSet
from shopify_xero_pipeline.xero.models import Allocation, Kind

BATCH_SIZE = 50  # records in one request, as in `state/records.py` and docs/contracts/xero.md §3
BATCHED_ACTIONS = frozenset({Action.CREATE, Action.UPDATE})


def count_write_calls(change_sets: Iterable[ChangeSet]) -> int:
    """Return the number of write calls that change-sets need.

    Args:
        change_sets: plans of any kinds and days.
    """
    planned = [line for change_set in change_sets for line in change_set.changes]
    lines = [line for line in planned if line.action in BATCHED_ACTIONS]
    deletions = sum(line.action is Action.DELETE for line in planned)
    batched = sum(
        _batches([line for line in lines if line.kind is kind and line.action is action])
        for kind in Kind
        if kind is not Kind.ALLOCATION
        for action in BATCHED_ACTIONS
    )
    credit_notes = {line.record.credit_note_number for line in lines if isinstance(line.record, Allocation)}
    return batched + len(credit_notes) + deletions


def _batches(lines: Sequence[Change]) -> int:
    return -(-len(lines) // BATCH_SIZE)
