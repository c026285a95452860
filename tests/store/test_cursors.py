"""Small named values: many at once are kept as one by one."""

from store import cursors
from store.engines import make_engine


def test_many_are_kept_as_one_by_one(database_url: str) -> None:
    engine = make_engine(database_url, writer=True)
    with engine.begin() as conn:
        cursors.save(conn, "a", {"state": "sent"})
        cursors.save_all(conn, {"a": {"state": "done"}, "b": {"told": {"x": ["1", "2"]}}})
        cursors.save_all(conn, {"a": {"state": "done"}, "b": {}})
        cursors.save_all(conn, {})
        assert cursors.load_all(conn, ["a", "b", "c"]) == {"a": {"state": "done"}, "b": {}}
    engine.dispose()


def test_those_of_one_start_come_some_at_a_time_and_no_others(database_url: str) -> None:
    engine = make_engine(database_url, writer=True)
    with engine.begin() as conn:
        ids = [str(number) for number in (1, 2, 9, 10, 11, 100)]
        others = (
            "m:A-b:whole:3",
            "m:a_b:whole:4",
            "m:a-b:wholly:5",
            "m:a-b:whole",
            "m:a-b:deal:6",
            "m:a-bc:whole:7",
            "z",
        )
        cursors.save_all(conn, {name: {} for name in others})
        cursors.save_all(conn, {f"m:a-b:whole:{id}": {"id": id} for id in ids})
        found: list[str] = []
        while some := cursors.some_of(conn, "m:a-b:whole:", 2, found[-1] if found else ""):
            assert all(state == {"id": id} for id, state in some.items())
            found += some
        assert found == sorted(ids)
    engine.dispose()
