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
from shopify_xero_pipeline.alerts.channels import (
    AlertSource,
    Channel,
    DeliveryFailedError,
    Mail,
    Message,
    PagerDuty,
    Slack,
)
from shopify_xero_pipeline.alerts.notifier import NotificationState
from shopify_xero_pipeline.alerts.rules import Alert, Facts, FailedCheck, FailedRun, Severity, find_alerts
from shopify_xero_pipeline.clock import Clock
from shopify_xero_pipeline.observability.logs import Redactor
from shopify_xero_pipeline.pipeline.sync import SyncService
from shopify_xero_pipeline.settings import Settings
from shopify_xero_pipeline.shopify.responses import API_VERSION
from shopify_xero_pipeline.state.database_errors import StoreReplacedError, StoreUnwritableError, StoreUrlError
from shopify_xero_pipeline.state.migrations import StoreTooNewError
from shopify_xero_pipeline.state.row_checksums import StoreDamagedError

ALERT_STATE_KEY = "alerts.state"
FAILED_RUN_WINDOW = timedelta(days=7)
"""A failed run is remembered for so long; every night all days that were never synced, or are unfinished, are."""

NOTIFY_BUDGET_SECONDS = 6.0
"""Seconds after which no further message is begun: a tick ends within ten, after a slow mail within sixteen."""

UNREADABLE_STORE_ERRORS = (StoreDamagedError, StoreReplacedError, StoreTooNewError, StoreUnwritableError, StoreUrlError)


class RunHistory(Protocol):
    """What failed lately in Dagster, as its instance knows it."""

    def failed_runs(self, since: datetime) -> Sequence[FailedRun]:
        """Return failed runs since an instant that no later run of their days made good, newest first."""

    def failed_checks(self) -> Sequence[FailedCheck]:
        """Return the asset checks that are red now."""


@dataclass(frozen=True)
class TestDelivery:
    """What became of a test message; `failure` is empty if it was taken."""

    channel: str
    failure: str


class AlertService:
    """Looks after one shop's books.

    Args:
        sync_service: its store and its clock.
        runs: what failed lately in Dagster.
    """

    def __init__(self, sync_service: SyncService, runs: RunHistory) -> None:
        self._sync_service = sync_service
        self._runs = runs
        self._mask = Redactor(sync_service.secrets)

    def current_alerts(self) -> list[Alert]:
        """Return what calls for a person now, the gravest first.

        Raises:
            StoreBusyError: another process keeps the store; look again later.
        """
        return [self._masked(cause) for cause in find_alerts(self.gather_facts())]

    def notify(self, channels: Iterable[Channel], known_state: str | None = None) -> tuple[list[Alert], str]:
        """Tell each channel what it does not know yet; return the present causes, and what is known afterwards.

        Args:
            channels: where to tell.
            known_state: what is known, for the case that the store cannot be read.

        Raises:
            StoreBusyError: another process keeps the store; nothing was told.
        """
        clock, found = self._sync_service.clock, self.current_alerts()
        began, known = clock.elapsed(), self._recalled(known_state)
        told = NotificationState.load(known).notify(
            found, channels, clock.now(), lambda: clock.elapsed() - began < NOTIFY_BUDGET_SECONDS
        )
        text = told.dump()
        if text != known:
            with suppress(*UNREADABLE_STORE_ERRORS):
                self._sync_service.store.put_value(ALERT_STATE_KEY, text)
        return found, text

    def gather_facts(self) -> Facts:
        """Return what is known now; of a store that cannot be read, only that."""
        now = self._sync_service.clock.now()
        known: dict[str, Any] = {
            "now": now,
            "api_version": API_VERSION,
            "failed_runs": self._runs.failed_runs(now - FAILED_RUN_WINDOW),
            "failed_checks": self._runs.failed_checks(),
        }
        try:
            known["failed_checks"] = facts.exclude_unfinished_days(known["failed_checks"], self._sync_service.store)
            return Facts(**known, **facts.store_facts(self._sync_service, now))
        except UNREADABLE_STORE_ERRORS as error:
            return Facts(**known, store_unreadable=str(error))

    def _recalled(self, kept: str | None) -> str | None:
        with suppress(*UNREADABLE_STORE_ERRORS):
            known = self._sync_service.store.get_value(ALERT_STATE_KEY)
            return known[0] if known is not None else kept
        return kept

    def _masked(self, cause: Alert) -> Alert:
        return replace(
            cause, summary=self._mask.redact_text(cause.summary), location=self._mask.redact_text(cause.location)
        )


def build_channels(settings: Settings, clock: Clock, transport: httpx.BaseTransport | None = None) -> list[Channel]:
    """Return the channels that the settings name.

    Args:
        settings: `ALERT_…` and `DAGSTER_URL`.
        clock: bounds what a message may take.
        transport: replaces the network, for tests.
    """
    sender, found = AlertSource(settings.shopify_shop or "shopify-xero", settings.dagster_url), list[Channel]()
    if settings.alert_slack_url:
        found.append(Slack(settings.alert_slack_url, sender, clock, transport))
    if settings.alert_smtp_url:
        found.append(Mail(settings.alert_smtp_url, settings.alert_mail_to, sender, settings.alert_mail_from))
    if settings.alert_pagerduty_key:
        region = settings.alert_pagerduty_region
        found.append(PagerDuty(settings.alert_pagerduty_key, sender, clock, region, transport))
    return found


def send_test(channels: Iterable[Channel], now: datetime) -> list[TestDelivery]:
    """Send one message to each channel, and that it is over; return what became of it."""
    cause = Alert("test", Severity.WARNING, "This is a test.", "nowhere", "Nothing has to be done.", "/overview")
    return [TestDelivery(channel.name, _failure(channel, cause, now)) for channel in channels]


def _failure(channel: Channel, cause: Alert, now: datetime) -> str:
    try:
        channel.send(Message(cause, now))
        channel.send(Message(cause, now, is_resolved=True))
    except DeliveryFailedError as error:
        return str(error)
    return ""
