"""Notification state: each channel gets an alert once when it is raised and once when it is resolved.

This module only decides on messages; its caller stores the state as one text and passes in the channels. Channels are
independent: a channel that was down gets the alerts that are still present when it is back, and it gets a resolution
only of an alert that it got. An alert is resolved after it has been absent for `RESOLVED_AFTER`, so that a cause that
comes and goes raises one alert.
"""

import json
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from pydantic import TypeAdapter

from shopify_xero_pipeline.alerts.channels import Channel, DeliveryFailedError, Message
from shopify_xero_pipeline.alerts.rules import Alert
from shopify_xero_pipeline.observability import events

FORMER_NAMES = {"cause": "alert", "told_at": "notified_at", "what": "summary", "where": "location", "do": "action"}
"""Names of fields in states that version 0.1 stored; read for one release."""

RESOLVED_AFTER = timedelta(minutes=5)


@dataclass(frozen=True)
class SentNotification:
    """An alert that a channel got at `notified_at` and that is absent since `gone_at`, if it is; instants in UTC."""

    alert: Alert
    notified_at: datetime
    gone_at: datetime | None = None


_STORED = TypeAdapter(dict[str, dict[str, SentNotification]])


class NotificationState:
    """The notifications that each channel got, by the channel's name and the alert's key."""

    def __init__(self, sent: Mapping[str, Mapping[str, SentNotification]] | None = None) -> None:
        self._sent = {channel: dict(entries) for channel, entries in (sent or {}).items()}

    @classmethod
    def load(cls, text: str | None) -> "NotificationState":
        """Parse a stored state; an unreadable one counts as empty, so that present alerts are sent again."""
        try:
            return cls(_STORED.validate_python(json.loads(text or "{}", object_hook=_rename_fields)))
        except ValueError:
            return cls()

    def dump(self) -> str:
        """Return the state as the text that `load` parses."""
        content = {
            channel: {key: asdict(entry) for key, entry in entries.items()} for channel, entries in self._sent.items()
        }
        return json.dumps(content, default=str, sort_keys=True)

    def notify(
        self,
        alerts: Sequence[Alert],
        channels: Iterable[Channel],
        now: datetime,
        may_go_on: Callable[[], bool] = lambda: True,
    ) -> "NotificationState":
        """Send each channel the alerts and resolutions that it lacks; return the state afterwards.

        Args:
            alerts: the present alerts.
            channels: the channels to notify; the state of other channels is dropped.
            now: the present instant in UTC.
            may_go_on: called before each message; after a False, the next call of `notify` sends the rest.
        """
        sent = {}
        for channel in channels:
            entries = _mark_absent(self._sent.get(channel.name, {}), alerts, now)
            sent[channel.name] = _update_channel(channel, entries, alerts, now, may_go_on)
        return NotificationState(sent)


def _mark_absent(
    entries: Mapping[str, SentNotification], alerts: Sequence[Alert], now: datetime
) -> dict[str, SentNotification]:
    """Return the notifications of a channel with the instant since which each alert is absent, if it is."""
    present = {alert.key for alert in alerts}
    return {
        key: replace(entry, gone_at=None if key in present else entry.gone_at or now) for key, entry in entries.items()
    }


def _update_channel(
    channel: Channel,
    entries: dict[str, SentNotification],
    alerts: Sequence[Alert],
    now: datetime,
    may_go_on: Callable[[], bool],
) -> dict[str, SentNotification]:
    """Send a channel what it lacks; after a failure it gets no further message until the next call."""
    resolved = [
        entry for entry in entries.values() if entry.gone_at is not None and now - entry.gone_at >= RESOLVED_AFTER
    ]
    messages = [Message(alert, now) for alert in alerts if alert.key not in entries]
    messages += [Message(entry.alert, entry.gone_at or now, is_resolved=True) for entry in resolved]
    for message in messages:
        if not may_go_on() or not _send(channel, message):
            break
        if message.is_resolved:
            del entries[message.alert.key]
        else:
            entries[message.alert.key] = SentNotification(message.alert, now)
    return entries


def _send(channel: Channel, message: Message) -> bool:
    key, name = message.alert.key, channel.name
    try:
        channel.send(message)
    except DeliveryFailedError as error:
        events.log_event("alert_not_delivered", level=logging.WARNING, channel=name, cause=key, reason=str(error))
        return False
    events.log_event(
        "alert_over" if message.is_resolved else "alert_raised",
        channel=name,
        cause=key,
        severity=message.alert.severity.value,
    )
    return True


def _rename_fields(content: dict[str, Any]) -> dict[str, Any]:
    return {FORMER_NAMES.get(name, name): value for name, value in content.items()}
