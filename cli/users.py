"""`leadhub user` and `leadhub token`: who may look into the console, and which programs may use the API."""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from cli.frame import CannotRun, ConfigOption, JsonOption, load_settings, print_json, say

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from jobs.config.loading import Settings

Answer = TypeVar("Answer")
Login = Annotated[str, typer.Argument(metavar="LOGIN", show_default=False)]
Name = Annotated[str, typer.Argument(metavar="NAME", show_default=False)]
FromStdin = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]


def register(app: typer.Typer) -> None:
    _register_users(app)
    _register_tokens(app)


def _register_users(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True, help="Who may sign in to the console.")

    @group.command()
    def add(
        login: Login,
        password_stdin: FromStdin = False,
        locale: Annotated[str, typer.Option(help="ru or en; default: the hub's.", show_default=False)] = "",
        config: ConfigOption = None,
    ) -> None:
        """Let a person sign in. From the first user on, the console asks everybody to."""
        from leads.clock import SystemClock
        from store import users

        if locale not in ("", "ru", "en"):
            raise CannotRun(f"--locale {locale}: no such language", "allowed: ru, en")
        settings = load_settings(config)
        name = _checked(lambda: users.clean_login(login))
        _ask(settings, lambda conn: _must_be_new(conn, name))
        hashed = _checked(lambda: users.hash_password(_password(from_stdin=password_stdin)))
        _ask(settings, lambda conn: users.add_user(conn, name, hashed, SystemClock().now(), locale))
        say(f"{name} may sign in.")

    @group.command()
    def passwd(login: Login, password_stdin: FromStdin = False, config: ConfigOption = None) -> None:
        """Set a new password; it ends all sessions of the user."""
        from store import users

        settings = load_settings(config)
        name = _checked(lambda: users.clean_login(login))
        _ask(settings, lambda conn: _must_exist(conn, name))
        hashed = _checked(lambda: users.hash_password(_password(from_stdin=password_stdin)))
        _ask(settings, lambda conn: users.set_password(conn, name, hashed))
        say(f"{name} has a new password and is signed out everywhere.")

    @group.command(name="list")
    def list_(config: ConfigOption = None, as_json: JsonOption = False) -> None:
        """Show who may sign in."""
        from store import users

        found = _ask(load_settings(config), users.list_users)
        if as_json:
            print_json([{"login": one.login, "created_at": one.created_at, "locale": one.locale} for one in found])
            return
        for one in found:
            say(f"{one.login}  since {one.created_at:%Y-%m-%d}")
        if not found:
            say("Nobody. While the hub listens on this machine only, the console asks nobody to sign in.")

    @group.command()
    def remove(login: Login, config: ConfigOption = None) -> None:
        """Take a person's access away, at once."""
        from store import users

        name = _checked(lambda: users.clean_login(login))
        _ask(load_settings(config), lambda conn: users.remove_user(conn, name))
        say(f"{name} may not sign in any more.")

    app.add_typer(group, name="user")


def _register_tokens(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True, help="Tokens of programs that use the JSON API.")

    @group.command()
    def create(name: Name, config: ConfigOption = None, as_json: JsonOption = False) -> None:
        """Make a token and print it; it cannot be shown again."""
        from leads.clock import SystemClock
        from store import users

        token = _ask(load_settings(config), lambda conn: users.create_token(conn, name, SystemClock().now()))
        if as_json:
            print_json({"name": name, "token": token})
        else:
            say(token)

    @group.command(name="list")
    def list_(config: ConfigOption = None, as_json: JsonOption = False) -> None:
        """Show the tokens by name."""
        from store import users

        found = _ask(load_settings(config), users.list_tokens)
        if as_json:
            print_json([{"name": t.name, "created_at": t.created_at, "last_used_at": t.last_used_at} for t in found])
            return
        for one in found:
            used = f"{one.last_used_at:%Y-%m-%d %H:%M} UTC" if one.last_used_at else "never"
            say(f"{one.name}  since {one.created_at:%Y-%m-%d}, last used: {used}")
        if not found:
            say("No tokens. `leadhub token create NAME` makes one.")

    @group.command()
    def revoke(name: Name, config: ConfigOption = None) -> None:
        """Make a token useless, at once."""
        from store import users

        _ask(load_settings(config), lambda conn: users.revoke_token(conn, name))
        say(f"The token {name} is not accepted any more.")

    app.add_typer(group, name="token")


def _ask(settings: "Settings", work: "Callable[[Connection], Answer]") -> Answer:
    """One transaction beside a hub that may be running."""
    import asyncio

    from cli.frame import using_database
    from store import admin
    from store.db import InlineDatabase
    from store.users import UserError

    async def asked() -> Answer:
        db = InlineDatabase(settings.database_url)
        try:
            return await db.write(work)
        finally:
            await db.close()

    try:
        with using_database():
            admin.upgrade(settings.database_url)
            return asyncio.run(asked())
    except UserError as error:
        raise CannotRun(str(error)) from error


def _checked(question: Callable[[], Answer]) -> Answer:
    from store.users import UserError

    try:
        return question()
    except UserError as error:
        raise CannotRun(str(error)) from error


def _must_be_new(conn: "Connection", login: str) -> None:
    """Before the password is asked for."""
    from store import users

    if users.find_user(conn, login) is not None:
        raise users.UserError(f"there is a user {login} already; `leadhub user passwd {login}` sets a new password")


def _must_exist(conn: "Connection", login: str) -> None:
    from store import users

    if users.find_user(conn, login) is None:
        raise users.UserError(f"there is no user {login}")


def _password(*, from_stdin: bool) -> str:
    """Asked twice at a terminal; else the first line of standard input."""
    if from_stdin:
        line = sys.stdin.readline()
        if not line:
            raise CannotRun("there is no password on standard input")
        return line.rstrip("\r\n")
    if not sys.stdin.isatty():
        raise CannotRun("nobody can be asked for a password here", "give it with --password-stdin")
    password: str = typer.prompt("Password", hide_input=True, confirmation_prompt="The same again")
    return password
