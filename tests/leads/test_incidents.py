"""When a person is told: the state machine of an incident, by example and by property."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leads.incidents import (
    KINDS,
    REOPEN_S,
    Done,
    Edit,
    Incident,
    Observation,
    Policy,
    Send,
    Sent,
    Wait,
    acknowledge,
    button_token,
    incident_key,
    mute,
    next_step,
    observe,
    release,
    remaining_s,
    resolve,
)

T0 = datetime(2026, 11, 24, 11, 2, tzinfo=UTC)
POLICY = Policy()


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def down(seconds: float = 0, count: int = 12) -> Incident:
    return observe(None, Observation("connection_down", "sales", "http_503", count, T0), at(seconds), "i1")


def shown(seconds: float, *, state: str = "open", told: float | None = None, flaps: int = 0) -> Sent:
    told_at = at(seconds if told is None else told)
    return Sent(state, at(seconds), told_at, "old", flaps, "-100", "7")  # type: ignore[arg-type]


def step(incident: Incident, sent: Sent | None, seconds: float, reads: str = "new", **more: bool) -> object:
    return next_step(incident, sent, at(seconds), reads, edits=more.pop("edits", True), **more)


# --- the incident itself ---------------------------------------------------------------------


def test_seeing_it_again_updates_the_open_one_even_with_another_cause() -> None:
    seen = Observation("connection_down", "sales", "timeout", 40, at(1), {"retry_s": 30})
    changed = observe(down(), seen, at(60), "i2")
    assert (changed.id, changed.opened_at, changed.updated_at) == ("i1", T0, at(60))
    assert (changed.cause, changed.count, changed.data) == ("timeout", 40, {"retry_s": 30})


def test_seeing_the_same_again_changes_nothing() -> None:
    assert observe(down(), Observation("connection_down", "sales", "http_503", 12, T0), at(60), "i2") == down()


def test_the_same_soon_after_the_end_is_the_same_incident() -> None:
    over = resolve(acknowledge(down(), "Анна", at(10)), at(60), {"delivered": 3})
    again = observe(over, Observation("connection_down", "sales"), at(60 + REOPEN_S - 1), "i2")
    assert (again.id, again.resolved_at, again.flaps, again.acked_by) == ("i1", None, 1, "")


def test_the_same_long_after_the_end_is_another_incident() -> None:
    again = observe(resolve(down(), at(60)), Observation("connection_down", "sales"), at(60 + REOPEN_S), "i2")
    assert (again.id, again.opened_at, again.flaps) == ("i2", at(60 + REOPEN_S), 0)


def test_an_end_is_told_once_and_lies_never_before_the_start() -> None:
    over = resolve(down(100), at(50))
    assert over.resolved_at == at(100)
    assert resolve(over, at(500), {"x": 1}) == over


def test_a_kind_without_an_end_happens_once_per_key() -> None:
    first = observe(None, Observation("owner_digest", "2026-11-24", data={"html": {}}), T0, "i1")
    assert first.resolved_at == T0
    assert observe(first, Observation("owner_digest", "2026-11-24"), at(9000), "i2") == first


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("create deal: HTTP 400: bad (request 7f1)", "create deal: HTTP 400: bad (request 9aa)", True),
        ("record 1234567 is locked", "record 7654321 is locked", True),
        ("field:Источник", "field:Бюджет", False),
        ("create deal: HTTP 400: a", "create deal: HTTP 422: a", False),
    ],
)
def test_leads_refused_alike_are_one_incident(one: str, other: str, same: bool) -> None:
    assert (incident_key("lead_failed", "sales", one) == incident_key("lead_failed", "sales", other)) is same


def test_a_cause_that_may_change_is_no_part_of_the_key() -> None:
    assert incident_key("connection_down", "sales", "timeout") == incident_key("connection_down", "sales", "http_503")


def test_a_button_fits_and_tells_incidents_apart() -> None:
    assert len(f"mute:{button_token('i' * 300)}".encode()) <= 64
    assert button_token("i1") != button_token("i2")


def test_what_was_sent_survives_json() -> None:
    sent = shown(5)
    assert Sent.from_json(sent.to_json()) == sent


# --- what to do -------------------------------------------------------------------------------


def test_a_new_incident_is_told_at_once() -> None:
    assert step(down(), None, 0) == Send("open", reply=False)


def test_a_told_one_is_edited_not_sent_again_and_not_too_often() -> None:
    assert step(down(), shown(0), 10) == Wait(5.0)
    assert step(down(), shown(0), 15) == Edit("open")
    assert isinstance(step(down(), shown(0), 15, reads="old"), Wait)


def test_an_old_incident_is_edited_seldom() -> None:
    assert isinstance(step(down(), shown(3600, told=3600), 3600 + 179), Wait)
    assert step(down(), shown(3600, told=3600), 3600 + 200) == Edit("open")


def test_the_end_is_a_fresh_message_that_answers_the_first() -> None:
    assert step(resolve(down(), at(60)), shown(30), 60) == Send("over", reply=True)


def test_the_end_is_told_once() -> None:
    assert step(resolve(down(), at(60)), shown(61, state="over"), 70) == Done()


def test_an_outage_of_the_messenger_leaves_only_the_present_to_tell() -> None:
    assert step(resolve(down(), at(1800)), None, 2000) == Send("over", reply=False)


def test_a_short_one_that_nobody_was_told_of_stays_untold() -> None:
    assert step(resolve(down(), at(20)), None, 25) == Done()


def test_a_quiet_kind_ends_by_an_edit() -> None:
    restarted = observe(None, Observation("hub_restarted", count=3), T0, "i1")
    assert step(resolve(restarted, at(9)), shown(1), 10) == Edit("over")
    assert step(resolve(restarted, at(9)), shown(1), 10, edits=False) == Send("over", reply=True)
    assert step(resolve(restarted, at(9)), None, 10) == Done()


def test_nothing_rings_while_muted_and_the_present_is_told_afterwards() -> None:
    muted = mute(down(), at(3600), at(1))
    assert step(muted, None, 10) == Wait(3590.0)
    assert step(muted, None, 3600) == Send("open", reply=False)
    assert step(resolve(muted, at(100)), shown(5), 110) == Edit("over")
    assert step(resolve(muted, at(100)), None, 110) == Done()
    assert step(resolve(muted, at(100)), shown(5), 110, edits=False) == Done()


def test_a_red_one_that_nobody_took_is_told_again_after_hours() -> None:
    late = POLICY.remind_s
    assert step(down(), shown(late - 1, told=0), late) == Send("open", reply=True)
    taken = acknowledge(down(), "Анна", at(60))
    assert not isinstance(step(taken, shown(late - 1, told=0), late), Send)
    yellow = observe(None, Observation("field_removed", "sales", "removed:X"), T0, "i1")
    assert not isinstance(step(yellow, shown(late - 1, told=0), late), Send)


def test_one_that_comes_and_goes_is_believed_to_be_over_later_each_time() -> None:
    flapping = replace(down(), data={"flaps": 2})
    over = resolve(flapping, at(100))
    assert step(over, shown(50), 100) == Wait(120.0)
    assert step(over, shown(50), 220) == Send("over", reply=True)


def test_a_newer_incident_makes_the_end_of_the_older_no_news() -> None:
    over = resolve(down(), at(60))
    assert step(over, shown(30), 700, superseded=True) == Edit("over")
    assert step(over, None, 700, superseded=True) == Done()


def test_a_clock_set_back_an_hour_delays_nothing() -> None:
    assert step(down(), shown(3600), 0) == Edit("open")
    over = resolve(replace(down(), data={"flaps": 3}), at(3600))
    assert step(over, shown(3500), 10) == Send("over", reply=True)
    assert remaining_s(at(3600), T0, 60) == 0.0


@pytest.mark.parametrize(
    ("waiting", "told_s_ago", "how"),
    [
        (1, [], "each"),
        (5, [], "each"),
        (6, [], "bundle"),
        (50, [1, 2], "bundle"),
        (1, [1, 2, 3, 4], "each"),
        (1, [1, 2, 3, 4, 5], "hold"),
        (1, [61, 62, 63, 64, 65], "each"),
        (3, [-5, -5, -5, -5, -5], "each"),
    ],
)
def test_a_storm_becomes_one_message_in_a_while(waiting: int, told_s_ago: list[float], how: str) -> None:
    assert release(waiting, [at(-ago) for ago in told_s_ago], T0, POLICY) == how


# --- properties --------------------------------------------------------------------------------

EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["observe", "resolve", "look", "mute", "ack", "lost", "jump"]),
        st.floats(min_value=0.1, max_value=5000),
    ),
    max_size=60,
)


@dataclass
class World:
    """One channel that does what it is told, and notes when it rang."""

    kind: str
    edits: bool
    now: datetime = T0
    rows: list[Incident] = field(default_factory=list)
    rang: list[tuple[datetime, str, str]] = field(default_factory=list)

    def play(self, event: str, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        last = self.rows[-1] if self.rows else None
        if event == "observe":
            seen = Observation(self.kind, "sales", "http_503", 1)
            changed = observe(last, seen, self.now, f"i{len(self.rows)}")
            if last is not None and changed.id == last.id:
                self.rows.pop()
            self.rows.append(changed)
        elif event == "jump":
            self.now -= timedelta(seconds=seconds * 1.5)
        elif last is not None and event == "resolve":
            self.rows[-1] = resolve(last, self.now)
        elif last is not None and event == "mute":
            self.rows[-1] = mute(last, self.now + timedelta(seconds=seconds), self.now)
        elif last is not None and event == "ack":
            self.rows[-1] = acknowledge(last, "Анна", self.now)
        elif event == "look":
            self.look()

    def look(self) -> None:
        for index, incident in enumerate(self.rows):
            self.rows[index] = self._one(incident, superseded=index < len(self.rows) - 1)

    def _one(self, incident: Incident, *, superseded: bool) -> Incident:
        sent = incident.sent.get("ops")
        reads = str(self.now)
        step = next_step(incident, sent, self.now, reads, edits=self.edits, superseded=superseded)
        match step:
            case Send():
                assert not (incident.muted_until and incident.muted_until > self.now), "rang while muted"
                assert not step.reply or (sent and sent.message_id)
                self.rang.append((self.now, incident.id, step.state))
                new = Sent(step.state, self.now, self.now, reads, incident.flaps, "-1", f"m{len(self.rang)}")
            case Edit():
                assert sent is not None
                assert self.edits
                assert sent.message_id
                new = replace(sent, state=step.state, at=self.now, reads=reads)
            case Wait():
                assert step.seconds > 0
                return incident
            case Done():
                assert incident.resolved_at is not None
                new = replace(sent, state="over") if sent else Sent("over", self.now, self.now)
        return replace(incident, sent={"ops": new})


@settings(max_examples=300)
@given(EVENTS, st.sampled_from(sorted(KINDS)), st.booleans())
def test_whatever_happened_the_channel_ends_up_showing_what_is_true(
    events: list[tuple[str, float]], kind: str, edits: bool
) -> None:
    world = World(kind, edits)
    for event, seconds in events:
        world.play(event, seconds)
    for _ in range(40):  # time passes, nothing else
        world.play("look", 3600)
    for incident in world.rows:
        state = incident.sent["ops"].state
        assert state == ("open" if incident.resolved_at is None else "over")


@settings(max_examples=200)
@given(st.lists(st.floats(min_value=0.5, max_value=100), min_size=1, max_size=300))
def test_one_that_flaps_for_hours_rings_a_bounded_number_of_times(gaps: list[float]) -> None:
    world = World("connection_down", edits=True)
    for number, seconds in enumerate(gaps):
        world.play("resolve" if number % 2 else "observe", seconds)
        world.look()
    assert len(world.rang) <= 2 * 5 + len(gaps) * 100 / POLICY.remind_s + 2


@given(st.integers(min_value=0, max_value=100), st.lists(st.floats(min_value=0, max_value=300), max_size=20))
def test_a_chat_never_gets_more_than_its_share_in_a_minute(waiting: int, ages: list[float]) -> None:
    told = [at(-age) for age in ages]
    how = release(waiting, told, T0, POLICY)
    recent = sum(age < POLICY.burst_s for age in ages)
    sends = {"each": waiting, "bundle": 1, "hold": 0}[how]
    assert recent + sends <= max(POLICY.burst, recent)
