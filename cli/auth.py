"""`leadhub auth`: sign in to a CRM by OAuth."""

import sys
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from cli.frame import CannotRun, ConfigOption, load_settings, not_fine, say, warn

if TYPE_CHECKING:
    from cli.words import Words
    from jobs.config.loading import Settings
    from jobs.signing_in import SignedIn
    from store.db import Database

Connection = Annotated[str, typer.Argument(metavar="CONNECTION", show_default=False)]


def register(app: typer.Typer) -> None:
    @app.command()
    def auth(
        connection: Connection,
        code: Annotated[
            str, typer.Option(metavar="CODE", show_default=False, help="The code, or the whole address with it.")
        ] = "",
        config: ConfigOption = None,
    ) -> None:
        """Sign in to a CRM by OAuth: prints the link, takes the code, stores the tokens encrypted."""
        settings = load_settings(config)
        known_connection(settings, connection)
        _auth(settings, connection, code)


def known_connection(settings: "Settings", name: str) -> None:
    """Raises CannotRun for a name that is not in the configuration."""
    from cli.words import Words

    if name not in settings.connections:
        words = Words.of(settings)
        none = words(f'connection "{name}" is not defined', f"подключения «{name}» нет")
        raise CannotRun(none, words.near(name, settings.connections))


def _auth(settings: "Settings", name: str, given: str) -> None:
    from cli.opened import with_database
    from cli.words import Words
    from connectors.errors import AuthError, ConnectorError
    from jobs import signing_in
    from leads.clock import SystemClock

    words = Words.of(settings)
    try:
        link, state = signing_in.begin(settings, name)
        if given:
            state = ""
        else:
            say(
                words(
                    f"Open this as an administrator of {words.crm(name)}:",
                    f"Откройте под администратором {words.crm(name)}:",
                )
            )
            say(f"\n  {link}\n")
            given = _asked(
                words(
                    "Paste the code, or the whole address that opened",
                    "Вставьте код или весь адрес открывшейся страницы",
                ),
                words,
            )
        code, extra = signing_in.read_answer(given, state)
    except signing_in.CannotSignIn as problem:
        raise CannotRun(problem.said(settings.hub.locale)) from problem

    async def work(db: "Database") -> "SignedIn":
        return await signing_in.finish(settings, name, db, SystemClock(), code, extra)

    try:
        done = with_database(settings, work, make=True)
    except AuthError as error:
        warn(f"leadhub: {words.crm(name)}: {error}")
        warn(
            words(
                "    A code works once and for a short time: run the command again.",
                "    Код действует один раз и недолго: запустите команду снова.",
            )
        )
        raise not_fine() from error
    except ConnectorError as error:
        warn(f"leadhub: {words.crm(name)}: {words.cause(str(error))} ({error})")
        raise not_fine() from error
    _tell(settings, name, done)


def _asked(question: str, words: "Words") -> str:
    if sys.stdin.isatty():
        return str(typer.prompt(question))
    say(f"{question}:")
    answer = sys.stdin.readline().strip()
    if not answer:
        give = words("paste it, or give it with --code", "вставьте его или передайте через --code")
        raise CannotRun(words("no code was given", "код не указан"), give)
    return answer


def _tell(settings: "Settings", name: str, done: "SignedIn") -> None:
    from cli.words import Words

    words = Words.of(settings)
    account = f" ({done.account})" if done.account else ""
    text = words(
        f"Signed in to {words.crm(name)}{account}; the token works.",
        f"Вход в {words.crm(name)}{account} выполнен, токен работает.",
    )
    if done.until is not None:
        until = words.time(done.until, datetime.now(settings.hub.zone))
        text += words(f" It is valid until {until}", f" Действует до {until}")
        text += words(" and renewed by the hub.", ", хаб обновляет его сам.") if done.renewable else "."
    say(text)
