"""Connections to a mail server that last for a limited time in all.

smtplib's time-out is for one operation on a socket: a server that says a byte now and then is never late for it, and
nine answers are waited for in turn. What is sent is in `channels.py`.
"""

import smtplib
import socket
import threading
from contextlib import suppress
from typing import Any

MAIL_BUDGET_SECONDS = 10.0
"""For a whole message. The resolution of the server's name is the resolver's to bound."""

AGAIN_SECONDS = 0.1


class TimedSMTP(smtplib.SMTP):
    """A connection that is cut off when its time is over; smtplib then raises `SMTPServerDisconnected`."""

    _ended: threading.Event

    def connect(self, host: str = "localhost", port: int = 0, source_address: Any = None) -> tuple[int, bytes]:
        """Connect, and let the time begin; raises what smtplib raises."""
        self._ended = threading.Event()
        threading.Thread(target=self._cut_off, name="mail", daemon=True).start()
        try:
            return super().connect(host, port, source_address)
        except BaseException:
            self._ended.set()
            raise

    def close(self) -> None:
        """Close the connection."""
        self._ended.set()
        super().close()

    def _cut_off(self) -> None:
        if self._ended.wait(MAIL_BUDGET_SECONDS):
            return
        while not self._ended.wait(AGAIN_SECONDS):  # again, because STARTTLS puts another socket in place
            connection: Any = self.sock
            with suppress(OSError, AttributeError):
                connection.shutdown(socket.SHUT_RDWR)


class TimedSMTPOverTLS(TimedSMTP, smtplib.SMTP_SSL):
    """The same, encrypted from the first byte on."""
