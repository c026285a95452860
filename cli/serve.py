"""`leadhub serve`: runs the hub."""

import gc
from typing import TYPE_CHECKING, Annotated

import typer

from cli.frame import CannotRun, ConfigOption, load_settings, say

SWITCH_S = 0.001
"""After each statement of the database its thread asks for the interpreter again: by default it waits 5 ms for it."""
GARBAGE_AFTER = 10_000
"""Objects made and not freed until a search for garbage: a search of the usual 700 meets leads that are being worked on
and calls them old."""

if TYPE_CHECKING:
    from jobs.config.loading import Settings
    from jobs.serving import Listening


def register(app: typer.Typer) -> None:
    @app.command()
    def serve(
        config: ConfigOption = None,
        roles: Annotated[
            str, typer.Option(metavar="LIST", help="Which parts to run here: web, worker, scheduler.")
        ] = "web,worker,scheduler",
        json_logs: Annotated[bool, typer.Option("--json-logs", help="Log as lines of JSON.")] = False,
    ) -> None:
        """Run the hub until SIGTERM or Ctrl-C; then hand back what is in flight and end."""
        gc.disable()  # nearly all that is made while starting stays; `_started` ends this
        from jobs.hub import ROLES

        wanted = tuple(role.strip() for role in roles.split(",") if role.strip())
        if not wanted or set(wanted) - set(ROLES):
            raise CannotRun(f"--roles {roles}: no such role", f"allowed: {', '.join(ROLES)}")
        settings = load_settings(config)
        _serve(settings, wanted, json_logs=json_logs)


def _serve(settings: "Settings", roles: tuple[str, ...], *, json_logs: bool) -> None:
    import sys

    import uvloop

    from jobs import logs
    from jobs.serving import CannotListen
    from store import admin
    from store.admin import UnfitDatabase
    from store.db import StoreUnavailable
    from store.spool import SpoolUnavailable

    sys.setswitchinterval(SWITCH_S)
    logs.set_up(json_lines=json_logs)
    try:
        if "web" not in roles or settings.database_url.startswith("sqlite"):
            admin.upgrade(settings.database_url)
        else:
            _upgrade_if_reachable(settings.database_url)
        uvloop.run(_run(settings, roles))
    except CannotListen as error:
        taken = "if another program or another leadhub has it, stop that; else change hub.listen (sandbox.listen)"
        raise CannotRun(str(error), taken) from error
    except (UnfitDatabase, SpoolUnavailable) as error:
        raise CannotRun(str(error)) from error
    except StoreUnavailable as error:
        raise CannotRun(
            f"the database cannot be used: {str(error).strip()}", "see hub.database in the config"
        ) from error


def _upgrade_if_reachable(url: str) -> None:
    """A web role also starts while the database is away: leads go to the spool until it is back."""
    import logging

    from leads.redact import redact
    from store import admin
    from store.db import StoreUnavailable

    try:
        admin.upgrade(url)
    except StoreUnavailable as error:
        fields = {"event": "hub.no_database", "error": redact(" ".join(str(error).split()))}
        logging.getLogger(__name__).error("starting without database", extra=fields)


async def _run(settings: "Settings", roles: tuple[str, ...]) -> None:
    from jobs.app import build_hub
    from jobs.checkpoints import from_environment
    from jobs.serving import bind, listen, run
    from leads.clock import SystemClock
    from store.db import GroupCommitDatabase
    from web.app import WebApp

    clock = SystemClock()
    servers: list[Listening] = []
    bound = bind(*settings.hub.address) if "web" in roles else None
    db = GroupCommitDatabase(settings.database_url)
    hub = build_hub(settings, clock=clock, db=db, checkpoint=from_environment())
    hub.listens = True
    hub.spool.open()
    if bound is not None:
        servers.append(listen(WebApp(hub), bound))
    sandbox = None
    if settings.sandbox is not None and "web" in roles:
        from connectors.sandbox.app import SandboxApp, default_vendors

        sandbox = SandboxApp(default_vendors(clock), clock, state_file=settings.sandbox.state_file)
        servers.append(listen(sandbox, bind(*settings.sandbox.address)))
        await sandbox.start()
    await run(hub, roles, servers, started=lambda: _started(settings, roles))
    if sandbox is not None:
        await sandbox.stop()


def _started(settings: "Settings", roles: tuple[str, ...]) -> None:
    """What is there now stays: no search for garbage looks through it again, which would stop all work for 0.1 s."""
    gc.freeze()
    gc.set_threshold(GARBAGE_AFTER, 10, 10)
    gc.enable()
    _greet(settings, roles)


def _greet(settings: "Settings", roles: tuple[str, ...]) -> None:
    """What a new user needs to see first."""
    if "web" not in roles:
        return
    host, port = settings.hub.address
    base = f"http://{_reachable(host)}:{port}"
    say(f"leadhub is ready. Console: {base}/")
    source = next((name for name, one in settings.sources.items() if one.type == "webform"), "")
    if source:
        say("Send a test lead:")
        say(f"  curl -d 'name=Ivan' -d 'phone=+7 916 123-45-67' -d 'comment=Three windows' {base}/in/{source}")
    if settings.sandbox is not None:
        sandbox_host, sandbox_port = settings.sandbox.address
        say(f"It arrives in the sandbox CRMs: http://{_reachable(sandbox_host)}:{sandbox_port}/")
    say("Stop with Ctrl-C.")


def _reachable(host: str) -> str:
    return "127.0.0.1" if host in ("0.0.0.0", "::") else f"[{host}]" if ":" in host else host  # noqa: S104  # shown, not bound
