"""The settings examined against the shop and the organisation: whenever they changed, before anything is written.

Only when they are looked at, and what is done with what was found, belongs here; what does not fit is decided in
`books/preflight.py`. What was examined is remembered by a digest of `books.yaml` and of Xero's settings, so that an
hour in which neither changed costs no call.
"""

import json
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta

from shopify_xero_pipeline.books import remedies
from shopify_xero_pipeline.books.block_summary import count_blocked_orders
from shopify_xero_pipeline.books.policy import BooksPolicy
from shopify_xero_pipeline.books.preflight import Problem, Severity, blocking_problems, policy_problems
from shopify_xero_pipeline.books.records import OrderBooks
from shopify_xero_pipeline.changes.desired_state import foreign_document_numbers
from shopify_xero_pipeline.observability import events
from shopify_xero_pipeline.pipeline.connections import Connections, PipelineError
from shopify_xero_pipeline.reconciliation.verdict import count_of
from shopify_xero_pipeline.state.canonical import canonical_json, digest
from shopify_xero_pipeline.xero.mirror import Mirror
from shopify_xero_pipeline.xero.models import Kind, Organisation

REVIEWED_KEY = "settings.reviewed"
ORGANISATION_MAX_AGE = timedelta(minutes=10)
FORCE_REFRESH = timedelta(seconds=-1)
NUMBERED_KINDS = (Kind.INVOICE, Kind.CREDIT_NOTE)
MAX_NUMBERS_LISTED = 3
MAX_REASONS_LISTED = 5


@dataclass(frozen=True)
class ReviewedSettings:
    """What was examined last, as a digest, and the numbers of other people's documents that begin as ours do."""

    digest: str
    numbers: tuple[str, ...] = ()


class SettingsReview:
    """Examines the settings of one run.

    Args:
        connections: of the run.

    Attributes:
        warnings: what was found unusual so far, each sentence once.
        tell: called with each of these sentences as it is found, by commands that show them.
    """

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self.warnings: list[str] = []
        self.tell: Callable[[str], None] | None = None
        self._accepted: Organisation | None = None

    def check_settings(self) -> None:
        """Examine `books.yaml` and Xero's settings, read again if either changed since, and warn of what is unusual.

        Raises:
            BooksProblem: something would book money wrongly, or Xero would refuse it.
            XeroError: they changed, and Xero does not answer.
        """
        organisation = self._connections.cached_organisation()
        if organisation is not None and organisation is self._accepted:
            return
        known, policy = self._known(), self._connections.policy
        is_new = organisation is None or known is None or known.digest != settings_digest(policy, organisation)
        if organisation is None or is_new:
            organisation, known = self._review_again()
        found = self._problems(organisation)
        self._refuse(organisation, blocking_problems(found))
        sentences = [problem.sentence for problem in found]
        if known is not None and known.numbers:
            sentences.append(numbers_problem(policy, known.numbers).sentence)
        self._warn(sentences, noted=is_new)
        self._accepted = organisation

    def check_orders(self, books: Iterable[OrderBooks], days: str) -> None:
        """Warn, before anything of these days is written, if most of their orders cannot be."""
        found = count_blocked_orders(books)
        if found.are_most:
            said = [f"{found.count} of {found.of} orders of {days} are blocked and stay out of the books"]
            reasons = [
                (count, remedies.split_reason(reason)[0]) for count, reason in found.reasons[:MAX_REASONS_LISTED]
            ]
            said += [f"{count_of(count, 'order')} of {days}: {reason}" for count, reason in reasons]
            self._warn(said, noted=True)

    def foreign_numbers(self) -> tuple[str, ...]:
        """Return the numbers in Xero that are not of these books and begin as ours do; documents are read if need be.

        Raises:
            XeroError: Xero does not answer.
        """
        connections = self._connections
        Mirror(connections.xero_client, connections.store, connections.clock).refresh(
            NUMBERED_KINDS, ORGANISATION_MAX_AGE
        )
        documents = [row for kind in NUMBERED_KINDS for row in connections.store.mirror(kind)]
        return tuple(foreign_document_numbers(documents, connections.policy.prefix))

    def _review_again(self) -> tuple[Organisation, ReviewedSettings | None]:
        """Read what Xero has now if it was not read lately, or if what was read lately does not fit."""
        connections = self._connections
        before = connections.cached_organisation()
        organisation = connections.organisation(max_age=ORGANISATION_MAX_AGE)
        if blocking_problems(self._problems(organisation)) and organisation == before:
            organisation = connections.organisation(max_age=FORCE_REFRESH)
        if blocking_problems(self._problems(organisation)):
            return organisation, None
        examined = ReviewedSettings(
            settings_digest(connections.policy, organisation), self.foreign_numbers()[:MAX_NUMBERS_LISTED]
        )
        text = json.dumps({"digest": examined.digest, "numbers": examined.numbers})
        connections.store.put_value(REVIEWED_KEY, text)
        return organisation, examined

    def _known(self) -> ReviewedSettings | None:
        found = self._connections.store.get_value(REVIEWED_KEY)
        if found is None:
            return None
        kept = json.loads(found[0])
        return ReviewedSettings(str(kept["digest"]), tuple(kept["numbers"]))

    def _problems(self, organisation: Organisation) -> list[Problem]:
        connections = self._connections
        return policy_problems(
            connections.policy, organisation, shop_currency=connections.shop_currency(), today=connections.today()
        )

    def _refuse(self, organisation: Organisation, found: list[Problem]) -> None:
        if found:
            said = " ".join(problem.sentence for problem in found)
            raise PipelineError(f"{self._connections.books_file} does not fit {organisation.name} in Xero: {said}")

    def _warn(self, sentences: Iterable[str], *, noted: bool) -> None:
        for sentence in sentences:
            if sentence in self.warnings:
                continue
            self.warnings.append(sentence)
            if noted:
                events.log_event("settings_warning", level=logging.WARNING, reason=sentence)
            if self.tell is not None:
                self.tell(sentence)


def numbers_problem(policy: BooksPolicy, numbers: tuple[str, ...]) -> Problem:
    """Return what is to be said of numbers in Xero that are not of these books and begin as ours do."""
    says = f"documents in Xero that are not of these books begin as prefix {policy.prefix!r} does, such as {numbers[0]}"
    remedy = "choose another prefix in books.yaml, or a number that is taken gets the order's id at its end"
    return Problem(Severity.WARN, "prefix", says, remedy)


def settings_digest(policy: BooksPolicy, organisation: Organisation) -> str:
    """Return what tells one state of the settings from another; sets and keys are sorted."""
    return digest(canonical_json([policy.model_dump(), organisation.model_dump()]))
