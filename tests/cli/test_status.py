"""`leadhub status`."""

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from leads.clock import SystemClock
from store.db import InlineDatabase
from store.spool import Spool
from tests.cli.hubless import CONFIG, accept, folder_with_database
from tests.cli.inside import inside
from tests.cli.running import Ran, leadhub
from tests.support.running_hub import RunningHub, running_hub


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    with running_hub(tmp_path_factory.mktemp("hub")) as running:
        yield running


def status(folder: Path, *more: str) -> tuple[Ran, dict[str, Any]]:
    ran = inside("status", "--json", *more, folder=folder)
    return ran, json.loads(ran.out)


def test_a_lead_is_owed_while_the_crm_is_down_and_delivered_afterwards(hub: RunningHub) -> None:
    hub.fault("503", "amocrm")
    hub.send(name="Иван", phone="+7 916 123-45-67")
    hub.wait_for(lambda conn: bool(conn.exec_driver_sql("SELECT 1 FROM delivery WHERE last_error <> ''").first()))
    ran, answer = status(hub.folder)
    assert ran.status == 1
    assert (answer["accepted"], answer["delivered"], answer["pending"], answer["failed"]) == (1, 0, 1, 0)
    assert answer["oldest_pending_seconds"] > 0
    assert answer["connections"]["sales"]["pending"] == 1
    assert answer["connections"]["sales"]["state"] in ("degraded", "down")
    text = inside("status", folder=hub.folder)
    assert text.status == 1
    assert "принято 1   дошло 0   НЕ ДОШЛО 1" in text.out
    assert "1 ждёт amoCRM «sales»: CRM отвечает 503" in text.out
    hub.mend()
    hub.wait_for(lambda conn: bool(conn.exec_driver_sql("SELECT 1 FROM lead WHERE status = 'delivered'").first()))
    ran, answer = status(hub.folder)
    assert ran.status == 0
    assert (answer["delivered"], answer["pending"], answer["oldest_pending_seconds"]) == (1, 0, 0.0)
    process = leadhub("status", cwd=hub.folder)
    assert (process.status, process.err) == (0, "")
    assert "НЕ ДОШЛО 0" in process.out
    assert "\x1b" not in process.out, "no colours outside of a terminal"


def test_json_has_exactly_the_promised_keys(tmp_path: Path) -> None:
    folder = folder_with_database(tmp_path)
    _, answer = status(folder)
    promised = {
        *("day", "accepted", "delivered", "pending", "failed", "discarded"),
        *("oldest_pending_seconds", "latency_seconds", "connections"),
    }
    assert promised <= set(answer)
    assert set(answer["latency_seconds"]) == {"p50", "p95", "p99"}
    assert answer["connections"]["sales"] == {
        **dict.fromkeys(("delivered", "pending", "failed", "discarded"), 0),
        "state": "ok",
    }


def test_another_day_is_counted_by_itself(tmp_path: Path) -> None:
    folder = folder_with_database(tmp_path)
    accept(folder, received_at=datetime(2026, 11, 23, 20, 59, tzinfo=UTC), phones=("+79161234567",))
    accept(folder, received_at=datetime(2026, 11, 23, 21, 1, tzinfo=UTC), phones=("+79161234568",))
    ran, answer = status(folder, "--day", "2026-11-23")  # midnight in Moscow is 21:00 UTC
    assert (ran.status, answer["accepted"], answer["pending"]) == (1, 1, 1)
    ran, answer = status(folder, "--day", "2026-11-22")
    assert (ran.status, answer["accepted"]) == (0, 0)
    assert answer["oldest_pending_seconds"] > 0, "what is stuck since another day is stuck now"


def test_a_hub_that_does_not_run_is_named_as_the_reason(tmp_path: Path) -> None:
    folder = folder_with_database(tmp_path)
    accept(folder)
    assert "no hub is running: leadhub serve" in inside("status", folder=folder).out


def test_leads_owed_to_a_connection_that_is_not_configured_any_more_say_so(tmp_path: Path) -> None:
    folder = folder_with_database(tmp_path)
    lead_id = accept(folder, to=("renamed",))
    out = inside("status", folder=folder).out
    assert '1 waiting for "renamed"' in out
    assert "which is not in config.yaml any more: put it back under this name" in out
    ran = inside("leads", "retry", lead_id, folder=folder)
    assert (ran.status, "renamed: not in config.yaml any more" in ran.err) == (1, True)
    ran = inside("doctor", folder=folder)
    assert (ran.status, "1 leads wait for renamed, which is not in config.yaml any more" in ran.out) == (1, True)


def test_leads_in_the_spool_are_accepted_and_owed(tmp_path: Path) -> None:
    folder = folder_with_database(tmp_path)
    known = accept(folder)
    now = datetime.now(UTC).isoformat()
    records = [{"ids": ids, "source": "site", "received_at": now} for ids in (["new-1", "new-2"], [known])]

    async def spool() -> None:
        one = Spool(folder / "var/spool", SystemClock(), inline=True)
        for record in records:
            await one.append(json.dumps(record).encode())
        one.close()

    asyncio.run(spool())
    ran, answer = status(folder)
    assert ran.status == 1
    assert (answer["spooled"], answer["accepted"], answer["pending"]) == (2, 3, 3)
    assert "2 in the spool beside the database" in inside("status", folder=folder).out


def test_refused_and_unrouted_leads_are_told_with_the_way_out(tmp_path: Path) -> None:
    folder = folder_with_database(tmp_path)
    lead_id = accept(folder)
    accept(folder, to=(), status="failed", status_why="no route matches", phones=("+79161234568",))
    db = InlineDatabase(f"sqlite:///{folder / 'var/leadhub.db'}")

    async def refuse() -> None:
        error = "create deal: HTTP 400: the CRM says no"
        await db.write(
            lambda conn: conn.exec_driver_sql("UPDATE delivery SET state = 'dead', last_error = ?", (error,))
        )
        await db.write(lambda conn: conn.exec_driver_sql("UPDATE lead SET status = 'failed'"))
        await db.close()

    asyncio.run(refuse())
    ran, answer = status(folder)
    assert (ran.status, answer["failed"]) == (1, 2)
    out = inside("status", folder=folder).out
    assert f'1 not taken by amoCRM "sales": create deal: HTTP 400: the CRM says no; leadhub leads show {lead_id}' in out
    assert "1 lead that no route takes" in out


def test_without_a_database_it_cannot_run(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(CONFIG)
    ran = inside("status", folder=tmp_path)
    assert ran.status == 2
    assert "there is no database yet" in ran.err
    assert not (tmp_path / "var").exists(), "looking makes nothing"


@pytest.mark.parametrize("day", ["2026-13-01", "yesterday", "24.11.2026", "9999-12-31", "0001-01-01"])
def test_a_day_that_is_none_cannot_be_asked_for(tmp_path: Path, day: str) -> None:
    ran = inside("status", "--day", day, folder=folder_with_database(tmp_path))
    assert ran.status == 2
    assert "no such day" in ran.err
