"""The channels by which alerts reach people: a Slack-compatible webhook, e-mail, and PagerDuty's Events API v2.

Only sending one message belongs here, within a few seconds and without trying again: who is to be told what, and when
it is tried again, is reckoned in `notifier.py`. Whatever goes wrong is one error, which names neither addresses nor
keys.
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
"""For a whole message by HTTP, its answer included."""

PAGERDUTY = {"us": "https://events.pagerduty.com", "eu": "https://events.eu.pagerduty.com"}
MAX_DEDUP_KEY_LENGTH, MAX_SUMMARY_LENGTH = 255, 1024
EMOJI = {Severity.CRITICAL: ":red_circle:", Severity.ERROR: ":red_circle:", Severity.WARNING: ":large_yellow_circle:"}
MAIL_PORTS = {"smtp": 587, "smtps": 465}
AGREEING = ("", "ok", "1", "true")


class DeliveryFailedError(Exception):
    """A channel did not take a message, as far as is known; the words say why."""


@dataclass(frozen=True)
class Message:
    """A cause that has risen, or one that is over, and when that was (UTC)."""

    alert: Alert
    sent_at: datetime
    is_resolved: bool = False

    @property
    def headline(self) -> str:
        """The message in a line."""
        what = break_links(self.alert.summary)
        return f"{'Over' if self.is_resolved else self.alert.severity.value.capitalize()}: {what}"


class Channel(Protocol):
    """One way to reach people."""

    name: str

    def send(self, message: Message) -> None:
        """Send a message.

        Raises:
            NotDelivered: it was not taken, as far as is known.
        """
        ...


@dataclass(frozen=True)
class AlertSource:
    """Who speaks: the shop, by which several of them are told apart, and the Dagster UI's address, if it has one."""

    shop: str
    dagster_url: str = ""

    def link(self, cause: Alert) -> str:
        """Return where to look, empty if nowhere is known."""
        return f"{self.dagster_url}{cause.page}" if self.dagster_url and cause.page else ""


class Slack:
    """A webhook that takes Slack's JSON: Slack itself, Mattermost, Rocket.Chat and others."""

    name = "slack"

    def __init__(
        self, url: str, sender: AlertSource, clock: Clock, transport: httpx.BaseTransport | None = None
    ) -> None:
        self._url, self._sender, self._clock, self._transport = url, sender, clock, transport

    def send(self, message: Message) -> None:
        """Send a message; a webhook that answers 200 and means an error has not taken it.

        Raises:
            NotDelivered: it was not taken, as far as is known.
        """
        answer = _posted(self._url, {"text": self._text(message)}, self._clock, self._transport)
        if not answer.is_success:
            raise DeliveryFailedError(f"the webhook answered {answer.status_code}")
        if not _agrees(answer):
            raise DeliveryFailedError(f"the webhook answered {answer.status_code}, and with an error")

    def _text(self, message: Message) -> str:
        cause, link = message.alert, self._sender.link(message.alert)
        sign = ":white_check_mark:" if message.is_resolved else EMOJI[cause.severity]
        lines = [
            f"{sign} *{self._sender.shop}*: {escape_slack(message.headline)}",
            f"Where: {escape_slack(cause.location)}",
        ]
        lines += [] if message.is_resolved else [f"What to do: {_entities(cause.action)}"]
        return "\n".join(lines + ([f"<{link}|Dagster UI>"] if link else []))


class Mail:
    """E-mail by an SMTP server, encrypted wherever a password is sent.

    Args:
        url: `smtp://user:password@host:587` (STARTTLS) or `smtps://…:465`; user and password may be left out.
        to: addresses, divided by commas.
        sender: who speaks.
        mail_from: the address it comes from; by default the user, if that is an address, else the first addressee.
        connect: replaces the connection, for tests.
    """

    name = "mail"

    def __init__(
        self,
        url: str,
        to: str,
        sender: AlertSource,
        mail_from: str = "",
        connect: Callable[[], smtplib.SMTP] | None = None,
    ) -> None:
        self._parts = urlsplit(url)
        self._to = [address.strip() for address in to.split(",") if address.strip()]
        self._sender = sender
        self._user, self._password = unquote(self._parts.username or ""), unquote(self._parts.password or "")
        self._from = mail_from or (self._user if "@" in self._user else self._to[0])
        self._connect = connect or self._connected

    def send(self, message: Message) -> None:
        """Send a message to all addressees; if the server takes it for some of them only, that is told in the log.

        Raises:
            NotDelivered: the server did not take it, as far as is known.
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
        # Raised outside the handler: what smtplib raises quotes addresses.
        raise DeliveryFailedError(f"the mail server did not take it ({failure})")

    def _connected(self) -> smtplib.SMTP:
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
            raise smtplib.SMTPNotSupportedError("a password is sent to no server that does not encrypt")
        if self._user:
            server.login(self._user, self._password)

    def _mail(self, message: Message) -> EmailMessage:
        cause, link = message.alert, self._sender.link(message.alert)
        mail = EmailMessage()
        mail["Subject"] = f"[{self._sender.shop}] {message.headline}"[:200]
        mail["From"], mail["To"] = self._from, ", ".join(self._to)
        mail["Date"], mail["Message-ID"] = format_datetime(message.sent_at), make_msgid(domain="shopify-xero.invalid")
        lines = [
            message.headline,
            "",
            f"Where: {break_links(cause.location)}",
            f"When:  {message.sent_at:%Y-%m-%d %H:%M} UTC",
        ]
        lines += [] if message.is_resolved else ["", cause.action]
        mail.set_content("\n".join(lines + (["", link] if link else [])) + "\n")
        return mail


class PagerDuty:
    """PagerDuty's Events API v2: an incident is told apart by its `dedup_key`, and resolved by the same."""

    name = "pagerduty"

    def __init__(
        self,
        key: str,
        sender: AlertSource,
        clock: Clock,
        region: str = "us",
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._key, self._sender, self._clock, self._transport = key, sender, clock, transport
        self._url = f"{PAGERDUTY[region]}/v2/enqueue"

    def send(self, message: Message) -> None:
        """Send a message; only 202 means that it was taken.

        Raises:
            NotDelivered: it was not taken, as far as is known.
        """
        answer = _posted(self._url, self._event(message), self._clock, self._transport)
        if answer.status_code != 202 or _object(answer).get("status") != "success":
            raise DeliveryFailedError(f"PagerDuty answered {answer.status_code}")

    def _event(self, message: Message) -> dict[str, Any]:
        cause, link = message.alert, self._sender.link(message.alert)
        dedup_key = f"shopify-xero/{self._sender.shop}/{cause.key}"[:MAX_DEDUP_KEY_LENGTH]
        event = {"routing_key": self._key, "dedup_key": dedup_key}
        if message.is_resolved:
            return {**event, "event_action": "resolve"}
        payload = {
            "summary": f"{self._sender.shop}: {break_links(cause.summary)}"[:MAX_SUMMARY_LENGTH],
            "source": self._sender.shop,
            "severity": cause.severity.value,
            "timestamp": message.sent_at.isoformat(),
            "class": cause.key.partition(":")[0],
            "custom_details": {"where": break_links(cause.location), "what to do": cause.action},
        }
        links = [{"href": link, "text": "Dagster UI"}] if link else []
        return {**event, "event_action": "trigger", "payload": payload, "links": links, "client": "shopify-xero"}


def _posted(url: str, content: dict[str, Any], clock: Clock, transport: httpx.BaseTransport | None) -> httpx.Response:
    """Post JSON within a few seconds; raise `NotDelivered` if no answer comes."""
    try:
        with http_client(clock, TIMEOUT_SECONDS, transport=transport) as http:
            return http.post(url, json=content)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        failure = type(error).__name__
    # Raised outside the handler: what httpx raises holds the address, which is a secret.
    raise DeliveryFailedError(f"no answer ({failure})")


def _agrees(answer: httpx.Response) -> bool:
    """Tell whether a webhook took a message: Slack answers `ok`, others nothing, 1, or JSON that says so."""
    said = _object(answer)
    if said:
        return said.get("ok", said.get("success", True)) is True and not said.get("error")
    return answer.text.strip().lower() in AGREEING


def _object(answer: httpx.Response) -> dict[str, Any]:
    with suppress(ValueError):
        found = answer.json()
        if isinstance(found, dict):
            return found
    return {}


def _entities(text: str) -> str:
    """Return words of ours for Slack, whose commands in backticks stay."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
