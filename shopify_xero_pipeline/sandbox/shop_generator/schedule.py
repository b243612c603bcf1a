"""The schedule of orders: each kind has its day in a cycle of fourteen days, and the rest of a day is random.

A kind's day never moves, so any fourteen days contain every kind at least once. The plan of a day depends only on the
seed and the day. The kinds themselves are in `sales.py`, `payments.py`, `aftermath.py` and `abroad.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

from shopify_xero_pipeline.sandbox.shop_generator import abroad, aftermath, payments, sales
from shopify_xero_pipeline.sandbox.shop_generator.instants import local, midnight, slot_of
from shopify_xero_pipeline.sandbox.shop_generator.scenario import OrderScenario

_FEWEST, _MOST = 6, 14  # orders a day


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of order with its scenario, its day in the cycle, and its weight among random orders (0 for never)."""

    play: Callable[[OrderScenario], None]
    slot: int
    weight: int = 0

    @property
    def name(self) -> str:
        """The kind's name, which is the scenario function's."""
        return self.play.__name__


@dataclass(frozen=True, slots=True)
class ScheduledOrder:
    """An order to place at an instant; for a hurried order, later events follow within days."""

    at: datetime
    kind: Kind
    hurried: bool


_EARLIER = (
    Kind(sales.plain_card, 0, 300),
    Kind(sales.order_discount, 0, 20),
    Kind(sales.line_discount, 1, 20),
    Kind(sales.code_discount, 2, 20),
    Kind(sales.fully_discounted, 3, 3),
    Kind(sales.shipping_discount, 4, 15),
    Kind(sales.guest, 5, 20),
    Kind(sales.gift_card_sold, 6, 6),
    Kind(sales.tip, 7, 12),
    Kind(sales.zero_price_line, 8, 6),
    Kind(sales.custom_line, 9, 5),
    Kind(sales.deleted_product, 3),
    Kind(sales.changing_product, 1, 5),
    Kind(sales.export, 10, 20),
    Kind(sales.duty_and_fee, 11, 3),
    Kind(sales.tax_exempt, 12, 5),
    Kind(sales.unmapped_tax, 13),
    Kind(sales.marketplace_tax, 12),
    Kind(sales.pos_card, 0, 50),
    Kind(sales.draft_with_terms, 2, 3),
    Kind(sales.company_b2b, 1, 6),
    Kind(sales.company_by_card, 8, 5),
    Kind(sales.test_order, 5),
    Kind(sales.many_lines, 10),
    Kind(sales.foreign_currency, 4, 5),
    Kind(sales.back_dated, 6),
    Kind(sales.awkward_customer, 0, 30),
    Kind(sales.customer_moves, 1),
    Kind(sales.customer_merged, 2),
    Kind(sales.customer_forgotten, 4),
    Kind(payments.plain_paypal, 0, 60),
    Kind(payments.several_gateways, 7, 8),
    Kind(payments.authorised_captured, 3, 10),
    Kind(payments.part_payment, 5, 4),
    Kind(payments.paid_in_two_parts, 9, 4),
    Kind(payments.bank_deposit, 6, 8),
    Kind(payments.pending_then_settled, 7, 5),
    Kind(payments.failed_then_paid, 8, 8),
    Kind(payments.voided, 9, 4),
    Kind(payments.cash_with_change, 11, 10),
    Kind(payments.cash_rounded_down, 12, 5),
    Kind(payments.cash_rounded_up, 13, 5),
    Kind(payments.gift_card_part, 10, 8),
    Kind(payments.unpaid_waiting, 11, 4),
    Kind(payments.unknown_gateway, 13),
    Kind(aftermath.noted, 11, 8),
    Kind(aftermath.cancelled_unpaid, 10, 4),
    Kind(aftermath.terms_cancelled, 3),
    Kind(aftermath.cancelled_refunded, 9, 5),
    Kind(aftermath.refunded_full, 6, 6),
    Kind(aftermath.refunded_part, 2, 10),
    Kind(aftermath.refunded_shipping, 7, 4),
    Kind(aftermath.refunded_amount, 8, 5),
    Kind(aftermath.refunded_less, 5, 4),
    Kind(aftermath.refunded_more, 4, 4),
    Kind(aftermath.restocked_only, 9, 2),
    Kind(aftermath.refund_pending, 6, 4),
    Kind(aftermath.refund_failed, 8, 2),
    Kind(aftermath.refunded_next_month, 1, 3),
    Kind(aftermath.refunded_unit_by_unit, 7, 2),
    Kind(aftermath.refunded_less_fee, 10, 2),
    Kind(aftermath.edited_added, 4, 5),
    Kind(aftermath.edited_removed, 5, 4),
    Kind(aftermath.edited_before_payment, 2, 2),
    Kind(aftermath.exchanged_dearer, 3, 4),
    Kind(aftermath.exchanged_cheaper, 8, 3),
    Kind(aftermath.swapped_even, 6, 3),
)
_LATER = (
    Kind(sales.marketplace_kept_tax, 12),
    Kind(aftermath.refunded_part_of_shipping, 10),
    Kind(aftermath.refunded_duty, 11),
    Kind(aftermath.refund_pending_failed, 9),
    Kind(aftermath.refunded_over_months, 0),
    Kind(aftermath.merged_then_refunded, 2),
    Kind(aftermath.forgotten_then_refunded, 4),
    Kind(aftermath.credited_then_paid, 3),
    Kind(aftermath.credited_then_overpaid, 1),
    Kind(aftermath.edited_shipping_off, 7),
    Kind(aftermath.edited_price, 5),
    Kind(aftermath.edited_tax, 11),
    Kind(abroad.refunded_at_higher_rate, 12),
    Kind(abroad.refunded_at_lower_rate, 12),
    Kind(abroad.captured_at_other_rates, 13),
)
KINDS = (*_EARLIER, *_LATER)
"""All kinds of orders of the shop."""


def plan(seed: int, day: date, zone: ZoneInfo) -> list[ScheduledOrder]:
    """Return the orders of a local day in order of time, the first just after midnight, the last at 23:30.

    Args:
        seed: the shop's seed.
        day: the local day.
        zone: the shop's time zone.
    """
    rng = Random(f"{seed}/{day.isoformat()}/plan")
    due, late = ([kind for kind in kinds if kind.slot == slot_of(day)] for kinds in (_EARLIER, _LATER))
    count = max(rng.randint(_FEWEST, _MOST), len(due) + len(late))
    drawn = rng.choices(_EARLIER, [kind.weight for kind in _EARLIER], k=count - len(due))
    # A kind added later takes the place of a drawn order, so that every other order of a seed stays as it was.
    chosen = [(kind, True) for kind in (*due, *late)] + [(kind, False) for kind in drawn[len(late) :]]
    rng.shuffle(chosen)
    instants = _instants(rng, day, zone, count)
    return [ScheduledOrder(at, kind, hurried) for at, (kind, hurried) in zip(instants, chosen, strict=True)]


def _instants(rng: Random, day: date, zone: ZoneInfo, count: int) -> list[datetime]:
    first = midnight(day, zone) + timedelta(seconds=rng.randint(20, 240))
    last = local(day, 23, 30, zone)
    span = int((last - first).total_seconds()) - 1
    return [first, *sorted(first + timedelta(seconds=s) for s in rng.sample(range(600, span), count - 2)), last]
