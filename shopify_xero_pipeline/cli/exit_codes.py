"""What each exit code means, for every command. The table in `docs/exit_codes.md` says the same to people.

Only the codes, and which verdict has which, belong here.
"""

SUCCESS = 0
"""Everything that was asked for is done, and the books agree: each order is posted, or skipped or waits by a rule."""

FAILURE = 1
"""Something failed, differs, or is in conflict with what a person did: a person has to look."""

FIX_SETTING = 2
"""A setting, an option, or the machine's own storage has to be put right first; click uses it for options, too."""

BLOCKED = 3
"""Nothing differs, but orders are blocked, so they are not in the books: each says what it needs."""

INTERNAL_ERROR = 70
"""A fault of this program (EX_SOFTWARE of sysexits.h); the log holds the details."""

RETRY_LATER = 75
"""Nothing is wrong, and not everything is done: run the same again later (EX_TEMPFAIL of sysexits.h)."""

_OF_STANDING = {"agree": SUCCESS, "unfinished": RETRY_LATER, "incomplete": BLOCKED, "disagree": FAILURE}
"""By the words of `changes.agreement.Standing`, which is not imported: every command would wait for it."""


def from_standing(standing: str) -> int:
    """Return the exit code of a verdict."""
    return _OF_STANDING[standing]
