"""What is remembered of a pair after it was looked at: what is agreed, what a person decides, what came of writes."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection

from connectors.errors import PermanentError
from jobs.sync.deciding import LINK
from jobs.sync.kept import Kept, record_now
from jobs.sync.model import SIDES, title_of
from jobs.sync.packing import pack
from jobs.sync.run import Run
from jobs.sync.writing import Job, outcomes
from leads.merge import Agreed, Form, Side, mark
from store import sync_log
from store.sync_gathered import Gathered
from store.sync_log import Issue
from store.sync_records import PLANNED, Settled

FLIP_WINDOW_S: Final = 3600.0


def settle_pair(
    conn: Connection,
    gathered: Gathered,
    run: Run,
    one: Kept,
    jobs: Sequence[Job],
    known: Mapping[str, Sequence[tuple[str, str]]],
) -> None:
    """`known`: pair -> (kind, field) of its open issues. What is not told to people is gathered."""
    sync, now = run.sync, run.clock.now()
    if one.status:
        gathered.settled += clean(one, one.status)
        return
    if one.stopped:
        gathered.pair(one.pair.id, state="stopped")
        gathered.settled += clean(one, "stopped")
        why = {"why": f'the sync "{one.stopped_by}" writes it, too'} if one.stopped_by else {}
        what = one.stopped.rpartition(":")[0] if one.stopped.startswith(LINK) else one.stopped
        issue = _issue(one, "loop", what, flips=sync.settings.flips, **why)
        sync_log.raise_issue(conn, sync.name, run.id(), issue, now)
        run.counts["stopped_pairs"] += 1
        return
    gathered.writes += outcomes(jobs)
    _tell(conn, run, one, known)
    if run.mode != "write" and one.decision.writes:
        _count(run, one)
        gathered.settled += clean(one, PLANNED)
        return
    base, again = _new_base(run, one, jobs)
    changes: dict[str, Any] = {"base": base}
    if any(one.decision.goes_to(side) for side in SIDES):
        changes["flips"] = _flips(one, now.timestamp(), sync.settings.flips + 2)
    gathered.pair(one.pair.id, **changes)
    for side in SIDES:
        _remember(conn, gathered, run, one, side, jobs)
    if again:
        for side in SIDES:
            gathered.dirty(side, [one.end(side).row.record_id])
    _count(run, one, jobs)


def _new_base(run: Run, one: Kept, jobs: Sequence[Job]) -> tuple[dict[str, Agreed], bool]:
    """What is agreed now, and whether the pair has to be looked at again: an outcome is unknown or not yet tried."""
    base, old, again = dict(one.decision.base), one.pair.base or {}, False
    for job in sorted(jobs, key=lambda job: not job.done):  # a field of which one write failed is not agreed on
        names = one.decision.fields[job.side] if job.intent.op == "update" else [f"{LINK}{job.intent.after['to']}"]
        if job.done:
            if job.result is not None and job.result.values is not None and job.intent.op == "update":
                _as_answered(run, one, job, base)
            continue
        refused = isinstance(job.error, PermanentError) and not job.error.gone
        again = again or not refused
        for name in names:
            if refused:  # left as it is until somebody changes something
                base[name] = _as_it_is(run, one, name)
            elif name in old:
                base[name] = old[name]
            else:
                base.pop(name, None)
    return base, again


def _as_answered(run: Run, one: Kept, job: Job, base: dict[str, Agreed]) -> None:
    """What the CRM itself made of the values that we wrote: its answer says so, and it is no change of anybody's."""
    end, said = one.end(job.side), (job.result.values if job.result is not None else None) or {}
    values = {**(end.values or {}), **one.decision.values[job.side], **said}
    for name in one.decision.fields[job.side]:
        form, kept = mark(run.sync.mapping.pair(name).comparable(values, job.side)), base[name]
        base[name] = Agreed(form, kept.right) if job.side == "left" else Agreed(kept.left, form)


def _as_it_is(run: Run, one: Kept, name: str) -> Agreed:
    if name.startswith(LINK):
        ids = [
            tuple(sorted(p.id for p in one.end(side).pairs.get(name.removeprefix(LINK), {}).values())) for side in SIDES
        ]
        return Agreed(ids[0], ids[1])
    forms = [mark(form) for form in _forms(run, one, name)]
    return Agreed(forms[0], forms[1])


def _forms(run: Run, one: Kept, name: str) -> list[Form]:
    pair = run.sync.mapping.pair(name)
    return [pair.comparable(one.end(side).values or {}, side) for side in SIDES]


def _remember(conn: Connection, gathered: Gathered, run: Run, one: Kept, side: Side, jobs: Sequence[Job]) -> None:
    """The record as it is after our write, so that its coming back is no news."""
    end = one.end(side)
    update = next((job for job in jobs if job.side == side and job.intent.op == "update"), None)
    values = dict(end.values or {})
    modified_at = end.record.modified_at if end.record is not None else None
    if update is not None and update.done and update.result is not None:
        wanted = set(run.sync.keys(side))
        values |= {
            **one.decision.values[side],
            **{k: v for k, v in (update.result.values or {}).items() if k in wanted},
        }
        modified_at = update.result.modified_at or modified_at
        for name, why in update.result.left_out.items():
            issue = _issue(one, "left_out", name, why=why, side=side)
            sync_log.raise_issue(conn, run.sync.name, run.id(), issue, run.clock.now())
    written = update is not None and update.done
    seen, keys = run.sync.known_by(side, values, end.row.own_key)
    links = _links_after(run, one, side, jobs)
    settled = Settled(
        side,
        end.row.record_id,
        end.row.version,
        mark=seen,
        stale=end.row.mark if written and seen != end.row.mark else None,
        modified_at=modified_at,
        links=links,
    )
    gathered.settled.append(settled)
    if written or seen != end.row.mark:
        gathered.keys[side, end.row.record_id] = keys


def _links_after(run: Run, one: Kept, side: Side, jobs: Sequence[Job]) -> dict[str, Any] | None:
    if not run.sync.linked:
        return None
    after = {to: list(ids) for to, ids in one.end(side).links.items()}
    for job in jobs:
        if job.side == side and job.intent.op == "link" and job.done:
            ids = after.setdefault(job.payload.to, [])
            if job.payload.remove and job.payload.to_id in ids:
                ids.remove(job.payload.to_id)
            elif not job.payload.remove and job.payload.to_id not in ids:
                ids.append(job.payload.to_id)
    return after


def clean(one: Kept, status: str = "") -> list[Settled]:
    return [
        Settled(
            side,
            one.end(side).row.record_id,
            one.end(side).row.version,
            status=status,
            links={to: list(ids) for to, ids in one.end(side).links.items()} or None,
        )
        for side in SIDES
        if one.end(side).row.dirty
    ]


def _flips(one: Kept, at: float, keep: int) -> dict[str, list[tuple[str, float]]]:
    flips = {name: [(side, when) for side, when in past] for name, past in (one.pair.flips or {}).items()}
    for side in SIDES:
        for name in one.decision.goes_to(side):
            flips[name] = [*flips.get(name, []), (side, at)]
    recent = {
        name: [(side, when) for side, when in past if at - when <= FLIP_WINDOW_S][-keep:]
        for name, past in flips.items()
    }
    return {name: past for name, past in recent.items() if past}


def _issue(one: Kept, kind: str, name: str, **data: Any) -> Issue:
    ends = {side: one.end(side) for side in SIDES}
    names = {side: {end.row.record_id: title_of(end.values or {})} for side, end in ends.items()}
    left, right = (ends[side].row.record_id for side in SIDES)
    return Issue(kind, f"{one.pair.id}:{name}", one.pair.id, name, (left,), (right,), {**data, "names": names})


def _tell(conn: Connection, run: Run, one: Kept, known: Mapping[str, Sequence[tuple[str, str]]]) -> None:
    """Conflicts and refused values as they are now; those that are over are closed."""
    sync, now = run.sync, run.clock.now()
    still = {("conflict", asked.field) for asked in one.decision.asks}
    still |= {("left_out", name) for name, _ in one.decision.problems}
    for kind, name in known.get(one.pair.id, ()):
        if (kind, name) in still:
            continue
        if kind == "conflict" or (kind == "left_out" and _is_over(run, one, name)):
            sync_log.close_issues(conn, sync.name, now, "equal now", kind=kind, subject=f"{one.pair.id}:{name}")
    sides = {side: record_now(run, one, side) for side in SIDES} if one.decision.asks else {}
    for asked in one.decision.asks:
        data = {
            "left": pack({"v": asked.left})["v"],
            "right": pack({"v": asked.right})["v"],
            "marks": [mark(form) for form in _forms(run, one, asked.field)],
            **{f"{side}_at": at.isoformat() for side in SIDES if (at := sides[side].edited_at) is not None},
            **{f"{side}_by": sync.end(side).account.who(sides[side].edited_by) for side in SIDES},
        }
        sync_log.raise_issue(conn, sync.name, run.id(), _issue(one, "conflict", asked.field, **data), now)
        run.counts["conflicts"] += 1
    for name, why in one.decision.problems:
        issue = _issue(one, "left_out", name, why=why, source=one.decision.sources[name])
        sync_log.raise_issue(conn, sync.name, run.id(), issue, now)


def _is_over(run: Run, one: Kept, name: str) -> bool:
    """Whether a field that was left out is carried now, or the same on both sides."""
    if any(name in names for names in one.decision.fields.values()):
        return True
    pairs, values = run.sync.mapping.pairs, {side: one.end(side).values or {} for side in SIDES}
    return any(pair.name == name and pair.same(values["left"], values["right"]) for pair in pairs)


def _count(run: Run, one: Kept, jobs: Sequence[Job] | None = None) -> None:
    for side in SIDES:
        if jobs is None:
            run.counts[f"update_{side}"] += bool(one.decision.values[side])
            run.counts[f"link_{side}"] += sum(len(add) + len(gone) for add, gone in one.decision.links[side].values())
            continue
        for job in jobs:
            if job.side == side and job.done:
                run.counts[f"{job.intent.op}_{side}"] += 1
            elif job.side == side and job.error is not None:
                run.counts["unknown" if job.unknown else "failed"] += 1
