"""What the plan of some days needs to know of the earlier days of the same range.

A long range is planned in portions. Two rules concern records of several portions: a record that several days need is
planned on the first of them, and no two records get the same name, code or number. This module only holds what these
rules need, a few texts a record; the rules are in `plan.py` and `desired_state.py`.
"""

from dataclasses import dataclass, field
from datetime import date


@dataclass
class EarlierDays:
    """The records of earlier days; a plan adds those of its own days.

    Attributes:
        first_days: the first day of each record, by its Shopify id; of one kind.
        contact_names: the Shopify id of the Contact that got a name first, by the name in lower case.
        item_codes: the code of each Item, by its Shopify id.
        document_numbers: the id of the order of each document number, by the number in lower case.
    """

    first_days: dict[str, date] = field(default_factory=dict)
    contact_names: dict[str, str] = field(default_factory=dict)
    item_codes: dict[str, str] = field(default_factory=dict)
    document_numbers: dict[str, str] = field(default_factory=dict)
