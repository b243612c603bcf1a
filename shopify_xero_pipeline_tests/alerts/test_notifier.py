"""Each channel is told of a cause once, and once that it is over, whatever becomes of the other channels."""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shopify_xero_pipeline.alerts.channels import DeliveryFailedError, Message
from shopify_xero_pipeline.alerts.notifier import RESOLVED_AFTER, NotificationState
from shopify_xero_pipeline.alerts.rules import Alert, Severity

START = datetime(2026, 11, 21, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


class Inbox:
    """A channel that keeps what it is sent; `down` refuses everything, and counts how often it was tried."""

    def __init__(self, name: str = "slack") -> None:
        self.name = name
        self.down = False
        self.tried = 0
        self.got: list[str] = []

    def send(self, message: Message) -> None:
        self.tried += 1
        if self.down:
            raise DeliveryFailedError("it is down")
        self.got.append(f"{'over' if message.is_resolved else 'rose'} {message.alert.key}")


def cause(key: str) -> Alert:
    return Alert(key, Severity.ERROR, f"{key} happened.", "here", "Mend it.")


class Line:
    """A minute at a time; what is known is kept as text in between, as in the store."""

    def __init__(self, *channels: Inbox) -> None:
        self.channels, self.now, self.kept = list(channels), START, ""

    def minute(self, *keys: str, may_go_on: bool = True) -> None:
        told = NotificationState.load(self.kept).notify(
            [cause(key) for key in keys], self.channels, self.now, lambda: may_go_on
        )
        self.kept = told.dump()
        self.now += MINUTE

    def minutes(self, number: int, *keys: str) -> None:
        for _ in range(number):
            self.minute(*keys)


@pytest.fixture
def slack() -> Inbox:
    return Inbox()


@pytest.fixture
def mail() -> Inbox:
    return Inbox("mail")


def test_a_cause_is_told_once_when_it_rises_and_once_when_it_is_over(slack: Inbox) -> None:
    line = Line(slack)
    line.minutes(60, "run:sync")
    assert slack.got == ["rose run:sync"]
    line.minutes(60)
    assert slack.got == ["rose run:sync", "over run:sync"]
    assert slack.tried == 2
    assert json.loads(line.kept) == {"slack": {}}


def test_a_cause_that_comes_back_after_it_was_over_is_told_anew(slack: Inbox) -> None:
    line = Line(slack)
    for keys in (("slow",), (), ("slow",)):
        line.minutes(10, *keys)
    assert slack.got == ["rose slow", "over slow", "rose slow"]


def test_a_cause_that_comes_and_goes_is_one_cause(slack: Inbox) -> None:
    line = Line(slack)
    for _ in range(30):
        line.minutes(2, "slow")
        line.minutes(4)
    assert slack.got == ["rose slow"]
    line.minutes(2)
    assert slack.got == ["rose slow", "over slow"]


def test_each_cause_has_its_own_alarm_and_its_own_end(slack: Inbox) -> None:
    line = Line(slack)
    line.minutes(2, "run:sync", "budget")
    line.minutes(10, "budget")
    assert slack.got == ["rose run:sync", "rose budget", "over run:sync"]


def test_a_channel_that_is_down_does_not_keep_the_others_from_being_told(slack: Inbox, mail: Inbox) -> None:
    slack.down = True
    line = Line(slack, mail)
    line.minutes(3, "run:sync")
    assert (slack.got, mail.got) == ([], ["rose run:sync"])
    slack.down = False
    line.minutes(2, "run:sync")
    line.minutes(10)
    assert slack.got == mail.got == ["rose run:sync", "over run:sync"]


def test_an_end_is_told_only_to_those_who_heard_of_the_beginning(slack: Inbox, mail: Inbox) -> None:
    slack.down = True
    line = Line(slack, mail)
    line.minutes(3, "run:sync")
    line.minutes(3)
    slack.down = False
    line.minutes(10)
    assert (slack.got, mail.got) == ([], ["rose run:sync", "over run:sync"])


def test_an_end_that_could_not_be_told_is_told_later(slack: Inbox) -> None:
    line = Line(slack)
    line.minute("run:sync")
    slack.down = True
    line.minutes(30)
    slack.down = False
    line.minutes(30)
    assert slack.got == ["rose run:sync", "over run:sync"]


def test_a_cause_that_rose_again_before_its_end_could_be_told_goes_on_for_that_channel(
    slack: Inbox, mail: Inbox
) -> None:
    line = Line(slack, mail)
    line.minute("slow")
    slack.down = True
    line.minutes(20)
    line.minutes(20, "slow")
    slack.down = False
    line.minutes(20, "slow")
    assert slack.got == ["rose slow"]
    assert mail.got == ["rose slow", "over slow", "rose slow"]


def test_a_channel_that_fails_is_left_alone_until_the_next_minute(slack: Inbox) -> None:
    slack.down = True
    Line(slack).minute("a", "b", "c")
    assert slack.tried == 1


def test_what_there_is_no_time_for_is_told_the_next_minute(slack: Inbox) -> None:
    line = Line(slack)
    line.minute("a", may_go_on=False)
    assert slack.got == []
    line.minute("a")
    assert slack.got == ["rose a"]


def test_a_channel_taken_out_of_the_settings_is_forgotten_and_a_new_one_hears_of_what_lasts(
    slack: Inbox, mail: Inbox
) -> None:
    line = Line(slack)
    line.minute("a")
    line.channels = [mail]
    line.minute("a")
    assert mail.got == ["rose a"]
    assert "slack" not in json.loads(line.kept)


@pytest.mark.parametrize("kept", [None, "", "no json", "[]", "1", '{"slack": 1}', '{"slack": {"a": {"cause": {}}}}'])
def test_what_cannot_be_read_is_as_if_nothing_were_known(kept: str | None, slack: Inbox) -> None:
    NotificationState.load(kept).notify([cause("a")], [slack], START)
    assert slack.got == ["rose a"]


def test_a_failed_delivery_is_told_in_the_log(slack: Inbox, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="shopify_xero_pipeline")
    slack.down = True
    line = Line(slack)
    line.minute("a")
    slack.down = False
    line.minute("a")
    line.minutes(7)
    assert [getattr(record, "event", "") for record in caplog.records] == [
        "alert_not_delivered",
        "alert_raised",
        "alert_over",
    ]


def alternating(got: Sequence[str], key: str) -> Iterator[bool]:
    mine = [one.split()[0] for one in got if one.endswith(f" {key}")]
    return (word == ("rose", "over")[place % 2] for place, word in enumerate(mine))


@settings(max_examples=60)
@given(st.lists(st.tuples(st.sets(st.sampled_from("abc")), st.sets(st.sampled_from(("slack", "mail"))))))
def test_whatever_happens_alarms_and_ends_alternate_and_in_the_end_all_is_told(
    script: list[tuple[set[str], set[str]]],
) -> None:
    slack, mail = Inbox(), Inbox("mail")
    line = Line(slack, mail)
    for keys, down in script:
        slack.down, mail.down = "slack" in down, "mail" in down
        line.minute(*sorted(keys))
    slack.down = mail.down = False
    line.minutes(RESOLVED_AFTER // MINUTE + 2)
    for channel in (slack, mail):
        for key in "abc":
            assert all(alternating(channel.got, key))
            assert sum(one.endswith(f" {key}") for one in channel.got) % 2 == 0
