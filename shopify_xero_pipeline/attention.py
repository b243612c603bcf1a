"""What a day still needs a person or a later run for, kept as small texts, so that reading it costs what it holds.

Two kinds: lines of the last plan that write nothing although the books want it (`held`), by kind and day; and the
agreement of each day that does not simply agree. A day without any has no text. Only keeping belongs here; what stands
in them is decided in `changes/in_the_way.py` and `changes/agreement.py`.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import date

from pydantic import TypeAdapter

from shopify_xero_pipeline.changes.agreement import Agreement, Standing, agreement
from shopify_xero_pipeline.changes.in_the_way import held
from shopify_xero_pipeline.changes.models import Change, ChangeSet
from shopify_xero_pipeline.changes.reconciliation import DayReconciliation
from shopify_xero_pipeline.state.store import StateStore

HELD, NOT_AGREED = "held lines ", "not agreed "
LINES = TypeAdapter(list[Change])


def keep_held(store: StateStore, plans: Sequence[ChangeSet], posted: Collection[str]) -> None:
    """Keep what the plans of one kind hold back, in the place of what earlier plans of these days did.

    Args:
        store: where.
        plans: of one kind, for different days.
        posted: ids of the orders that the books want posted.
    """
    texts = {}
    for plan in plans:
        lines = held(plan, posted)
        texts[f"{HELD}{plan.day} {plan.kind}"] = LINES.dump_json(lines).decode() if lines else ""
    _keep(store, HELD, texts)


def held_lines(store: StateStore, days: Collection[date] | None = None) -> dict[date, list[Change]]:
    """Return the lines that are held back, by day: of all days, or of some."""
    found: dict[date, list[Change]] = defaultdict(list)
    for name, text in sorted(store.recalled(HELD).items()):
        day = date.fromisoformat(name.removeprefix(HELD)[:10])
        if days is None or day in days:
            found[day] += LINES.validate_json(text)
    return dict(found)


def keep_agreement(store: StateStore, days: Iterable[DayReconciliation]) -> None:
    """Keep how each day stands, unless it simply agrees."""
    texts = {}
    for day in days:
        found = agreement([day])
        texts[f"{NOT_AGREED}{day.day}"] = "" if found.standing is Standing.AGREE else found.model_dump_json()
    _keep(store, NOT_AGREED, texts)


def not_agreed(store: StateStore) -> dict[date, Agreement]:
    """Return how the days stand that do not simply agree."""
    found = sorted(store.recalled(NOT_AGREED).items())
    return {
        date.fromisoformat(name.removeprefix(NOT_AGREED)): Agreement.model_validate_json(text) for name, text in found
    }


def _keep(store: StateStore, prefix: str, texts: dict[str, str]) -> None:
    """Write what is new and forget what is over; what stands there already costs no write."""
    known = store.recalled(prefix)
    for name, text in texts.items():
        if text and text != known.get(name):
            store.remember(name, text)
        elif not text and name in known:
            store.forget(name)
