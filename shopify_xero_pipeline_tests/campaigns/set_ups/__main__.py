"""The command `python -m …campaigns.set_ups`, which plays every broken set-up and publishes how many are reported."""

import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from shopify_xero_pipeline_tests.campaigns.reliability import measured, table, write_section
from shopify_xero_pipeline_tests.campaigns.set_ups.cases import GROUPS
from shopify_xero_pipeline_tests.campaigns.set_ups.play import Outcome, SetUp, is_named, is_stopped_or_warned, play
from shopify_xero_pipeline_tests.support.scratch import in_memory

HEAD = """## Broken set-ups

Each set-up has one typical mistake. `doctor`, `plan` and `sync` then run against the sandbox. `doctor` must report the
mistake as a failure, or as a warning if it is unusual and possible. `plan` and `sync` must refuse it, or warn of it,
before anything is written to Xero, Contacts and Items included. A correct set-up must pass."""


@dataclass(frozen=True)
class Result:
    """A set-up and its outcome."""

    set_up: SetUp
    outcome: Outcome

    @property
    def is_named(self) -> bool:
        return is_named(self.set_up, self.outcome)

    @property
    def is_stopped(self) -> bool:
        return is_stopped_or_warned(self.set_up, self.outcome)

    @property
    def is_right(self) -> bool:
        return self.is_named and self.is_stopped and not self.outcome.crashed


def main() -> int:
    results = {group: [Result(case, play_case(case)) for case in cases] for group, cases in GROUPS.items()}
    wrong = [result for group in results.values() for result in group if not result.is_right]
    for result in wrong:
        print(f"not as it should be: {result.set_up.name}: {result.outcome}")
    if not wrong:
        write_section("set-ups", section(results))
    return int(bool(wrong))


def play_case(set_up: SetUp) -> Outcome:
    print(set_up.name, flush=True)
    with tempfile.TemporaryDirectory(dir=in_memory()) as folder:
        return play(set_up, Path(folder))


def section(results: Mapping[str, Sequence[Result]]) -> str:
    rows = [(group, *figures(group_results)) for group, group_results in results.items()]
    total = figures([result for group in results.values() for result in group])
    head = (
        "what is wrong",
        "set-ups",
        "named by doctor",
        "refused, nothing written",
        "said, then gone on",
        "tracebacks",
    )
    return f"{HEAD}\n\n{table(head, [*rows, ('**all**', *total)])}\n\n{measured()}"


def figures(results: Sequence[Result]) -> tuple[int, ...]:
    warned = [result for result in results if result.set_up.warned or result.set_up.blocks]
    return (
        len(results),
        sum(result.is_named for result in results),
        sum(result.is_stopped for result in results if result not in warned),
        sum(result.is_stopped for result in warned),
        sum(result.outcome.crashed for result in results),
    )


if __name__ == "__main__":
    sys.exit(main())
