"""What an order shows besides charges and money: name, dates, people, flags.

State only; a scenario writes it, the renderer reads it.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from shopify_xero_pipeline.sandbox.shop_generator.people import Company, Person


@dataclass(frozen=True, slots=True)
class Terms:
    """Payment terms: what they are called and when payment is due."""

    name: str
    days: int
    issued_at: datetime
    due_at: datetime


@dataclass(slots=True)
class Header:
    """An order's own fields; `address` is the billing address, `delivery` where it goes if that is elsewhere."""

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
        """The order's name as merchants know it."""
        return f"#{self.number}"
