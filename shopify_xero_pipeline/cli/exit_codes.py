"""Exit codes of all commands, documented in `docs/exit_codes.md`.

This module only has the codes and the code of each verdict.
"""

SUCCESS = 0
"""The command did all its work, and the books agree: each order is posted, or a rule skips it or lets it wait."""

FAILURE = 1
"""Something failed, differs, or is in conflict with a change that a person made; a person must check it."""

FIX_SETTING = 2
"""A setting, an option or the machine's storage must be corrected first; click also uses this code for options."""

BLOCKED = 3
"""Nothing differs, but blocked orders are missing in the books; each has a reason with a remedy."""

INTERNAL_ERROR = 70
"""A fault of this program (EX_SOFTWARE of sysexits.h); the log has the details."""

RETRY_LATER = 75
"""Nothing is wrong, but work is left; run the same command again later (EX_TEMPFAIL of sysexits.h)."""

_CODE_OF_STANDING = {"agree": SUCCESS, "unfinished": RETRY_LATER, "incomplete": BLOCKED, "disagree": FAILURE}
"""By the values of `reconciliation.verdict.Standing`, whose import would slow down every command."""


def from_standing(standing: str) -> int:
    """Return the exit code of a verdict."""
    return _CODE_OF_STANDING[standing]
