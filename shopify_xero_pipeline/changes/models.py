"""Change-sets, the plan of one kind of record for one day.

This module only has the models. The comparison is in `plan.py`. A change-set may be outdated: the loader reads the
mapping again before it sends a request.
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from shopify_xero_pipeline.xero.models import AnyRecord, Kind


class Action(StrEnum):
    """The planned action for a record."""

    CREATE = "create"
    UPDATE = "update"
    ADOPT = "adopt"
    DELETE = "delete"
    UNCHANGED = "unchanged"
    WAITING = "waiting"
    SKIPPED = "skipped"
    BLOCKED = "blocked"
    CONFLICT = "conflict"


WRITING_ACTIONS = frozenset({Action.CREATE, Action.UPDATE, Action.ADOPT, Action.DELETE})
"""The actions of records that a load works on."""


@dataclass(frozen=True, slots=True)
class FieldDiff:
    """A field that differs, with both sides as text."""

    field: str
    before: str | None
    after: str | None


class Change(BaseModel):
    """A line of the plan.

    Attributes:
        natural_key: the number or code of the record in Xero.
        reason: the reason for the action.
        record: the desired state of the record; None for an order that is not posted.
        xero_id: the id of the record in Xero, if there is one.
        fields: the fields that differ.
        amount: the total of a document or the amount of a payment, in `currency`.
        decided: the date and reason of a person's decision to leave a conflict in Xero; empty without a decision.
    """

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    action: Action
    kind: Kind
    shopify_id: str
    natural_key: str = ""
    order_id: str | None = None
    order_name: str | None = None
    reason: str = ""
    record: AnyRecord | None = None
    xero_id: str | None = None
    fields: tuple[FieldDiff, ...] = ()
    amount: Decimal | None = None
    currency: str | None = None
    decided: str = ""


class ChangeSet(BaseModel):
    """All changes of one kind on one day in the shop's time zone. Allocations are in the change-sets of Payments."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    kind: Kind
    day: date
    changes: tuple[Change, ...] = ()
