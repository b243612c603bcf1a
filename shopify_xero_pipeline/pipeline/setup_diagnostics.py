"""What is set up wrong, looked for stage by stage as `doctor` does: settings, state store, Shopify, Xero, the books.

Only the order of the questions and their answers as a list belong here: a stage that fails does not hide the others,
and what cannot be asked because of it is left out. The comparison of `books.yaml` with Xero is the one that every run
makes (`books/preflight.py`); nothing is written, and Xero is read.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import StrEnum
from typing import TypeVar

from shopify_xero_pipeline.books import remedies
from shopify_xero_pipeline.books.block_summary import BlockedOrders, count_blocked_orders
from shopify_xero_pipeline.books.policy import BooksPolicy
from shopify_xero_pipeline.books.preflight import Problem, policy_problems
from shopify_xero_pipeline.clock import CLOCK_OFFSET_WARNING, describe_offset
from shopify_xero_pipeline.pipeline.connections import EXPECTED_ERRORS
from shopify_xero_pipeline.pipeline.settings_review import FORCE_REFRESH, numbers_problem
from shopify_xero_pipeline.pipeline.sync import SyncService
from shopify_xero_pipeline.shopify.models import Shop
from shopify_xero_pipeline.xero.mirror import Mirror
from shopify_xero_pipeline.xero.models import Kind, Organisation

NEWEST_ORDERS = 50
"""Orders looked at: one page of Shopify's, about two seconds of its rate limit."""

READ_KINDS = (Kind.CONTACT, Kind.ITEM, Kind.INVOICE, Kind.CREDIT_NOTE, Kind.PAYMENT)
T = TypeVar("T")


class Status(StrEnum):
    """How a check came out: `fail` stops every run, `warn` is unusual or stops some orders."""

    PASS = "pass"  # noqa: S105 - a word, not a password
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: what was looked at, such as `Shopify` or `books.yaml: accounts.sales`.
        status: how it came out.
        says: what was found.
        remedy: what to do; '' where nothing is to be done.
    """

    name: str
    status: Status
    message: str
    remedy: str = ""


class SetupDiagnostics:
    """Looks at one set-up.

    Args:
        sync_service: on the settings to be looked at.
        places: of our own files, by the setting that names them: each raises if it cannot be used.

    Attributes:
        checks: what was found so far.
    """

    def __init__(self, sync_service: SyncService, places: Mapping[str, Callable[[], object]]) -> None:
        self._sync_service = sync_service
        self._places = places
        self.checks: list[Check] = []

    def run(self) -> list[Check]:
        """Look at everything and return what was found, in the order in which it was looked at."""
        sync_service = self._sync_service
        policy = self._ask(
            "books.yaml",
            lambda: sync_service.connections.policy,
            lambda _: f"{sync_service.connections.books_file} can be read",
        )
        store = self._ask("state store", lambda: sync_service.connections.store, lambda store: store.name)
        for name, question in self._places.items():
            self._ask(name, question, lambda _: "it can be used")
        given = self._ask("credentials", self._credentials, lambda _: "those of both sides are given")
        if given is None:
            return self.checks
        shop = self._ask(
            "Shopify",
            sync_service.connections.shop_reader.shop,
            lambda shop: _described(sync_service.connections.shop_domain, shop),
        )
        if shop is not None and policy is not None:
            self.checks += self._shop(policy, shop)
        if store is not None:
            organisation = self._ask(
                "Xero", lambda: sync_service.connections.organisation(FORCE_REFRESH), _organisation
            )
            if organisation is not None:
                self.checks.append(_clock(sync_service.connections.xero_client.time.ahead))
                self._organisation(policy, shop, organisation)
        return self.checks

    def _ask(self, name: str, question: Callable[[], T], answer: Callable[[T], str]) -> T | None:
        """Ask, note how it came out, and return what was answered; None if it failed."""
        try:
            found = question()
        except EXPECTED_ERRORS as problem:
            self.checks.append(failed(name, str(problem)))
            return None
        self.checks.append(Check(name, Status.PASS, answer(found)))
        return found

    def _credentials(self) -> bool:
        self._sync_service.connections.check_settings()
        return True

    def _shop(self, policy: BooksPolicy, shop: Shop) -> Iterator[Check]:
        """Compare `books.yaml` with the shop."""
        if shop.iana_timezone != policy.time_zone:
            says = f"time_zone is {policy.time_zone}, but the shop's is {shop.iana_timezone}"
            remedy = f"set time_zone to {shop.iana_timezone}, or a day's orders would be cut wrongly"
            yield Check("books.yaml: time_zone", Status.FAIL, says, remedy)
        start = datetime.combine(policy.start_date, time(), policy.zone)
        missing = self._sync_service.connections.shop_reader.missing_scopes(start)
        if missing:
            says = f"the app lacks the access scope {', '.join(missing)}"
            remedy = "grant it in the app's configuration and install the app on the shop again"
            yield Check("Shopify: access scopes", Status.FAIL, says, remedy)

    def _organisation(self, policy: BooksPolicy | None, shop: Shop | None, organisation: Organisation) -> None:
        """Compare `books.yaml` with the organisation, read what Xero has, and the newest orders with both."""
        sync_service = self._sync_service
        readable = [self._readable(kind) for kind in READ_KINDS]
        if policy is None:
            return
        found = policy_problems(
            policy,
            organisation,
            shop_currency=shop.currency_code if shop is not None else "",
            today=sync_service.connections.today(),
        )
        self.checks += [_of_problem(problem) for problem in found]
        if not found:
            self.checks.append(Check("books.yaml: Xero", Status.PASS, f"it fits {organisation.name}"))
        if all(readable):
            numbers = sync_service.settings_review.foreign_numbers()
            self.checks += [_of_problem(numbers_problem(policy, numbers))] if numbers else []
            if shop is not None and not any(check.name.startswith("Shopify:") for check in self.checks):
                newest = self._ask("newest orders", self._newest, _newest_orders)
                self.checks += _blocked(newest) if newest is not None else []

    def _readable(self, kind: Kind) -> bool:
        """Read what changed of a kind in Xero; a scope that is missing shows here and nowhere before."""
        sync_service = self._sync_service
        try:
            Mirror(
                sync_service.connections.xero_client, sync_service.connections.store, sync_service.connections.clock
            ).refresh((kind,), FORCE_REFRESH)
        except EXPECTED_ERRORS as problem:
            self.checks.append(failed(f"Xero: {kind.value.replace('_', ' ')}s", str(problem)))
            return False
        return True

    def _newest(self) -> BlockedOrders:
        """Make the books of the newest orders as the next plan would."""
        sync_service = self._sync_service
        kept = sync_service.build_order_books(
            {sync_service.connections.today(): sync_service.newest_orders(NEWEST_ORDERS)}
        )
        return count_blocked_orders(books for day in kept.values() for books in day)


def has_failed(checks: Sequence[Check], names: Collection[str] = ()) -> bool:
    """Return whether something failed: anything, or one of the checks with these names."""
    return any(check.status is Status.FAIL for check in checks if not names or check.name in names)


def failed(name: str, message: str) -> Check:
    """Return the check of a message, which says what is wrong and then, in a sentence or a clause more, what to do."""
    says, _, remedy = message.partition(". ")
    if not remedy:
        says, _, remedy = message.rpartition(": ")
    return Check(name, Status.FAIL, says or remedy, remedy if says else "")


def _of_problem(problem: Problem) -> Check:
    name = f"books.yaml: {problem.setting}" if problem.setting else "books.yaml: currency"
    return Check(name, Status(problem.severity.value), problem.message, problem.remedy)


def _described(domain: str, shop: Shop) -> str:
    return f"{domain}, {shop.currency_code}, {shop.iana_timezone}"


def _organisation(organisation: Organisation) -> str:
    return f"{organisation.name}, {organisation.base_currency}"


def _clock(ahead: timedelta | None) -> Check:
    """Return how this machine's clock stands to Xero's; nothing depends on it, but people read its times."""
    if ahead is None:
        return Check("clock", Status.PASS, "not compared: Xero's answers bear no date")
    if abs(ahead) <= CLOCK_OFFSET_WARNING:
        return Check("clock", Status.PASS, "agrees with Xero's to a minute")
    says = f"the clock of this machine is {describe_offset(ahead)} Xero's"
    return Check("clock", Status.WARN, says, "set it by a time server (chrony, systemd-timesyncd)")


def _newest_orders(found: BlockedOrders) -> str:
    return f"{found.of - found.count} of the newest {found.of} orders can be posted, {found.count} are blocked"


def _blocked(found: BlockedOrders) -> list[Check]:
    """Return a check for each kind of reason: a failure if most orders are blocked, as then little is in the books."""
    status = Status.FAIL if found.are_most else Status.WARN
    parted = [(count, *remedies.split_reason(reason)) for count, reason in found.reasons]
    return [Check("orders", status, f"{count} of the newest {found.of}: {says}", todo) for count, says, todo in parted]
