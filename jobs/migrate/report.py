"""What a move came to, as plain data: for `--json`, for the file and for people."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from connectors.histories import PARTS
from jobs.migrate.comparing import SHOWN, Tally
from jobs.migrate.history import HistoryTally
from jobs.migrate.leads import LeadTally
from jobs.migrate.moving import Moved
from jobs.migrate.once import Besides
from jobs.migrate.opening import Ready
from jobs.sync.status import issue_json
from store import sync_log


def plan_json(ready: Ready, tallies: Sequence[Tally]) -> dict[str, Any]:
    """What there is to move, and what the dictionary makes of it."""
    return {**_head(ready), "moved": False, "dictionary": dictionary_json(ready), "objects": _objects(tallies)}


async def issues_of(ready: Ready) -> list[dict[str, Any]]:
    """What a person has to decide, or should know, before the move is complete."""
    found: list[dict[str, Any]] = []
    for step in ready.move.steps:
        rows = await ready.db.read(sync_log.issues, sync=step.sync)
        chosen = ready.move.settings.syncs[step.sync]
        found += [
            {**issue_json(row), "object": step.object, "ends": {"left": chosen.left, "right": chosen.right}}
            for row in rows
        ]
    return found


def report_json(
    ready: Ready,
    passes: Sequence[Moved],
    tallies: Sequence[Tally],
    issues: Sequence[dict[str, Any]],
    histories: Sequence[HistoryTally] = (),
    leads: LeadTally | None = None,
) -> dict[str, Any]:
    """`differences`: how many things are not as they should be; 0 when the move is complete."""
    objects = _objects(tallies)
    finished = all(one.result.state == "done" for one in passes) and len(passes) == len(ready.move.steps)
    besides: list[Besides] = [*histories, *([leads] if leads else [])]
    finished = finished and all(one.finished for one in besides)
    absent = sum(sides.absent for one in histories for sides in one.kinds.values())
    return {
        **_head(ready),
        "moved": True,
        "finished": finished,
        "differences": sum(sum(one.found.values()) for one in tallies) + absent + (leads.refused if leads else 0),
        "passes": [
            {
                "object": one.step.object,
                "sync": one.step.sync,
                "state": one.result.state,
                "error": one.result.error,
                "counts": dict(one.result.counts),
            }
            for one in passes
        ],
        "dictionary": dictionary_json(ready),
        "objects": objects,
        "history": {one.object: _history(one) for one in histories},
        "leads": None if leads is None else asdict(leads),
        "issues": list(issues),
    }


def dictionary_json(ready: Ready) -> dict[str, Any]:
    """By kind of record: the file, and what was proposed, when this move has one of its own."""
    found: dict[str, Any] = {}
    for step in ready.move.steps:
        if not step.own:
            found[step.object] = {"sync": step.sync}
            continue
        proposal, path = ready.proposals[step.object], ready.move.dictionary(step.object)
        found[step.object] = {
            "file": str(path.relative_to(ready.move.settings.base_dir)),
            "new": path in ready.made,
            "fields": len(ready.sync(step).mapping.pairs),
            "stages": [{"old": row.left, "new": row.right, "by": row.how} for row in proposal.stages],
            "users_by_name": [{"old": old, "new": new} for old, new in proposal.users],
            "users_not_found": list(proposal.users_without),
            "fields_without": [name for name, _ in proposal.without],
            "created_at_kept": any(pair.left.key == "created_at" for pair in ready.sync(step).mapping.pairs),
        }
    return found


def _history(one: HistoryTally) -> dict[str, Any]:
    found = asdict(one)
    del found["object"]
    return found


def _not_moved(ready: Ready) -> tuple[str, ...]:
    """Of the history what the old CRM does not give, all of it where it cannot be read; and the contents of files."""
    refused = PARTS if ready.histories is None else ready.histories.given.refused
    return (*(part for part in PARTS if part in refused), *(() if "files" in refused else ("contents of files",)))


def _head(ready: Ready) -> dict[str, Any]:
    move = ready.move
    return {
        "from": move.source,
        "to": move.target,
        "sample": move.sample,
        "at": ready.clock.now().isoformat(),
        "not_moved": [*_not_moved(ready), *(["leads"] if ready.leads_stay else [])],
        "old_leads": ready.old_leads,
        "leads_left": ready.old_leads if ready.leads_stay else 0,
        "history_moves": ready.histories is not None,
    }


def _objects(tallies: Sequence[Tally]) -> dict[str, Any]:
    return {one.object: _tally(one) for one in tallies}


def _tally(one: Tally) -> dict[str, Any]:
    return {
        "old": one.old,
        "there": one.there,
        "new_total": one.new_total,
        "filtered": one.filtered,
        "found": one.found,
        "absent": dict(one.absent),
        "absent_examples": one.absent_ids,
        "stages": [
            {"old": old, "new": new, "records": count, "there": there}
            for (old, new), (count, there) in sorted(one.stages.items())
        ],
        "sums": [
            {"currency": currency, "old": str(money.old), "expected": str(money.expected), "new": str(money.new)}
            for currency, money in sorted(one.money.items())
        ],
        "keeps_currency": one.keeps_currency,
        "links": {"old": one.links, "there": one.links_there, "orphans": one.orphan_count, "examples": one.orphans},
        "unmapped": [
            {"field": name, "value": value, "records": count}
            for (name, value), count in one.unmapped.most_common(SHOWN)
        ],
        "left_behind": [{"field": name, "records": count} for name, count in one.left_behind.most_common(SHOWN)],
        "fields": {
            "compared": one.fields_compared,
            "different": dict(one.differences),
            "kept": dict(one.kept),
            "examples": one.examples,
        },
    }
