"""A move between two connections as syncs: one for each kind of record, firms first, so that links find their ends."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from connectors.records import RecordObject
from connectors.registry import CONNECTORS
from jobs.config.loading import Settings
from jobs.config.syncs import SyncSettings
from jobs.sync.opening import CannotSync
from leads.merge import Side
from mappings.problems import allowed, nearest

OBJECTS: Final[tuple[RecordObject, ...]] = ("company", "contact", "deal")


@dataclass(frozen=True, slots=True)
class Step:
    """One kind of record, moved by the sync of that name. `own`: made for this move, not configured by somebody."""

    object: RecordObject
    sync: str
    source: Side = "left"
    own: bool = True


@dataclass(frozen=True, slots=True)
class Move:
    """`settings` are the hub's with only the syncs of this move. `sample`: records of a kind, 0 for all.
    `leads_synced`: a sync of the configuration keeps the leads of both equal already."""

    settings: Settings
    source: str
    target: str
    steps: tuple[Step, ...]
    sample: int = 0
    leads_synced: bool = False

    @property
    def name(self) -> str:
        return f"{self.source}-{self.target}"

    def dictionary(self, about: RecordObject) -> Path:
        """The file with which fields go where. Only steps of our own have one."""
        return self.settings.base_dir / "mappings" / "sync" / f"{dictionary_name(self.source, self.target, about)}.yaml"


def dictionary_name(source: str, target: str, about: str) -> str:
    return f"migrate-{source}-{target}-{about}"


def plan_move(settings: Settings, source: str, target: str, sample: int = 0) -> Move:
    """Raises CannotSync, in words for people."""
    for name in (source, target):
        if name not in settings.connections:
            defined = ", ".join(settings.connections)
            near = f" Может быть, {meant}?" if (meant := nearest(name, settings.connections)) else ""
            raise CannotSync(
                f'connection "{name}" is not defined; {allowed(name, settings.connections, "defined")}',
                f"подключения «{name}» нет; есть: {defined}.{near}",
            )
        connector = CONNECTORS[settings.connections[name].type]
        if connector.records is None:
            title = connector.title
            raise CannotSync(f'records of {title} "{name}" cannot be read', f"записи {title} «{name}» прочитать нельзя")
    if source == target:
        raise CannotSync(f'"{source}" is both the old and the new CRM', f"«{source}» — и прежняя, и новая CRM")
    syncs: dict[str, SyncSettings] = {}
    steps = []
    for about in OBJECTS:
        step, chosen = _step(settings.syncs, source, target, about)
        steps.append(step)
        syncs[step.sync] = chosen
    synced = any(one.object == "lead" and {one.left, one.right} == {source, target} for one in settings.syncs.values())
    return Move(replace(settings, syncs=syncs), source, target, tuple(steps), sample, synced)


def _step(
    syncs: Mapping[str, SyncSettings], source: str, target: str, about: RecordObject
) -> tuple[Step, SyncSettings]:
    """What is synced already goes on by that sync, which knows the pairs; two that know nothing of each other would
    make everything twice."""
    ends = {source, target}
    there = [name for name, one in syncs.items() if one.object == about and {one.left, one.right} == ends]
    if len(there) > 1:
        names = ", ".join(there)
        raise CannotSync(
            f"several syncs keep the same {about} records of {source} and {target}: {names}; leave one",
            f"записи {about} из {source} и {target} ведут сразу несколько синхронизаций: {names}; оставьте одну",
        )
    if not there:
        name = dictionary_name(source, target, about)
        raw = {"left": source, "right": target, "object": about, "direction": "left_to_right", "mapping": name}
        return Step(about, name), SyncSettings.model_validate(raw)
    name, chosen = there[0], syncs[there[0]]
    side: Side = "left" if chosen.left == source else "right"
    way = "left_to_right" if side == "left" else "right_to_left"
    if chosen.direction != way:
        raise CannotSync(
            f'the sync "{name}" also writes {about} records into "{source}", and a move leaves the old CRM as it is; '
            f"for the move set direction: {way} in it",
            f"синхронизация «{name}» пишет записи {about} и в «{source}», а переезд прежнюю CRM не трогает; "
            f"на время переезда укажите в ней direction: {way}",
        )
    changes = {"create": True, "deletions": "ignore", "shadow": False}
    return Step(about, name, side, own=False), chosen.model_copy(update=changes)
