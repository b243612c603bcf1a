"""What a person decides about a conflict: their side stays in Xero as it is, for a reason, until either side changes.

Pure: decisions are handed in. Only what a decision covers is decided here; where it is kept stands in
`pipeline/day_issues.py`.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

from pydantic import BaseModel, ConfigDict

from shopify_xero_pipeline.changes.known_records import documents_of
from shopify_xero_pipeline.changes.models import Action, Change, ChangeSet
from shopify_xero_pipeline.xero.models import Kind


class Decision(BaseModel):
    """A decision about one line of a plan.

    Attributes:
        line: the conflict as it was; of a Contact only which fields differ.
        because: the person's reason.
        decided_at: when that was, UTC.
    """

    model_config = ConfigDict(frozen=True)

    line: Change
    because: str
    decided_at: datetime

    @property
    def sentence(self) -> str:
        """When and why."""
        return f"left as it is in Xero since {self.decided_at:%Y-%m-%d %H:%M} UTC: {self.because}"

    def covers(self, line: Change) -> bool:
        """Return whether a conflict is the one that was decided about: nothing of it changed on either side."""
        return line.action is Action.CONFLICT and _essence(line) == _essence(self.line)


Decisions = Mapping[str, Decision]
"""By what they are about; see `about`."""


def decision_key(line: Change) -> str:
    """Return what names the record of a line: `invoice 5001/1`."""
    return f"{line.kind.value} {line.shopify_id}"


def is_decided(line: Change, decisions: Decisions) -> bool:
    """Return whether a person decided about a conflict as it is now."""
    found = decisions.get(decision_key(line))
    return found is not None and found.covers(line)


def with_decisions(plans: Iterable[ChangeSet], decisions: Decisions) -> list[ChangeSet]:
    """Return plans in which conflicts that a person decided about are left out, each with the decision."""
    return [
        plan.model_copy(update={"changes": tuple(_settled(line, decisions) for line in plan.changes)}) for plan in plans
    ]


def is_named(name: str, line: Change) -> bool:
    """Return whether a name stands for a line.

    Args:
        name: the order's name or id, the number of a document, a record's Xero id, or its natural key.
        line: of a plan.
    """
    return name in {
        line.natural_key,
        line.order_id,
        line.order_name,
        line.xero_id,
        *documents_of(line.kind, line.natural_key),
    }


def without_personal_data(line: Change) -> Change:
    """Return a line without its record, and of a Contact only which fields differ, as their values are a customer's."""
    fields = line.fields
    if line.kind is Kind.CONTACT:
        fields = tuple(field.model_copy(update={"before": None, "after": None}) for field in fields)
    return line.model_copy(update={"record": None, "fields": fields})


def _settled(line: Change, decisions: Decisions) -> Change:
    if not is_decided(line, decisions):
        return line
    return line.model_copy(
        update={"action": Action.SKIPPED, "record": None, "decided": decisions[decision_key(line)].sentence}
    )


def _essence(line: Change) -> tuple[object, ...]:
    """Return both sides; the reason is left out, as a rebuilt store gives another one for the same."""
    plain = without_personal_data(line)
    return plain.fields, plain.amount, plain.currency, plain.xero_id
