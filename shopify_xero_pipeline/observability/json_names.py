"""Former names of JSON keys, written beside the present names for one release so that readers can migrate.

This module only has names that version 0.1 published. Version 0.3 removes it.
"""

from collections.abc import Mapping

FORMER_NAMES: Mapping[str, str] = {
    "message": "says",
    "checked": "asked",
    "violations": "broken",
    "next_attempt_at": "next_try",
    "dismissal_reason": "dismissed_because",
    "processed_at": "looked_at",
    "occurred_at": "happened_at",
    "checked_at": "looked_at",
}


def with_former_names(content: object) -> object:
    """Return JSON content in which each renamed key also occurs under its former name.

    Args:
        content: mappings, lists and scalars. A mapping that already has the former name retains its value.
    """
    if isinstance(content, Mapping):
        present = {str(key): with_former_names(value) for key, value in content.items()}
        former = {FORMER_NAMES[key]: value for key, value in present.items() if key in FORMER_NAMES}
        return {**former, **present}
    if isinstance(content, list | tuple):
        return [with_former_names(value) for value in content]
    return content
