"""The proof of one order's books: everything docs/books.md §1 and §5 promise, checked against the model's own figures.

Only the judging of finished books belongs here, whoever made them and however often: the properties, the long
simulation. Expected figures come from `model/facts.py` in whole minor units; the only code of the product that is
called is the one under test.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from decimal import Decimal
from functools import cache

from shopify_xero_pipeline.books.numbering import EXCHANGE
from shopify_xero_pipeline.books.orders import NOTHING_POSTED, build_order_books
from shopify_xero_pipeline.books.policy import BooksPolicy
from shopify_xero_pipeline.books.records import OrderBooks, Outcome, PostedRecords
from shopify_xero_pipeline.shopify.models import Order
from shopify_xero_pipeline.shopify.parsing import parse_order
from shopify_xero_pipeline.xero.models import CreditNote, Invoice, Kind, Organisation
from shopify_xero_pipeline_tests.books.builders import ledger_of, organisation
from shopify_xero_pipeline_tests.books.proof_policies import (
    MONEY_TROUBLE,
    POLICIES,
    TAX_ACCOUNTS,
    TAX_TYPES,
    refused_for,
)
from shopify_xero_pipeline_tests.campaigns.model.amounts import EXPONENTS
from shopify_xero_pipeline_tests.campaigns.model.facts import Facts
from shopify_xero_pipeline_tests.campaigns.model.histories import History, Moment
from shopify_xero_pipeline_tests.campaigns.model.order import Tax

SIGNS = {Kind.INVOICE: 1, Kind.CREDIT_NOTE: -1}
ODD_UNITS = 3
"""How much conversion may leave on a part of what is due, in the smallest amounts that Xero keeps."""


class Violation(AssertionError):  # noqa: N818 - what the proof is there to find, not a failure of it
    """Books that break a promise; the message says which, at which moment."""


def prove(history: History, policy_name: str) -> Counter[str]:
    """Keep an order at every moment of its history, at once and event by event, and judge all of it.

    Returns:
        What became of it: its last outcome, why it was blocked, its documents, payments and allocations.

    Raises:
        Violation: a promise is broken.
    """
    policy, xero = POLICIES[policy_name], organisation_of(history.currency)
    ledger, last, cancelled = NOTHING_POSTED, None, False
    for moment in history.moments:
        subject = parse_order(moment.node)
        cancelled |= "surplus given back" in moment.facts.weird
        if _looks_kept_back(moment.facts):
            return Counter({"orders": 1, "outcome not judged: looks as if a channel kept its tax": 1})
        where = f"{policy_name} policy, after {moment.event} at {moment.at:%d %b %H:%M}"
        try:
            last = build_order_books(subject, policy, xero, ledger)
            judge(last, moment, policy, subject, posted=bool(ledger.documents), cancelled=cancelled)
            if last.outcome is Outcome.POST:
                _unchanged(last, ledger)
                ledger = ledger_of(last)
        except AssertionError as failure:
            raise Violation(f"{where}: {failure}") from failure
        except Exception as failure:
            raise Violation(f"{where}: {type(failure).__name__}: {failure}") from failure
    assert last is not None
    try:
        _same_at_once(history, policy, subject, last)
    except AssertionError as failure:
        raise Violation(f"{policy_name} policy, at once: {failure}") from failure
    return _outcome(last, history)


@cache
def organisation_of(currency: str) -> Organisation:
    """Return an organisation whose base is a shop's currency."""
    return organisation(base=currency, currencies=(currency,))


def _looks_kept_back(facts: Facts) -> bool:
    """A coincidence of a few orders in 100,000: what is missing is just what a channel would have kept.

    An order in two currencies is read in the customer's (docs/books.md §8.1), in which small amounts are soon equal.
    """
    missing = facts.current - facts.net_payment + facts.pending_out
    is_paid = facts.status in {"PAID", "PARTIALLY_REFUNDED", "REFUNDED"}
    is_equal = 0 != missing == facts.channel_taxes
    is_shown_equal = facts.is_foreign and 0 != facts.shown_due == facts.shown_channel_taxes
    return not facts.kept_back and is_paid and (is_equal or is_shown_equal)


def judge(
    books: OrderBooks, moment: Moment, policy: BooksPolicy, subject: Order, *, posted: bool, cancelled: bool
) -> None:
    """Check books against the figures of their moment.

    Args:
        books: as kept at the moment.
        moment: of the model's history.
        policy: under which they were kept.
        subject: the order as Shopify shows it.
        posted: whether anything was posted before.
        cancelled: whether too much was once paid and given back: both cancel out where they went by one account.

    Raises:
        AssertionError: a promise is broken.
    """
    facts = moment.facts
    reasons = facts.weird - ({"uncovered"} if policy.refund.uncovered == "adjust" else set())
    kept_back_from = _kept_back_from(facts, policy, posted)
    may_block = MONEY_TROUBLE if cancelled or books.waits_for_others else frozenset[str]()
    may_block |= {"payment differs"} if facts.rounding else set()  # it may differ by just the cash rounding
    if books.outcome is Outcome.BLOCKED:
        assert reasons, f"blocked without need: {books.reason}"
        by_a_thousandth = {"third decimal"} if EXPONENTS[facts.currency] > 2 else set()  # an oddity may be that small
        assert any(refused_for(reason, books.reason) for reason in reasons | by_a_thousandth), (
            f"blocked for another reason: {books.reason}"
        )
    elif kept_back_from is not None:
        assert books.outcome is kept_back_from, f"{books.outcome} instead of {kept_back_from}: {books.reason}"
        assert books.reason, "not posted without a word"
    else:
        assert reasons <= may_block, f"posted although {', '.join(sorted(reasons))}"
        assert books.outcome is Outcome.POST, f"{books.outcome}: {books.reason}"
        _sound(books, facts, policy, subject, cancelled)
        return
    assert (books.documents, books.payments, books.allocations) == ((), (), ()), "records of an order not posted"


def _kept_back_from(facts: Facts, policy: BooksPolicy, posted: bool) -> Outcome | None:
    """Return why an order is not posted now, by docs/books.md §6.2; None if it is."""
    if facts.test:
        return Outcome.SKIPPED
    if posted:
        return None
    if facts.worthless:
        return Outcome.SKIPPED if policy.zero_value == "skip" else None
    if "surplus given back" in facts.weird and not any(facts.nets.values()):
        return Outcome.SKIPPED
    if facts.ever_paid:
        return None
    if facts.cancelled:
        return Outcome.SKIPPED
    return Outcome.WAITING if policy.post_when == "paid" and not facts.terms else None


def _sound(books: OrderBooks, facts: Facts, policy: BooksPolicy, subject: Order, cancelled: bool) -> None:
    _documents_are_the_ledger(books, facts)
    _tax_is_the_ledgers(books, facts, policy)
    _money_is_all_there(books, facts)
    _exchange_is_what_the_rates_made(books, facts)
    _settled_as_shopify_says(books, facts, _adjusted(books, facts, policy, cancelled), cancelled)
    _dated_by_the_shops_days(books, facts)
    _xero_would_take(books)
    _identities(books, subject)


def _minor(amount: Decimal, facts: Facts) -> int:
    scaled = amount.scaleb(EXPONENTS[facts.currency])
    assert scaled == scaled.to_integral_value(), f"{amount} has more decimals than {facts.currency}"
    return int(scaled)


def _signed(document: Invoice | CreditNote) -> Decimal:
    return SIGNS[document.kind] * document.total


def _own(books: OrderBooks) -> dict[int, Decimal]:
    """Return the signed totals of documents that stand for agreements, by the agreement's number."""
    tails = [(document.shopify_id.split("/")[1], document) for document in books.documents]
    return {int(tail): _signed(document) for tail, document in tails if tail.isdigit()}


def _documents_are_the_ledger(books: OrderBooks, facts: Facts) -> None:
    """One agreement, one document, of exactly its net; all of them the current total (docs/books.md §1)."""
    own = {number: _minor(total, facts) for number, total in _own(books).items()}
    for number, net in facts.nets.items():
        assert own.get(number, 0) == net, f"agreement {number} nets {net}, its document is {own.get(number)}"
    assert set(own) <= set(facts.nets), "a document of no agreement"
    assert sum(own.values()) == facts.current, f"documents {sum(own.values())}, current total {facts.current}"
    first = next(iter(facts.nets))
    assert own.get(first, 0) == facts.original, f"first document {own.get(first)}, original total {facts.original}"


def _tax_is_the_ledgers(books: OrderBooks, facts: Facts, policy: BooksPolicy) -> None:
    found: dict[str, int] = defaultdict(int)
    lines = [(SIGNS[document.kind], line) for document in books.documents for line in document.lines]
    if policy.tax.mode == "lines":
        wanted = _by_account(facts.tax_lines)
        for sign, line in lines:
            assert not line.tax_amount, "tax beside the lines that stand for it"
            if line.account_code in {*TAX_ACCOUNTS.values()}:
                found[line.account_code] += sign * _minor(line.amount, facts)
    else:
        wanted = {TAX_TYPES[_named(names)]: amount for names, amount in facts.taxes.items()}
        for sign, line in lines:
            found[line.tax_type] += sign * _minor(line.tax_amount, facts)
    assert {name: amount for name, amount in found.items() if amount} == wanted, f"tax {dict(found)}, ledger {wanted}"
    channel = sum(sign * _minor(line.amount, facts) for sign, line in lines if line.account_code == "835")
    assert channel == facts.channel_taxes, f"channel tax {channel}, ledger {facts.channel_taxes}"


def _named(names: Iterable[Tax]) -> tuple[tuple[str, int], ...]:
    return tuple((name.title, name.points) for name in names)


def _by_account(tax_lines: Mapping[Tax, int]) -> dict[str, int]:
    sums: dict[str, int] = defaultdict(int)
    for name, amount in tax_lines.items():
        sums[TAX_ACCOUNTS[name.title]] += amount
    return {account: amount for account, amount in sums.items() if amount}


def _money_is_all_there(books: OrderBooks, facts: Facts) -> None:
    """Payments less refund payments are the net payment, the cash rounding and what the channel kept.

    Source: docs/books.md §5.
    """
    by_transaction: dict[str, int] = defaultdict(int)
    for payment in books.payments:
        transaction = payment.shopify_id.split("/")[0]
        by_transaction[transaction] += SIGNS[payment.document_kind] * _minor(payment.amount, facts)
    channel = sum(amount for name, amount in by_transaction.items() if name.startswith("channel-tax-"))
    paid = sum(by_transaction.values()) - channel
    left = _minor(books.left_to_others, facts)
    assert paid + left == facts.net_payment + facts.rounding, (
        f"payments {paid}, left to others {left}, net {facts.net_payment} + {facts.rounding}"
    )
    if not facts.kept_back:
        assert channel == 0, f"{channel} of channel tax paid though nothing was kept back"


def _exchange_is_what_the_rates_made(books: OrderBooks, facts: Facts) -> None:
    """What stands on the exchange account is how much more moved, of each transaction (books.md, exchange)."""
    tails = [(document.shopify_id.split("/")[1], document) for document in books.documents]
    found = {int(tail[1:]): _minor(_signed(document), facts) for tail, document in tails if tail[0] == EXCHANGE}
    assert facts.is_foreign or not found, f"exchange differences {found} in the shop's own currency"
    for number in found.keys() | facts.drifts.keys():
        booked, wanted = found.get(number, 0), facts.drifts.get(number, 0)
        assert abs(booked - wanted) <= _odd(facts), f"exchange of {number} is {booked}, its rate made {wanted}"


def _odd(facts: Facts) -> int:
    return ODD_UNITS * int(max(10 ** (EXPONENTS[facts.currency] - 2), 1))


def _settled_as_shopify_says(books: OrderBooks, facts: Facts, adjusted: int, cancelled: bool) -> None:
    settled = _settled(books)
    due = {Kind.INVOICE: Decimal(0), Kind.CREDIT_NOTE: Decimal(0)}
    for document in books.documents:
        open_amount = document.total - settled[document.shopify_id]
        assert open_amount >= 0, f"{document.number} of {document.total} is settled by {settled[document.shopify_id]}"
        due[document.kind] += open_amount
    left = _minor(due[Kind.INVOICE] - due[Kind.CREDIT_NOTE] - books.left_to_others, facts)
    odd = _odd(facts) if facts.is_foreign and (facts.shown_due or facts.outstanding) else 0
    off = abs(left - facts.outstanding + adjusted)
    assert off <= odd, f"due in Xero {left}, outstanding in Shopify {facts.outstanding}"
    if books.waits_for_others:
        return  # what is open for them is not apart from what is due
    credit = facts.credited + adjusted - facts.repaid - facts.pending_out
    covered = credit < 0 and facts.invoiced <= facts.paid  # more is under way back than there is credit for
    owed = facts.outstanding - adjusted + facts.pending_out
    if odd and abs(owed) <= odd:
        return  # conversion alone may make it more or less than nothing
    full, paid = due[Kind.INVOICE] == 0, owed <= 0
    said = f"invoices {'are' if full else 'are not'} all paid, the order {'is' if paid else 'is not'}"
    assert full in (paid, paid or covered) if cancelled else full == (paid or covered), said


def _adjusted(books: OrderBooks, facts: Facts, policy: BooksPolicy, cancelled: bool) -> int:
    """Return what was given back for nothing and is booked as such, so that nobody owes it (`uncovered: adjust`)."""
    found = sum(_minor(entry.total, facts) for entry in books.documents if entry.shopify_id.split("/")[1][0] == "M")
    if policy.refund.uncovered == "block":
        assert not found, f"{found} adjusted though uncovered refunds are to block"
    least = (
        0
        if cancelled or books.waits_for_others
        else max(0, facts.repaid - facts.credited - max(0, facts.paid - facts.invoiced))
    )
    assert least <= found <= facts.repaid, f"{found} adjusted of {facts.repaid} given back, {least} uncovered"
    return found


def _dated_by_the_shops_days(books: OrderBooks, facts: Facts) -> None:
    """Days are the shop's own; money and allocations never stand before their documents (docs/books.md §9)."""
    dates = {document.shopify_id: document.date for document in books.documents}
    for document in books.documents:
        tail = document.shopify_id.split("/")[1]
        day = facts.days[int(tail)] if tail.isdigit() else facts.money_days[int(tail[1:])]
        assert document.date == day, f"{document.number} is dated {document.date} instead of {day}"
        if isinstance(document, Invoice):
            assert document.due_date == max(day, facts.due_day), f"{document.number} is due {document.due_date}"
    for payment in books.payments:
        transaction = payment.shopify_id.split("/")[0]
        if transaction.isdigit():
            day = max(facts.money_days[int(transaction)], dates[payment.document_id])
            assert payment.date == day, f"{payment.shopify_id} is dated {payment.date} instead of {day}"
    for allocation in books.allocations:
        day = max(dates[allocation.invoice_id], dates[allocation.credit_note_id])
        assert allocation.date == day, f"{allocation.shopify_id} is dated {allocation.date} instead of {day}"


def _settled(books: OrderBooks) -> dict[str, Decimal]:
    settled: dict[str, Decimal] = defaultdict(Decimal)
    for payment in books.payments:
        settled[payment.document_id] += payment.amount
    for allocation in books.allocations:
        settled[allocation.invoice_id] += allocation.amount
        settled[allocation.credit_note_id] += allocation.amount
    return settled


def _xero_would_take(books: OrderBooks) -> None:
    """Every rule of Xero's about lines, payments and allocations that books must keep (docs/contracts/xero.md §6)."""
    for document in books.documents:
        assert document.total >= 0, f"{document.number} is of {document.total}"
        assert document.lines, f"{document.number} has no line"
        for line in document.lines:
            assert 0 < len(line.description) <= 4000, f"description of {len(line.description)} characters"
            assert line.quantity > 0, f"quantity {line.quantity}"
            assert abs(line.tax_amount) <= abs(line.unit_amount), f"tax {line.tax_amount} on {line.unit_amount}"
            if line.discount_amount is not None:
                assert isinstance(document, Invoice), "a discount on a credit note"
                assert 0 < line.discount_amount <= line.quantity * line.unit_amount, f"discount {line.discount_amount}"
        _sums(document)
    amounts = [entry.amount for entry in books.payments] + [entry.amount for entry in books.allocations]
    assert all(amount > 0 for amount in amounts), f"payments or allocations of {min(amounts, default=0)}"


def _sums(document: Invoice | CreditNote) -> None:
    """Total and tax are what Xero will make of the lines."""
    tax = sum((line.tax_amount for line in document.lines), Decimal(0))
    amounts = [line.quantity * line.unit_amount - (line.discount_amount or 0) for line in document.lines]
    total = sum(amounts, tax if document.line_amount_types == "Exclusive" else Decimal(0))
    assert (document.total, document.total_tax) == (total, tax), f"{document.number} says {document.total}, is {total}"


def _identities(books: OrderBooks, subject: Order) -> None:
    numbers = [document.number.casefold() for document in books.documents]
    keys = [entry.shopify_id for entry in (*books.documents, *books.payments, *books.allocations)]
    natural = [(entry.kind, entry.natural_key) for entry in (*books.documents, *books.payments, *books.allocations)]
    assert len(set(numbers)) == len(numbers), "two documents of one number"
    assert len(set(keys)) == len(keys), "two records of one key"
    assert len(set(natural)) == len(natural), "two records of one natural key"
    for document in books.documents:
        assert document.number.startswith(f"SH-{subject.name.removeprefix('#')}"), document.number
        assert document.reference == f"{subject.name} shopify:{document.shopify_id}", document.reference


def _unchanged(books: OrderBooks, ledger: PostedRecords) -> None:
    """What was posted stays: documents as they were, money where it was (docs/books.md §1, §5)."""
    now = ledger_of(books)
    assert set(ledger.documents) <= set(now.documents), "a posted document changed"
    assert set(ledger.payments) <= set(now.payments), "a posted payment changed"


def _same_at_once(history: History, policy: BooksPolicy, subject: Order, step_by_step: OrderBooks) -> None:
    """Kept for the first time in the end, an order gives the books it gave event by event; kept once more, the same.

    What may differ, as what is posted stays where it is: the document of 0.00 of an order that was worth nothing for a
    while (`zero_value: post`); that of a refund that was uncovered for a while (`uncovered: adjust`); the money of
    an order that was paid too much, or given back too much, for a while; which credit note is allocated to which
    invoice (never how much in all); on which document a payment stands, if money settled later than money that was paid
    after it, or a sales channel kept back tax, or the customer pays in another currency.
    """
    xero = organisation_of(history.currency)
    at_once = build_order_books(subject, policy, xero)
    cancelled = any("surplus given back" in moment.facts.weird for moment in history.moments)
    judge(at_once, history.last, policy, subject, posted=False, cancelled=cancelled)
    if step_by_step.outcome is not Outcome.POST:
        return
    again = build_order_books(subject, policy, xero, ledger_of(step_by_step))
    assert again == step_by_step, "kept once more, the books changed"
    if at_once.outcome is not Outcome.POST:
        return
    if any(moment.facts.weird & MONEY_TROUBLE for moment in history.moments):
        assert _worth_of(at_once, policy) == _worth_of(step_by_step, policy), "other documents than event by event"
        return
    assert _worth(at_once, policy) == _worth(step_by_step, policy), "other documents than event by event"
    if history.last.facts.is_foreign:
        return
    if not (history.last.facts.settled_late or history.last.facts.kept_back):
        assert at_once.payments == step_by_step.payments, "other payments than event by event"
    allocated = [sum((entry.amount for entry in books.allocations), Decimal(0)) for books in (at_once, step_by_step)]
    if not history.last.facts.kept_back:
        assert allocated[0] == allocated[1], f"{allocated[0]} allocated at once, {allocated[1]} event by event"


def _worth_of(books: OrderBooks, policy: BooksPolicy) -> dict[int, Decimal]:
    return {number: total for number, total in _own(books).items() if total or policy.zero_value == "skip"}


def _worth(books: OrderBooks, policy: BooksPolicy) -> list[Invoice | CreditNote]:
    """Return the documents, but for those of nothing that only an order worth nothing so far was given.

    Exchange differences are left out too: each is judged by itself, and a cent may be of one or another.
    """
    found = [document for document in books.documents if document.shopify_id.split("/")[1][0] != EXCHANGE]
    return [document for document in found if document.total or policy.zero_value == "skip"]


def _outcome(books: OrderBooks, history: History) -> Counter[str]:
    told = Counter({"orders": 1, "moments": len(history.moments), f"outcome {books.outcome.value}": 1})
    told.update(documents=len(books.documents), payments=len(books.payments), allocations=len(books.allocations))
    if books.outcome is Outcome.BLOCKED:
        refused = [reason for reason in history.last.facts.weird if refused_for(reason, books.reason)]
        told[f"blocked: {min(refused, default='third decimal')}"] = 1
    return told
