"""Records that nobody on the other side is the same as: made there, once."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection, Row

from connectors.errors import PermanentError
from connectors.records import NewRecord
from jobs.sync.deciding import Draft, draft
from jobs.sync.linking import Linked, links_for_new
from jobs.sync.model import Sync, title_of
from jobs.sync.packing import pack, unpack
from jobs.sync.pairing import partnered
from jobs.sync.run import Run
from jobs.sync.writing import Batch, Job, intend, outcomes, send
from leads.identity import Key
from leads.merge import OTHER, UNSEEN, Agreed, Side, mark
from mappings.checker import ExpressionError
from store import sync_log, sync_pairs, sync_records
from store.leases import assert_held
from store.sync_gathered import Gathered
from store.sync_log import Intent, Issue
from store.sync_pairs import Pair
from store.sync_records import Seen, Settled

KEY_PREFIX: Final = "sync:"
LOOK_FIRST: Final = 20
"""So few new records are also looked for in the other CRM itself before they are made: it may know more than we."""
KINDS: Final[Mapping[str, str]] = {"phone": "phone", "email": "email"}
NAMED_KINDS: Final[Mapping[str, str]] = {"inn": "inn", "website": "domain", "external_id": "external"}


@dataclass(slots=True)
class New:
    """One record to be made: from `row`, as `draft`, on the other side."""

    row: Row[Any]
    values: Mapping[str, Any]
    draft: Draft
    pair: Pair
    links: Linked = field(default_factory=Linked)

    @property
    def to(self) -> Side:
        return OTHER[self.row.side]


@dataclass(slots=True)
class Making:
    """New records whose intents are stored: nobody else makes them, and they are to be sent."""

    new: list[New]
    batch: Batch


async def intend_missing(run: Run, rows: Sequence[Row[Any]]) -> Making:
    """What is to be made of these is decided and stored; what is not made is settled."""
    new, held, issues = _drafts(run, rows)
    new = await _not_there(run, new) if len(new) <= LOOK_FIRST and run.mode == "write" else new
    links = await links_for_new(run, [one.row for one in new])
    batch = Batch(made_of=[(row.side, row.record_id) for row in rows])
    for one in new:
        one.links = links[one.row.side, one.row.record_id]
        key, after = one.pair.key, pack(one.draft.values)
        intent = Intent(run.id(), run.pass_id, run.sync.name, one.pair.id, one.to, "", "create", {}, after)
        if run.mode != "write":
            # What would be made has no id; the record that it would be made of tells it.
            intent = Intent(
                intent.id, run.pass_id, run.sync.name, "", one.to, "", "create", {"of": one.row.record_id}, after
            )
        batch.jobs.append(Job(intent, NewRecord(key, one.draft.values, one.links.on_the_other_side)))
    now = run.clock.now()

    def begin(conn: Connection) -> None:
        sync_pairs.add(conn, [one.pair for one in new], now)
        sync_records.set_pairs(conn, run.sync.name, [(one.row.side, one.row.record_id, one.pair.id) for one in new])

    def hold(conn: Connection) -> None:
        assert_held(conn, run.held)
        sync_records.settle(conn, run.sync.name, held)
        for issue in issues:
            sync_log.raise_issue(conn, run.sync.name, run.id(), issue, now)

    batch.also = begin
    if held:
        await run.db.write(hold)
    await intend(run, batch)
    return Making(new, batch)


async def make(run: Run, making: Making) -> None:
    """Sends them and stores what came of it."""
    await send(run, making.batch)
    done = list(zip(making.new, making.batch.jobs, strict=True))
    if not done:
        return

    def settle(conn: Connection) -> None:
        assert_held(conn, run.held)
        gathered = Gathered(run.sync.name)
        gathered.writes += outcomes(making.batch.jobs)
        met = [(one, job) for one, job in done if job.done and job.result is not None and job.result.existed]
        for one, job in done:
            if (one, job) not in met:
                _settle(conn, gathered, run, one, job)
        gathered.store(conn, run.clock.now())
        _left_out(conn, run, [(one, job) for one, job in done if (one, job) not in met])
        for one, job in met:  # perhaps one of those that were made just now
            _meet(conn, run, one, job.result.id if job.result is not None else "")

    await run.db.write(settle)


def _drafts(run: Run, rows: Sequence[Row[Any]]) -> tuple[list[New], list[Settled], list[Issue]]:
    """What is to be made; rows that nothing is made of, with why; what a person should know."""
    sync = run.sync
    new: list[New] = []
    held: list[Settled] = []
    issues: list[Issue] = []
    for row in rows:
        values, to = unpack(row.content), OTHER[row.side]
        status = "alone" if not sync.goes(to) or not sync.settings.create else ""
        why = ""
        if not status:
            try:
                status = "" if sync.passes(row.side, values) else "filtered"
            except ExpressionError as error:
                status, why = "refused", f"the condition cannot be computed: {error.message}"
        made = Draft({}, {}) if status else draft(sync, to, values)
        if made.missing or (not status and not made.values):
            status, why = "refused", made.missing or "nothing of it can be carried over"
        if status:
            held.append(Settled(row.side, row.record_id, row.version, status=status))
            if why:
                issues.append(_refused(row, values, why))
            continue
        new.append(New(row, values, made, _new_pair(run, row)))
    return new, held, issues


def _new_pair(run: Run, row: Row[Any]) -> Pair:
    pair_id = run.id()
    left, right = (row.record_id, "") if row.side == "left" else ("", row.record_id)
    key = f"{KEY_PREFIX}{pair_id}"
    return Pair(pair_id, run.sync.name, "creating", left, right, key, sent_at=run.clock.now())


async def _not_there(run: Run, new: Sequence[New]) -> list[New]:
    """Without those that the other CRM has by a key and that we have not seen yet: they are read first."""
    by_side: dict[Side, dict[Key, list[New]]] = {"left": defaultdict(list), "right": defaultdict(list)}
    for one in new:
        for key in live_keys(run.sync, one.to, one.draft.values):
            by_side[one.to][key].append(one)
    heard: set[int] = set()
    for side, wanted in by_side.items():
        if not wanted:
            continue
        for key in await _unseen(run, side, list(wanted)):
            heard |= {id(one) for one in wanted.get(key, ())}
    return [one for one in new if id(one) not in heard]


async def _unseen(run: Run, side: Side, keys: Sequence[Key]) -> list[Key]:
    """The keys that records have which we know nothing of yet; those are to be read soon."""
    found = await run.ask(side, lambda: run.sync.end(side).port.find(run.sync.object, keys))

    def work(conn: Connection) -> list[Key]:
        assert_held(conn, run.held)
        known = sync_records.rows(conn, run.sync.name, side, {id for ids in found.values() for id in ids})
        unseen = {key: [id for id in ids if id not in known] for key, ids in found.items()}
        for one in dict.fromkeys(id for ids in unseen.values() for id in ids):
            sync_records.hint(conn, run.sync.name, side, one)
        return [key for key, ids in unseen.items() if ids]

    return await run.db.write(work)


def live_keys(sync: Sync, side: Side, values: Mapping[str, Any]) -> list[Key]:
    """The record's keys as the CRM itself can be asked for them."""
    finds = sync.end(side).can.finds_by
    found = []
    for name, texts in sync.mapping.match_keys(values, side).items():
        pair = sync.mapping.pair(name)
        kind = KINDS.get(pair.type) or NAMED_KINDS.get(name, "")
        found += [Key(kind, text) for text in texts if kind in finds and text]
    return found


def _settle(conn: Connection, gathered: Gathered, run: Run, one: New, job: Job) -> None:
    sync, row, result = run.sync, one.row, job.result
    if result is None:  # only planned
        gathered.settled.append(Settled(row.side, row.record_id, row.version, status=sync_records.PLANNED))
        run.counts[f"create_{one.to}"] += 1
        return
    if job.unknown:
        gathered.settled.append(Settled(row.side, row.record_id, row.version, status="creating"))
        run.counts["unknown"] += 1
        return
    if result.error is not None:
        _undo(conn, sync, one)
        if isinstance(result.error, PermanentError):
            gathered.settled.append(Settled(row.side, row.record_id, row.version, status="refused"))
            issue = _refused(row, one.values, str(result.error))
            sync_log.raise_issue(conn, sync.name, run.id(), issue, run.clock.now())
            run.counts["failed"] += 1
        return
    finish(conn, gathered, run, one.pair, row, one.draft, result.id, result.values, result.modified_at, one.links)
    for name, why in result.left_out.items():
        issue = Issue("left_out", f"{one.to}:{result.id}:{name}", one.pair.id, name, data={"why": why, "side": one.to})
        sync_log.raise_issue(conn, sync.name, run.id(), issue, run.clock.now())
    run.counts[f"create_{one.to}"] += 1


def _left_out(conn: Connection, run: Run, done: Sequence[tuple[New, Job]]) -> None:
    """Tells of new records what cannot be carried into them; of planned ones what could not be."""
    sync, now = run.sync, run.clock.now()
    issues: list[tuple[str, Issue]] = []
    noted: list[str] = []
    for one, job in done:
        if not one.draft.problems or not (job.result is None or job.done):
            continue
        row, id = one.row, job.result.id if job.result is not None else ""
        left, right = (row.record_id, id) if row.side == "left" else (id, row.record_id)
        ids = [(some,) if some else () for some in (left, right)]
        names = {row.side: {row.record_id: title_of(one.values)}}
        for name, why in one.draft.problems:
            planned = f"{row.side}:{row.record_id}:{name}"
            noted.append(planned)
            subject, data = f"{one.pair.id}:{name}" if id else planned, {"why": why, "source": row.side, "names": names}
            issue = Issue("left_out", subject, one.pair.id if id else "", name, ids[0], ids[1], data)
            issues.append((run.id(), issue))
    sync_log.close_subjects(conn, sync.name, now, "made", "left_out", noted)  # of a shadow, or told before
    sync_log.open_issues(conn, sync.name, issues, now)


def finish(
    conn: Connection,
    gathered: Gathered,
    run: Run,
    pair: Pair,
    row: Row[Any],
    made: Draft,
    id: str,
    said: Mapping[str, Any] | None,
    modified_at: Any,
    links: Linked,
) -> None:
    """The pair is complete; what the CRM itself made of the values is what was agreed."""
    sync, to = run.sync, OTHER[row.side]
    wanted = set(sync.keys(to))
    values = {**made.values, **{key: value for key, value in (said or {}).items() if key in wanted}}
    base = dict(made.base)
    for fields in sync.mapping.pairs:
        if fields.name in base and said is not None and UNSEEN not in (base[fields.name].left, base[fields.name].right):
            has = mark(fields.comparable(values, to))
            kept = base[fields.name]
            base[fields.name] = Agreed(kept.left, has) if to == "right" else Agreed(has, kept.right)
    base |= links.base
    left, right = (row.record_id, id) if row.side == "left" else (id, row.record_id)
    gathered.pair(pair.id, state="paired", left_id=left, right_id=right, sent_at=None, base=base)
    digest, keys = sync.known_by(to, values, pair.key)
    seen = Seen(
        id,
        mark=digest,
        keys=keys,
        links=links.as_stored,
        modified_at=modified_at,
        own_key=pair.key,
    )
    gathered.made.append((to, seen, pair.id))
    # Links that could not be made together with the record are made in the next sweep.
    version = row.version if links.complete else -1
    gathered.settled.append(Settled(row.side, row.record_id, version, links=links.source))
    if row.status in ("refused", sync_records.APART):
        subject = f"{row.side}:{row.record_id}"
        sync_log.close_issues(conn, sync.name, run.clock.now(), "made", kind="refused", subject=subject)
    partnered(gathered, sync, left, right)


def _undo(conn: Connection, sync: Sync, one: New) -> None:
    sync_pairs.remove(conn, one.pair.id)
    sync_records.set_pair(conn, sync.name, one.row.side, one.row.record_id, "")


def _meet(conn: Connection, run: Run, one: New, id: str) -> None:
    """It was there already: they are a pair, if nobody else is its partner; else a person has to look."""
    sync, row = run.sync, one.row
    there = sync_records.rows(conn, sync.name, one.to, [id]).get(id)
    if there is not None and there.pair_id:
        _undo(conn, sync, one)
        mine, theirs = (row.record_id,), (id,)
        ends = (mine, theirs) if row.side == "left" else (theirs, mine)
        names = {row.side: {row.record_id: title_of(one.values)}}
        issue = Issue(
            "ambiguous", f"{row.side}:{row.record_id}", left_ids=ends[0], right_ids=ends[1], data={"names": names}
        )
        sync_log.raise_issue(conn, sync.name, run.id(), issue, run.clock.now())
        sync_records.settle(conn, sync.name, [Settled(row.side, row.record_id, row.version, status="ambiguous")])
        run.counts["ambiguous"] += 1
        return
    if there is None:
        sync_records.hint(conn, sync.name, one.to, id)
    left, right = (row.record_id, id) if row.side == "left" else (id, row.record_id)
    sync_pairs.change(conn, one.pair.id, state="paired", left_id=left, right_id=right, sent_at=None, base={})
    sync_records.set_pair(conn, sync.name, one.to, id, one.pair.id)
    sync_records.mark_dirty(conn, sync.name, one.to, [id])
    sync_records.mark_dirty(conn, sync.name, row.side, [row.record_id], forget=False)
    run.counts["matched"] += 1


def _refused(row: Row[Any], values: Mapping[str, Any], why: str) -> Issue:
    side, id = row.side, row.record_id
    left, right = (id,) if side == "left" else (), (id,) if side == "right" else ()
    data = {"why": why, "names": {side: {id: title_of(values)}}}
    return Issue("refused", f"{side}:{id}", left_ids=left, right_ids=right, data=data)
