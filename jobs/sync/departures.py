"""Records that are gone: merged into another, or removed; and what that means for their partners."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, Row

from connectors.records import Record
from jobs.sync.deciding import unchanged
from jobs.sync.model import OWN, Sync, key_of
from jobs.sync.run import Run
from leads.merge import OTHER, Side
from store import sync_keys, sync_log, sync_pairs, sync_records, sync_shadow
from store.leases import assert_held
from store.sync_log import Issue
from store.sync_pairs import Pair
from store.sync_records import Settled

Removal = Literal["archive", "delete", "tag"]


@dataclass(frozen=True, slots=True)
class Departed:
    """A record that is not there any more, as it was known. `survivor`: the record that it was merged into, or ""."""

    row: Row[Any]
    survivor: str = ""

    @property
    def side(self) -> Side:
        return self.row.side  # type: ignore[no-any-return]  # a side is all that is stored there


@dataclass(slots=True)
class Removals:
    """Partners that are to be archived, tagged or deleted: (pair, side, row of the partner, what departed)."""

    due: list[tuple[Pair, Side, Row[Any], Departed]] = field(default_factory=list)


async def settle_departures(run: Run, departed: list[Departed]) -> Removals:
    """Follows merges, parts pairs; returns the partners that the policy removes, if they may be."""
    if not departed:
        return Removals()
    now = run.clock.now()
    ids = [run.id() for _ in departed]

    def work(conn: Connection) -> Removals:
        assert_held(conn, run.held)
        if run.mode == "shadow":
            changed = [one.row.pair_id for one in departed if one.row.pair_id and one.row.status != sync_records.GOING]
            sync_shadow.drop_noted(conn, run.sync.name, changed, [(one.side, one.row.record_id) for one in departed])
        return _settle(conn, run.sync, departed, ids, now)

    return await run.db.write(work)


def _settle(conn: Connection, sync: Sync, departed: list[Departed], ids: list[str], now: datetime) -> Removals:
    found = Removals()
    pairs = sync_pairs.by_ids(conn, [one.row.pair_id for one in departed if one.row.pair_id])
    rows = sync_records.of_pairs(conn, sync.name, list(pairs))
    also = {(one.side, one.row.record_id) for one in departed}
    for one, issue_id in zip(departed, ids, strict=True):
        row, pair = one.row, pairs.get(one.row.pair_id)
        if pair is None:
            if row.mark or row.state == "gone":
                sync_records.settle(conn, sync.name, [_gone(row)])
            else:
                sync_records.forget(conn, sync.name, one.side, row.record_id)
            continue
        if pair.state == "creating":
            continue  # what is being made of it is looked up first
        partner = rows.get(pair.id, {}).get(OTHER[one.side])
        both = partner is None or partner.state == "gone" or (OTHER[one.side], partner.record_id) in also
        survivor = one.survivor or ("" if both else _heir(conn, sync, one))
        if survivor and _follow(conn, sync, pair, one, survivor, partner, issue_id, now):
            continue
        if partner is None or both:
            _end(conn, sync, pair, row, now)
        elif sync.settings.deletions == "ignore" or not sync.goes(OTHER[one.side]) or pair.state == "parted":
            part(conn, sync, pair, row, partner)
        else:
            found.due.append((pair, OTHER[one.side], partner, one))
    return found


def part(conn: Connection, sync: Sync, pair: Pair, gone: Row[Any], partner: Row[Any]) -> None:
    """The partner stays, and stays without one: it is not made again."""
    sync_pairs.change(conn, pair.id, state="parted")
    kept = Settled(partner.side, partner.record_id, partner.version, status="kept")
    sync_records.settle(conn, sync.name, [_gone(gone), kept])


def _end(conn: Connection, sync: Sync, pair: Pair, gone: Row[Any], now: datetime) -> None:
    """Both are gone, and so is what a person was to do about the second."""
    sync_pairs.change(conn, pair.id, state="parted")
    sync_records.settle(conn, sync.name, [_gone(gone)])
    for kind in ("merged", "deleted"):
        sync_log.close_issues(conn, sync.name, now, "gone too", kind=kind, pair_id=pair.id)


def _gone(row: Row[Any]) -> Settled:
    return Settled(row.side, row.record_id, row.version, gone=True)


def _heir(conn: Connection, sync: Sync, one: Departed) -> str:
    """Where the CRM does not tell: the only living record of that side that has all keys of the one that is gone.

    But for the key that we wrote into it: that is of one record only, and goes with it.
    """
    node = (one.side, one.row.record_id)
    keys = sync_keys.keys_of(conn, sync.name, [node]).get(node, set()) - {key_of(OWN, one.row.own_key)}
    if not keys:
        return ""
    others = [
        id
        for (side, id), has in sync_keys.bearers(conn, sync.name, keys).items()
        if side == one.side and id != one.row.record_id and has == keys
    ]
    return others[0] if len(others) == 1 else ""


def _follow(
    conn: Connection,
    sync: Sync,
    pair: Pair,
    one: Departed,
    survivor: str,
    partner: Row[Any] | None,
    issue_id: str,
    now: datetime,
) -> bool:
    """The survivor takes the place in the pair; if it has a partner of its own, two are left for a person to merge."""
    side = one.side
    heir = sync_records.rows(conn, sync.name, side, [survivor]).get(survivor)
    if heir is None:
        sync_records.hint(conn, sync.name, side, survivor)
        heir = sync_records.rows(conn, sync.name, side, [survivor]).get(survivor)
    if heir is None or heir.state != "alive":
        return False
    own = sync_pairs.by_ids(conn, [heir.pair_id]).get(heir.pair_id) if heir.pair_id else None
    free = not heir.pair_id or (own is not None and own.state == "parted")  # what it was paired with is merged too
    if free and partner is not None and partner.state == "alive":
        if own is not None:
            sync_log.close_issues(conn, sync.name, now, "merged too", kind="merged", pair_id=own.id)
        sync_records.settle(conn, sync.name, [_gone(one.row)])
        sync_records.set_pair(conn, sync.name, side, one.row.record_id, "")
        sync_records.set_pair(conn, sync.name, side, survivor, pair.id)
        column = "left_id" if side == "left" else "right_id"
        sync_pairs.change(conn, pair.id, **{column: survivor})
        sync_records.mark_dirty(conn, sync.name, side, [survivor])
        sync_records.mark_dirty(conn, sync.name, OTHER[side], [partner.record_id])
        return True
    if partner is None or partner.state != "alive":
        _end(conn, sync, pair, one.row, now)
        return True
    part(conn, sync, pair, one.row, partner)
    mine: dict[Side, tuple[str, ...]] = {
        side: (survivor,),
        OTHER[side]: tuple(id for id in (partner.record_id, own.on(OTHER[side]) if own else "") if id),
    }
    issue = Issue(
        "merged", f"{side}:{one.row.record_id}", pair.id, "", mine["left"], mine["right"], {"gone": one.row.record_id}
    )
    sync_log.raise_issue(conn, sync.name, issue_id, issue, now)
    return True


def may_go(sync: Sync, pair: Pair, side: Side, partner: Record) -> bool:
    """Whether the partner is still as it was agreed on: else somebody works with it, and a person decides.

    What the CRM put there by itself when we made it is nobody's work.
    """
    base = dict(pair.base or {})
    for fields in sync.mapping.pairs:
        if fields.name in base:
            form = fields.comparable(partner.values, side)
            base[fields.name] = base[fields.name].seen(form, form)
    return unchanged(sync, side, base, partner.values)


def op_of(sync: Sync, side: Side) -> Removal | None:
    """What is done with partners, None where the CRM cannot. Where none can delete for good, its bin does."""
    wanted, offers = sync.settings.deletions, _offers(sync, side)
    if wanted == "delete" and "delete" not in offers:
        wanted = "archive"
    return wanted if wanted != "ignore" and wanted in offers else None


def why_not(sync: Sync, side: Side) -> str:
    """For people: what this CRM cannot do with partners, and which policy would work there."""
    others = [f"deletions: {one}" for one in _offers(sync, side)]
    would = f"; {' or '.join(others)} would work" if others else ""
    end = sync.end(side)
    return f"{end.title or end.connection} cannot {sync.settings.deletions} by its API{would}"


def _offers(sync: Sync, side: Side) -> list[Removal]:
    can = sync.end(side).can
    offers: Mapping[Removal, bool] = {
        "archive": sync.object in can.archives,
        "delete": sync.object in can.deletes,
        "tag": sync.object in can.tags,
    }
    return [one for one, offered in offers.items() if offered]
