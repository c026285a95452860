"""Do both CRMs of each sync have the fields, choices, stages and users that its mapping names?"""

from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from connectors.base import Opening
from connectors.errors import ConnectorError
from connectors.registry import CONNECTORS
from connectors.tokens import TokenStore
from jobs.config.errors import Problem
from jobs.config.loading import Settings
from jobs.live_check import Checked
from jobs.opening import opened, patiently
from jobs.sync.departures import op_of, why_not
from jobs.sync.model import SIDES, Sync
from jobs.sync.opening import CannotSync, Opened, read_sync
from leads.clock import Clock
from leads.merge import Side
from mappings.live_names import unknown_names, unread_labels
from mappings.problems import MappingError


async def check_syncs(
    settings: Settings, clock: Clock, tokens: Callable[[str], TokenStore], transport: Any = None
) -> list[Checked]:
    """Opens both sides of each and reads only. `connection` of a result is the sync's name, its `type` is "sync"."""
    return [await _check(settings, name, clock, tokens, transport) for name in settings.syncs]


async def _check(
    settings: Settings, name: str, clock: Clock, tokens: Callable[[str], TokenStore], transport: Any
) -> Checked:
    wanted = settings.syncs[name]
    async with AsyncExitStack() as stack:
        ends: dict[str, Opened] = {}
        for one in (wanted.left, wanted.right):
            configured = settings.connections[one]
            connector = CONNECTORS[configured.type]
            opening = Opening(one, configured.settings, clock, tokens(one), transport)
            target = await stack.enter_async_context(opened(configured.type, opening))
            ends[one] = Opened(one, connector, target, configured.settings)
        try:
            sync = await patiently(lambda: read_sync(settings, name, ends), clock)
        except MappingError as error:
            return Checked(name, "sync", "the mapping does not fit", tuple(_placed(settings, error.problems)))
        except CannotSync as error:
            problem = settings.document.problem(("syncs", name, "object"), str(error))
            return Checked(name, "sync", "cannot run", (problem,))
        except ConnectorError as error:
            return Checked(name, "sync", f"not checked: {error}")
    problems = [*_placed(settings, unknown_names(sync.mapping)), *_conditions(settings, sync)]
    unread = [end.title for end in (sync.left, sync.right) if end.account.fields is None]
    summary = f"the mapping fits, {len(sync.mapping.pairs)} fields" if not problems else "the mapping does not fit"
    if unread:
        summary += f"; fields could not be read and were not checked: {', '.join(unread)}"
    for side in _unable(sync):
        summary += f"; {why_not(sync, side)}, and partners there stay and are told"
    return Checked(name, "sync", summary, tuple(dict.fromkeys(problems)))


def _unable(sync: Sync) -> list[Side]:
    """Sides whose CRM cannot do what `deletions` says."""
    if sync.settings.deletions == "ignore":
        return []
    return [side for side in SIDES if sync.goes(side) and op_of(sync, side) is None]


def _placed(settings: Settings, problems: Any) -> Iterator[Problem]:
    shown = Path(settings.document.file).parent
    return (replace(one, file=str(shown / one.file)) for one in problems)


def _conditions(settings: Settings, sync: Sync) -> Iterator[Problem]:
    """Fields that `left_when` and `right_when` read."""
    for side in SIDES:
        text = getattr(settings.syncs[sync.name], f"{side}_when") or ""
        for message, hint in unread_labels(text, side, sync.end(side).account):
            yield settings.document.problem(("syncs", sync.name, f"{side}_when"), message, hint)
