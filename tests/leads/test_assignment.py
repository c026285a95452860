"""Who is responsible: order of the questions, fairness, hours, absences, caps, and the reason in words."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from leads.assignment import (
    AssignFacts,
    AssignSettings,
    AssignState,
    CrmUserRef,
    Decision,
    decide,
    explain,
    explain_considered,
    resolve_user,
    state_from_json,
    state_to_json,
)
from leads.regions import place_of

MOSCOW = ZoneInfo("Europe/Moscow")
NOON = datetime(2026, 11, 24, 12, tzinfo=MOSCOW)  # a Tuesday
NIGHT = datetime(2026, 11, 24, 23, tzinfo=MOSCOW)
ANNA, BORIS, VERA = "101", "102", "103"
USERS = (
    CrmUserRef(ANNA, "Анна Петрова", "anna@okna.example"),
    CrmUserRef(BORIS, "Борис Ким", "boris@okna.example"),
    CrmUserRef(VERA, "Вера Зайцева", "vera@okna.example"),
    CrmUserRef("104", "Глеб Старый", "gleb@okna.example", active=False),
)
OFFICE = {"timezone": "Europe/Moscow", "days": "mon-fri", "from": "09:00", "to": "18:00"}
FACTS = AssignFacts(now=NOON, users=USERS, timezone="Europe/Moscow")


def assign(data: dict[str, Any], state: AssignState | None = None, **facts: Any) -> Decision:
    return decide(AssignSettings.model_validate(data), state or AssignState(), replace(FACTS, **facts))


def run(data: dict[str, Any], turns: int, **facts: Any) -> list[str]:
    """Users chosen in `turns` decisions, the state going through JSON each time as it does through the database."""
    rules, state, chosen = AssignSettings.model_validate(data), AssignState(), []
    for _ in range(turns):
        decision = decide(rules, state, replace(FACTS, **facts))
        chosen.append(decision.user_id)
        state = state_from_json(state_to_json(decision.state))
    return chosen


# --- strategies ------------------------------------------------------------------------------------


def test_fixed_is_always_the_same_user() -> None:
    assert run({"strategy": "fixed", "users": [101]}, 3) == [ANNA] * 3
    assert run({"user": "boris@okna.example"}, 2) == [BORIS] * 2


def test_round_robin_goes_round() -> None:
    assert run({"strategy": "round_robin", "users": [101, 102, 103]}, 7) == [ANNA, BORIS, VERA, ANNA, BORIS, VERA, ANNA]


def test_round_robin_is_what_users_alone_mean() -> None:
    assert run({"users": [101, 102]}, 3) == [ANNA, BORIS, ANNA]


def test_weighted_is_smooth() -> None:
    assert run({"strategy": "weighted", "users": {101: 3, 102: 1}}, 8) == [ANNA, ANNA, BORIS, ANNA] * 2


def test_least_loaded_looks_at_the_load_for_the_weight_and_at_who_waited_longest() -> None:
    queue = {"strategy": "least_loaded", "users": [101, 102, 103]}
    assert assign(queue, load={ANNA: 2, BORIS: 1, VERA: 5}).user_id == BORIS
    assert run(queue, 4) == [ANNA, BORIS, VERA, ANNA]
    assert assign({**queue, "users": {101: 10, 102: 1}}, load={ANNA: 8, BORIS: 1}).user_id == ANNA


USER_LISTS = st.lists(st.sampled_from([ANNA, BORIS, VERA]), min_size=1, max_size=3, unique=True)


@given(USER_LISTS, st.integers(0, 20), st.integers(1, 10))
def test_over_any_stretch_of_a_round_robin_the_counts_differ_by_at_most_one(
    users: list[str], before: int, length: int
) -> None:
    stretch = Counter(dict.fromkeys(users, 0))
    stretch.update(run({"strategy": "round_robin", "users": users}, before + length)[before:])
    assert max(stretch.values()) - min(stretch.values()) <= 1


@settings(max_examples=60)
@given(st.lists(st.integers(1, 7), min_size=1, max_size=3), st.integers(0, 15))
def test_over_any_cycle_of_a_weighted_queue_the_shares_are_exact(weights: list[int], before: int) -> None:
    users = dict(zip((ANNA, BORIS, VERA), weights, strict=False))
    cycle = sum(weights)
    chosen = run({"strategy": "weighted", "users": users}, before + cycle)
    assert Counter(chosen[before:]) == users


@given(st.lists(st.sampled_from([ANNA, BORIS, VERA]), max_size=30))
def test_least_loaded_levels_any_load(given_before: list[str]) -> None:
    queue = AssignSettings.model_validate({"strategy": "least_loaded", "users": [101, 102, 103]})
    load, state = Counter({ANNA: 0, BORIS: 0, VERA: 0}), AssignState()
    load.update(given_before)
    for _ in range(90):
        decision = decide(queue, state, replace(FACTS, load=load))
        load[decision.user_id] += 1
        state = decision.state
    assert max(load.values()) - min(load.values()) <= 1


@given(
    USER_LISTS,
    st.lists(st.booleans(), min_size=3, max_size=3),
    st.sampled_from(["round_robin", "weighted", "least_loaded"]),
)
def test_nobody_who_is_inactive_or_absent_is_ever_chosen(users: list[str], active: list[bool], strategy: str) -> None:
    crm = [replace(user, active=on) for user, on in zip(USERS, active, strict=False)]
    present = [user.id for user in crm if user.active and user.id in users and user.id != VERA]
    chosen = run({"strategy": strategy, "users": users, "absences": {VERA: "2026-11-20..2026-11-30"}}, 6, users=crm)
    assert set(chosen) <= (set(present) if present else {""})


def test_the_turn_of_somebody_absent_is_passed_on_and_he_comes_back_into_the_circle() -> None:
    queue = AssignSettings.model_validate({"users": [101, 102, 103], "absences": {102: ["2026-11-24"]}})
    state, chosen = AssignState(), []
    for day in (0, 0, 0, 0, 1, 1, 1):
        decision = decide(queue, state, replace(FACTS, now=NOON + timedelta(days=day)))
        chosen.append(decision.user_id)
        state = decision.state
    assert chosen == [ANNA, VERA, ANNA, VERA, ANNA, BORIS, VERA]


def test_a_changed_list_of_users_goes_on_where_it_stood() -> None:
    state = assign({"users": [101, 102, 103]}).state
    assert assign({"users": [102, 101, 103]}, state).user_id == VERA
    assert assign({"users": [102, 103]}, state).user_id == BORIS


# --- users -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ref", "expected"),
    [
        ("101", ANNA),
        ("Anna@Okna.example", ANNA),
        ("Анна Петрова", ANNA),
        ("петрова  анна", ANNA),
        ("104", "104"),
        ("105", None),
        ("Анна", None),
    ],
)
def test_a_user_is_found_by_id_email_or_name(ref: str, expected: str | None) -> None:
    found = resolve_user(ref, USERS)
    assert (found.id if found else None) == expected


def test_a_name_that_two_have_is_nobody_unless_one_has_left() -> None:
    twins = [CrmUserRef("1", "Иван Ли"), CrmUserRef("2", "Иван Ли")]
    assert resolve_user("Иван Ли", twins) is None
    found = resolve_user("Иван Ли", [twins[0], replace(twins[1], active=False)])
    assert found is not None
    assert found.id == "1"


def test_a_crm_whose_users_cannot_be_read_stops_no_lead() -> None:
    assert assign({"users": [101, 102]}, users=None).user_id == ANNA
    assert assign({"users": [101]}, users=None, previous_user="77").user_id == "77"
    decision = assign({"users": ["anna@okna.example"], "fallback": 102}, users=None)
    assert (decision.user_id, decision.reason) == (BORIS, "fallback")


# --- returning ---------------------------------------------------------------------------------------


def test_a_known_person_goes_to_the_same_user_without_using_up_a_turn() -> None:
    queue = {"users": [101, 102]}
    first = assign(queue)
    returning = assign(queue, first.state, previous_user=ANNA)
    assert (returning.user_id, returning.reason) == (ANNA, "returning")
    assert assign(queue, returning.state).user_id == BORIS
    assert assign(queue, previous_user=VERA).user_id == VERA  # of another queue, still his client
    assert assign({**queue, "returning": False}, first.state, previous_user=ANNA).user_id == BORIS


def test_a_known_persons_user_takes_him_also_over_the_cap() -> None:
    assert assign({"users": [101, 102], "cap": 5}, load={ANNA: 9}, previous_user=ANNA).user_id == ANNA


@pytest.mark.parametrize(("previous", "why"), [("104", "inactive"), ("999", "unknown")])
def test_a_user_who_left_gets_nobody_back(previous: str, why: str) -> None:
    decision = assign({"users": [101]}, previous_user=previous)
    assert (decision.user_id, decision.reason) == (ANNA, "round_robin")
    assert [reason for _, reason in decision.considered] == [why]


def test_an_absent_user_gets_nobody_back_even_from_another_queue() -> None:
    queue = {"users": [102], "absences": {"Анна Петрова": ["2026-11-24"]}}
    assert assign(queue, previous_user=ANNA).user_id == BORIS


# --- hours -----------------------------------------------------------------------------------------------


def test_outside_hours_a_lead_goes_as_usual_to_duty_or_waits() -> None:
    queue = {"users": [101, 102], "hours": OFFICE, "duty": 103}
    assert assign(queue, now=NIGHT).user_id == ANNA
    on_duty = assign({**queue, "outside_hours": "duty"}, now=NIGHT)
    assert (on_duty.user_id, on_duty.reason, on_duty.params["why"]) == (VERA, "duty", "closed")
    held = assign({**queue, "outside_hours": "hold"}, now=NIGHT)
    assert (held.user_id, held.reason) == ("", "hold")
    assert held.hold_until == datetime(2026, 11, 25, 9, tzinfo=MOSCOW)
    for outside in ("duty", "hold"):
        assert assign({**queue, "outside_hours": outside}).user_id == ANNA


def test_a_held_lead_is_assigned_when_the_time_has_come_also_to_a_returning_persons_user() -> None:
    queue = {"users": [101, 102], "hours": OFFICE, "outside_hours": "hold"}
    held = assign(queue, now=NIGHT, previous_user=BORIS)
    assert held.reason == "hold"
    assert held.hold_until is not None
    assert assign(queue, held.state, now=held.hold_until, previous_user=BORIS).user_id == BORIS


def test_holidays_hold_until_the_next_working_day() -> None:
    queue = {"users": [101], "hours": {**OFFICE, "holidays": "RU"}, "outside_hours": "hold"}
    held = assign(queue, now=datetime(2026, 11, 3, 19, tzinfo=MOSCOW))
    assert held.hold_until == datetime(2026, 11, 5, 9, tzinfo=MOSCOW)


def test_own_hours_and_time_zone_of_a_user_count() -> None:
    siberia = {"timezone": "Asia/Novosibirsk", "from": "09:00", "to": "18:00"}
    queue = {"users": [{"user": 101, "hours": siberia}, {"user": 102, "hours": OFFICE}]}
    early = datetime(2026, 11, 24, 6, tzinfo=MOSCOW)  # ten o'clock in Novosibirsk
    assert run(queue, 3, now=early) == [ANNA] * 3
    assert run(queue, 3, now=NOON.replace(hour=15)) == [BORIS] * 3


def test_when_everybodys_own_hours_are_over() -> None:
    queue: dict[str, Any] = {
        "users": [{"user": 101, "hours": {**OFFICE, "from": "10:00"}}, {"user": 102, "hours": OFFICE}]
    }
    assert assign(queue, now=NIGHT).user_id == ANNA
    assert assign(queue, now=NIGHT).params["why"] == "off_shift"
    assert assign({**queue, "fallback": [103]}, now=NIGHT).user_id == VERA
    held = assign({**queue, "outside_hours": "hold"}, now=NIGHT)
    assert held.hold_until == datetime(2026, 11, 25, 9, tzinfo=MOSCOW)


def test_an_absence_is_of_the_local_day() -> None:
    queue = {
        "users": [{"user": 101, "absences": ["2026-11-24"]}, 102],
        "hours": {**OFFICE, "from": "00:00", "to": "24:00"},
    }
    assert assign(queue, now=datetime(2026, 11, 24, 20, 59, tzinfo=UTC)).user_id == BORIS
    assert assign(queue, now=datetime(2026, 11, 24, 21, 1, tzinfo=UTC)).user_id == ANNA


# --- cap ---------------------------------------------------------------------------------------------------


def test_a_user_at_the_cap_gets_leads_again_only_when_well_below() -> None:
    queue = AssignSettings.model_validate({"users": [101, 102], "cap": 20, "resume_below": 15})
    state, chosen = AssignState(), []
    for load in (19, 20, 19, 15, 14, 19):
        decision = decide(queue, replace(state), replace(FACTS, load={ANNA: load}))
        chosen.append(ANNA in {decision.user_id} or "capped" not in {why for _, why in decision.considered})
        state = state_from_json(state_to_json(decision.state))
    assert chosen == [True, False, False, False, True, True]


@given(st.lists(st.integers(0, 30), min_size=1, max_size=40), st.integers(1, 25), st.data())
def test_hysteresis_over_any_load(loads: list[int], cap: int, data: st.DataObject) -> None:
    resume = data.draw(st.integers(1, cap))
    queue = AssignSettings.model_validate({"users": [101], "cap": cap, "resume_below": resume})
    state, capped = AssignState(), False
    for load in loads:
        capped = load >= cap or (capped and load >= resume)
        decision = decide(queue, state, replace(FACTS, load={ANNA: load}))
        assert (decision.user_id == "") is capped
        state = state_from_json(state_to_json(decision.state))


def test_a_users_own_cap_counts_more_than_the_queues() -> None:
    queue = {"users": [{"user": 101, "cap": 2}, 102], "cap": 50}
    assert run(queue, 3, load={ANNA: 2}) == [BORIS] * 3


def test_a_cap_that_is_taken_out_of_the_settings_frees_everybody() -> None:
    full = assign({"users": [101], "cap": 1}, load={ANNA: 1})
    assert full.user_id == ""
    assert assign({"users": [101]}, full.state, load={ANNA: 1}).user_id == ANNA


# --- nobody --------------------------------------------------------------------------------------------------


def test_nobody_then_fallback_then_duty_then_nobody_with_the_reason() -> None:
    queue = {"users": [104, "nobody@okna.example"], "fallback": [104, 102], "duty": 103}
    assert assign(queue).user_id == BORIS
    assert assign({**queue, "fallback": [104]}).user_id == VERA
    nobody = assign({"users": [104, "nobody@okna.example"]})
    assert (nobody.user_id, nobody.reason, nobody.hold_until) == ("", "nobody", None)
    assert nobody.considered == (("Глеб Старый", "inactive"), ("nobody@okna.example", "unknown"))


def test_an_absent_fallback_is_passed_over() -> None:
    queue = {"users": [104], "fallback": [102, 103], "absences": {102: ["2026-11-24"]}}
    assert assign(queue).user_id == VERA


# --- rules -----------------------------------------------------------------------------------------------------

RULES: dict[str, Any] = {
    "rules": [
        {"when": "yandex", "name": "Окна", "users": [101, 102]},
        {"regions": ["Татарстан"], "users": [103]},
        {"timezones": ["Asia/Omsk"], "users": [102]},
        {"countries": ["kz"], "user": 103},
        {"when": "deep", "rules": [{"when": "yandex", "user": 101}, {"user": 103}]},
    ],
    "fallback": [103],
}


def matching(*true: str) -> Any:
    return lambda condition: condition in true


@pytest.mark.parametrize(
    ("true", "phone", "expected"),
    [
        (("yandex",), "", ANNA),
        ((), "+78432123456", VERA),
        ((), "+73812123456", BORIS),
        ((), "+77011234567", VERA),
        (("deep",), "", VERA),
        ((), "+79161234567", VERA),  # none applies: fallback
    ],
)
def test_the_first_rule_that_applies_is_used(true: tuple[str, ...], phone: str, expected: str) -> None:
    assert assign(RULES, matches=matching(*true), place=place_of(phone)).user_id == expected


def test_each_rule_has_a_queue_of_its_own_that_stays_when_a_rule_is_put_before_it() -> None:
    two: dict[str, Any] = {"rules": [{"when": "a", "users": [101, 102]}, {"when": "b", "users": [101, 102]}]}
    state = assign(two, matches=matching("a")).state
    assert assign(two, state, matches=matching("b")).user_id == ANNA
    assert assign(two, state, matches=matching("a")).user_id == BORIS
    longer = {"rules": [{"when": "new", "user": 103}, *two["rules"]]}
    assert assign(longer, state, matches=matching("a")).user_id == BORIS


def test_a_rule_takes_from_outside_what_it_leaves_open() -> None:
    outer = {
        "hours": OFFICE,
        "outside_hours": "hold",
        "returning": False,
        "absences": {101: ["2026-11-24"]},
        "rules": [{"when": "a", "outside_hours": "assign", "users": [101, 102]}, {"rules": [{"users": [101, 102]}]}],
    }
    assert assign(outer, matches=matching("a"), now=NIGHT).user_id == BORIS
    assert assign(outer, matches=matching(), now=NIGHT).reason == "hold"
    assert assign(outer, matches=matching(), previous_user=VERA).user_id == BORIS


def test_no_rule_and_nothing_else_is_nobody() -> None:
    decision = assign({"rules": [{"when": "a", "user": 101}]}, matches=matching())
    assert (decision.reason, decision.params["why"]) == ("nobody", "no_rule")
    known = assign({"rules": [{"when": "a", "user": 101}]}, matches=matching(), previous_user=BORIS)
    assert (known.user_id, known.reason) == (BORIS, "returning")


# --- words -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "facts", "ru", "en"),
    [
        (
            {"name": "Окна", "users": [101]},
            {},
            "Анна Петрова: очередь «Окна», по кругу",
            "Анна Петрова: queue “Окна”, in turn",
        ),
        (
            {"users": [101]},
            {"previous_user": BORIS},
            "Борис Ким: вёл предыдущее обращение",
            "Борис Ким: had this person's last enquiry",
        ),
        (
            {"strategy": "least_loaded", "users": [101]},
            {"load": {ANNA: 4}},
            "Анна Петрова: меньше всех заявок (4)",
            "Анна Петрова: fewest leads (4)",
        ),
        (
            {"users": [101], "hours": OFFICE, "outside_hours": "hold"},
            {"now": NIGHT},
            "Ждёт до 25.11 09:00: нерабочее время",
            "Waits until 2026-11-25 09:00: outside working hours",
        ),
        (
            {"users": [104], "fallback": 102},
            {},
            "Борис Ким: запасной, в очереди никто не доступен",
            "Борис Ким: fallback, nobody in the queue is available",
        ),
        (
            {"users": [104]},
            {},
            "Ответственный не назначен: в очереди никто не доступен, Глеб Старый — отключён в CRM",
            "Nobody is responsible: nobody in the queue is available, Глеб Старый — inactive in the CRM",
        ),
        (
            {"rules": [{"when": "a", "user": 101}]},
            {"matches": matching()},
            "Ответственный не назначен: ни одно правило не подошло",
            "Nobody is responsible: no rule applies",
        ),
    ],
)
def test_the_reason_in_words(data: dict[str, Any], facts: dict[str, Any], ru: str, en: str) -> None:
    decision = assign(data, **facts)
    assert explain(decision, "ru") == ru
    assert explain(decision, "en") == en


def test_who_was_passed_over_is_said_too() -> None:
    decision = assign({"users": [104, 101, 102], "absences": {101: ["2026-11-24"]}})
    assert explain_considered(decision, "ru") == "Глеб Старый — отключён в CRM; Анна Петрова — отсутствует"


# --- settings ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        {"strategy": "round_robin"},
        {"strategy": "roundrobin", "users": [101]},
        {"users": [101, 101]},
        {"users": [True]},
        {"users": [{"user": 101, "weigth": 2}]},
        {"strategy": "fixed", "users": [101, 102]},
        {"strategy": "rules"},
        {"rules": [{"when": "a"}]},
        {"rules": [{"user": 101}], "users": [102]},
        {"users": [101], "rules": [{"user": 101}], "strategy": "weighted"},
        {"users": [101], "cap": 5, "resume_below": 6},
        {"users": [101], "cap": 0},
        {"users": {101: 0}},
        {"users": [101], "hours": {"days": "mon-fri", "from": "09:00", "to": "25:00"}},
        {"users": [101], "absences": {101: ["soon"]}},
        {"users": [101], "when": "only in rules"},
        "101",
    ],
)
def test_settings_with_a_mistake_are_refused(data: Any) -> None:
    with pytest.raises(ValidationError):
        AssignSettings.model_validate(data)


def test_every_user_that_is_named_anywhere_is_listed_for_the_check() -> None:
    rules = AssignSettings.model_validate({**RULES, "duty": "vera@okna.example", "absences": {"Глеб": ["2026-11-24"]}})
    assert set(rules.refs()) == {"101", "102", "103", "vera@okna.example", "Глеб"}


@pytest.mark.parametrize(
    ("data", "doubts"),
    [
        ({"users": [101]}, 0),
        ({"users": [101], "outside_hours": "duty", "hours": OFFICE}, 1),
        ({"users": [101], "outside_hours": "hold"}, 1),
        ({"users": [101], "cap": 5}, 1),
        ({"users": [101], "cap": 5, "fallback": 102}, 0),
        ({"rules": [{"user": 101}], "outside_hours": "hold"}, 1),
    ],
)
def test_what_is_surely_not_meant_is_told(data: dict[str, Any], doubts: int) -> None:
    assert len(AssignSettings.model_validate(data).doubts()) == doubts


@given(st.sampled_from([{}, {"pools": {}}, {"pools": {"": {}}}]), USER_LISTS)
def test_an_empty_or_partial_state_is_the_beginning(data: dict[str, Any], users: Sequence[str]) -> None:
    decision = decide(AssignSettings.model_validate({"users": list(users)}), state_from_json(data), FACTS)
    assert decision.user_id == users[0]
    assert state_from_json(state_to_json(decision.state)) == decision.state
