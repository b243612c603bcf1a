"""The one way a rule stops an order: `Blocked`, with a reason for people.

Only the exception belongs here. It never leaves the room: `orders.py` turns it into an order that is blocked and
listed.
"""


class OrderBlockedError(Exception):
    """Nothing new of this order may be written; the message says why and what to do about it."""
