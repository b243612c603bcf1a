"""What the simulator's campaigns write into `docs/reliability.md`, and the tables they print: only wording."""

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

The real loader, store (SQLite) and client with injected time, network and deaths, before the sandbox's Xero. For each
seed: one run without a death, one that dies at each point at which something durable changes, {repeated} that die two
to six times, {together} with two or three processes at once, some of them suspended for up to 25 minutes. The clock of
each host is its own: wrong by up to three days, drifting, and set at any point. A request is delivered up to 230 s
late, also after its sender died; lists lag up to 300 s behind. Part payments, refunds and
Allocations, which nothing in Xero guards, are in every workload; seeds below 100 are about up to three orders in up to
three plans, the others about one. Every run ends with trouble over and time to settle, the clocks still wrong; then
Xero's live records, the wanted ones and the mapping are compared one by one, every part that is meant to be posted
(Item code, tax type, account, dates, reference), and their totals.

{figures}

{measured} Played again by `make simulate`; one run by the command that a failing one prints.

{faults}

{ends}"""
BUGS = """## Rules taken away

The simulator must see what each rule is for. Each line is the protocol without one of its rules, hunted until a run
ends badly: with a record twice in Xero, or with a store or a request that is not as promised. What no ordinary seed
meets by chance is hunted further among runs with little but the trouble that its rule is for; races too narrow for
that are played step by step.

{bugs}

{measured}"""


def tables(tally: Tally) -> Iterator[tuple[str, list[tuple[str, int]]]]:
    """Yield title and rows of what a campaign counted."""
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
    found = dict(tables(tally))
    rate = tally.runs / max(tally.cpu, 1)
    text = SIMULATOR.format(
        repeated="two",
        together="two",
        figures=table(("", "figure"), rows),
        measured=f"{measured()[:-1]}, in {seconds / 60:,.0f} min, {rate:.1f} runs a second of one core.",
        faults=table(("fault", "times"), [*found.get("Faults met", []), *found.get("What people did meanwhile", [])]),
        ends=table(("died", "times"), found.get("Where processes died", [])),
    )
    write_section("protocol", text)


def write_bugs(hunts: Sequence[Hunt]) -> None:
    """Write the section of the planted bugs."""
    head = ("planted bug", "met", "seeds", "runs", "caught", "duplicates", "other bad states")
    rows = [(one.bug, one.met, one.seeds, one.runs, one.caught, one.duplicates, one.states) for one in hunts]
    write_section("planted-bugs", BUGS.format(bugs=table(head, rows), measured=measured()))
