"""Review of the settings against the shop and the organisation, after each change and before any write.

The store has a digest of the reviewed `books.yaml` and of Xero's settings, so that a run without changes costs no call.
This module only decides when to review, and reports problems; `books/preflight.py` has the rules.
"""

import json
import logging
from collections.abc import Callable, Iterable
from datetime import timedelta

from pydantic import BaseModel, ConfigDict

from shopify_xero_pipeline.books import remedies
from shopify_xero_pipeline.books.block_summary import BlockedOrders
from shopify_xero_pipeline.books.policy import BooksPolicy
from shopify_xero_pipeline.books.preflight import Problem, Severity, blocking_problems, policy_problems
from shopify_xero_pipeline.changes.desired_state import foreign_document_numbers
from shopify_xero_pipeline.observability import events
from shopify_xero_pipeline.pipeline.connections import FORCE_REFRESH, Connections, PipelineError
from shopify_xero_pipeline.reconciliation.verdict import count_of
from shopify_xero_pipeline.state.canonical import canonical_json, digest
from shopify_xero_pipeline.state.record_keys import foreign_key
from shopify_xero_pipeline.xero.models import Kind, Organisation

REVIEWED_KEY = "settings.reviewed"
ORGANISATION_MAX_AGE = timedelta(minutes=10)

AFTER_DIGITS = ":"
"""The character after the digits; a number of ours continues its prefix with a digit."""

NUMBERED_KINDS = (Kind.INVOICE, Kind.CREDIT_NOTE)
MAX_NUMBERS_LISTED = 3
MAX_REASONS_LISTED = 5


class ReviewedSettings(BaseModel):
    """The settings of the last review.

    Attributes:
        digest: digest of `books.yaml` and Xero's settings.
        numbers: numbers of documents in Xero that start with this project's prefix and belong to no order.
    """

    model_config = ConfigDict(frozen=True)

    digest: str
    numbers: tuple[str, ...]


class SettingsReview:
    """Reviews the settings of one run.

    Args:
        connections: the connections of the run.

    Attributes:
        warnings: the warnings so far, each sentence once.
        on_warning: called with each new warning, for commands that print it.
    """

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self.warnings: list[str] = []
        self.on_warning: Callable[[str], None] | None = None
        self._accepted: Organisation | None = None

    def check_settings(self) -> None:
        """Review `books.yaml` and Xero's settings, with a new read from Xero if either changed, and warn of problems.

        Raises:
            PipelineError: a setting would post wrong amounts, or Xero would reject it.
            XeroError: a setting changed, and Xero could not be read.
        """
        organisation = self._connections.cached_organisation()
        if organisation is not None and organisation is self._accepted:
            return
        stored, policy = self._connections.store.get_value(REVIEWED_KEY), self._connections.policy
        known = ReviewedSettings.model_validate_json(stored[0]) if stored is not None else None
        is_new = organisation is None or known is None or known.digest != settings_digest(policy, organisation)
        if organisation is None or is_new:
            organisation, known = self._review_again()
        problems = self._problems(organisation)
        if blocking := blocking_problems(problems):
            file, reasons = self._connections.settings.books_file, " ".join(problem.sentence for problem in blocking)
            raise PipelineError(f"{file} does not fit {organisation.name} in Xero: {reasons}")
        sentences = [problem.sentence for problem in problems]
        if known is not None and known.numbers:
            sentences.append(numbers_problem(policy, known.numbers).sentence)
        self._warn(sentences, is_logged=is_new)
        self._accepted = organisation

    def check_orders(self, blocked: BlockedOrders, days: str) -> None:
        """Warn, before any write, if most orders of some days are blocked.

        Args:
            blocked: the blocked orders of the days.
            days: the days as text for the warning.
        """
        if not blocked.are_most:
            return
        sentences = [f"{blocked.count} of {blocked.of} orders of {days} are blocked and stay out of the books"]
        for count, reason in blocked.reasons[:MAX_REASONS_LISTED]:
            sentences.append(f"{count_of(count, 'order')} of {days}: {remedies.split_reason(reason)[0]}")
        self._warn(sentences, is_logged=True)

    def foreign_numbers(self) -> tuple[str, ...]:
        """Return the numbers of documents in Xero that start with the prefix of `books.yaml` but belong to no order.

        Raises:
            XeroError: Xero could not be read.
        """
        connections = self._connections
        connections.mirror.refresh(NUMBERED_KINDS, ORGANISATION_MAX_AGE)
        numbers = (foreign_key(connections.policy.prefix), foreign_key(f"{connections.policy.prefix}{AFTER_DIGITS}"))
        documents = [row for kind in NUMBERED_KINDS for row in connections.store.unmapped_between(kind, *numbers)]
        return tuple(foreign_document_numbers(documents, connections.policy.prefix))

    def _review_again(self) -> tuple[Organisation, ReviewedSettings | None]:
        """Review the organisation's settings, read from Xero if the stored ones are old or have blocking problems."""
        connections = self._connections
        before = connections.cached_organisation()
        organisation = connections.organisation(max_age=ORGANISATION_MAX_AGE)
        if blocking_problems(self._problems(organisation)) and organisation == before:
            organisation = connections.organisation(max_age=FORCE_REFRESH)
        if blocking_problems(self._problems(organisation)):
            return organisation, None
        review = ReviewedSettings(
            digest=settings_digest(connections.policy, organisation),
            numbers=self.foreign_numbers()[:MAX_NUMBERS_LISTED],
        )
        connections.store.put_value(REVIEWED_KEY, json.dumps(review.model_dump()))
        return organisation, review

    def _problems(self, organisation: Organisation) -> list[Problem]:
        connections = self._connections
        return policy_problems(
            connections.policy, organisation, shop_currency=connections.shop_currency, today=connections.today()
        )

    def _warn(self, sentences: Iterable[str], *, is_logged: bool) -> None:
        for sentence in sentences:
            if sentence in self.warnings:
                continue
            self.warnings.append(sentence)
            if is_logged:
                events.log_event("settings_warning", level=logging.WARNING, reason=sentence)
            if self.on_warning is not None:
                self.on_warning(sentence)


def numbers_problem(policy: BooksPolicy, numbers: tuple[str, ...]) -> Problem:
    """Return the warning about documents in Xero that start with the prefix of `books.yaml` but belong to no order.

    Args:
        policy: the merchant's `books.yaml`.
        numbers: numbers of such documents, at least one.
    """
    message = f"documents in Xero that are not of these books start with prefix {policy.prefix!r}, such as {numbers[0]}"
    remedy = "choose another prefix in books.yaml; otherwise the order's id is appended to each number that is taken"
    return Problem(Severity.WARN, "prefix", message, remedy)


def settings_digest(policy: BooksPolicy, organisation: Organisation) -> str:
    """Return a digest of `books.yaml` and Xero's settings, independent of the order of keys and sets."""
    return digest(canonical_json([policy.model_dump(), organisation.model_dump()]))
