"""Whose turn it is among those who are available: settings, state, load -> user, new state."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from leads.assignment_settings import AssignUser, Strategy
from leads.assignment_state import PoolState


def pick(
    strategy: Strategy,
    users: Sequence[AssignUser],
    available: Sequence[str],
    pool: PoolState,
    load: Mapping[str, int],
) -> tuple[str, PoolState]:
    """The chosen one of `available` (not empty, in the order of `users`), and the queue after that turn.

    `users` are all of the queue, so that the turn of somebody absent is passed on and not lost;
    `load` is by the name that the settings use.
    """
    match strategy:
        case "weighted":
            return _weighted(users, available, pool)
        case "least_loaded":
            chosen = _least_loaded(users, available, pool, load)
        case "round_robin":
            chosen = _next_after(pool.last, [user.user for user in users], available)
        case _:
            chosen = available[0]
    return chosen, _took_turn(pool, chosen, users)


def _next_after(last: str, order: Sequence[str], available: Sequence[str]) -> str:
    start = order.index(last) + 1 if last in order else 0
    circle = [*order[start:], *order[:start]]
    return next(user for user in circle if user in available)


def _weighted(users: Sequence[AssignUser], available: Sequence[str], pool: PoolState) -> tuple[str, PoolState]:
    """Smooth weighted round robin (as nginx does it): 3:1 comes as A A B A, not A A A B.

    Each turn everybody gains his weight and the richest pays the sum of all; over as many turns as the
    sum of weights each is chosen exactly as often as his weight. Who is absent neither gains nor pays.
    """
    weights = {user.user: user.weight for user in users}
    current = {name: pool.current.get(name, 0) for name in weights}
    for name in available:
        current[name] += weights[name]
    chosen = max(available, key=lambda name: current[name])
    current[chosen] -= sum(weights[name] for name in available)
    return chosen, replace(_took_turn(pool, chosen, users), current=current)


def _least_loaded(
    users: Sequence[AssignUser], available: Sequence[str], pool: PoolState, load: Mapping[str, int]
) -> str:
    """Fewest leads for the weight; among equals who waited longest."""
    weights = {user.user: user.weight for user in users}
    return min(available, key=lambda name: (load.get(name, 0) / weights[name], pool.turns.get(name, 0)))


def _took_turn(pool: PoolState, chosen: str, users: Sequence[AssignUser]) -> PoolState:
    count = pool.count + 1
    known = {user.user for user in users}  # who left the settings is forgotten
    turns = {name: turn for name, turn in pool.turns.items() if name in known}
    return replace(pool, last=chosen, count=count, turns={**turns, chosen: count})


def update_capped(
    users: Sequence[AssignUser], cap: int | None, resume_below: int | None, pool: PoolState, load: Mapping[str, int]
) -> PoolState:
    """Who is over the cap now: in at `cap`, out only below `resume_below`, between the two as before."""
    capped = set()
    for user in users:
        limit = user.cap if user.cap is not None else cap
        if limit is None:
            continue
        resume = user.resume_below or (resume_below if user.cap is None else None) or max(1, limit * 3 // 4)
        has = load.get(user.user, 0)
        if has >= limit or (user.user in pool.capped and has >= min(resume, limit)):
            capped.add(user.user)
    return replace(pool, capped=frozenset(capped))
