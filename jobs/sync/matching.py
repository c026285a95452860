"""Which records of the two sides are the same: decided by their keys, or left to a person; never guessed. Pure."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from leads.merge import Side

Node = tuple[str, str]
"""(side, record id)"""


@dataclass(frozen=True, slots=True)
class Group:
    """Records that share keys, directly or through others. `taken` have a partner already."""

    free: frozenset[Node]
    taken: frozenset[Node] = frozenset()

    def ids(self, side: Side) -> tuple[str, ...]:
        """Of all, in order."""
        return tuple(sorted((id for one, id in self.free | self.taken if one == side), key=_by_number))


@dataclass(slots=True)
class Matches:
    """`pairs` (left id, right id); `alone`: nobody on the other side has a key of theirs; `unclear`: for a person."""

    pairs: list[tuple[str, str]] = field(default_factory=list)
    alone: list[Group] = field(default_factory=list)
    unclear: list[Group] = field(default_factory=list)


def match(keys: Mapping[Node, Collection[str]], taken: Collection[Node], strong: Collection[str]) -> Matches:
    """`keys` of all living records of some groups; `strong`: kinds of keys that nobody shares by chance.

    A strong key that exactly one free record of each side has decides. All else must be without contradiction: one
    free record of each side in the group, and none that has a partner.
    """
    found = Matches()
    busy = set(taken)
    for key, nodes in sorted(_by_key(keys).items()):
        if key.partition(":")[0] not in strong:
            continue
        left, right = _of("left", nodes), _of("right", nodes)
        if len(left) == len(right) == 1 and not (left | right) & busy:
            found.pairs.append((next(iter(left))[1], next(iter(right))[1]))
            busy |= left | right
    for group in groups(keys, busy):
        _decide(group, found)
    return found


def _decide(group: Group, found: Matches) -> None:
    left, right = _of("left", group.free), _of("right", group.free)
    if not group.free:
        return
    if group.taken:
        found.unclear.append(group)
    elif not left or not right:
        found.alone.append(group)
    elif len(left) == len(right) == 1:
        found.pairs.append((next(iter(left))[1], next(iter(right))[1]))
    else:
        found.unclear.append(group)


def groups(keys: Mapping[Node, Collection[str]], taken: Collection[Node]) -> list[Group]:
    """The records that hang together by their keys."""
    by_key = _by_key(keys)
    seen: set[Node] = set()
    found = []
    for start in sorted(keys):
        if start in seen:
            continue
        group, open_ = {start}, [start]
        while open_:
            for key in keys[open_.pop()]:
                new = by_key[key] - group
                group |= new
                open_ += sorted(new)
        seen |= group
        busy = frozenset(group & set(taken))
        found.append(Group(frozenset(group) - busy, busy))
    return found


def _by_key(keys: Mapping[Node, Collection[str]]) -> dict[str, set[Node]]:
    found: dict[str, set[Node]] = defaultdict(set)
    for node, some in keys.items():
        for key in some:
            found[key].add(node)
    return found


def _of(side: Side, nodes: Collection[Node]) -> set[Node]:
    return {node for node in nodes if node[0] == side}


def _by_number(id: str) -> tuple[int, str]:
    return (int(id) if id.isascii() and id.isdigit() else 0, id)
