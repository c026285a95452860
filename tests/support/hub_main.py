"""`leadhub serve` with what a test may replace: the clock, the pace of leases, the waits of the vendors' recipes.

`python -m tests.support.hub_main OPTIONS` runs one, OPTIONS being the JSON of `Options`.
Everything else is as in `cli.serve`: own process, real sockets, real signals.
"""

import ctypes
import json
import os
import signal
import sys
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import uvloop

from connectors.base import Capabilities, Connector
from connectors.registry import CONNECTORS
from jobs import logs
from jobs.app import build_hub
from jobs.checkpoints import HOLD_AT, from_environment
from jobs.config.loading import Settings, load
from jobs.hub import ROLES
from jobs.pace import Pace
from jobs.serving import bind, listen, run
from leads.clock import Clock, SystemClock
from store import admin
from store.db import GroupCommitDatabase, StoreUnavailable
from tests.support.moved_clock import MovedClock
from web.app import WebApp

READY = "ready"
PR_SET_PDEATHSIG = 1

QUICK = {"lease_ttl_s": 1.5, "renew_s": 0.4, "contend_s": 0.1, "idle_s": 0.5, "look_s": 0.5, "clock_s": 0.2}
"""A pace at which a dead owner is missed after a second and a half."""


@dataclass(frozen=True, slots=True)
class Options:
    """`look_factor` shortens the waits of the look-up recipes; `pace` replaces values of `jobs.pace.Pace`.

    `clock_file` moves the clock (see MovedClock); `hold_at` is a point of `jobs.checkpoints` to stop at.
    """

    config: str
    roles: tuple[str, ...] = ROLES
    look_factor: float = 1.0
    pace: dict[str, float] = field(default_factory=dict)
    clock_file: str = ""
    hold_at: str = ""

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Options":
        data: dict[str, Any] = json.loads(text)
        return cls(**{**data, "roles": tuple(data["roles"])})


def serve(options: Options) -> None:
    """Until SIGTERM. Says `ready` on its output when it answers."""
    os.environ[HOLD_AT] = options.hold_at
    logs.set_up(json_lines=True)
    settings = load(Path(options.config), {})
    clock = MovedClock(Path(options.clock_file)) if options.clock_file else SystemClock()
    try:
        admin.upgrade(settings.database_url)
    except StoreUnavailable:
        if "web" not in options.roles:
            raise
    uvloop.run(_run(settings, options, clock))


async def _run(settings: Settings, options: Options, clock: Clock) -> None:
    servers = []
    bound = bind(*settings.hub.address) if "web" in options.roles else None
    hub = build_hub(
        settings,
        clock=clock,
        db=GroupCommitDatabase(settings.database_url),
        checkpoint=from_environment(),
        pace=Pace(**options.pace),
        crms={name: _quicker(one, options.look_factor) for name, one in CONNECTORS.items()},
    )
    hub.listens = True
    hub.spool.open()
    if bound is not None:
        servers.append(listen(WebApp(hub), bound))
    await run(hub, options.roles, servers, started=lambda: print(READY, flush=True))


def _quicker(connector: Connector, factor: float) -> Connector:
    def capabilities(settings: Any) -> Capabilities:
        declared = connector.capabilities(settings)
        return replace(declared, look_again_s=tuple(delay * factor for delay in declared.look_again_s))

    return replace(connector, capabilities=capabilities)


def die_with_parent() -> None:
    """However the one who started us ends, we do not stay behind."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def main() -> None:
    die_with_parent()
    serve(Options.from_json(sys.argv[1]))


if __name__ == "__main__":
    main()
