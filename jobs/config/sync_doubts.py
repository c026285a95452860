"""What is allowed in syncs and hardly meant."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from jobs.config.syncs import SyncSettings
from mappings.problems import Problem
from mappings.records import RecordMapping, load_record_mapping

if TYPE_CHECKING:
    from jobs.config.loading import Settings

Doubt = Callable[..., Problem]


def doubts_of_syncs(settings: "Settings", problem: Doubt) -> Iterator[Problem]:
    """`problem` makes one of a path in config.yaml, a message and a hint."""
    before: dict[tuple[frozenset[str], str], str] = {}
    for name, sync in settings.syncs.items():
        left, right = (settings.connections[side] for side in (sync.left, sync.right))
        mapping = load_record_mapping(
            left.type, right.type, sync.object, settings.base_dir / "mappings", name=sync.mapping
        )
        if left == right:
            hint = "both connections have the same settings: each record would be its own double"
            yield problem(("syncs", name), "left and right are the same account", hint, key=True)
        first = before.setdefault((frozenset((sync.left, sync.right)), sync.object), name)
        if first != name and not (_of_some(sync) and _of_some(settings.syncs[first])):
            hint = (
                "each would make what the other one makes: keep one, or part their records by left_when and right_when"
            )
            yield problem(("syncs", name), f'keeps the same {sync.object} records as "{first}"', hint, key=True)
        if sync.object in ("contact", "company") and sync.create and not mapping.match:
            hint = "name in its match: the fields by which both CRMs' records are known, such as phones and emails"
            yield problem(("syncs", name), "would make a second time what both CRMs have already", hint, key=True)
        yield from _never_carried(name, sync, mapping)


def _of_some(sync: SyncSettings) -> bool:
    return bool(sync.left_when or sync.right_when)


def _never_carried(name: str, sync: SyncSettings, mapping: RecordMapping) -> Iterator[Problem]:
    """Fields that go one way in a sync that goes the other."""
    for pair in mapping.pairs:
        if "both" not in (sync.direction, pair.direction) and sync.direction != pair.direction:
            hint = f'the sync "{name}" goes {sync.direction}'
            yield pair.place.problem(f"is never carried: its direction is {pair.direction}", hint)
