"""Which connections a lead goes to: routes tried from the top, the first that matches is used."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from jobs.config.routes import RouteSettings
from leads.clock import Clock
from leads.records import Lead
from mappings.checker import ExpressionError
from mappings.expressions import Condition, compile_condition
from mappings.views import Facts, Hub, Named, variables

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Route:
    """A route as it is used. `name` is the configured one or "route 2", counted from 1."""

    name: str
    settings: RouteSettings
    condition: Condition | None

    def takes(self, source: str) -> bool:
        return "*" in self.settings.from_ or source in self.settings.from_


@dataclass(frozen=True, slots=True)
class Routed:
    """`route` is "" when none matched; then `why` says so."""

    route: str
    connections: tuple[str, ...]
    why: str = ""


class Router:
    """Compiled routes. A condition that fails on a lead does not match it, and says so once per lead in the log."""

    def __init__(self, routes: Sequence[RouteSettings], sources: dict[str, Named], hub: Hub, clock: Clock) -> None:
        self.routes = tuple(
            Route(
                settings.name or f"route {number}",
                settings,
                compile_condition(settings.when) if settings.when else None,
            )
            for number, settings in enumerate(routes, 1)
        )
        self._sources = sources
        self._hub = hub
        self._clock = clock

    def named(self, name: str) -> Route | None:
        return next((route for route in self.routes if route.name == name), None)

    def route(self, lead: Lead) -> Routed:
        context = None
        for route in self.routes:
            if not route.takes(lead.source):
                continue
            if route.condition is not None:
                if context is None:
                    context = variables(self._facts(lead))
                try:
                    if not route.condition(context):
                        continue
                except ExpressionError as error:
                    log.warning(
                        "route condition failed",
                        extra={
                            "event": "route.failed",
                            "lead_id": lead.id,
                            "route": route.name,
                            "error": error.message,
                        },
                    )
                    continue
            return Routed(route.name, tuple(dict.fromkeys(route.settings.to)))
        return Routed("", (), "no route matches")

    def _facts(self, lead: Lead) -> Facts:
        return Facts(
            lead=lead,
            now=self._clock.now(),
            hub=self._hub,
            source=self._sources.get(lead.source, Named(lead.source)),
            last_touch=lead.touch,
        )
