"""What carrying a plan out costs in calls to Xero, so that it is known before anything is sent.

Batches hold up to 50 records; Allocations go one Credit Note a call, and one a call where they are taken back. Reads
before and after are not counted here.
"""

from collections.abc import Iterable, Sequence

from shopify_xero_pipeline.changes.models import Action, Change, ChangeSet
from shopify_xero_pipeline.xero.models import Allocation, Kind

BATCH = 50
SENT = frozenset({Action.CREATE, Action.UPDATE})


def count_write_calls(change_sets: Iterable[ChangeSet]) -> int:
    """Return the number of write calls for change-sets of any kinds and days."""
    planned = [line for change_set in change_sets for line in change_set.changes]
    lines = [line for line in planned if line.action in SENT]
    taken_back = sum(line.action is Action.DELETE for line in planned)
    batched = sum(
        _batches([line for line in lines if line.kind is kind and line.action is action])
        for kind in Kind
        if kind is not Kind.ALLOCATION
        for action in SENT
    )
    notes = {line.record.credit_note_number for line in lines if isinstance(line.record, Allocation)}
    return batched + len(notes) + taken_back


def _batches(lines: Sequence[Change]) -> int:
    return -(-len(lines) // BATCH)
