"""What is kept of refused requests, and how much of it, in both databases."""

from dataclasses import replace
from datetime import timedelta

from store.db import InlineDatabase
from store.refused import (
    RefusedRow,
    Room,
    count_refused,
    forget_old_refused,
    keep_refused,
    let_in,
    refused_requests,
    sealed_request,
    still_refused,
    tallies,
)
from tests.support.manual_clock import ManualClock

DAY = "2026-11-24"
MANY = Room(rows_of_source=1000, bytes_of_source=10**9, rows=1000, bytes=10**9)


def row(
    number: int, clock: ManualClock, *, source: str = "site", ip: str = "198.51.100.1", size: int = 10
) -> RefusedRow:
    return RefusedRow(
        id=f"{source}-{ip}-{number:05}",
        source=source,
        at=clock.now() + timedelta(seconds=number),
        day=DAY,
        status=401,
        reason="the key is wrong or missing",
        method="POST",
        remote_ip=ip,
        size_bytes=size,
        look="key=***",
        key_id="k",
        sealed=b"sealed",
    )


async def test_a_flood_drops_the_oldest_of_who_sends_most_and_counts_them(database_url: str) -> None:
    clock, db = ManualClock(), InlineDatabase(database_url)
    room = Room(rows_of_source=50, bytes_of_source=10**6, rows=70, bytes=10**6, freed_at_once=5)
    vendor = [row(number, clock, ip="203.0.113.7") for number in range(10)]
    other = [row(number, clock, source="shop", ip="203.0.113.9") for number in range(10)]
    await db.write(lambda conn: keep_refused(conn, [*vendor, *other], room))
    for start in range(0, 300, 30):
        flood = [row(number, clock) for number in range(start, start + 30)]
        await db.write(lambda conn, flood=flood: keep_refused(conn, flood, room))  # type: ignore[misc]
    kept = await db.read(lambda conn: refused_requests(conn, limit=1000))
    assert {one.id for one in kept} >= {one.id for one in (*vendor, *other)}
    of_site = [one for one in kept if one.source == "site"]
    assert 45 <= len(of_site) <= 50
    assert of_site[0].id.endswith("-00299")
    counted = {one.source: (one.count, one.dropped) for one in await db.read(lambda conn: tallies(conn, DAY))}
    assert counted == {"site": (310, 310 - len(of_site)), "shop": (10, 0)}
    await db.close()


async def test_bytes_have_a_limit_of_their_own(database_url: str) -> None:
    clock, db = ManualClock(), InlineDatabase(database_url)
    room = Room(rows_of_source=1000, bytes_of_source=10_000, rows=1000, bytes=15_000, freed_at_once=1)
    for source in ("site", "shop"):
        some = [row(number, clock, source=source, size=3_000) for number in range(5)]
        await db.write(lambda conn, some=some: keep_refused(conn, some, room))  # type: ignore[misc]
    kept = await db.read(lambda conn: refused_requests(conn, limit=1000))
    assert sum(one.size_bytes for one in kept) == 15_000
    assert sum(one.size_bytes for one in kept if one.source == "shop") <= 9_000
    await db.close()


async def test_reasons_are_counted_apart_and_positions_are_no_reasons(database_url: str) -> None:
    clock, db = ManualClock(), InlineDatabase(database_url)
    base = row(0, clock)
    reasons = [
        "not valid JSON: Extra data at character 5",
        "not valid JSON: Extra data at character 99",
        "no such address",
    ]

    rows = [
        replace(base, id=str(number), reason=reason, at=base.at + timedelta(minutes=number))
        for number, reason in enumerate(reasons)
    ]
    for one in (rows[1], rows[0], rows[2]):
        await db.write(lambda conn, one=one: count_refused(conn, [one]))  # type: ignore[misc]
    found = await db.read(lambda conn: tallies(conn, DAY))
    assert [(one.reason, one.count, one.last_at) for one in found] == [
        ("not valid JSON: Extra data", 2, rows[1].at),
        ("no such address", 1, rows[2].at),
    ]
    assert await db.read(lambda conn: refused_requests(conn, limit=10)) == []
    await db.close()


async def test_what_was_let_in_is_not_listed_and_its_seal_is_gone(database_url: str) -> None:
    clock, db = ManualClock(), InlineDatabase(database_url)
    rows = [row(number, clock) for number in range(3)]
    await db.write(lambda conn: keep_refused(conn, rows, MANY))
    await db.write(lambda conn: let_in(conn, rows[0].id, clock.now(), "accepted"))
    await db.write(lambda conn: still_refused(conn, rows[1].id, 400, "not valid JSON"))
    listed = await db.read(lambda conn: refused_requests(conn, source="site", limit=10))
    assert [(one.id, one.status, one.is_kept) for one in listed] == [(rows[2].id, 401, True), (rows[1].id, 400, True)]
    everything = await db.read(lambda conn: refused_requests(conn, rerun_too=True, oldest_first=True, limit=10))
    assert next((one.id, one.outcome, one.is_kept) for one in everything) == (rows[0].id, "accepted", False)
    assert await db.write(lambda conn: sealed_request(conn, rows[0].id, lock=True)) is None
    still = await db.write(lambda conn: sealed_request(conn, rows[1].id, lock=True))
    assert still is not None
    assert bytes(still.sealed) == b"sealed"
    await db.close()


async def test_a_week_is_the_end_of_it(database_url: str) -> None:
    clock, db = ManualClock(), InlineDatabase(database_url)
    await db.write(lambda conn: keep_refused(conn, [row(0, clock), row(3 * 86_400, clock)], MANY))
    late = clock.now() + timedelta(days=8)
    assert await db.write(lambda conn: forget_old_refused(conn, late)) == 1
    assert len(await db.read(lambda conn: tallies(conn, DAY))) == 1
    assert await db.write(lambda conn: forget_old_refused(conn, late + timedelta(days=7))) == 1
    assert await db.read(lambda conn: tallies(conn, DAY)) == []
    await db.close()
