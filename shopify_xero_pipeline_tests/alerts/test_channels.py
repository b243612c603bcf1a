"""What leaves for Slack, a mail server and PagerDuty, and what each of their answers means."""

import json
import smtplib
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default
from threading import Thread
from typing import Any

import httpx
import pytest

from shopify_xero_pipeline.alerts import channels, smtp
from shopify_xero_pipeline.alerts.channels import AlertSource, DeliveryFailedError, Mail, Message, PagerDuty, Slack
from shopify_xero_pipeline.alerts.rules import Alert, Severity
from shopify_xero_pipeline.clock import ManualClock, SystemClock
from shopify_xero_pipeline_tests.http.peer import SLOW, Answer, dripping, peer

CLOCK = ManualClock(datetime(2026, 11, 21, tzinfo=UTC))
AT = datetime(2026, 11, 21, 12, tzinfo=UTC)
SENDER = AlertSource("goods.myshopify.com", "https://dagster.example.com")
CAUSE = Alert("run:sync", Severity.ERROR, "A run <failed> & ended.", "2026-11-20", "Mend it.", "/runs/abc")
URL = "https://hooks.example.com/services/T0/B0/verysecret"
KEY = "R0UT1NGK3Y"
ROSE, OVER = Message(CAUSE, AT), Message(CAUSE, AT, is_resolved=True)
TAKEN = {"status": "success", "message": "Event processed", "dedup_key": "x"}


class Web(httpx.BaseTransport):
    """Answers as told and keeps what it was sent."""

    def __init__(self, answer: httpx.Response | Exception) -> None:
        self._answer = answer
        self.sent: list[dict[str, Any]] = []
        self.urls: list[str] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(json.loads(request.content))
        self.urls.append(str(request.url))
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


def refusal(send: Callable[[Message], None]) -> str:
    """Return why a message was not delivered; neither address nor key is told, nor kept with the error."""
    with pytest.raises(DeliveryFailedError) as caught:
        send(ROSE)
    said = f"{caught.value!r} {caught.value.__cause__!r} {caught.value.__context__!r}"
    assert not any(secret in said for secret in ("verysecret", KEY, "hidden", "@"))
    return str(caught.value)


def test_slack_is_told_what_where_and_what_to_do() -> None:
    web = Web(httpx.Response(200, text="ok"))
    Slack(URL, SENDER, CLOCK, web).send(ROSE)
    assert web.urls == [URL]
    assert web.sent == [
        {
            "text": ":red_circle: *goods.myshopify.com*: Error: A run &lt;failed&gt; &amp; ended.\nWhere: 2026-11-20\n"
            "What to do: Mend it.\n<https://dagster.example.com/runs/abc|Dagster UI>"
        }
    ]


def test_slack_is_told_that_it_is_over_without_what_to_do_and_without_a_ui_without_a_link() -> None:
    web = Web(httpx.Response(200, text="ok"))
    Slack(URL, AlertSource("goods"), CLOCK, web).send(OVER)
    assert web.sent == [
        {"text": ":white_check_mark: *goods*: Resolved: A run &lt;failed&gt; &amp; ended.\nWhere: 2026-11-20"}
    ]


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, text="ok"), httpx.Response(200), httpx.Response(204), httpx.Response(200, text="1"),
        httpx.Response(200, json={"success": True}), httpx.Response(200, json={"ok": True}),
    ],
)  # fmt: skip
def test_a_webhook_that_takes_a_message_may_say_so_in_several_ways(answer: httpx.Response) -> None:
    Slack(URL, SENDER, CLOCK, Web(answer)).send(ROSE)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (httpx.Response(404, text="no_service"), "the webhook answered 404"),
        (httpx.Response(403, text="invalid_token"), "the webhook answered 403"),
        (httpx.Response(500), "the webhook answered 500"),
        (httpx.Response(302, headers={"Location": "https://elsewhere.example.com"}), "the webhook answered 302"),
        (httpx.Response(200, text="invalid_payload"), "the webhook answered 200, and with an error"),
        (httpx.Response(200, text="delivery failed with error"), "the webhook answered 200, and with an error"),
        (httpx.Response(200, json={"success": False}), "the webhook answered 200, and with an error"),
        (httpx.Response(200, json={"ok": False, "error": "x"}), "the webhook answered 200, and with an error"),
        (httpx.Response(200, text="<html>sign in</html>"), "the webhook answered 200, and with an error"),
        (httpx.ReadTimeout(URL), "no answer (ReadTimeout)"),
        (httpx.ConnectError(URL), "no answer (ConnectError)"),
        (httpx.RemoteProtocolError(URL), "no answer (RemoteProtocolError)"),
    ],
)  # fmt: skip
def test_a_webhook_that_does_not_take_a_message_is_believed(answer: httpx.Response | Exception, why: str) -> None:
    assert refusal(Slack(URL, SENDER, CLOCK, Web(answer)).send) == why


def test_pagerduty_is_told_to_trigger_and_to_resolve_by_the_same_key() -> None:
    web = Web(httpx.Response(202, json=TAKEN))
    pagerduty = PagerDuty(KEY, SENDER, CLOCK, transport=web)
    pagerduty.send(ROSE)
    pagerduty.send(OVER)
    assert web.urls == ["https://events.pagerduty.com/v2/enqueue"] * 2
    assert web.sent[0] == {
        "routing_key": KEY,
        "dedup_key": "shopify-xero/goods.myshopify.com/run:sync",
        "event_action": "trigger",
        "payload": {
            "summary": "goods.myshopify.com: A run <failed> & ended.",
            "source": "goods.myshopify.com",
            "severity": "error",
            "timestamp": "2026-11-21T12:00:00+00:00",
            "class": "run",
            "custom_details": {"where": "2026-11-20", "what to do": "Mend it."},
        },
        "links": [{"href": "https://dagster.example.com/runs/abc", "text": "Dagster UI"}],
        "client": "shopify-xero",
    }
    assert web.sent[1] == {
        "routing_key": KEY,
        "dedup_key": "shopify-xero/goods.myshopify.com/run:sync",
        "event_action": "resolve",
    }


def test_pagerduty_of_europe_has_an_address_of_its_own() -> None:
    web = Web(httpx.Response(202, json=TAKEN))
    PagerDuty(KEY, SENDER, CLOCK, "eu", web).send(ROSE)
    assert web.urls == ["https://events.eu.pagerduty.com/v2/enqueue"]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (httpx.Response(400, json={"status": "invalid event", "errors": [KEY]}), "PagerDuty answered 400"),
        (httpx.Response(429), "PagerDuty answered 429"),
        (httpx.Response(200, json=TAKEN), "PagerDuty answered 200"),
        (httpx.Response(202, json={"status": "throttled"}), "PagerDuty answered 202"),
        (httpx.Response(202, text="accepted?"), "PagerDuty answered 202"),
        (httpx.ConnectTimeout(KEY), "no answer (ConnectTimeout)"),
    ],
)
def test_pagerduty_has_taken_an_event_only_if_it_answers_202_and_success(
    answer: httpx.Response | Exception, why: str
) -> None:
    assert refusal(PagerDuty(KEY, SENDER, CLOCK, transport=Web(answer)).send) == why


class MailServer:
    """A mail server on this machine, for one connection after another; `says` overrides its answer to a command."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.says: dict[str, str] = {}
        self.heard: list[str] = []
        self.mails: list[bytes] = []
        Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits for a connection
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection, connection.makefile("rwb") as talk:
                self._talk(talk)

    def _talk(self, talk: Any) -> None:
        def say(words: str) -> None:
            talk.write(f"{words}\r\n".encode())
            talk.flush()

        say("220 ready")
        for line in talk:
            heard = line.decode().strip()
            self.heard.append(heard)
            command = heard.split(":")[0].split()[0].upper()
            if command == "DATA" and "DATA" not in self.says:
                say("354 go on")
                self.mails.append(b"".join(iter(talk.readline, b".\r\n")))
                say("250 taken")
            elif command == "QUIT":
                say("221 bye")
                return
            else:
                say(self.says.get(heard, self.says.get(command, "250 fine")))


@pytest.fixture
def server() -> Iterator[MailServer]:
    with closing(MailServer()) as server:
        yield server


def test_mail_reaches_all_addressees_with_subject_words_and_link(server: MailServer) -> None:
    Mail(f"smtp://127.0.0.1:{server.port}", "ann@example.com, bob@example.com", SENDER).send(ROSE)
    (raw,) = server.mails
    mail = message_from_bytes(raw, policy=default)
    assert mail["Subject"] == "[goods.myshopify.com] Error: A run <failed> & ended."
    assert (mail["From"], mail["To"]) == ("ann@example.com", "ann@example.com, bob@example.com")
    assert mail["Date"] == "Sat, 21 Nov 2026 12:00:00 +0000"
    assert mail.get_content().replace("\r\n", "\n") == (
        "Error: A run <failed> & ended.\n\nWhere: 2026-11-20\nWhen:  2026-11-21 12:00 UTC\n\nMend it.\n\n"
        "https://dagster.example.com/runs/abc\n"
    )
    assert [one for one in server.heard if one.lower().startswith("rcpt")] == [
        "rcpt TO:<ann@example.com>",
        "rcpt TO:<bob@example.com>",
    ]


def test_words_with_line_breaks_do_not_become_headers(server: MailServer) -> None:
    cause = Alert("run:sync", Severity.ERROR, "It failed.\nBcc: all@example.com", "here", "Mend it.")
    Mail(f"smtp://127.0.0.1:{server.port}", "ann@example.com", SENDER).send(Message(cause, AT, is_resolved=True))
    mail = message_from_bytes(server.mails[0], policy=default)
    assert mail["Subject"] == "[goods.myshopify.com] Resolved: It failed. Bcc: all\N{WORD JOINER}@example.com"
    assert mail["Bcc"] is None


@pytest.mark.parametrize(
    ("says", "why"),
    [
        ({"MAIL": "550 no"}, "SMTPSenderRefused, 550"),
        ({"RCPT": "550 no such user ann@example.com"}, "SMTPRecipientsRefused"),
        ({"DATA": "554 spam"}, "SMTPDataError, 554"),
        ({"EHLO": "421 busy", "HELO": "421 busy"}, "SMTPHeloError, 421"),
        ({"MAIL": "what?"}, "SMTPSenderRefused, -1"),
    ],
)
def test_a_mail_server_that_refuses_is_believed(says: dict[str, str], why: str, server: MailServer) -> None:
    server.says = says
    said = refusal(Mail(f"smtp://127.0.0.1:{server.port}", "ann@example.com", SENDER).send)
    assert said.startswith(f"the mail server did not accept the message ({why}")


def test_a_mail_that_some_addressees_got_is_not_sent_to_them_again(
    server: MailServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.says = {"rcpt TO:<bob@example.com>": "550 unknown"}
    Mail(f"smtp://127.0.0.1:{server.port}", "ann@example.com,bob@example.com", SENDER).send(ROSE)
    assert len(server.mails) == 1
    assert "alert_addressees_refused refused=1 of=2" in caplog.text
    assert "bob" not in caplog.text


def test_a_mail_server_that_is_down_is_told() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as gone:
        url = f"smtp://127.0.0.1:{gone.getsockname()[1]}"
    assert "ConnectionRefusedError" in refusal(Mail(url, "ann@example.com", SENDER).send)


def test_a_mail_server_that_never_says_anything_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp, "MAIL_BUDGET_SECONDS", 0.05)
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        url = f"smtp://127.0.0.1:{silent.getsockname()[1]}"
        assert "SMTPServerDisconnected" in refusal(Mail(url, "ann@example.com", SENDER).send)


BANNER, GREETING = b"220 ready\r\n", b"250-mail.example.com\r\n250 STARTTLS\r\n"


@pytest.mark.parametrize(
    ("scheme", "answer"),
    [
        ("smtp", dripping(b"220 ", b"a")),
        ("smtp", dripping(BANNER + b"250-", b"a")),
        ("smtp", dripping(BANNER, b"250-more\r\n")),
        ("smtp", dripping(BANNER + GREETING + b"220 go on\r\n\x16\x03\x03\x3f\xff", b"a")),
        ("smtps", dripping(b"\x16\x03\x03\x3f\xff", b"a")),
    ],
)
def test_a_mail_server_that_drips_is_cut_off(scheme: str, answer: Answer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp, "MAIL_BUDGET_SECONDS", 0.3)
    with peer(answer, reads=False) as server:
        why = refusal(Mail(f"{scheme}://127.0.0.1:{server.port}", "ann@example.com", SENDER).send)
    assert why.startswith("the mail server did not accept the message (")
    for thread in threading.enumerate():
        if thread.name == "mail":
            thread.join(30)
            assert not thread.is_alive()


@pytest.mark.parametrize("slow", SLOW)
def test_a_webhook_that_drips_is_cut_off(slow: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channels, "TIMEOUT_SECONDS", 0.3)
    with peer(SLOW[slow]) as server:
        assert refusal(Slack(server.address, SENDER, SystemClock()).send) == "no answer (ReadTimeout)"


def test_no_password_is_sent_to_a_server_that_does_not_encrypt(server: MailServer) -> None:
    mail = Mail(f"smtp://ann%40example.com:hidden@127.0.0.1:{server.port}", "bob@example.com", SENDER)
    assert "SMTPNotSupportedError" in refusal(mail.send)
    assert not any("auth" in one.lower() for one in server.heard)


class Encrypting(smtplib.SMTP):
    """A connection that claims to encrypt, and keeps what was done with it."""

    def __init__(self) -> None:
        super().__init__()
        self.done: list[object] = []

    def ehlo(self, name: str = "") -> tuple[int, bytes]:
        self.esmtp_features = {"starttls": "", "auth": "PLAIN"}
        return (250, b"")

    def starttls(self, *_: Any, **__: Any) -> tuple[int, bytes]:
        self.done.append("starttls")
        return (220, b"")

    def login(self, user: str, password: str, *, initial_response_ok: bool = True) -> tuple[int, bytes]:
        self.done.append((user, password))
        return (235, b"")

    def send_message(self, msg: Any, *_: Any, **__: Any) -> dict[str, tuple[int, bytes]]:
        self.done.append(msg["From"])
        return {}


def test_a_password_is_sent_after_the_line_is_encrypted() -> None:
    server = Encrypting()
    url = "smtp://ann%40example.com:hi%2Fdden@mail.example.com"
    Mail(url, "bob@example.com", SENDER, connect=lambda: server).send(ROSE)
    assert server.done == ["starttls", ("ann@example.com", "hi/dden"), "ann@example.com"]


@pytest.mark.parametrize(
    ("url", "kind", "port"),
    [
        ("smtp://mail.example.com", "Plain", 587),
        ("smtps://mail.example.com", "Encrypted", 465),
        ("smtps://mail.example.com:4650", "Encrypted", 4650),
    ],
)
def test_the_address_says_how_to_connect(url: str, kind: str, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str, int]] = []

    def opened(name: str) -> Callable[..., smtplib.SMTP]:
        def connect(host: str, port: int, **_: Any) -> smtplib.SMTP:
            asked.append((name, host, port))
            return Encrypting()

        return connect

    monkeypatch.setattr(smtp, "TimedSMTP", opened("Plain"))
    monkeypatch.setattr(smtp, "TimedSMTPOverTLS", opened("Encrypted"))
    Mail(url, "bob@example.com", SENDER).send(ROSE)
    assert asked == [(kind, "mail.example.com", port)]
