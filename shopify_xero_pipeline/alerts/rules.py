"""What calls for a person: from facts to causes, each with a key, how grave it is, and words for people.

Pure: nothing is asked, read or sent here. A cause bears the same key for as long as it lasts, so that it is told once.
Words name days, settings, runs and checks, and never a customer.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from urllib.parse import quote

from shopify_xero_pipeline.clock import CLOCK_OFFSET_WARNING, describe_offset

UNSETTLED_ALERT_AGE = timedelta(minutes=15)
NO_SYNC_ALERT_AGE = timedelta(days=1)
LOW_QUOTA_SHARE = 10
FAILURE_RATE_PERCENT, MIN_RECORDS_FOR_RATE = 5, 20
SLOW_CALL_DURATION, MIN_CALLS_FOR_LATENCY = timedelta(seconds=5), 20
"""Shares and percentiles of a handful say nothing: below these numbers they are left alone."""

VERSION_WARNING_PERIOD = timedelta(days=60)
MAX_NAMES_LISTED = 5


class Severity(StrEnum):
    """How grave a cause is, in the words PagerDuty knows."""

    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"


@dataclass(frozen=True)
class Alert:
    """Something a person has to know.

    Attributes:
        key: the same for as long as it lasts.
        severity: how grave it is.
        what: what happened, in one sentence.
        where: to which day, setting or record.
        do: what to do.
        page: where to look in the Dagster UI, a path; empty if nowhere. The checks of an asset open at the one that
            looks at all days; a check by day would be shown with the day that ran last.
    """

    key: str
    severity: Severity
    summary: str
    location: str
    action: str
    page: str = ""


@dataclass(frozen=True)
class FailedRun:
    """A run that failed and that no later run of its days has made good; `days` is empty for a job without days."""

    job: str
    run_id: str
    days: tuple[date, ...] = ()
    reason: str = ""


@dataclass(frozen=True)
class FailedCheck:
    """A check whose latest result, for a day or as a whole, is that it failed."""

    asset: str
    check: str
    day: date | None = None


@dataclass(frozen=True)
class UndecidedOrders:
    """Orders listed under a day of which records stand in Xero without an order; `before_start`: for that reason."""

    day: date
    count: int
    before_start: bool = False


@dataclass(frozen=True)
class UnpostedOrders:
    """Orders of a day that are not in the books as they should be; `says` how many of how much, `named` the first."""

    day: date
    summary: str
    names: Sequence[str]


@dataclass(frozen=True)
class RemainingCalls:
    """Calls to Xero left today of how many, as its last answer said."""

    remaining: int
    limit: int


@dataclass(frozen=True)
class Facts:
    """What is known at one moment. Instants are in UTC; what is not known is None or empty.

    Attributes:
        now: the moment.
        failed_runs: newest first.
        failed_checks: in any order.
        undecided: what stands in Xero without an order until a person decides, by day.
        blocked: days with orders for which a rule is missing.
        in_conflict: days with records in conflict with what a person did in Xero.
        unsettled_since: since when the outcome of the oldest write of which it is not known is in doubt.
        sign_in: what a person should know of the sign-in to Xero, and `sign_in_lapsed`, whether it works no more.
        calls_left: of Xero's day.
        api_version: of Shopify that is pinned, such as 2026-10.
        last_synced: when a day was last compared, from plan to read-back.
        tried: records written or refused within a day, and `failed`, how many of them were refused.
        durations: of the calls to Xero of the last minutes.
        clocks: by how much the clock of each host is ahead of Xero's, negative behind, by the host's name.
        store_unreadable: why the state store cannot be read, if it cannot: then the rest of it is not known.
    """

    now: datetime
    api_version: str
    failed_runs: Sequence[FailedRun] = ()
    failed_checks: Sequence[FailedCheck] = ()
    undecided: Sequence[UndecidedOrders] = ()
    blocked: Sequence[UnpostedOrders] = ()
    in_conflict: Sequence[UnpostedOrders] = ()
    unsettled_since: datetime | None = None
    sign_in: str = ""
    sign_in_lapsed: bool = False
    remaining_calls: RemainingCalls | None = None
    last_synced: datetime | None = None
    attempted: int = 0
    failed: int = 0
    durations: Sequence[timedelta] = ()
    clocks: Mapping[str, timedelta] = field(default_factory=dict)
    store_unreadable: str = ""


def find_alerts(facts: Facts) -> list[Alert]:
    """Return what calls for a person, the gravest first."""
    found = [cause for rule in RULES for cause in rule(facts)]
    return sorted(found, key=lambda cause: (-list(Severity).index(cause.severity), cause.key))


def api_version_expiry(api_version: str) -> datetime:
    """Return until when Shopify supports a version: a year from its first day, 17:00 UTC.

    Source: docs/contracts/shopify.md §3.8.
    """
    year, month = api_version.split("-")
    return datetime(int(year) + 1, int(month), 1, 17, tzinfo=UTC)


def p95(durations: Sequence[timedelta]) -> timedelta:
    """Return the duration that 95 of 100 do not exceed (nearest rank)."""
    return sorted(durations)[math.ceil(len(durations) * 0.95) - 1]


def _runs(facts: Facts) -> Iterator[Alert]:
    by_job: dict[str, list[FailedRun]] = defaultdict(list)
    for run in facts.failed_runs:
        by_job[run.job].append(run)
    for job, runs in by_job.items():
        days = sorted({day for run in runs for day in run.days})
        newest = runs[0]
        many = f"{len(runs)} runs of {job} failed" if len(runs) > 1 else f"A run of {job} failed"
        why = f" {newest.reason}" if newest.reason else ""
        yield Alert(
            f"run:{job}",
            Severity.ERROR,
            f"{many}, and no later run has made good for it.{why}",
            _days(days) or f"run {newest.run_id[:8]}",
            "Mend what the run names, then run its days again; what had been sent is settled first, and nothing twice.",
            f"/runs/{newest.run_id}",
        )


def _checks(facts: Facts) -> Iterator[Alert]:
    by_day: dict[date | None, list[FailedCheck]] = defaultdict(list)
    for check in facts.failed_checks:
        by_day[check.day].append(check)
    for day, checks in by_day.items():
        names = sorted(f"{one.check} of {one.asset}" for one in checks)
        many = f"{len(names)} checks failed" if len(names) > 1 else "A check failed"
        first = min(checks, key=lambda one: (one.asset, one.check))
        do = "Run `shopify-xero status` for the records and reasons, mend them, and sync the day again."
        yield Alert(
            f"checks:{day or 'mapping'}",
            Severity.ERROR,
            f"{many}: {', '.join(names)}.",
            str(day) if day else "the mapping",
            do if day else "Run `shopify-xero doctor --state`, and do what it says.",
            f"/assets/{first.asset}?view=checks" + ("" if day else f"&checkDetail={quote(first.check)}"),
        )


def _orphans(facts: Facts) -> Iterator[Alert]:
    for one in facts.undecided:
        many = f"Records of {one.count} orders stand" if one.count > 1 else "Records of an order stand"
        why = "were placed before the start date" if one.before_start else "no order of these books wants"
        what = f"{many} in Xero that {why}."
        do = "Run `shopify-xero status`, which names them: void them in Xero, or keep them with `shopify-xero dismiss`."
        yield Alert(
            f"orphans:{'before-start' if one.before_start else one.day}", Severity.ERROR, what, str(one.day), do
        )


def _blocked(facts: Facts) -> Iterator[Alert]:
    for one in facts.blocked:
        yield Alert(
            f"blocked:{one.day}",
            Severity.WARNING,
            f"{one.summary} not in the books, as each needs something that is not there yet: {', '.join(one.names)}.",
            str(one.day),
            "Run `shopify-xero status`: it says for each reason what to do. Then sync the day again.",
        )


def _in_conflict(facts: Facts) -> Iterator[Alert]:
    for one in facts.in_conflict:
        yield Alert(
            f"conflict:{one.day}",
            Severity.WARNING,
            f"{one.summary} with what a person did in Xero: {', '.join(one.names)}.",
            str(one.day),
            "Run `shopify-xero status`: it shows both sides and what to do. Then sync the day again.",
        )


def _unsettled(facts: Facts) -> Iterator[Alert]:
    since = facts.unsettled_since
    if since is not None and facts.now - since > UNSETTLED_ALERT_AGE:
        yield Alert(
            "unsettled",
            Severity.ERROR,
            f"It is not known whether all that was sent to Xero was booked; the oldest of it is of "
            f"{since:%Y-%m-%d %H:%M} UTC.",
            "writes to Xero",
            "Run a sync, which reads them back before anything is sent; if Xero cannot be reached, wait until it can.",
        )


def _sign_in(facts: Facts) -> Iterator[Alert]:
    if facts.sign_in and facts.sign_in_lapsed:
        do = "Run `shopify-xero login`. Nothing is written to Xero before."
        yield Alert("consent:lapsed", Severity.CRITICAL, facts.sign_in, "the sign-in to Xero", do)
    elif facts.sign_in:
        do = "Let a sync run, or run `shopify-xero login`."
        yield Alert("consent:lapsing", Severity.WARNING, facts.sign_in, "the sign-in to Xero", do)


def _budget(facts: Facts) -> Iterator[Alert]:
    calls = facts.remaining_calls
    if calls is not None and calls.remaining * LOW_QUOTA_SHARE < calls.limit:
        yield Alert(
            "budget",
            Severity.WARNING,
            f"Xero allows {calls.remaining} more calls today, less than a tenth of {calls.limit}.",
            "Xero's day",
            "Nothing has to be done: what is left stays planned and is written once Xero's day has turned. If it "
            "happens often, load fewer days at once or ask Xero for a larger plan.",
        )


def _version(facts: Facts) -> Iterator[Alert]:
    until = api_version_expiry(facts.api_version)
    if facts.now >= until:
        what = f"Shopify's API version {facts.api_version} has not been supported since {until:%Y-%m-%d}."
        do = "Install a newer version of this project: days can no longer be read reliably."
        yield Alert("api-version:expired", Severity.CRITICAL, what, "Shopify's Admin API", do)
    elif facts.now >= until - VERSION_WARNING_PERIOD:
        what = f"Shopify's API version {facts.api_version} is supported until {until:%Y-%m-%d} only."
        do = "Install a newer version of this project before then."
        yield Alert("api-version:expiring", Severity.WARNING, what, "Shopify's Admin API", do)


def _nothing(facts: Facts) -> Iterator[Alert]:
    last = facts.last_synced
    if last is not None and facts.now - last > NO_SYNC_ALERT_AGE:
        yield Alert(
            "nothing-synced",
            Severity.ERROR,
            f"Nothing has been synced since {last:%Y-%m-%d %H:%M} UTC.",
            "the schedules",
            "See whether the daemon runs, the schedules are switched on and runs wait in the queue.",
            "/automation",
        )


def _failing(facts: Facts) -> Iterator[Alert]:
    if facts.attempted >= MIN_RECORDS_FOR_RATE and facts.failed * 100 > facts.attempted * FAILURE_RATE_PERCENT:
        yield Alert(
            "failure-rate",
            Severity.ERROR,
            f"Xero refused {facts.failed} of {facts.attempted} records within a day, more than {FAILURE_RATE_PERCENT} %.",
            "records of the last day",
            "Run `shopify-xero status`: so many failures mostly have one reason, such as an account or a tax rate.",
        )


def _slow(facts: Facts) -> Iterator[Alert]:
    if len(facts.durations) < MIN_CALLS_FOR_LATENCY:
        return
    slow = p95(facts.durations)
    if slow > SLOW_CALL_DURATION:
        yield Alert(
            "slow",
            Severity.WARNING,
            f"One in 20 of the last {len(facts.durations)} calls to Xero took {slow.total_seconds():.1f} s or more.",
            "calls to Xero",
            "See Xero's status page; runs go on, more slowly.",
        )


def _clocks(facts: Facts) -> Iterator[Alert]:
    for host, ahead in sorted(facts.clocks.items()):
        if abs(ahead) > CLOCK_OFFSET_WARNING:
            yield Alert(
                f"clock:{host}",
                Severity.WARNING,
                f"The clock of {host} is {describe_offset(ahead)} Xero's.",
                f"the clock of {host}",
                "Set it by a time server (chrony, systemd-timesyncd). Nothing is posted twice or lost meanwhile; days "
                "begin and end by this clock, so the newest one comes late or early.",
            )


def _store(facts: Facts) -> Iterator[Alert]:
    if facts.store_unreadable:
        do = "Do what it says. Nothing is written to Xero meanwhile; `shopify-xero rebuild` makes a lost store anew."
        yield Alert("store", Severity.CRITICAL, facts.store_unreadable, "the state store (STATE_URL)", do)


RULES: tuple[Callable[[Facts], Iterable[Alert]], ...] = (
    _runs, _checks, _orphans, _blocked, _in_conflict, _unsettled, _sign_in, _budget, _version, _nothing, _failing,
    _slow, _clocks, _store,
)  # fmt: skip


def _days(days: Sequence[date]) -> str:
    named = ", ".join(map(str, days[:MAX_NAMES_LISTED]))
    return named + (f" and {len(days) - MAX_NAMES_LISTED} more days" if len(days) > MAX_NAMES_LISTED else "")
