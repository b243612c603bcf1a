"""The cost of a plan in Xero API calls, known before the first request.

A batch has up to 50 records. Xero takes Allocations of one Credit Note per call, and deletes one Allocation per call.
This module does not count reads.
"""

from collections import Counter
from collections.abc import Iterable

from shopify_xero_pipeline.changes.models import Action, ChangeSet
from shopify_xero_pipeline.xero.models import Allocation, Kind

BATCH_SIZE = 50  # records in one request, as in `loading/batch_requests.py` and docs/contracts/xero.md §3
BATCHED_ACTIONS = frozenset({Action.CREATE, Action.UPDATE})


def count_write_calls(change_sets: Iterable[ChangeSet]) -> int:
    """Return the number of write calls that change-sets need.

    Args:
        change_sets: plans of any kinds and days.
    """
    lines = [line for change_set in change_sets for line in change_set.changes]
    batched = [line for line in lines if line.action in BATCHED_ACTIONS]
    sizes = Counter((line.kind, line.action) for line in batched if line.kind is not Kind.ALLOCATION)
    credit_notes = {line.record.credit_note_number for line in batched if isinstance(line.record, Allocation)}
    deletions = sum(line.action is Action.DELETE for line in lines)
    return sum(-(-size // BATCH_SIZE) for size in sizes.values()) + len(credit_notes) + deletions
