"""Alerts of one shop: the facts gathered, the rules applied, and each channel told what it does not know yet.

What is an alert stands in `rules.py`, where the facts come from in `facts.py`, who knows of what in `notifier.py`.
Nothing is asked of Shopify or of Xero, and what Dagster knows is handed in.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

import httpx

from shopify_xero_pipeline.alerts import facts
from shopify_xero_pipeline.alerts.channels import Channel, Mail, Message, NotDelivered, PagerDuty, Sender, Slack
from shopify_xero_pipeline.alerts.notifier import Told
from shopify_xero_pipeline.alerts.rules import Cause, Facts, FailedCheck, FailedRun, Severity, causes
from shopify_xero_pipeline.clock import Clock
from shopify_xero_pipeline.observability.logs import Mask
from shopify_xero_pipeline.pipeline.sync import Bookkeeper
from shopify_xero_pipeline.settings import Settings
from shopify_xero_pipeline.shopify.responses import API_VERSION
from shopify_xero_pipeline.state.database_errors import StoreReplacedError, StoreUnwritableError, StoreUrlError
from shopify_xero_pipeline.state.migrations import StoreTooNewError
from shopify_xero_pipeline.state.row_checksums import StoreDamagedError

TOLD = "alerts told"
LOOKED_BACK = timedelta(days=7)
"""A failed run is remembered for so long; every night all days that were never synced, or are unfinished, are."""

LONGEST_TELLING = 6.0
"""Seconds after which no further message is begun: a tick ends within ten, after a slow mail within sixteen."""

UNREADABLE = (StoreDamagedError, StoreReplacedError, StoreTooNewError, StoreUnwritableError, StoreUrlError)


class RunHistory(Protocol):
    """What failed lately in Dagster, as its instance knows it."""

    def failed_runs(self, since: datetime) -> Sequence[FailedRun]:
        """Return failed runs since an instant that no later run of their days made good, newest first."""

    def failed_checks(self) -> Sequence[FailedCheck]:
        """Return the asset checks that are red now."""


@dataclass(frozen=True)
class Delivery:
    """What became of a test message; `failure` is empty if it was taken."""

    channel: str
    failure: str


class Watch:
    """Looks after one shop's books.

    Args:
        bookkeeper: its store and its clock.
        runs: what failed lately in Dagster.
    """

    def __init__(self, bookkeeper: Bookkeeper, runs: RunHistory) -> None:
        self._bookkeeper = bookkeeper
        self._runs = runs
        self._mask = Mask(bookkeeper.secrets)

    def causes(self) -> list[Cause]:
        """Return what calls for a person now, the gravest first.

        Raises:
            StoreBusyError: another process keeps the store; look again later.
        """
        return [self._masked(cause) for cause in causes(self.facts())]

    def tell(self, channels: Iterable[Channel], kept: str | None = None) -> tuple[list[Cause], str]:
        """Tell each channel what it does not know yet; return the present causes, and what is known afterwards.

        Args:
            channels: where to tell.
            kept: what is known, for the case that the store cannot be read.

        Raises:
            StoreBusyError: another process keeps the store; nothing was told.
        """
        clock, found = self._bookkeeper.clock, self.causes()
        began, known = clock.elapsed(), self._recalled(kept)
        told = Told.read(known).tell(found, channels, clock.now(), lambda: clock.elapsed() - began < LONGEST_TELLING)
        text = told.text()
        if text != known:
            with suppress(*UNREADABLE):
                self._bookkeeper.store.remember(TOLD, text)
        return found, text

    def facts(self) -> Facts:
        """Return what is known now; of a store that cannot be read, only that."""
        now = self._bookkeeper.clock.now()
        known: dict[str, Any] = {
            "now": now,
            "api_version": API_VERSION,
            "failed_runs": self._runs.failed_runs(now - LOOKED_BACK),
            "failed_checks": self._runs.failed_checks(),
        }
        try:
            known["failed_checks"] = facts.not_waiting(known["failed_checks"], self._bookkeeper.store)
            return Facts(**known, **facts.of_store(self._bookkeeper, now))
        except UNREADABLE as error:
            return Facts(**known, store_unreadable=str(error))

    def _recalled(self, kept: str | None) -> str | None:
        with suppress(*UNREADABLE):
            known = self._bookkeeper.store.recall(TOLD)
            return known[0] if known is not None else kept
        return kept

    def _masked(self, cause: Cause) -> Cause:
        return replace(cause, what=self._mask.text(cause.what), where=self._mask.text(cause.where))


def channels(settings: Settings, clock: Clock, transport: httpx.BaseTransport | None = None) -> list[Channel]:
    """Return the channels that the settings name.

    Args:
        settings: `ALERT_…` and `DAGSTER_URL`.
        clock: bounds what a message may take.
        transport: replaces the network, for tests.
    """
    sender, found = Sender(settings.shopify_shop or "shopify-xero", settings.dagster_url), list[Channel]()
    if settings.alert_slack_url:
        found.append(Slack(settings.alert_slack_url, sender, clock, transport))
    if settings.alert_smtp_url:
        found.append(Mail(settings.alert_smtp_url, settings.alert_mail_to, sender, settings.alert_mail_from))
    if settings.alert_pagerduty_key:
        region = settings.alert_pagerduty_region
        found.append(PagerDuty(settings.alert_pagerduty_key, sender, clock, region, transport))
    return found


def tested(channels: Iterable[Channel], now: datetime) -> list[Delivery]:
    """Send one message to each channel, and that it is over; return what became of it."""
    cause = Cause("test", Severity.WARNING, "This is a test.", "nowhere", "Nothing has to be done.", "/overview")
    return [Delivery(channel.name, _failure(channel, cause, now)) for channel in channels]


def _failure(channel: Channel, cause: Cause, now: datetime) -> str:
    try:
        channel.send(Message(cause, now))
        channel.send(Message(cause, now, over=True))
    except NotDelivered as error:
        return str(error)
    return ""
