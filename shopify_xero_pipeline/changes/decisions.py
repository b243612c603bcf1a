"""A person's decision about a conflict, which holds until one of its two sides changes.

This module only matches decisions with the lines of a plan. Storage is in `pipeline/day_issues.py`.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

from pydantic import BaseModel, ConfigDict

from shopify_xero_pipeline.changes.models import Action, Change, ChangeSet, FieldDiff
from shopify_xero_pipeline.xero import references
from shopify_xero_pipeline.xero.models import Kind


class Decision(BaseModel):
    """A decision about one line of a plan.

    Attributes:
        line: the conflict at the time of the decision; for a Contact only the names of the changed fields.
        because: the person's reason.
        decided_at: the instant of the decision, UTC.
    """

    model_config = ConfigDict(frozen=True)

    line: Change
    because: str
    decided_at: datetime

    @property
    def sentence(self) -> str:
        """The instant and the reason of the decision."""
        return f"left as it is in Xero since {self.decided_at:%Y-%m-%d %H:%M} UTC: {self.because}"

    def covers(self, line: Change) -> bool:
        """Return whether a line is the same conflict, unchanged on both sides."""
        return line.action is Action.CONFLICT and _both_sides(line) == _both_sides(self.line)


Decisions = Mapping[str, Decision]
"""Decisions by the key of their record; see `decision_key`."""


def decision_key(line: Change) -> str:
    """Return the key of a line's record, such as `invoice 5001/1`."""
    return f"{line.kind.value} {line.shopify_id}"


def is_decided(line: Change, decisions: Decisions) -> bool:
    """Return whether a decision covers a line."""
    decision = decisions.get(decision_key(line))
    return decision is not None and decision.covers(line)


def with_decisions(plans: Iterable[ChangeSet], decisions: Decisions) -> list[ChangeSet]:
    """Return plans in which each decided conflict is skipped and carries its decision.

    Args:
        plans: change-sets of any kinds and days.
        decisions: decisions by `decision_key`.
    """
    return [
        plan.model_copy(update={"changes": tuple(_with_decision(line, decisions) for line in plan.changes)})
        for plan in plans
    ]


def is_named(name: str, line: Change) -> bool:
    """Return whether a name identifies a line.

    Args:
        name: the name or id of an order, the number of a document, a Xero id, or a natural key.
        line: a line of a plan.
    """
    return name in {
        line.natural_key,
        line.order_id,
        line.order_name,
        line.xero_id,
        *references.documents_of(line.kind, line.natural_key),
    }


def without_personal_data(line: Change) -> Change:
    """Return a line without its record and, for a Contact, without the values of its changed fields."""
    fields = line.fields
    if line.kind is Kind.CONTACT:
        fields = tuple(FieldDiff(field.field, None, None) for field in fields)
    return line.model_copy(update={"record": None, "fields": fields})


def _with_decision(line: Change, decisions: Decisions) -> Change:
    if not is_decided(line, decisions):
        return line
    return line.model_copy(
        update={"action": Action.SKIPPED, "record": None, "decided": decisions[decision_key(line)].sentence}
    )


def _both_sides(line: Change) -> tuple[object, ...]:
    """Return both sides of a conflict, without the reason: a rebuilt store words the reason differently."""
    anonymous = without_personal_data(line)
    return anonymous.fields, anonymous.amount, anonymous.currency, anonymous.xero_id
