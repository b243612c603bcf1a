"""Issues of a day that need a person or a later run, stored as small texts.

There are three kinds: held lines of the last plan, which write nothing although the books want a record, by kind and
day; the summary of each day that disagrees; and decisions about conflicts, by record. A day without issues has no text,
so that a read costs only what is open.
This module only stores issues. Their content comes from `changes/unwritten_records.py`,
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
    """Store the held lines of plans, and replace those of earlier plans of the same kind and days.

    Args:
        store: the state store.
        plans: at most one change-set for each kind and day.
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
    """Return the held lines by day.

    Args:
        store: the state store.
        days: the days to return; None for all.
    """
    lines: dict[date, list[Change]] = defaultdict(list)
    for name, text in store.get_values(HELD_KEY).items():
        day = date.fromisoformat(name[:10])  # the name is the ISO day and the kind
        if days is None or day in days:
            lines[day] += LINES.validate_json(text)
    return dict(lines)


def decisions(store: StateStore) -> dict[str, Decision]:
    """Return people's decisions about conflicts, by record."""
    return {name: Decision.model_validate_json(text) for name, text in store.get_values(DECISIONS_KEY).items()}


def decide(store: StateStore, lines: Iterable[Change], because: str, now: datetime) -> None:
    """Store a person's decision to leave conflicts as they are in Xero.

    Args:
        store: the state store.
        lines: the lines in conflict.
        because: the person's reason.
        now: the present time, UTC.
    """
    store.put_values(
        {
            f"{DECISIONS_KEY}.{decision_key(line)}": Decision(
                line=line, because=because, decided_at=now
            ).model_dump_json()
            for line in lines
        }
    )


def withdraw_decisions(store: StateStore, lines: Iterable[Change]) -> None:
    """Delete the decisions about lines.

    Args:
        store: the state store.
        lines: the lines whose decisions are revoked.
    """
    store.put_values({f"{DECISIONS_KEY}.{decision_key(line)}": None for line in lines})


def issue_key(day: date) -> str:
    """Return the key of a day's summary in the store."""
    return f"{DISAGREEMENT_KEY}.{day}"


def issue_entry(day: DayReconciliation) -> dict[str, str | None]:
    """Return the store entry of a day's summary; its value is None, which deletes an earlier one, if the day agrees."""
    summary = disagreement_of_day(day)
    return {issue_key(day.day): None if summary is None else summary.model_dump_json()}


def days_in_disagreement(store: StateStore) -> dict[date, Disagreement]:
    """Return the summaries of the days that disagree, oldest first."""
    summaries = map(Disagreement.model_validate_json, store.get_values(DISAGREEMENT_KEY).values())
    return {summary.day: summary for summary in summaries}
