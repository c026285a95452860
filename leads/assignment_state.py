"""Where each queue of people stands: what makes a round robin fair over restarts and workers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class PoolState:
    """One queue. Users are named as the settings name them, so that a CRM that cannot be asked changes nothing.

    `last`: who had the last turn. `current`: running weights of the smooth weighted round robin.
    `turns`: number of the last turn of each, out of `count`. `capped`: who is over the cap and not yet below again.
    """

    last: str = ""
    count: int = 0
    current: Mapping[str, int] = field(default_factory=dict)
    turns: Mapping[str, int] = field(default_factory=dict)
    capped: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class AssignState:
    """All queues of one `assign:`; the key is the path of rules, "" where there are none."""

    pools: Mapping[str, PoolState] = field(default_factory=dict)

    def pool(self, path: str) -> PoolState:
        return self.pools.get(path, PoolState())

    def with_pool(self, path: str, pool: PoolState) -> "AssignState":
        return AssignState({**self.pools, path: pool})


def state_to_json(state: AssignState) -> dict[str, Any]:
    return {
        "pools": {
            path: {
                "last": pool.last,
                "count": pool.count,
                "current": dict(pool.current),
                "turns": dict(pool.turns),
                "capped": sorted(pool.capped),
            }
            for path, pool in state.pools.items()
        }
    }


def state_from_json(data: Mapping[str, Any]) -> AssignState:
    """`{}` is the beginning. A part that is missing is as at the beginning."""
    return AssignState(
        {
            path: PoolState(
                last=str(pool.get("last", "")),
                count=int(pool.get("count", 0)),
                current={user: int(value) for user, value in pool.get("current", {}).items()},
                turns={user: int(value) for user, value in pool.get("turns", {}).items()},
                capped=frozenset(pool.get("capped", ())),
            )
            for path, pool in data.get("pools", {}).items()
        }
    )
