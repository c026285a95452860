"""Changes of different fields both survive; only a change of the same field on both sides needs a rule."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leads.merge import (
    EQUAL,
    FLOWS,
    RULES,
    Agreed,
    FieldNow,
    Flow,
    Form,
    Rule,
    Side,
    Verdict,
    flipped,
    mark,
    merge,
    taken_away,
)

TEXTS = st.sampled_from(["", "a", "b", "12", "7", "2026-11-24", "#x", "long " * 40])
LISTS = st.lists(st.sampled_from(["+79161234567", "+79160000001", "+79160000002"]), unique=True).map(
    lambda parts: tuple(sorted(parts))
)
FORMS = st.one_of(st.tuples(TEXTS, TEXTS), st.tuples(LISTS, LISTS))
RULE = st.sampled_from(RULES)
FLOW = st.sampled_from(FLOWS)
NEWER = st.sampled_from(["left", "right", None])


def now(left: Form, right: Form) -> FieldNow:
    return FieldNow(left, right, equal=left == right)


def agreed(left: Form, right: Form | None = None) -> Agreed:
    return Agreed(mark(left), mark(left if right is None else right))


@pytest.mark.parametrize("rule", RULES)
def test_what_one_side_changed_goes_to_the_other_unless_it_may_never_be_overwritten(rule: Rule) -> None:
    verdict = merge(now("new", "old"), agreed("old"), rule, "both")
    assert verdict.to == (() if rule == "first" else ("right",))
    assert merge(now("old", "new"), agreed("old"), rule, "both").to == (() if rule == "first" else ("left",))
    assert not verdict.conflict


def test_an_emptied_value_empties_the_other_side() -> None:
    assert merge(now("", "old"), agreed("old"), "newest", "both").to == ("right",)


@pytest.mark.parametrize(
    ("rule", "newer", "to"),
    [
        ("newest", "left", ("right",)),
        ("newest", "right", ("left",)),
        ("newest", None, ("right",)),
        ("left", "right", ("right",)),
        ("right", "left", ("left",)),
        ("ask", "left", ()),
        ("first", "left", ()),
        ("max", None, ("right",)),
        ("min", None, ("left",)),
        ("append", "right", ("left",)),
    ],
)
def test_both_changed_is_decided_by_the_rule(rule: Rule, newer: Side | None, to: tuple[Side, ...]) -> None:
    verdict = merge(now("12", "7"), agreed("3"), rule, "both", newer)
    assert (verdict.to, verdict.conflict, verdict.asks) == (to, True, rule == "ask")


def test_numbers_are_compared_as_numbers_and_dates_in_their_order() -> None:
    assert merge(now("9", "10"), agreed("1"), "max", "both").to == ("left",)
    assert merge(now("2026-11-25", "2026-11-24"), agreed(""), "min", "both").to == ("left",)
    assert merge(now("NaN", "10"), agreed(""), "max", "both").to == ("right",)


def test_what_both_set_to_the_same_is_agreed() -> None:
    assert merge(now("new", "new"), agreed("old"), "ask", "both") == EQUAL


@pytest.mark.parametrize(("flow", "to"), [("left_to_right", ("right",)), ("right_to_left", ("left",))])
def test_one_way_the_source_wins_and_a_change_of_the_copy_alone_is_left(flow: Flow, to: tuple[Side, ...]) -> None:
    assert merge(now("l", "r"), agreed("old"), "newest", flow, "right").to == to
    copy_changed = now("old", "new") if flow == "left_to_right" else now("new", "old")
    assert merge(copy_changed, agreed("old"), "newest", flow) == EQUAL


def test_one_way_the_rule_for_the_copy_keeps_what_people_wrote_there_and_lists_keep_their_own() -> None:
    assert merge(now("l", "r"), None, "right", "left_to_right") == Verdict(conflict=True)
    assert merge(now("new", "old"), agreed("old"), "right", "left_to_right").to == ("right",)
    both = merge(now(("1",), ("2",)), None, "append", "left_to_right")
    assert (both.to, both.union) == (("right",), True)
    assert merge(now(("1",), ("1", "2")), agreed(("1",), ("1",)), "append", "left_to_right") == EQUAL


def test_without_a_base_what_is_empty_is_filled_and_two_values_need_the_rule() -> None:
    assert merge(now("a", ""), None, "left", "both").to == ("right",)
    assert merge(now("", "b"), None, "left", "both").to == ("left",)
    assert merge(now("a", "b"), None, "ask", "both").asks
    assert merge(now("", "b"), None, "left", "left_to_right") == EQUAL


def test_a_difference_that_was_left_stays_left_until_somebody_changes_something() -> None:
    kept = agreed("a", "b")
    assert merge(now("a", "b"), kept, "newest", "both") == EQUAL
    assert merge(now("c", "b"), kept, "newest", "both").to == ("right",)


def test_a_union_keeps_what_both_added_and_drops_what_either_took_away() -> None:
    base = agreed(("1", "2"))
    one = now(("1", "3"), ("1", "2", "4"))
    assert merge(one, base, "append", "both").union
    assert taken_away(one, base) == {"2"}
    assert taken_away(one, None) == set()


@given(FORMS, FORMS, RULE, FLOW, NEWER)
def test_a_merge_never_writes_against_the_flow_and_what_it_wrote_is_agreed(
    forms: tuple[Form, Form], before: tuple[Form, Form], rule: Rule, flow: Flow, newer: Side | None
) -> None:
    left, right = forms
    base = agreed(*before)
    verdict = merge(now(left, right), base, rule, flow, newer)
    if flow != "both":
        assert set(verdict.to) <= {"right" if flow == "left_to_right" else "left"}
    if verdict.union:
        left = right = (*left, *right)
    elif verdict.to:
        left, right = (left, left) if verdict.to == ("right",) else (right, right)
    if verdict.agreed:
        assert merge(now(left, right), agreed(left, right), rule, flow, newer) == EQUAL


@given(FORMS, FORMS, NEWER)
def test_seen_from_the_other_side_the_decision_is_the_same(
    forms: tuple[Form, Form], before: tuple[Form, Form], newer: Side | None
) -> None:
    turned: dict[Side | None, Side | None] = {"left": "right", "right": "left", None: None}
    rule: Rule = "newest" if newer else "ask"
    one = merge(now(*forms), agreed(*before), rule, "both", newer)
    mirrored = merge(now(forms[1], forms[0]), agreed(before[1], before[0]), rule, "both", turned[newer])
    assert one.to == tuple(turned[side] for side in mirrored.to)
    assert one.asks == mirrored.asks


@given(TEXTS, TEXTS)
def test_marks_tell_texts_apart_and_are_short(one: str, other: str) -> None:
    assert (mark(one) == mark(other)) == (one == other)
    assert len(mark(one)) <= 64


def test_going_to_and_fro_is_counted_within_the_window() -> None:
    writes: list[tuple[Side, float]] = [
        ("left", 0.0),
        ("right", 100.0),
        ("left", 110.0),
        ("left", 120.0),
        ("right", 130.0),
    ]
    assert flipped(writes, 140.0, 60.0) == 2
    assert flipped(writes, 1000.0, 60.0) == 0
