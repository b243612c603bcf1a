"""The tests tested: rules of the protocol taken away one at a time, by patching the product from here, never in it.

Each bug names the trouble in which its rule matters, for the short directed test; in the campaign it is hunted under
ordinary characters. A bug that nothing catches would mean that the simulator cannot see what the rule is for.
"""

import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import patch

import httpx

from shopify_xero_pipeline.loading import (
    batch_requests,
    batch_sender,
    batch_writer,
    loader,
    outcomes,
    parent_ids,
    readback,
    refusals,
)
from shopify_xero_pipeline.loading.batch_sender import QUIESCENCE, DeliveryResult, DeliveryStatus
from shopify_xero_pipeline.loading.parent_ids import ParentIds
from shopify_xero_pipeline.state import row_writes
from shopify_xero_pipeline.state.journal import Journal
from shopify_xero_pipeline.state.records import Batch, BatchState
from shopify_xero_pipeline.xero import elements, mirror
from shopify_xero_pipeline.xero.client import XeroClient
from shopify_xero_pipeline.xero.models import Kind
from shopify_xero_pipeline_tests.campaigns.protocol.play import Outcome, Run, Spec, stage
from shopify_xero_pipeline_tests.campaigns.protocol.trade import Trade, part_payments
from shopify_xero_pipeline_tests.campaigns.protocol.troubles import Character, Trouble

Patches = list[Any]


def no_key() -> Patches:
    sound = XeroClient._send_signed

    def signed(self: XeroClient, request: Any) -> Any:
        kept = {name: text for name, text in request.headers.items() if name != "Idempotency-Key"}
        return sound(self, replace(request, headers=kept))

    return [patch.object(XeroClient, "_send_signed", signed)]


def new_key() -> Patches:
    sound = XeroClient.write
    drawn = Counter[str]()

    def write(self: XeroClient, *given: Any, key: str, **rest: Any) -> Any:
        drawn["keys"] += 1
        return sound(self, *given, key=f"{key[:100]}{drawn['keys']}", **rest)

    return [patch.object(XeroClient, "write", write)]


def replayed_past_the_window() -> Patches:
    return [patch.object(batch_sender, "REPLAY_HORIZON", timedelta(days=1))]


def no_quiet_time() -> Patches:
    return [patch.object(module, "QUIESCENCE", timedelta(0)) for module in (batch_sender, readback)]


def no_look_up() -> Patches:
    return [
        patch.object(readback.ReadBack, "_find_in_mirror", lambda _self, _kind, writes, _batches: [[] for _ in writes]),
        patch.object(readback.ReadBack, "_find_allocations", lambda _self, writes: [[] for _ in writes]),
    ]


def sent_not_recorded_first() -> Patches:
    """The mark is committed only when the answer is there."""
    mark, waiting = Journal.mark_sent, {}

    def later(self: Journal, mine: Batch, **times: Any) -> Batch:
        waiting[mine.idempotency_key] = mine
        return mine.model_copy(update={"state": BatchState.SENT, "first_sent_at": self._clock.now(), **times})

    def first(name: str) -> Any:
        sound = getattr(Journal, name)

        def act(self: Journal, *given: Any, **named: Any) -> Any:
            for one in (*given, *named.values()):
                if isinstance(one, Batch) and (unmarked := waiting.pop(one.idempotency_key, None)):
                    mark(self, unmarked)
            return sound(self, *given, **named)

        return patch.object(Journal, name, act)

    steps = [first(name) for name in ("settle", "mark_ambiguous", "release", "renew_lease")]
    return [patch.object(Journal, "mark_sent", later), *steps]


def replayed_after_any_restart() -> Patches:
    """The bytes of a request that another process marked SENT leave once more, however long ago that was."""
    sound = batch_writer.BatchWriter._finish

    def finish(self: batch_writer.BatchWriter, batch: Batch) -> None:
        if batch.state is not BatchState.SENT:
            sound(self, batch)
            return
        writes = tuple(batch_requests.parse_operation(operation) for operation in self._journal.operations_of(batch.id))
        draft = batch_requests.BatchDraft(Kind(batch.kind), batch.method, batch.path, writes, batch.body)
        reply = self._sender._attempt(batch, self._clock.elapsed(), 1, None)
        self._conclude(batch, reply, draft, ParentIds(self._store, [write.record for write in writes]))

    return [patch.object(batch_writer.BatchWriter, "_finish", finish), *no_deadline_guard()]


def no_deadline_guard() -> Patches:
    sound = XeroClient.write

    def write(self: XeroClient, *given: Any, guard: Any, **rest: Any) -> Any:
        return sound(self, *given, guard=lambda: None, **rest)

    return [patch.object(XeroClient, "write", write)]


def status_means_not_executed(*statuses: int) -> Callable[[], Patches]:
    def plant() -> Patches:
        sound = batch_sender._classify_response

        def read(answer: Any, batch: Batch) -> DeliveryResult:
            return (
                DeliveryResult(DeliveryStatus.UNREACHABLE, "", answer)
                if answer.status in statuses
                else sound(answer, batch)
            )

        return [patch.object(batch_sender, "_classify_response", read)]

    return plant


def no_answer_means_not_executed() -> Patches:
    return [patch.object(batch_sender, "NOT_CONNECTED", (httpx.RequestError,))]


def element_errors_ignored() -> Patches:
    sound = outcomes._element_outcome

    def verdict(write: Any, found: Any, desk: Any) -> Any:
        if found.text("StatusAttributeString") == "ERROR" and write.operation.xero_id is None:
            made_up = str(uuid.uuid5(uuid.NAMESPACE_URL, write.operation.natural_key))
            given = elements.Element(found.kind, {**found.fields, elements.ID[found.kind]: made_up})
            return desk.confirm(write, given, "created")
        return sound(write, found, desk)

    return [patch.object(outcomes, "_element_outcome", verdict)]


def taken_key_means_rejected() -> Patches:
    """Both rules that see what stands in Xero under the key: it is read by its id, and looked for until it is seen."""
    rules = ("is_key_clash", "may_be_copy")
    return [patch.object(refusals, rule, lambda _message: False) for rule in rules]


def no_fence() -> Patches:
    sound = Journal._step

    def step(self: Journal, connection: Any, mine: Batch, allowed: Any, **values: Any) -> Batch:
        present = self._batch(connection, mine.id)
        return sound(self, connection, mine.model_copy(update={"fence": present.fence}), allowed, **values)

    return [patch.object(Journal, "_step", step)]


def settled_unconditionally() -> Patches:
    return [patch.object(Journal, "_select_expected", lambda _self, _rows, outcomes, _mine: list(outcomes))]


def planned_unconditionally() -> Patches:
    """Both rules that see what another process has created since: of the mapping, and of the mirror."""
    return [
        patch.object(Journal, "_select_current", lambda _self, _connection, _kind, writes: list(writes)),
        patch.object(loader.Loader, "_adopt_existing", lambda _self, _kind, _writes: set()),
    ]


def claimed_unconditionally() -> Patches:
    """What another process has taken on since is put in a batch of one's own all the same."""
    return [patch.object(Journal, "_planned", Journal._by_id)]


def watermark_from_our_clock() -> Patches:
    sound = mirror.Mirror._list_changes

    def changed(self: mirror.Mirror, *given: Any) -> Any:
        found, _ = sound(self, *given)
        return found, self._clock.now()

    return [patch.object(mirror.Mirror, "_list_changes", changed)]


def lists_taken_as_complete() -> Patches:
    """What a list does not show is gone, however lately it was written."""
    sound = row_writes.delete_mirror_except

    def drop(connection: Any, kind: str, keep: Any, before: datetime) -> None:
        sound(connection, kind, keep, before + mirror.SWEEP_OVERLAP)

    return [patch.object(row_writes, "delete_mirror_except", drop)]


def looked_for_since_our_clock() -> Patches:
    sound = Journal.mark_sent

    def mark(self: Journal, mine: Batch, **times: Any) -> Batch:
        return sound(self, mine, **times | {"xero_sent_at": self._clock.now()})

    return [patch.object(Journal, "mark_sent", mark)]


def quiet_by_our_clock() -> Patches:
    def quiet_at(self: readback.ReadBack, batch: Batch) -> Any:
        """It is over when our clock says so: then any instant of Xero's will do."""
        first = batch.first_sent_at or self._clock.now()
        over = self._clock.now() >= first + QUIESCENCE
        return elements.EPOCH if over else self._client.ensure_server_time() + (first + QUIESCENCE - self._clock.now())

    return [patch.object(readback.ReadBack, "_quiet_at", quiet_at)]


def items_in_doubt_not_waited_for() -> Patches:
    return [patch.object(parent_ids, "_unmapped_code", lambda _variant, _write: parent_ids.WITHOUT_CODE)]


@dataclass(frozen=True)
class Bug:
    """A rule taken away.

    Attributes:
        name: the bug, in words.
        plant: returns the patches.
        kinds: the troubles in which the rule matters.
        dies: whether a process has to die for it.
        loaders: how many processes it takes.
        lag: by how many seconds lists lag behind where it matters.
        parts: whether part payments are enough to show it.
        by_chance: whether a short run meets it; a race that is too narrow is told step by step in `races.py`.
        rate: how often the trouble comes where it matters.
        foreign: whether clocks have to be wrong for it.
        directed: whether runs with little but its trouble meet it, as well as ordinary seeds.
    """

    name: str
    plant: Callable[[], Patches]
    kinds: tuple[Trouble, ...] = ()
    dies: bool = False
    loaders: int = 1
    lag: int = 0
    parts: bool = True
    by_chance: bool = True
    rate: float = 0.7
    foreign: bool = False
    directed: bool = True


BUGS = (
    Bug("no key", no_key, (Trouble.ANSWER_LOST,)),
    Bug("a new key for each try", new_key, (Trouble.ANSWER_LOST,)),
    Bug("replayed past the window", replayed_past_the_window, (Trouble.ANSWER_SLOW,), rate=0.97),
    Bug("no quiet time", no_quiet_time, (Trouble.LATE,)),
    Bug("no look-up before it is planned again", no_look_up, (Trouble.ERROR_AFTER,)),
    Bug("SENT not recorded first", sent_not_recorded_first, dies=True),
    Bug("replayed after any restart", replayed_after_any_restart, dies=True),
    Bug("500 taken as not executed", status_means_not_executed(500), (Trouble.ERROR_AFTER,)),
    Bug("503 taken as not executed", status_means_not_executed(502, 503, 504), (Trouble.GATEWAY_AFTER,)),
    Bug("no answer taken as not executed", no_answer_means_not_executed, (Trouble.ANSWER_LOST,)),
    Bug("errors of elements ignored", element_errors_ignored, parts=False),
    Bug('"must be unique" taken as refused', taken_key_means_rejected, (Trouble.TWICE,), lag=300, parts=False),
    Bug("no deadline guard", no_deadline_guard, loaders=2),
    Bug("no fence", no_fence, loaders=2, by_chance=False),
    Bug("settled unconditionally", settled_unconditionally, (Trouble.TWICE,), loaders=3, lag=300, by_chance=False),
    Bug("planned unconditionally", planned_unconditionally, loaders=2, by_chance=False),
    Bug("claimed unconditionally", claimed_unconditionally, loaders=2, by_chance=False),
    Bug("watermark from our own clock", watermark_from_our_clock, (Trouble.ERROR_AFTER,), foreign=True),
    Bug("looked for since our own clock's sending", looked_for_since_our_clock, (Trouble.ERROR_AFTER,), foreign=True),
    Bug("Items in doubt not waited for", items_in_doubt_not_waited_for, (Trouble.ERROR_AFTER,), parts=False, rate=0.4),
    Bug("a list that lags taken as complete", lists_taken_as_complete, directed=False),
    Bug("quiet time by our own clock", quiet_by_our_clock, (Trouble.LATE,), foreign=True),
)


BY_CHANCE, IN_ITS_TROUBLE, STEP_BY_STEP = "by chance", "in its own trouble", "step by step"
DIRECTED = 40


@dataclass
class Hunt:
    """What it took to catch a bug.

    Attributes:
        bug: its name.
        met: how it was looked for last.
        seeds: how many seeds were looked at.
        runs: how many runs were played.
        caught: how many of them were not as they should be.
        duplicates: how many records stood in Xero twice or more.
        states: how many other things were wrong, mostly with the store.
        first: the first run that caught it.
    """

    bug: str
    met: str = BY_CHANCE
    seeds: int = 0
    runs: int = 0
    caught: int = 0
    duplicates: int = 0
    states: int = 0
    first: Spec | None = None

    def add(self, outcome: Outcome) -> None:
        """Count a run."""
        self.runs += 1
        self.caught += bool(outcome.problems)
        twice = sum(one.startswith("duplicate") for one in outcome.problems)
        self.duplicates += twice
        self.states += len(outcome.problems) - twice
        if outcome.problems and self.first is None:
            self.first = outcome.spec


def specs(bug: Bug, seed: int, runs: int) -> Iterator[Spec]:
    """Yield the runs of one seed in which a bug is looked for."""
    if bug.loaders > 1:
        yield Spec(seed, (), bug.loaders)
        return
    if not bug.dies:
        yield Spec(seed)
    for at in range(runs):
        yield Spec(seed, (3 + (seed * 7 + at * 5) % 60,))


def hunt(bug: Bug, seeds: range, *, enough: int = 1, runs: int = 6) -> Hunt:
    """Look for a bug under ordinary characters until it was caught often enough, then where its rule matters most."""
    found = Hunt(bug.name)
    for seed in seeds:
        found.seeds += 1
        for spec in specs(bug, seed, runs):
            found.add(played(bug, spec))
        if found.caught >= enough:
            return found
    found.met = IN_ITS_TROUBLE
    for seed in range(DIRECTED):
        if found.caught < enough:
            found.add(played(bug, *directed(bug, seed)))
    return found


def played(bug: Bug | None, spec: Spec, own: Character | None = None, wanted: Trade | None = None) -> Outcome:
    """Play one run with a bug planted, or without."""
    with stage() as home, ExitStack() as planted:
        for one in bug.plant() if bug else []:
            planted.enter_context(one)
        return Run(spec, home, own, wanted).outcome()


def directed(bug: Bug, seed: int) -> tuple[Spec, Character, Trade | None]:
    """Return a short run in which a bug's rule matters: little but the trouble it is about."""
    setting = 0.05 if bug.foreign else 0.0
    own = Character(bug.rate if bug.kinds else 0.0, frozenset(bug.kinds), 230, bug.lag, bug.foreign, setting)
    crashes = (25 + 3 * seed,) if bug.dies else ()
    return Spec(seed, crashes, bug.loaders), own, part_payments() if bug.parts else None
