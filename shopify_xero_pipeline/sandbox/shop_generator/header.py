"""The fields of an order besides charges and money: name, dates, people and flags.

This module only contains state; a scenario writes it, `render.py` reads it.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from shopify_xero_pipeline.sandbox.shop_generator.people import Company, Person


@dataclass(frozen=True, slots=True)
class Terms:
    """Payment terms with their name, days and due date."""

    name: str
    days: int
    issued_at: datetime
    due_at: datetime


@dataclass(slots=True)
class Header:
    """An order's own fields; `address` is the billing address, `delivery` a different delivery address."""

    number: int
    created_at: datetime
    processed_at: datetime
    updated_at: datetime
    person: Person | None = None
    company: Company | None = None
    address: dict[str, Any] | None = None
    delivery: dict[str, Any] | None = None
    source: str = "web"
    cancelled_at: datetime | None = None
    cancel_reason: str | None = None
    terms: Terms | None = None
    note: str | None = None
    po_number: str | None = None
    test: bool = False
    edited: bool = False
    returned: bool = False
    tax_exempt: bool = False
    tags: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The order's name for merchants, such as `#1001`."""
        return f"#{self.number}"
