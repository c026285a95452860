"""What sources owe is told of: events not worked on, lists not read, recordings not copied."""

from datetime import timedelta

from sqlalchemy import insert, select

from leads.ids import new_id
from store import cursors, inbox, recordings
from store.call_tables import t_call_recording
from store.inbox import Pending
from store.incidents import open_incidents
from store.tables import t_audit_entry
from tests.support.hub_on_virtual_time import VirtualHub, config, hub, virtual

SOURCES = "pbx: {type: asterisk}"
ALL = "  - {from: ['*'], to: [amo]}"


@virtual
async def test_an_event_that_cannot_be_worked_on_is_kept_and_told_of() -> None:
    async with hub(config(ALL, sources=SOURCES)) as h:
        at = h.clock.now()
        h.write(lambda conn: inbox.add(conn, [Pending(1, new_id(h.clock), "pbx", at, b"broken")]))
        await h.until(lambda: "events_stuck" in h.open_incidents(), 60.0)
        (kept,) = h.read(lambda conn: inbox.due(conn, h.clock.now() + timedelta(days=1), limit=5))
        assert kept.tries > 0
        answer = await h.request("POST", "/in/pbx", data=_hangup("77.1"))
        assert answer.status_code == 200
        await h.until(lambda: [lead.lead_uid for lead in h.leads()] == ["call:77.1"], 10.0)
        (stuck,) = h.read(inbox.stuck)
        assert (stuck.id, stuck.source, stuck.received_at, stuck.size_bytes) == (kept.id, "pbx", at, len(b"broken"))
        assert h.read(lambda conn: inbox.stuck(conn, "another")) == []
        for changed, refused in (([kept.id], {}), ([], {kept.id: "no such request"})):
            done = h.write(lambda conn: inbox.discard(conn, [kept.id], why="a test", actor="anna", clock=h.clock))
            assert (done.changed, done.refused) == (changed, refused)
        (told,) = h.read(lambda conn: conn.execute(select(t_audit_entry).where(t_audit_entry.c.actor == "anna")).all())
        assert (told.action, told.subject, told.why, told.data["error"]) == (
            "event.discard", "pbx", "a test", stuck.error,
        )  # fmt: skip
        await h.until(lambda: "events_stuck" not in h.open_incidents(), 60.0)


@virtual
async def test_what_was_never_tried_is_not_discarded() -> None:
    async with hub(config(ALL, sources=SOURCES)) as h:
        h.write(lambda conn: inbox.add(conn, [Pending(1, "of-now", "pbx", h.clock.now(), b"broken")]))
        done = h.write(lambda conn: inbox.discard(conn, ["of-now"], why="x", actor="anna", clock=h.clock))
        assert done.refused == {"of-now": "no such request"}


@virtual
async def test_a_list_that_cannot_be_read_for_an_hour_is_told_of_until_it_can() -> None:
    async with hub(config(ALL, sources=SOURCES)) as h:
        since = h.clock.now() - timedelta(minutes=50)
        failing = {"error": "HTTP 500", "failing_since": since.isoformat()}
        h.write(lambda conn: cursors.save(conn, "reconcile:pbx", failing))
        await h.wait(30.0)
        assert "list_unread" not in h.open_incidents()
        await h.until(lambda: "list_unread" in h.open_incidents(), 1200.0)
        h.write(lambda conn: cursors.save(conn, "reconcile:pbx", {"error": ""}))
        await h.until(lambda: "list_unread" not in h.open_incidents(), 60.0)


@virtual
async def test_recordings_that_are_not_copied_are_counted() -> None:
    async with hub(config(ALL, sources=SOURCES)) as h:
        _fail_copies(h, 2)
        await h.until(lambda: "copies_failing" in h.open_incidents(), 60.0)
        (one,) = [one for one in h.read(open_incidents) if one.kind == "copies_failing"]
        assert (one.count, one.connection, one.cause) == (2, "pbx", "disk full")
        metrics = (await h.request("GET", "/metrics")).text
        assert "leadhub_events_waiting 0.0" in metrics
        assert h.read(lambda conn: recordings.failed_copies(conn, h.clock.now() + timedelta(hours=1))) == {}


def _fail_copies(h: VirtualHub, count: int) -> None:
    rows = [
        {"id": f"r{n}", "source": "pbx", "at": h.clock.now(), "copy_state": "failed", "copy_error": "disk full"}
        for n in range(count)
    ]
    h.write(lambda conn: conn.execute(insert(t_call_recording), rows))


def _hangup(call_id: str) -> dict[str, str]:
    told = {"event": "hangup", "linkedid": call_id, "uniqueid": call_id, "direction": "in", "did": "74951112233"}
    return {**told, "caller": "79161234567", "disposition": "NO ANSWER", "duration": "20", "billsec": "0"}
