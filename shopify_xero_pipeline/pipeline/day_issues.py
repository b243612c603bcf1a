"""What a day still needs a person or a later run for, kept as small texts, so that reading it costs what it holds.

Three kinds: lines of the last plan that write nothing although the books want it (`held`), by kind and day; a note of
each day that does not simply agree; and what people decided about conflicts, by record. A day without any has no text.
Only keeping belongs here; what stands in them is decided in `changes/unwritten_records.py`,
`reconciliation/disagreements.py` and `changes/decisions.py`.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import date, datetime

from pydantic import TypeAdapter

from shopify_xero_pipeline.changes.decisions import Decision, decision_key
from shopify_xero_pipeline.changes.models import Change, ChangeSet
from shopify_xero_pipeline.changes.unwritten_records import lines_held_back
from shopify_xero_pipeline.reconciliation.comparison import DayReconciliation
from shopify_xero_pipeline.reconciliation.disagreements import Disagreement, disagreement_of_day
from shopify_xero_pipeline.state.quarantine import DECISIONS_KEY
from shopify_xero_pipeline.state.store import StateStore

HELD_KEY, DISAGREEMENT_KEY = "held_lines", "disagreement"
LINES = TypeAdapter(list[Change])


def store_held_lines(store: StateStore, plans: Sequence[ChangeSet], posted: Collection[str]) -> None:
    """Keep what the plans of one kind hold back, in the place of what earlier plans of these days did.

    Args:
        store: where.
        plans: of one kind, for different days.
        posted: ids of the orders that the books want posted.
    """
    known, texts = store.get_values(HELD_KEY), {}
    for plan in plans:
        name, lines = f"{plan.day} {plan.kind}", lines_held_back(plan, posted)
        text = LINES.dump_json(lines).decode() if lines else None
        if text != known.get(name):
            texts[f"{HELD_KEY}.{name}"] = text
    if texts:
        store.put_values(texts)


def held_lines(store: StateStore, days: Collection[date] | None = None) -> dict[date, list[Change]]:
    """Return the lines that are held back, by day: of all days, or of some."""
    found: dict[date, list[Change]] = defaultdict(list)
    for name, text in store.get_values(HELD_KEY).items():
        day = date.fromisoformat(name[:10])
        if days is None or day in days:
            found[day] += LINES.validate_json(text)
    return dict(found)


def decisions(store: StateStore) -> dict[str, Decision]:
    """Return what people decided about conflicts, by record."""
    return {name: Decision.model_validate_json(text) for name, text in store.get_values(DECISIONS_KEY).items()}


def decide(store: StateStore, lines: Iterable[Change], because: str, now: datetime) -> None:
    """Keep that a person leaves conflicts as they are in Xero, for a reason."""
    found = [Decision(line=line, because=because, decided_at=now) for line in lines]
    store.put_values({f"{DECISIONS_KEY}.{decision_key(one.line)}": one.model_dump_json() for one in found})


def withdraw_decisions(store: StateStore, lines: Iterable[Change]) -> None:
    """Forget what a person decided about these."""
    store.put_values({f"{DECISIONS_KEY}.{decision_key(line)}": None for line in lines})


def issue_key(day: date) -> str:
    """Return the name under which it is kept how a day stands."""
    return f"{DISAGREEMENT_KEY}.{day}"


def issue_entry(day: DayReconciliation) -> dict[str, str | None]:
    """Return what is to be kept of how a day stands, by name; None where it simply agrees: an older one goes."""
    found = disagreement_of_day(day)
    return {issue_key(day.day): None if found is None else found.model_dump_json()}


def days_in_disagreement(store: StateStore) -> dict[date, Disagreement]:
    """Return how the days stand that do not simply agree, oldest first."""
    found = map(Disagreement.model_validate_json, store.get_values(DISAGREEMENT_KEY).values())
    return {one.day: one for one in found}
