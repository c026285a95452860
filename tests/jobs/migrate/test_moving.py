"""Moves between the real connectors over their sandboxes: everything is there once, and the old CRM is untouched."""

from pathlib import Path

import pytest

from tests.jobs.migrate.house import PEOPLE, fill, house

PAIRS = [("amocrm", "hubspot"), ("hubspot", "bitrix24"), ("bitrix24", "amocrm")]


@pytest.mark.parametrize(("source", "target"), PAIRS, ids=" to ".join)
async def test_everything_is_moved_with_its_links_and_a_second_run_writes_nothing(
    source: str, target: str, tmp_path: Path
) -> None:
    async with house(tmp_path) as made:
        old, new = made.scenes[source], made.scenes[target]
        fill(old)
        untouched = made.stored(source)
        passes, tallies = await made.run(source, target)
        assert [one.result.state for one in passes] == ["done"] * 3, passes
        assert [one.found for one in tallies] == [{}, {}, {}]
        assert [one.old for one in tallies] == [one.there for one in tallies] == [PEOPLE // 2, PEOPLE, PEOPLE]
        assert [new.count(one.object) for one in tallies] == [PEOPLE // 2, PEOPLE, PEOPLE]
        assert [one.links_there for one in tallies] == [0, PEOPLE // 2, PEOPLE + PEOPLE // 2]
        assert made.stored(source) == untouched
        before = made.stored(target)
        passes, tallies = await made.run(source, target)
        assert made.stored(target) == before
        assert made.stored(source) == untouched
        assert [one.found for one in tallies] == [{}, {}, {}]
