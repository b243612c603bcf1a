"""A change-set: what must change in Xero for one kind and one day, and why, readable before anything is written.

Only shapes belong here; the comparison stands in `plan.py`. A change-set is a plan, not the truth: the loader looks at
the mapping again before it sends anything.
"""

from datetime import date
from decimal import Decimal
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from shopify_xero_pipeline.xero.models import AnyRecord, Kind


class Action(StrEnum):
    """What is to happen to a record."""

    CREATE = "create"
    UPDATE = "update"
    ADOPT = "adopt"
    DELETE = "delete"
    UNCHANGED = "unchanged"
    WAITING = "waiting"
    SKIPPED = "skipped"
    BLOCKED = "blocked"
    CONFLICT = "conflict"


class FieldDiff(BaseModel):
    """One field that differs, both sides as text."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    field: str
    before: str | None
    after: str | None


class Change(BaseModel):
    """One line of the plan. `record` is what Xero shall hold; None for an order that is not posted.

    `decided` says when and why a person left a conflict as it is in Xero.
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
    """All changes of one kind on one shop-local day; `payment` change-sets hold Allocations too."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    kind: Kind
    day: date
    changes: tuple[Change, ...] = ()
