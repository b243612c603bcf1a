"""Looking after the whole: the facts from the state store and from Dagster, the causes in them, and telling people.

Here the room of alerts meets the others. What is a cause stands in `alerts/causes.py`, who knows of it in
`alerts/told.py`. Nothing is asked of Shopify or of Xero.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import groupby, islice
from operator import itemgetter
from typing import Any

import dagster as dg
import httpx

from shopify_xero_pipeline import attention
from shopify_xero_pipeline.alerts.causes import (
    NAMED,
    CallsLeft,
    Cause,
    Facts,
    FailedCheck,
    FailedRun,
    LeftOrders,
    Severity,
    Undecided,
    causes,
)
from shopify_xero_pipeline.alerts.channels import Channel, Mail, Message, NotDelivered, PagerDuty, Sender, Slack
from shopify_xero_pipeline.alerts.told import Told
from shopify_xero_pipeline.bookkeeper import Bookkeeper
from shopify_xero_pipeline.changes.agreement import Standing, counted
from shopify_xero_pipeline.changes.in_the_way import in_conflict
from shopify_xero_pipeline.changes.orphans import OrphanCause, OrphanedOrder
from shopify_xero_pipeline.clock import Clock
from shopify_xero_pipeline.defs.assets.changes import MAPPING
from shopify_xero_pipeline.defs.assets.load import BEFORE
from shopify_xero_pipeline.defs.assets.reconciliation import CHECKS, KEY
from shopify_xero_pipeline.defs.checks import CHECKS as MAPPING_CHECKS
from shopify_xero_pipeline.defs.jobs import SYNC
from shopify_xero_pipeline.defs.requests import days_of
from shopify_xero_pipeline.logs import Mask
from shopify_xero_pipeline.settings import Settings
from shopify_xero_pipeline.shopify.answers import API_VERSION
from shopify_xero_pipeline.state.faults import StoreReplacedError, StoreUnwritableError, StoreUrlError
from shopify_xero_pipeline.state.migrations import StoreTooNewError
from shopify_xero_pipeline.state.seals import StoreDamagedError
from shopify_xero_pipeline.state.store import StateStore

TOLD = "alerts told"
A_DAY = timedelta(days=1)
LOOKED_BACK = timedelta(days=7)
"""A failed run is remembered for so long; every night all days that were never synced, or are unfinished, are."""

MOST_RUNS = 1_000
WRITTEN = ("created", "updated", "adopted", "deleted")
LONGEST_TELLING = 6.0
"""Seconds after which no further message is begun: a tick ends within ten, after a slow mail within sixteen."""

UNREADABLE = (StoreDamagedError, StoreReplacedError, StoreTooNewError, StoreUnwritableError, StoreUrlError)
ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]
CHECKED = [
    *(dg.AssetCheckKey(dg.AssetKey(["xero", name]), "all_loaded") for name in BEFORE),
    *(dg.AssetCheckKey(KEY, name) for name in CHECKS),
    *(dg.AssetCheckKey(MAPPING, name) for name in MAPPING_CHECKS),
]


@dataclass(frozen=True)
class Delivery:
    """What became of a test message; `failure` is empty if it was taken."""

    channel: str
    failure: str


class Watch:
    """Looks after one shop's books.

    Args:
        bookkeeper: its store and its clock.
        instance: where the runs are recorded.
    """

    def __init__(self, bookkeeper: Bookkeeper, instance: dg.DagsterInstance) -> None:
        self._bookkeeper = bookkeeper
        self._instance = instance
        self._mask = Mask(bookkeeper.secrets)

    def causes(self) -> list[Cause]:
        """Return what calls for a person now, the gravest first.

        Raises:
            StoreBusyError: another process keeps the store; look again later.
        """
        return [self._masked(cause) for cause in causes(self.facts())]

    def tell(self, channels: Iterable[Channel], kept: str | None = None) -> tuple[list[Cause], str]:
        """Tell each channel what it does not know yet; return the present causes, and what is known afterwards.

        Args:
            channels: where to tell.
            kept: what is known, for the case that the store cannot be read.

        Raises:
            StoreBusyError: another process keeps the store; nothing was told.
        """
        clock, found = self._bookkeeper.clock, self.causes()
        began, known = clock.elapsed(), self._recalled(kept)
        told = Told.read(known).tell(found, channels, clock.now(), lambda: clock.elapsed() - began < LONGEST_TELLING)
        text = told.text()
        if text != known:
            with suppress(*UNREADABLE):
                self._bookkeeper.store.remember(TOLD, text)
        return found, text

    def facts(self) -> Facts:
        """Return what is known now; of a store that cannot be read, only that."""
        now = self._bookkeeper.clock.now()
        runs = self._instance.get_runs(dg.RunsFilter(statuses=ENDED, created_after=now - LOOKED_BACK), limit=MOST_RUNS)
        known: dict[str, Any] = {
            "now": now,
            "api_version": API_VERSION,
            "failed_runs": _failed_runs(self._instance, runs),
            "failed_checks": [*_failed_checks(self._instance)],
        }
        try:
            store = self._bookkeeper.store
            known["failed_checks"] = _not_waiting(known["failed_checks"], store)
            return Facts(**known, **self._of_store(store, now))
        except UNREADABLE as error:
            return Facts(**known, store_unreadable=str(error))

    def _of_store(self, store: StateStore, now: datetime) -> dict[str, Any]:
        figures, budget, sign_in = store.figures(), self._bookkeeper.budget(), self._bookkeeper.sign_in
        failed = sum(error.last_failed_at > now - A_DAY for error in store.errors())
        written = sum(load.records[outcome] for load in figures.loads for outcome in WRITTEN)
        return {
            "undecided": _undecided(self._bookkeeper.ownership.orphans()),
            "blocked": [*_blocked(store)],
            "in_conflict": [*_in_conflict(store)],
            "unsettled_since": figures.unsettled_since,
            "sign_in": (sign_in.warning(now) if sign_in else None) or "",
            "sign_in_lapsed": sign_in is not None and (sign_in.refused or now >= sign_in.lapses_at),
            "calls_left": None if budget.left is None else CallsLeft(budget.left, budget.size),
            "last_synced": self._last_synced(),
            "tried": written + failed,
            "failed": failed,
            "durations": [timedelta(seconds=seconds) for seconds in figures.latencies],
            "clocks": figures.standing.clocks_ahead,
        }

    def _last_synced(self) -> datetime | None:
        """Return when the newest day that ever was compared, or the one before it, was compared last."""
        keeper = self._bookkeeper
        compared = (at for day in reversed(keeper.days()) for at in keeper.compared_at([day]).values())
        return max(islice(compared, 2), default=None)

    def _recalled(self, kept: str | None) -> str | None:
        with suppress(*UNREADABLE):
            known = self._bookkeeper.store.recall(TOLD)
            return known[0] if known is not None else kept
        return kept

    def _masked(self, cause: Cause) -> Cause:
        return replace(cause, what=self._mask.text(cause.what), where=self._mask.text(cause.where))


def _undecided(orphans: Iterable[OrphanedOrder]) -> list[Undecided]:
    """Return how many orders a person has to decide about, by day."""
    counts = Counter((one.day, one.cause is OrphanCause.BEFORE_START) for one in orphans if one.is_open)
    return [Undecided(day, count, before_start) for (day, before_start), count in sorted(counts.items())]


def channels(settings: Settings, clock: Clock, transport: httpx.BaseTransport | None = None) -> list[Channel]:
    """Return the channels that the settings name.

    Args:
        settings: `ALERT_…` and `DAGSTER_URL`.
        clock: bounds what a message may take.
        transport: replaces the network, for tests.
    """
    sender, found = Sender(settings.shopify_shop or "shopify-xero", settings.dagster_url), list[Channel]()
    if settings.alert_slack_url:
        found.append(Slack(settings.alert_slack_url, sender, clock, transport))
    if settings.alert_smtp_url:
        found.append(Mail(settings.alert_smtp_url, settings.alert_mail_to, sender, settings.alert_mail_from))
    if settings.alert_pagerduty_key:
        region = settings.alert_pagerduty_region
        found.append(PagerDuty(settings.alert_pagerduty_key, sender, clock, region, transport))
    return found


def tested(channels: Iterable[Channel], now: datetime) -> list[Delivery]:
    """Send one message to each channel, and that it is over; return what became of it."""
    cause = Cause("test", Severity.WARNING, "This is a test.", "nowhere", "Nothing has to be done.", "/overview")
    return [Delivery(channel.name, _failure(channel, cause, now)) for channel in channels]


def _failure(channel: Channel, cause: Cause, now: datetime) -> str:
    try:
        channel.send(Message(cause, now))
        channel.send(Message(cause, now, over=True))
    except NotDelivered as error:
        return str(error)
    return ""


def _failed_runs(instance: dg.DagsterInstance, runs: Sequence[dg.DagsterRun]) -> list[FailedRun]:
    """Return the failed ones that no later run of their days has made good, newest first.

    Args:
        instance: asked why the newest run of each job failed.
        runs: newest first.
    """
    mended: set[tuple[str, date | None]] = set()
    found: list[FailedRun] = []
    for run in runs:
        days: list[date | None] = [*days_of(run)] or [None]
        if run.status is dg.DagsterRunStatus.SUCCESS:
            mended |= {(run.job_name, day) for day in days}
        elif run.tags.get("dagster/will_retry") != "true":
            left = [day for day in days if not {(run.job_name, day), (SYNC.name, day)} & mended]
            if left:
                why = "" if any(one.job == run.job_name for one in found) else _why(instance, run.run_id)
                found.append(FailedRun(run.job_name, run.run_id, tuple(day for day in left if day is not None), why))
    return found


def _why(instance: dg.DagsterInstance, run_id: str) -> str:
    """Return what our own rooms said to people; of anything else only its name, as its words may be anybody's."""
    for record in instance.get_records_for_run(run_id, of_type=dg.DagsterEventType.STEP_FAILURE).records:
        event = record.event_log_entry.dagster_event
        failed = event.step_failure_data if event is not None else None
        if failed is None or failed.error is None:
            continue
        if failed.user_failure_data is not None and failed.user_failure_data.description:
            return failed.user_failure_data.description
        error = failed.error
        while error.cause is not None:
            error = error.cause
        return f"The step {event.step_key} ended with {error.cls_name}." if event is not None else ""
    return "It ended before its last step."


def _blocked(store: StateStore) -> Iterator[LeftOrders]:
    for day, found in attention.not_agreed(store).items():
        if (orders := found.agreement.of("blocked")).count:
            yield LeftOrders(day, f"{orders.says} {orders.are}", orders.named)


def _in_conflict(store: StateStore) -> Iterator[LeftOrders]:
    """Yield the days with conflicts. Records are named by their order or kind, as a key may be a person's words."""
    for day, pairs in groupby(in_conflict(attention.held_lines(store)), key=itemgetter(0)):
        found = [line.order_name or f"a {line.kind.value}" for _, line in pairs]
        yield LeftOrders(day, f"{counted(len(found), 'record')} in conflict", [*dict.fromkeys(found)][:NAMED])


def _not_waiting(checks: Iterable[FailedCheck], store: StateStore) -> list[FailedCheck]:
    """Return failed checks without those of days of which writes are only unfinished: a later run goes on by itself.

    A write that stays in doubt is a cause of its own.
    """
    days = attention.not_agreed(store).items()
    waiting = {day for day, one in days if one.agreement.standing is Standing.UNFINISHED}
    return [check for check in checks if check.day not in waiting]


def _failed_checks(instance: dg.DagsterInstance) -> Iterator[FailedCheck]:
    for info in instance.event_log_storage.get_asset_check_partition_info(CHECKED):
        if info.latest_execution_status.value == "FAILED":
            day = date.fromisoformat(info.partition_key) if info.partition_key else None
            yield FailedCheck(info.check_key.asset_key.to_user_string(), info.check_key.name, day)
