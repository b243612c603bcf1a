"""`python -m …campaigns.set_ups`: play every broken set-up and publish how many were named in time."""

import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from shopify_xero_pipeline_tests.campaigns.reliability import measured, table, write_section
from shopify_xero_pipeline_tests.campaigns.set_ups.cases import GROUPS
from shopify_xero_pipeline_tests.campaigns.set_ups.play import Played, SetUp, is_named, is_stopped_or_said, play
from shopify_xero_pipeline_tests.support.scratch import in_memory

HEAD = """## Broken set-ups

One thing each is set up wrong, as people do; then `doctor`, `plan` and `sync` are run against the sandbox. `doctor` has
to name it as a failure, or as a warning where it is unusual and possible. `plan` and `sync` have to refuse it, or to
warn of it, while nothing is written to Xero yet, no Contact and no Item either. A sound set-up beside them is found to
be sound."""


@dataclass(frozen=True)
class Result:
    """A set-up and what became of it."""

    one: SetUp
    played: Played

    @property
    def is_right(self) -> bool:
        played = self.played
        return is_named(self.one, played) and is_stopped_or_said(self.one, played) and not played.crashed


def main() -> int:
    results = {group: [Result(one, played(one)) for one in cases] for group, cases in GROUPS.items()}
    wrong = [one for group in results.values() for one in group if not one.is_right]
    for one in wrong:
        print(f"not as it should be: {one.one.name}: {one.played}")
    if not wrong:
        write_section("set-ups", section(results))
    return int(bool(wrong))


def played(one: SetUp) -> Played:
    print(one.name, flush=True)
    with tempfile.TemporaryDirectory(dir=in_memory()) as folder:
        return play(one, Path(folder))


def section(results: Mapping[str, Sequence[Result]]) -> str:
    rows = [(group, *figures(found)) for group, found in results.items()]
    total = figures([one for group in results.values() for one in group])
    head = (
        "what is wrong",
        "set-ups",
        "named by doctor",
        "refused, nothing written",
        "said, then gone on",
        "tracebacks",
    )
    return f"{HEAD}\n\n{table(head, [*rows, ('**all**', *total)])}\n\n{measured()}"


def figures(found: Sequence[Result]) -> tuple[int, ...]:
    said = [one for one in found if one.one.warned or one.one.blocks]
    return (
        len(found),
        sum(is_named(one.one, one.played) for one in found),
        sum(is_stopped_or_said(one.one, one.played) for one in found if one not in said),
        sum(is_stopped_or_said(one.one, one.played) for one in said),
        sum(one.played.crashed for one in found),
    )


if __name__ == "__main__":
    sys.exit(main())
