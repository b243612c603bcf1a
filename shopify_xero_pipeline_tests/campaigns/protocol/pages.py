"""The texts of the simulator's campaigns for `docs/reliability.md`, and their printed tables."""

from collections.abc import Iterator, Sequence

from shopify_xero_pipeline_tests.campaigns.protocol.campaign import Tally
from shopify_xero_pipeline_tests.campaigns.protocol.planted import Hunt
from shopify_xero_pipeline_tests.campaigns.reliability import measured, table, write_section

GROUPS = (
    ("fault ", "Faults met"),
    ("crash ", "Where processes died"),
    ("person: ", "What people did meanwhile"),
    ("runs: ", "Runs beside those without a death"),
    ("settled ", "How records were settled"),
    ("problem ", "Problems"),
)
SIMULATOR = """## The protocol in simulated time

The campaign runs the real loader, state store (SQLite) and client against the sandbox's Xero, with simulated time,
network and crashes. For each seed it plays one run without a crash, one with a crash at each point at which durable
state changes, two with two to six crashes, and two with two or three processes at once, some of them suspended for up
to 25 minutes. A process has one to five requests in flight, in batches of 1, 2 or 50 records; the seed draws the order
in which they go on. Each host has its own clock: wrong by up to three days, drifting, and set at any moment. A request
arrives up to 230 s late, even after its sender has crashed; lists lag up to 300 s behind. Part payments, refunds and
Allocations, for which Xero has no duplicate check, are in every workload. Seeds below 100 use up to three orders in up
to three plans, the others one order. Each run ends without further faults and with time to settle, the clocks still
wrong. Then the campaign compares Xero's live records, the desired records and the mapping one by one, with every posted
part (Item code, tax type, account, dates, reference), and their totals.

{figures}

{measured} `make simulate` repeats the campaign; a failing run prints the command that repeats it.

{faults}

{ends}"""
BUGS = """## Rules taken away

The simulator must detect the absence of each rule. Each line is the protocol without one of its rules, run until a run
ends badly: with a duplicate in Xero, or with a store or a request that violates an invariant. Bugs that ordinary seeds
do not meet are hunted among runs with little but the fault that the rule covers. Races that are too narrow for that are
played step by step.

{bugs}

{measured}"""


def tables(tally: Tally) -> Iterator[tuple[str, list[tuple[str, int]]]]:
    """Yield the title and rows of each table of a campaign's counts."""
    for prefix, title in GROUPS:
        rows = [
            (name.removeprefix(prefix), times) for name, times in tally.counts.most_common() if name.startswith(prefix)
        ]
        if rows:
            yield title, rows


def write_simulator(tally: Tally, stride: int, seconds: float) -> None:
    """Write the simulator's section."""
    counts = tally.counts
    rows: list[tuple[str, object]] = [
        ("seeds", tally.seeds),
        ("runs", tally.runs),
        ("points passed by the runs without a death", tally.points),
        ("deaths", sum(times for name, times in counts.items() if name.startswith("crash "))),
        ("calls", counts["calls"]),
        ("requests journalled", counts["requests"]),
        ("requests that left while another one of their process was in flight", counts["side by side"]),
        ("faults", sum(times for name, times in counts.items() if name.startswith("fault "))),
        ("answers replayed under their key", counts["replayed"]),
        ("records read back", counts["read back"]),
        ("records adopted", counts["settled adopted"]),
        ("records reported as failed, with a reason", counts["failed"]),
        ("**duplicates**", counts["problem duplicate"]),
        ("**lost**", counts["problem lost"]),
        ("**stuck**", counts["problem stuck"]),
        ("runs with any other problem", len(tally.failed)),
    ]
    if stride > 1:
        rows.insert(2, ("only every so many points", stride))
    counted = dict(tables(tally))
    rate = tally.runs / max(tally.cpu, 1)
    text = SIMULATOR.format(
        figures=table(("", "figure"), rows),
        measured=f"{measured()[:-1]}, in {seconds / 60:,.0f} min, {rate:.1f} runs a second of one core.",
        faults=table(
            ("fault", "times"), [*counted.get("Faults met", []), *counted.get("What people did meanwhile", [])]
        ),
        ends=table(("died", "times"), counted.get("Where processes died", [])),
    )
    write_section("protocol", text)


def write_bugs(hunts: Sequence[Hunt]) -> None:
    """Write the section of the planted bugs."""
    head = ("planted bug", "met", "seeds", "runs", "caught", "duplicates", "other bad states")
    rows = [(hunt.bug, hunt.met, hunt.seeds, hunt.runs, hunt.caught, hunt.duplicates, hunt.states) for hunt in hunts]
    write_section("planted-bugs", BUGS.format(bugs=table(head, rows), measured=measured()))
