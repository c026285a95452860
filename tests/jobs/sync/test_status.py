"""How a sync stands while its process runs, and after it was killed."""

from datetime import timedelta

import pytest

from cli.sync_status import silence
from cli.words import Words
from jobs.alerts.words import Style
from jobs.sync.status import status
from store import leases, sync_log
from tests.support.sync_stage import Stage


@pytest.mark.parametrize(("later_s", "state"), [(1, "running"), (9, "running"), (13, "stopped")])
async def test_a_pass_whose_process_was_killed_is_told_as_far_as_it_is_known(
    stage: Stage, later_s: int, state: str
) -> None:
    at = stage.clock.now()
    row = {"id": "p1", "sync": "contacts", "kind": "full", "state": "running", "shadow": False, "counts": {}}
    await stage.db.write(sync_log.begin_pass, **row, request_id="", started_at=at)
    await stage.db.write(leases.take, "sync:contacts", "the one that was killed", at)
    found = await stage.db.read(status, "contacts", stage.sync().settings, at + timedelta(seconds=later_s))
    assert found.state == state
    assert found.silent_s == (later_s if state == "running" else None)
    assert found.to_json()["silent_seconds"] == found.silent_s


def test_a_silent_process_is_told_with_the_time_when_it_is_certain() -> None:
    english, russian = Words(Style()), Words(Style(locale="ru"))
    assert [silence(english, one) for one in (None, 0.0, 3.5)] == ["", "", ""], "a living one gives a sign every 3 s"
    assert (
        silence(english, 9.0) == ", but its process has been silent for 9 s; if it was killed, that is certain in 3 s"
    )
    assert silence(russian, 9.0) == ", но её процесс молчит 9 с; убит ли он, будет ясно через 3 с"
