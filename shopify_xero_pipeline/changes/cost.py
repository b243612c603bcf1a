"""The write calls of a plan to Xero's API, known before the first request.

A batch has up to 50 records. Xero takes Allocations of one Credit Note per call, and deletes one Allocation per call.
This module does not count reads.
"""

from collections import Counter
from collections.abc import Iterable

from shopify_xero_pipeline.changes.models import Action, Change, ChangeSet
from shopify_xero_pipeline.changes.plan import NUMBERED_ADOPTION
from shopify_xero_pipeline.xero.models import Allocation, Kind

BATCH_SIZE = 50  # records in one request, as in `loading/batch_requests.py` and docs/contracts/xero.md §3
ACTIONS_WITH_REQUEST = frozenset({Action.CREATE, Action.UPDATE, Action.DELETE})


def is_sent(line: Change) -> bool:
    """Return whether a line needs a request; of the adoptions only that of a Contact without our number does."""
    return line.action in ACTIONS_WITH_REQUEST or (line.action is Action.ADOPT and line.reason == NUMBERED_ADOPTION)


def count_write_calls(change_sets: Iterable[ChangeSet]) -> int:
    """Return the number of write calls that change-sets need; a record that several days plan counts once.

    Args:
        change_sets: plans of any kinds and days.
    """
    lines = [line for change_set in change_sets for line in change_set.changes if is_sent(line)]
    last = {(line.kind, line.shopify_id): line for line in lines}.values()
    batched = [line for line in last if line.action is not Action.DELETE]
    # A create is PUT, an update and an adoption are POST.
    sizes = Counter((line.kind, line.action is Action.CREATE) for line in batched if line.kind is not Kind.ALLOCATION)
    credit_notes = {line.record.credit_note_number for line in batched if isinstance(line.record, Allocation)}
    return sum(-(-size // BATCH_SIZE) for size in sizes.values()) + len(credit_notes) + len(last) - len(batched)
