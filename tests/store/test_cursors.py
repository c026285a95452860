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
