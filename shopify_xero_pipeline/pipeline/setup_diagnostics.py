"""Diagnostics of the set-up by stages, which are settings, state store, Shopify, Xero and the books.

A failed stage does not hide the others; checks that depend on it are omitted. This module only orders the checks and
lists their results. It reads Xero and writes nothing there. `books/preflight.py` compares `books.yaml` with Xero, as in
every run.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TypeVar

from shopify_xero_pipeline.books import remedies
from shopify_xero_pipeline.books.block_summary import BlockedOrders, count_blocked_orders
from shopify_xero_pipeline.books.policy import BooksPolicy
from shopify_xero_pipeline.books.preflight import Problem, policy_problems
from shopify_xero_pipeline.clock import CLOCK_OFFSET_WARNING, describe_offset
from shopify_xero_pipeline.pipeline.calendar import first_instant
from shopify_xero_pipeline.pipeline.connections import EXPECTED_ERRORS, FORCE_REFRESH
from shopify_xero_pipeline.pipeline.settings_review import numbers_problem
from shopify_xero_pipeline.pipeline.sync import SyncService
from shopify_xero_pipeline.shopify.models import Shop
from shopify_xero_pipeline.xero.models import Kind, Organisation, kind_label

NEWEST_ORDERS = 50
"""Number of orders to check, which is one page of Shopify and about two seconds of its rate limit."""

READ_KINDS = (Kind.CONTACT, Kind.ITEM, Kind.INVOICE, Kind.CREDIT_NOTE, Kind.PAYMENT)
T = TypeVar("T")


class Status(StrEnum):
    """The status of a check; `fail` stops every run, `warn` is unusual or blocks some orders."""

    PASS = "pass"  # noqa: S105 - a word, not a password
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Check:
    """The result of one check.

    Attributes:
        name: the subject, such as `Shopify` or `books.yaml: accounts.sales`.
        status: pass, warn or fail.
        message: the result as a text for people.
        remedy: the action for a person; '' without one.
    """

    name: str
    status: Status
    message: str
    remedy: str = ""


class SetupDiagnostics:
    """Checks one set-up.

    Args:
        sync_service: the sync service with the settings to check.
        locations: checks of local files by setting; each raises if its location cannot be used.

    Attributes:
        checks: the results so far.
    """

    def __init__(self, sync_service: SyncService, locations: Mapping[str, Callable[[], object]]) -> None:
        self._sync_service = sync_service
        self._locations = locations
        self.checks: list[Check] = []

    def run(self) -> list[Check]:
        """Run all checks and return their results in order."""
        connections = self._sync_service.connections
        file, shop_domain = connections.settings.books_file, connections.shop_domain
        policy = self._check("books.yaml", lambda: connections.policy, lambda _: f"{file} is valid")
        store = self._check("state store", lambda: connections.store, lambda store: store.name)
        for name, check_location in self._locations.items():
            self._check(name, check_location, lambda _: "can be used")
        self._check("credentials", connections.check_settings, lambda _: "set for both sides")
        if has_failed(self.checks, ("credentials",)):
            return self.checks
        shop = self._check(
            "Shopify",
            connections.shop_reader.shop,
            lambda shop: f"{shop_domain}, {shop.currency_code}, {shop.iana_timezone}",
        )
        if shop is not None and policy is not None:
            self.checks += self._check_shop(policy, shop)
        if store is not None:
            organisation = self._check(
                "Xero",
                lambda: connections.organisation(FORCE_REFRESH),
                lambda organisation: f"{organisation.name}, {organisation.base_currency}",
            )
            if organisation is not None:
                self.checks.append(_check_clock(connections.xero_client.time.ahead))
                self._check_organisation(policy, shop, organisation)
        return self.checks

    def _check(self, name: str, read: Callable[[], T], describe: Callable[[T], str]) -> T | None:
        """Run a check, store its result, and return the value read; None after a failure."""
        try:
            value = read()
        except EXPECTED_ERRORS as error:
            self.checks.append(failed(name, str(error)))
            return None
        self.checks.append(Check(name, Status.PASS, describe(value)))
        return value

    def _check_shop(self, policy: BooksPolicy, shop: Shop) -> Iterator[Check]:
        """Compare `books.yaml` with the shop."""
        if shop.iana_timezone != policy.time_zone:
            message = f"time_zone is {policy.time_zone}, but the shop's is {shop.iana_timezone}"
            remedy = f"set time_zone to {shop.iana_timezone}, or orders would belong to wrong days"
            yield Check("books.yaml: time_zone", Status.FAIL, message, remedy)
        missing = self._sync_service.connections.shop_reader.missing_scopes(first_instant(policy))
        if missing:
            message = f"the app lacks the access scope {', '.join(missing)}"
            remedy = "grant it in the app's configuration and install the app on the shop again"
            yield Check("Shopify: access scopes", Status.FAIL, message, remedy)

    def _check_organisation(self, policy: BooksPolicy | None, shop: Shop | None, organisation: Organisation) -> None:
        """Compare `books.yaml` with the organisation, and the newest orders with both."""
        sync_service = self._sync_service
        readable = [self._is_readable(kind) for kind in READ_KINDS]
        if policy is None:
            return
        problems = policy_problems(
            policy,
            organisation,
            shop_currency=shop.currency_code if shop is not None else "",
            today=sync_service.connections.today(),
        )
        self.checks += [_of_problem(problem) for problem in problems]
        if not problems:
            self.checks.append(Check("books.yaml: Xero", Status.PASS, f"fits {organisation.name}"))
        if all(readable):
            numbers = sync_service.settings_review.foreign_numbers()
            self.checks += [_of_problem(numbers_problem(policy, numbers))] if numbers else []
            if shop is not None and not any(check.name.startswith("Shopify:") for check in self.checks):
                newest = self._check("newest orders", self._count_blocked_orders, _describe_newest_orders)
                self.checks += _blocked_checks(newest) if newest is not None else []

    def _is_readable(self, kind: Kind) -> bool:
        """Return whether Xero lets the app read a kind; this is the first call that fails without its scope."""
        try:
            self._sync_service.connections.mirror.refresh((kind,), FORCE_REFRESH)
        except EXPECTED_ERRORS as error:
            self.checks.append(failed(f"Xero: {kind_label(kind)}s", str(error)))
            return False
        return True

    def _count_blocked_orders(self) -> BlockedOrders:
        """Count the blocked ones among the newest orders, from the books that the next plan would build."""
        connections = self._sync_service.connections
        newest, start = connections.shop_reader.newest_orders(NEWEST_ORDERS), first_instant(connections.policy)
        orders = [order for order in newest if order.processed_at >= start]
        books = self._sync_service.planner.build_order_books({connections.today(): orders})
        return count_blocked_orders(order for day in books.values() for order in day)


def has_failed(checks: Sequence[Check], names: Collection[str] = ()) -> bool:
    """Return whether a check failed.

    Args:
        checks: the results.
        names: names of the checks to look at; empty for all.
    """
    return any(check.status is Status.FAIL for check in checks if not names or check.name in names)


def failed(name: str, message: str) -> Check:
    """Return the failed check of an error message, which has the problem first and the remedy after ". " or ": "."""
    problem, _, remedy = message.partition(". ")
    if not remedy:
        problem, _, remedy = message.rpartition(": ")
    return Check(name, Status.FAIL, problem or remedy, remedy if problem else "")


def _of_problem(problem: Problem) -> Check:
    name = f"books.yaml: {problem.setting}" if problem.setting else "books.yaml: currency"
    return Check(name, Status(problem.severity.value), problem.message, problem.remedy)


def _check_clock(ahead: timedelta | None) -> Check:
    """Return the check of this machine's clock; no write depends on it, but people read its times."""
    if ahead is None:
        return Check("clock", Status.PASS, "not compared: Xero's responses have no date")
    if abs(ahead) <= CLOCK_OFFSET_WARNING:
        return Check("clock", Status.PASS, "agrees with Xero's to within a minute")
    message = f"the clock of this machine is {describe_offset(ahead)} Xero's"
    return Check("clock", Status.WARN, message, "set it with a time server (chrony, systemd-timesyncd)")


def _describe_newest_orders(blocked: BlockedOrders) -> str:
    return f"{blocked.of - blocked.count} of the newest {blocked.of} orders can be posted, {blocked.count} are blocked"


def _blocked_checks(blocked: BlockedOrders) -> list[Check]:
    """Return a check for each reason, failed if most orders are blocked and the books would be almost empty."""
    status = Status.FAIL if blocked.are_most else Status.WARN
    reasons = [(count, *remedies.split_reason(reason)) for count, reason in blocked.reasons]
    return [
        Check("orders", status, f"{count} of the newest {blocked.of}: {problem}", remedy)
        for count, problem, remedy in reasons
    ]
