"""Does a CRM know the users and stages that the sources name: who answers calls, where a payment moves a deal?"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial

from connectors.paying import PaymentSettings, StageChange
from connectors.pbx import PbxSettings
from jobs.config.check import ANY
from jobs.config.errors import Problem, YamlPath, choices, quote
from jobs.config.loading import Settings
from jobs.delivery.resolve import Directory
from leads.assignment import resolve_user

Said = tuple[str, Problem]
"""The connection that does not know a name, and what to say of it."""


def check_sources(settings: Settings, directories: Mapping[str, Directory], where: Mapping[str, str]) -> Iterator[Said]:
    """What no connection knows that it may be meant for.

    One source serves several CRMs, and a colleague or a stage need not be in all of them: a name that one CRM has is
    right, and one that might be in a CRM that could not be read is not judged. `directories`: of all connections.
    `where`: connection -> like `in amoCRM "sales" (checked live, 14:02)`.
    """
    for source, configured in settings.sources.items():
        path: YamlPath = ("sources", source)
        if isinstance(configured.settings, PbxSettings):
            reached = {name: directories[name] for name in _reached(settings, source)}
            for extension, user in configured.settings.extensions.items():
                place = (*path, "extensions", extension)
                yield from _unknown(settings, place, reached, where, partial(_user, user))
        if isinstance(configured.settings, PaymentSettings):
            for index, change in enumerate(configured.settings.payments.stages):
                place = (*path, "payments", "stages", index)
                meant = {change.connection: directories[change.connection]} if change.connection else directories
                yield from _unknown(settings, place, meant, where, partial(_stage, change))


def _reached(settings: Settings, source: str) -> list[str]:
    """The connections that some route takes this source's leads to."""
    takes = [route for route in settings.routes if ANY in route.from_ or source in route.from_]
    return list(dict.fromkeys(name for route in takes for name in route.to))


def _unknown(
    settings: Settings,
    place: YamlPath,
    directories: Mapping[str, Directory],
    where: Mapping[str, str],
    missing: Callable[[Directory], tuple[str, str, str] | None],
) -> Iterator[Said]:
    """`missing`: key below `place`, what is wrong, a hint; None where the CRM knows it."""
    found = {name: missing(directory) for name, directory in directories.items()}
    if None in found.values():
        return
    for name, wrong in found.items():
        if wrong is not None:
            key, message, hint = wrong
            here = (*place, key) if key else place
            yield name, settings.document.problem(here, f"{message} {where[name]}", hint)


def _user(ref: str, known: Directory) -> tuple[str, str, str] | None:
    if known.users is None:
        return None
    user = resolve_user(ref, known.users)
    if user is None:
        names = [one.name for one in known.users if one.active]
        return "", f"no user {quote(ref)}", choices(ref, names, "active")
    return None if user.active else ("", f"the user {quote(ref)} is not active", "")


def _stage(change: StageChange, known: Directory) -> tuple[str, str, str] | None:
    if known.pipelines is None:
        return None
    pipeline = known.pipeline(change.pipeline) if change.pipeline else None
    if change.pipeline and pipeline is None:
        names = [one.name for one in known.pipelines]
        return "pipeline", f"no pipeline {quote(change.pipeline)}", choices(change.pipeline, names, "there are")
    places = (pipeline,) if pipeline else known.pipelines
    if known.stage(places, change.stage) is not None:
        return None
    names = list(dict.fromkeys(one.name for place in places for one in place.stages))
    return "stage", f"no stage {quote(change.stage)}", choices(change.stage, names, "there are")
