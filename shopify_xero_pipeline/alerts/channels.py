"""Alert channels: a Slack-compatible webhook, e-mail, and PagerDuty's Events API v2.

This module only sends one message, within a few seconds and without a retry; `notifier.py` decides on messages and
retries. Every failure is a `DeliveryFailedError` that contains no address and no key.
"""

import logging
import smtplib
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from html import escape
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

import httpx

from shopify_xero_pipeline.alerts import smtp
from shopify_xero_pipeline.alerts.rules import Alert, Severity
from shopify_xero_pipeline.clock import Clock
from shopify_xero_pipeline.http.transport import build_client as http_client
from shopify_xero_pipeline.observability import events
from shopify_xero_pipeline.observability.escaping import break_links, escape_slack

TIMEOUT_SECONDS = 4.0
"""Time limit of one HTTP message, response included."""

PAGERDUTY = {
    "us": "https://events.pagerduty.com/v2/enqueue",
    "eu": "https://events.eu.pagerduty.com/v2/enqueue",
}
MAX_DEDUP_KEY_LENGTH, MAX_SUMMARY_LENGTH = 255, 1024
EMOJI = {Severity.CRITICAL: ":red_circle:", Severity.ERROR: ":red_circle:", Severity.WARNING: ":large_yellow_circle:"}
MAIL_PORTS = {"smtp": 587, "smtps": 465}
SUCCESS_TEXTS = ("", "ok", "1", "true")


class DeliveryFailedError(Exception):
    """A channel did not accept a message, as far as is known; the text is the reason."""


@dataclass(frozen=True)
class Message:
    """An alert that was raised or resolved at `sent_at` (UTC)."""

    alert: Alert
    sent_at: datetime
    is_resolved: bool = False

    @property
    def headline(self) -> str:
        """The message in one line."""
        prefix = "Resolved" if self.is_resolved else self.alert.severity.value.capitalize()
        return f"{prefix}: {break_links(self.alert.summary)}"


class Channel(Protocol):
    """A means to notify people."""

    name: str

    def send(self, message: Message) -> None:
        """Send a message.

        Raises:
            DeliveryFailedError: the channel did not accept it, as far as is known.
        """
        ...


@dataclass(frozen=True)
class AlertSource:
    """The source of an alert: the shop's name and the address of the Dagster UI, empty if it has none."""

    shop: str
    dagster_url: str = ""

    def link(self, alert: Alert) -> str:
        """Return the address of the alert's page in the Dagster UI; empty if there is none."""
        return f"{self.dagster_url}{alert.page}" if self.dagster_url and alert.page else ""


@dataclass(frozen=True, repr=False)
class Slack:
    """A webhook that accepts Slack's JSON: Slack itself, Mattermost, Rocket.Chat and others.

    Attributes:
        url: the address, which is a secret.
        source: the shop and its Dagster UI.
        clock: limits the duration of a message.
        transport: replaces the network in tests.
    """

    url: str
    source: AlertSource
    clock: Clock
    transport: httpx.BaseTransport | None = None
    name = "slack"

    def send(self, message: Message) -> None:
        """Send a message; a response 200 whose body is an error counts as a failure.

        Raises:
            DeliveryFailedError: the webhook did not accept it, as far as is known.
        """
        response = _post_json(self.url, {"text": self._text(message)}, self.clock, self.transport)
        if not response.is_success:
            raise DeliveryFailedError(f"the webhook answered {response.status_code}")
        if not _is_accepted(response):
            raise DeliveryFailedError(f"the webhook answered {response.status_code}, and with an error")

    def _text(self, message: Message) -> str:
        alert, link = message.alert, self.source.link(message.alert)
        emoji = ":white_check_mark:" if message.is_resolved else EMOJI[alert.severity]
        lines = [
            f"{emoji} *{self.source.shop}*: {escape_slack(message.headline)}",
            f"Where: {escape_slack(alert.location)}",
        ]
        # A text of this project, whose commands in backticks stay.
        lines += [] if message.is_resolved else [f"What to do: {escape(alert.action, quote=False)}"]
        return "\n".join(lines + ([f"<{link}|Dagster UI>"] if link else []))


class Mail:
    """E-mail through an SMTP server; a password is only sent over an encrypted connection.

    Args:
        url: `smtp://user:password@host:587` (STARTTLS) or `smtps://…:465`; user and password are optional.
        to: addresses, separated by commas.
        source: the shop and its Dagster UI.
        mail_from: the sender's address; by default the user if it is an address, else the first recipient.
        connect: replaces the connection in tests.
    """

    name = "mail"

    def __init__(
        self,
        url: str,
        to: str,
        source: AlertSource,
        mail_from: str = "",
        connect: Callable[[], smtplib.SMTP] | None = None,
    ) -> None:
        self._parts = urlsplit(url)
        self._to = [address.strip() for address in to.split(",") if address.strip()]
        self._source = source
        self._user, self._password = unquote(self._parts.username or ""), unquote(self._parts.password or "")
        self._from = mail_from or (self._user if "@" in self._user else self._to[0])
        self._connect = connect or self._open_connection

    def send(self, message: Message) -> None:
        """Send a message to all recipients; if the server accepts it only for a part of them, log a warning.

        Raises:
            DeliveryFailedError: the server did not accept it, as far as is known.
        """
        try:
            with self._connect() as server:
                self._sign_in(server)
                refused = server.send_message(self._mail(message))
        except (OSError, smtplib.SMTPException) as error:
            code = getattr(error, "smtp_code", None)
            failure = f"{type(error).__name__}{f', {code}' if code else ''}"
        else:
            if refused:
                events.log_event(
                    "alert_addressees_refused", level=logging.WARNING, refused=len(refused), of=len(self._to)
                )
            return
        # Raised outside the handler, because the messages of smtplib contain addresses.
        raise DeliveryFailedError(f"the mail server did not accept the message ({failure})")

    def _open_connection(self) -> smtplib.SMTP:
        scheme, host = self._parts.scheme, self._parts.hostname or ""
        port = self._parts.port or MAIL_PORTS[scheme]
        if scheme == "smtps":
            return smtp.TimedSMTPOverTLS(
                host, port, timeout=smtp.MAIL_BUDGET_SECONDS, context=ssl.create_default_context()
            )
        return smtp.TimedSMTP(host, port, timeout=smtp.MAIL_BUDGET_SECONDS)

    def _sign_in(self, server: smtplib.SMTP) -> None:
        server.ehlo_or_helo_if_needed()
        if self._parts.scheme == "smtp" and server.has_extn("starttls"):
            server.starttls(context=ssl.create_default_context())
        elif self._parts.scheme == "smtp" and self._user:
            raise smtplib.SMTPNotSupportedError(
                "the server offers no STARTTLS, and a password is only sent encrypted: use smtps:// in ALERT_SMTP_URL"
            )
        if self._user:
            server.login(self._user, self._password)

    def _mail(self, message: Message) -> EmailMessage:
        alert, link = message.alert, self._source.link(message.alert)
        mail = EmailMessage()
        mail["Subject"] = f"[{self._source.shop}] {message.headline}"[:200]  # mail programs show less
        mail["From"], mail["To"] = self._from, ", ".join(self._to)
        mail["Date"], mail["Message-ID"] = format_datetime(message.sent_at), make_msgid(domain="shopify-xero.invalid")
        lines = [
            message.headline,
            "",
            f"Where: {break_links(alert.location)}",
            f"When:  {message.sent_at:%Y-%m-%d %H:%M} UTC",
        ]
        lines += [] if message.is_resolved else ["", alert.action]
        mail.set_content("\n".join(lines + (["", link] if link else [])) + "\n")
        return mail


@dataclass(frozen=True, repr=False)
class PagerDuty:
    """PagerDuty's Events API v2; `dedup_key` identifies the incident that a message triggers or resolves.

    Attributes:
        key: the integration key, which is a secret.
        source: the shop and its Dagster UI.
        clock: limits the duration of a message.
        region: `us` or `eu`.
        transport: replaces the network in tests.
    """

    key: str
    source: AlertSource
    clock: Clock
    region: str = "us"
    transport: httpx.BaseTransport | None = None
    name = "pagerduty"

    def send(self, message: Message) -> None:
        """Send a message; only status 202 with `success` means that PagerDuty accepted it.

        Raises:
            DeliveryFailedError: PagerDuty did not accept it, as far as is known.
        """
        response = _post_json(PAGERDUTY[self.region], self._event(message), self.clock, self.transport)
        if response.status_code != 202 or _json_object(response).get("status") != "success":
            raise DeliveryFailedError(f"PagerDuty answered {response.status_code}")

    def _event(self, message: Message) -> dict[str, Any]:
        alert, link = message.alert, self.source.link(message.alert)
        dedup_key = f"shopify-xero/{self.source.shop}/{alert.key}"[:MAX_DEDUP_KEY_LENGTH]
        event = {"routing_key": self.key, "dedup_key": dedup_key}
        if message.is_resolved:
            return {**event, "event_action": "resolve"}
        payload = {
            "summary": f"{self.source.shop}: {break_links(alert.summary)}"[:MAX_SUMMARY_LENGTH],
            "source": self.source.shop,
            "severity": alert.severity.value,
            "timestamp": message.sent_at.isoformat(),
            "class": alert.key.partition(":")[0],
            "custom_details": {"where": break_links(alert.location), "what to do": alert.action},
        }
        links = [{"href": link, "text": "Dagster UI"}] if link else []
        return {**event, "event_action": "trigger", "payload": payload, "links": links, "client": "shopify-xero"}


def _post_json(
    url: str, content: dict[str, Any], clock: Clock, transport: httpx.BaseTransport | None
) -> httpx.Response:
    """Post JSON within the time limit; raise `DeliveryFailedError` if no response arrives."""
    try:
        with http_client(clock, TIMEOUT_SECONDS, transport=transport) as http:
            return http.post(url, json=content)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        failure = type(error).__name__
    # Raised outside the handler, because the messages of httpx contain the address, which is a secret.
    raise DeliveryFailedError(f"no answer ({failure})")


def _is_accepted(response: httpx.Response) -> bool:
    """Return whether a webhook accepted a message: the body is `ok`, empty, 1, true, or JSON with this meaning."""
    body = _json_object(response)
    if body:
        return body.get("ok", body.get("success", True)) is True and not body.get("error")
    return response.text.strip().lower() in SUCCESS_TEXTS


def _json_object(response: httpx.Response) -> dict[str, Any]:
    with suppress(ValueError):
        body = response.json()
        if isinstance(body, dict):
            return body
    return {}
