"""Alerts of one shop: collects the facts, applies the rules and notifies the channels.

The rules are in `rules.py`, the sources of facts in `facts.py`, the notification state in `notifier.py`. This module
sends no request to Shopify or Xero; facts of Dagster are passed in.
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
from shopify_xero_pipeline.state.database_errors import (
    StoreDamagedError,
    StoreReplacedError,
    StoreUnwritableError,
    StoreUrlError,
)
from shopify_xero_pipeline.state.migrations import StoreTooNewError

ALERT_STATE_KEY = "alerts.state"
FAILED_RUN_WINDOW = timedelta(days=7)
"""Older failed runs raise no alert: every night all days that were never synced or are unfinished are synced."""

NOTIFY_BUDGET_SECONDS = 6.0
"""Seconds after which no further message is started: a tick ends within ten, or sixteen after a slow e-mail."""

UNREADABLE_STORE_ERRORS = (StoreDamagedError, StoreReplacedError, StoreTooNewError, StoreUnwritableError, StoreUrlError)


class RunHistory(Protocol):
    """Recent failures in Dagster, as its instance records them."""

    def failed_runs(self, since: datetime) -> Sequence[FailedRun]:
        """Return the failed runs since an instant that no later run of their days replaced, newest first."""

    def failed_checks(self) -> Sequence[FailedCheck]:
        """Return the asset checks that fail now."""


@dataclass(frozen=True)
class TestDelivery:
    """The result of a test message; `failure` is empty if the channel accepted it."""

    channel: str
    failure: str


class AlertService:
    """The alerts of one shop.

    Args:
        sync_service: provides the store and the clock.
        runs: provides the failures in Dagster.
    """

    def __init__(self, sync_service: SyncService, runs: RunHistory) -> None:
        self._sync_service = sync_service
        self._runs = runs
        self._redactor = Redactor(sync_service.connections.settings.secrets())

    def current_alerts(self) -> list[Alert]:
        """Return the present alerts, the most severe first.

        Raises:
            StoreBusyError: the store is locked by another process; try again later.
        """
        return [self._redact(alert) for alert in find_alerts(self.gather_facts())]

    def notify(self, channels: Iterable[Channel], known_state: str | None = None) -> tuple[list[Alert], str]:
        """Notify each channel; return the present alerts and the notification state afterwards.

        Args:
            channels: the channels to notify.
            known_state: the state to start from if the store cannot be read.

        Raises:
            StoreBusyError: the store is locked by another process; no message was sent.
        """
        clock, alerts = self._sync_service.connections.clock, self.current_alerts()
        began, stored = clock.elapsed(), self._stored_state(known_state)
        state = NotificationState.load(stored).notify(
            alerts, channels, clock.now(), lambda: clock.elapsed() - began < NOTIFY_BUDGET_SECONDS
        )
        text = state.dump()
        if text != stored:
            with suppress(*UNREADABLE_STORE_ERRORS):
                self._sync_service.connections.store.put_value(ALERT_STATE_KEY, text)
        return alerts, text

    def gather_facts(self) -> Facts:
        """Return the present facts; if the store cannot be read, those of Dagster and the reason."""
        now = self._sync_service.connections.clock.now()
        known: dict[str, Any] = {
            "now": now,
            "api_version": API_VERSION,
            "failed_runs": self._runs.failed_runs(now - FAILED_RUN_WINDOW),
            "failed_checks": self._runs.failed_checks(),
        }
        try:
            known["failed_checks"] = facts.exclude_unfinished_days(
                known["failed_checks"], self._sync_service.connections.store
            )
            return Facts(**known, **facts.store_facts(self._sync_service, now))
        except UNREADABLE_STORE_ERRORS as error:
            return Facts(**known, store_unreadable=str(error))

    def _stored_state(self, default: str | None) -> str | None:
        with suppress(*UNREADABLE_STORE_ERRORS):
            entry = self._sync_service.connections.store.get_value(ALERT_STATE_KEY)
            return entry[0] if entry is not None else default
        return default

    def _redact(self, alert: Alert) -> Alert:
        redact = self._redactor.redact_text
        return replace(alert, summary=redact(alert.summary), location=redact(alert.location))


def build_channels(settings: Settings, clock: Clock, transport: httpx.BaseTransport | None = None) -> list[Channel]:
    """Return the channels that are set.

    Args:
        settings: `ALERT_…` and `DAGSTER_URL`.
        clock: limits the duration of a message.
        transport: replaces the network in tests.
    """
    source, channels = AlertSource(settings.shopify_shop or "shopify-xero", settings.dagster_url), list[Channel]()
    if settings.alert_slack_url:
        channels.append(Slack(settings.alert_slack_url, source, clock, transport))
    if settings.alert_smtp_url:
        channels.append(Mail(settings.alert_smtp_url, settings.alert_mail_to, source, settings.alert_mail_from))
    if settings.alert_pagerduty_key:
        region = settings.alert_pagerduty_region
        channels.append(PagerDuty(settings.alert_pagerduty_key, source, clock, region, transport))
    return channels


def send_test(channels: Iterable[Channel], now: datetime) -> list[TestDelivery]:
    """Send each channel a test alert and its resolution; return the result of each channel.

    Args:
        channels: the channels to test.
        now: the present instant in UTC.
    """
    alert = Alert("test", Severity.WARNING, "This is a test.", "nowhere", "No action is needed.", "/overview")
    return [TestDelivery(channel.name, _failure(channel, alert, now)) for channel in channels]


def _failure(channel: Channel, alert: Alert, now: datetime) -> str:
    try:
        channel.send(Message(alert, now))
        channel.send(Message(alert, now, is_resolved=True))
    except DeliveryFailedError as error:
        return str(error)
    return ""
