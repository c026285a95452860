"""Ids: UUIDv7 that grow, also inside one millisecond and when the clock is set back a little."""

from uuid import UUID

from leads.ids import new_id
from tests.support.manual_clock import ManualClock


def test_ids_of_one_moment_grow_and_are_uuids() -> None:
    clock = ManualClock()
    ids = [new_id(clock) for _ in range(2_000)]
    assert sorted(set(ids)) == ids
    made = UUID(ids[0])
    assert (made.version, made.variant) == (7, "specified in RFC 4122")
    assert made.int >> 80 == int(clock.now().timestamp() * 1000)
    assert {(one[14], one[19] in "89ab") for one in ids} == {("7", True)}


def test_a_clock_set_back_a_little_keeps_the_order_and_by_much_is_believed() -> None:
    clock = ManualClock()
    first = new_id(clock)
    clock.jump(-5)
    second = new_id(clock)
    assert second > first
    clock.jump(-3600)
    assert new_id(clock) < first
