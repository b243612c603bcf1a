"""SMTP connections with a limit on their total duration.

The time-out of smtplib limits one operation on a socket, and a message takes about nine of them: a slow server that
sends single bytes never reaches it. Messages are written in `channels.py`.
"""

import smtplib
import socket
import threading
from contextlib import suppress
from typing import Any

MAIL_BUDGET_SECONDS = 10.0
"""Limit for a whole message, without the resolution of the server's name, which the resolver limits."""

RETRY_SECONDS = 0.1


class TimedSMTP(smtplib.SMTP):
    """A connection that is closed when its time is over; smtplib then raises `SMTPServerDisconnected`."""

    _ended: threading.Event

    def connect(self, host: str = "localhost", port: int = 0, source_address: Any = None) -> tuple[int, bytes]:
        """Connect and start the timer; raises what smtplib raises.

        Args:
            host: the mail server.
            port: its port.
            source_address: see `smtplib.SMTP.connect`.
        """
        self._ended = threading.Event()
        threading.Thread(target=self._shut_down_late_connection, name="mail", daemon=True).start()
        try:
            return super().connect(host, port, source_address)
        except BaseException:
            self._ended.set()
            raise

    def close(self) -> None:
        """Close the connection."""
        self._ended.set()
        super().close()

    def _shut_down_late_connection(self) -> None:
        if self._ended.wait(MAIL_BUDGET_SECONDS):
            return
        while not self._ended.wait(RETRY_SECONDS):  # repeated, because STARTTLS replaces the socket
            connection: Any = self.sock
            with suppress(OSError, AttributeError):
                connection.shutdown(socket.SHUT_RDWR)


class TimedSMTPOverTLS(TimedSMTP, smtplib.SMTP_SSL):
    """A connection with a time limit that is encrypted from the first byte."""
