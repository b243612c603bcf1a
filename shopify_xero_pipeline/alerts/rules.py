"""Alert rules: pure functions from facts to alerts, each with a key, a severity, a sentence and an action.

This module reads and sends nothing. The key of an alert stays the same while its cause lasts, so that each channel
gets it once. Texts name days, settings, runs and checks, and no customer.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from urllib.parse import quote

from shopify_xero_pipeline.clock import CLOCK_OFFSET_WARNING, describe_offset

UNSETTLED_ALERT_AGE = timedelta(minutes=15)  # longer than the replay horizon and the quiet time of a write
NO_SYNC_ALERT_AGE = timedelta(days=1)
LOW_QUOTA_SHARE = 10  # warn below one tenth of the daily quota
FAILURE_RATE_PERCENT, MIN_RECORDS_FOR_RATE = 5, 20
SLOW_CALL_DURATION, MIN_CALLS_FOR_LATENCY = timedelta(seconds=5), 20
"""Rates and percentiles of fewer records or calls mean nothing and are not evaluated."""

VERSION_WARNING_PERIOD = timedelta(days=60)
MAX_NAMES_LISTED = 5


class Severity(StrEnum):
    """The severity of an alert, in PagerDuty's words."""

    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"


@dataclass(frozen=True)
class Alert:
    """A state that needs a person.

    Attributes:
        key: identifies the cause; stays the same while it lasts.
        severity: the severity.
        summary: the event, in one sentence.
        location: the day, setting or record.
        action: the remedy, for people.
        page: the path of a page in the Dagster UI; empty if there is none. For a check by day it opens the asset's
            check over all days, because the UI shows a check by day with the day that ran last.
    """

    key: str
    severity: Severity
    summary: str
    location: str
    action: str
    page: str = ""


@dataclass(frozen=True)
class FailedRun:
    """A failed run that no later run of its days has replaced; `days` is empty for a job without days."""

    job: str
    run_id: str
    days: tuple[date, ...] = ()
    reason: str = ""


@dataclass(frozen=True)
class FailedCheck:
    """A check whose latest result, for a day or over all days (`day` None), is a failure."""

    asset: str
    check: str
    day: date | None = None


@dataclass(frozen=True)
class UndecidedOrders:
    """A day's orders of which Xero has records without an order; `before_start`: placed before the start date."""

    day: date
    count: int
    before_start: bool = False


@dataclass(frozen=True)
class UnpostedOrders:
    """A day's orders that are not correctly in the books; `summary` has count and amount, `names` the first of them."""

    day: date
    summary: str
    names: Sequence[str]


@dataclass(frozen=True)
class RemainingCalls:
    """The rest of Xero's daily quota and its limit, in calls, as of Xero's last response."""

    remaining: int
    limit: int


@dataclass(frozen=True)
class Facts:
    """The facts at one moment. Instants are in UTC; an unknown fact is None or empty.

    Attributes:
        now: the moment.
        failed_runs: newest first.
        failed_checks: in any order.
        undecided: records in Xero without an order that await a decision, by day.
        blocked: days with blocked orders.
        in_conflict: days with records in conflict with a change that a person made in Xero.
        unsettled_since: when the oldest write with an unknown outcome was sent.
        sign_in: a warning about the sign-in to Xero, for people.
        sign_in_lapsed: whether the sign-in has expired or was revoked.
        remaining_calls: the rest of Xero's daily quota.
        api_version: the pinned version of Shopify's API, such as 2026-10.
        last_synced: when a day was last reconciled.
        attempted: number of records written or refused within a day.
        failed: number of these that Xero refused.
        durations: of the calls to Xero of the last minutes.
        clocks: offset of each host's clock from Xero's by the host's name; positive if the host is ahead.
        store_unreadable: why the state store cannot be read; if set, facts from the store are unknown.
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
    """Return the alerts that the facts call for, the most severe first."""
    alerts = [alert for rule in RULES for alert in rule(facts)]
    return sorted(alerts, key=lambda alert: (-list(Severity).index(alert.severity), alert.key))


def api_version_expiry(api_version: str) -> datetime:
    """Return the end of Shopify's support for an API version: one year after its first day, 17:00 UTC.

    Source: docs/contracts/shopify.md §3.8.
    """
    year, month = api_version.split("-")
    return datetime(int(year) + 1, int(month), 1, 17, tzinfo=UTC)


def p95(durations: Sequence[timedelta]) -> timedelta:
    """Return the 95th percentile of durations, by nearest rank; there must be at least one.

    Args:
        durations: one or more durations, in any order.
    """
    return sorted(durations)[math.ceil(len(durations) * 0.95) - 1]


def _runs(facts: Facts) -> Iterator[Alert]:
    by_job: dict[str, list[FailedRun]] = defaultdict(list)
    for run in facts.failed_runs:
        by_job[run.job].append(run)
    for job, runs in by_job.items():
        days = sorted({day for run in runs for day in run.days})
        newest = runs[0]
        subject = f"{len(runs)} runs of {job} failed" if len(runs) > 1 else f"A run of {job} failed"
        reason = f" {newest.reason}" if newest.reason else ""
        yield Alert(
            f"run:{job}",
            Severity.ERROR,
            f"{subject}, and no later run succeeded for the same days.{reason}",
            _days(days) or f"run {newest.run_id[:8]}",
            "Fix the cause that the run names, then run its days again. Sent batches are read back first; nothing is "
            "written twice.",
            f"/runs/{newest.run_id}",
        )


def _checks(facts: Facts) -> Iterator[Alert]:
    by_day: dict[date | None, list[FailedCheck]] = defaultdict(list)
    for check in facts.failed_checks:
        by_day[check.day].append(check)
    for day, checks in by_day.items():
        names = sorted(f"{check.check} of {check.asset}" for check in checks)
        subject = f"{len(names)} checks failed" if len(names) > 1 else "A check failed"
        first = min(checks, key=lambda check: (check.asset, check.check))
        action = "Run `shopify-xero status` for records and reasons, fix them, and sync the day again."
        yield Alert(
            f"checks:{day or 'mapping'}",
            Severity.ERROR,
            f"{subject}: {', '.join(names)}.",
            str(day) if day else "the mapping",
            action if day else "Run `shopify-xero doctor --state` and follow its remedies.",
            f"/assets/{first.asset}?view=checks" + ("" if day else f"&checkDetail={quote(first.check)}"),
        )


def _orphans(facts: Facts) -> Iterator[Alert]:
    for orders in facts.undecided:
        subject = f"{orders.count} orders" if orders.count > 1 else "an order"
        relation = "placed before the start date" if orders.before_start else "that these books do not contain"
        yield Alert(
            f"orphans:{'before-start' if orders.before_start else orders.day}",
            Severity.ERROR,
            f"Xero has records of {subject} {relation}.",
            str(orders.day),
            "Run `shopify-xero status` for the list. Void the records in Xero, or keep them with "
            "`shopify-xero dismiss`.",
        )


def _blocked(facts: Facts) -> Iterator[Alert]:
    for orders in facts.blocked:
        yield Alert(
            f"blocked:{orders.day}",
            Severity.WARNING,
            f"{orders.summary} not in the books because a setting or a rule is missing: {', '.join(orders.names)}.",
            str(orders.day),
            "Run `shopify-xero status` and follow the remedy of each reason. Then sync the day again.",
        )


def _in_conflict(facts: Facts) -> Iterator[Alert]:
    for orders in facts.in_conflict:
        yield Alert(
            f"conflict:{orders.day}",
            Severity.WARNING,
            f"{orders.summary} with a change that a person made in Xero: {', '.join(orders.names)}.",
            str(orders.day),
            "Run `shopify-xero status` for both sides and the remedy. Then sync the day again.",
        )


def _unsettled(facts: Facts) -> Iterator[Alert]:
    since = facts.unsettled_since
    if since is not None and facts.now - since > UNSETTLED_ALERT_AGE:
        yield Alert(
            "unsettled",
            Severity.ERROR,
            f"The outcome of writes to Xero is unknown; the oldest was sent at {since:%Y-%m-%d %H:%M} UTC.",
            "writes to Xero",
            "Run a sync: it reads the writes back before it sends anything. If Xero is down, wait.",
        )


def _sign_in(facts: Facts) -> Iterator[Alert]:
    if facts.sign_in and facts.sign_in_lapsed:
        action = "Run `shopify-xero login`. Nothing is written to Xero before."
        yield Alert("consent:lapsed", Severity.CRITICAL, facts.sign_in, "the sign-in to Xero", action)
    elif facts.sign_in:
        action = "Let a sync run, or run `shopify-xero login`."
        yield Alert("consent:lapsing", Severity.WARNING, facts.sign_in, "the sign-in to Xero", action)


def _budget(facts: Facts) -> Iterator[Alert]:
    calls = facts.remaining_calls
    if calls is not None and calls.remaining * LOW_QUOTA_SHARE < calls.limit:
        yield Alert(
            "budget",
            Severity.WARNING,
            f"Xero allows {calls.remaining} more calls today, less than a tenth of {calls.limit}.",
            "Xero's daily quota",
            "No action is needed: the rest is written when the quota resets. If it recurs, sync fewer days at once or "
            "ask Xero for a larger plan.",
        )


def _version(facts: Facts) -> Iterator[Alert]:
    expiry = api_version_expiry(facts.api_version)
    if facts.now >= expiry:
        summary = f"Shopify's API version {facts.api_version} has not been supported since {expiry:%Y-%m-%d}."
        action = "Install a newer version of this project now: reads are no longer reliable."
        yield Alert("api-version:expired", Severity.CRITICAL, summary, "Shopify's Admin API", action)
    elif facts.now >= expiry - VERSION_WARNING_PERIOD:
        summary = f"Shopify's API version {facts.api_version} is supported only until {expiry:%Y-%m-%d}."
        action = "Install a newer version of this project before then."
        yield Alert("api-version:expiring", Severity.WARNING, summary, "Shopify's Admin API", action)


def _no_sync(facts: Facts) -> Iterator[Alert]:
    last = facts.last_synced
    if last is not None and facts.now - last > NO_SYNC_ALERT_AGE:
        yield Alert(
            "nothing-synced",
            Severity.ERROR,
            f"No day has been synced since {last:%Y-%m-%d %H:%M} UTC.",
            "the schedules",
            "Check that the daemon runs, the schedules are on and no run waits in the queue.",
            "/automation",
        )


def _failure_rate(facts: Facts) -> Iterator[Alert]:
    if facts.attempted >= MIN_RECORDS_FOR_RATE and facts.failed * 100 > facts.attempted * FAILURE_RATE_PERCENT:
        yield Alert(
            "failure-rate",
            Severity.ERROR,
            f"Xero refused {facts.failed} of {facts.attempted} records within a day, more than "
            f"{FAILURE_RATE_PERCENT} %.",
            "records of the last day",
            "Run `shopify-xero status`: many failures usually have one cause, such as an account or a tax rate.",
        )


def _slow_calls(facts: Facts) -> Iterator[Alert]:
    if len(facts.durations) < MIN_CALLS_FOR_LATENCY:
        return
    slow = p95(facts.durations)
    if slow > SLOW_CALL_DURATION:
        yield Alert(
            "slow",
            Severity.WARNING,
            f"One in 20 of the last {len(facts.durations)} calls to Xero took {slow.total_seconds():.1f} s or more.",
            "calls to Xero",
            "Check Xero's status page. Runs continue more slowly.",
        )


def _clocks(facts: Facts) -> Iterator[Alert]:
    for host, ahead in sorted(facts.clocks.items()):
        if abs(ahead) > CLOCK_OFFSET_WARNING:
            yield Alert(
                f"clock:{host}",
                Severity.WARNING,
                f"The clock of {host} is {describe_offset(ahead)} Xero's.",
                f"the clock of {host}",
                "Set it with a time server (chrony, systemd-timesyncd). Nothing is posted twice or lost. Days begin "
                "and end by this clock, so the newest day may be synced early or late.",
            )


def _store(facts: Facts) -> Iterator[Alert]:
    if facts.store_unreadable:
        action = (
            "Follow the message; `shopify-xero rebuild` recreates a lost store. Nothing is written to Xero meanwhile."
        )
        yield Alert("store", Severity.CRITICAL, facts.store_unreadable, "the state store (STATE_URL)", action)


RULES: tuple[Callable[[Facts], Iterable[Alert]], ...] = (
    _runs, _checks, _orphans, _blocked, _in_conflict, _unsettled, _sign_in, _budget, _version, _no_sync, _failure_rate,
    _slow_calls, _clocks, _store,
)  # fmt: skip


def _days(days: Sequence[date]) -> str:
    names = ", ".join(map(str, days[:MAX_NAMES_LISTED]))
    return names + (f" and {len(days) - MAX_NAMES_LISTED} more days" if len(days) > MAX_NAMES_LISTED else "")
