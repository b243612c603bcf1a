"""Exception with which a rule blocks an order.

`orders.py` catches it and returns a blocked order, so no other package sees it.
"""


class OrderBlockedError(Exception):
    """An order that must not be posted; the message gives the reason and the remedy."""
