"""`leadhub user` and `leadhub token` as an operator uses them."""

import json
from pathlib import Path

import pytest
from sqlalchemy import select
from typer.testing import CliRunner, Result

from cli.main import build
from store.engines import make_engine
from store.user_tables import t_api_token, t_user
from store.users import digest, password_matches

CONFIG = "hub: {database: 'sqlite:///leadhub.db'}\n"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG, encoding="utf-8")
    return path


def leadhub(config: Path, *words: str, given: str = "") -> Result:
    return CliRunner().invoke(build(), [*words, "--config", str(config)], input=given)


def rows(config: Path, table: object) -> list[object]:
    engine = make_engine(f"sqlite:///{config.parent / 'leadhub.db'}", writer=False)
    with engine.connect() as conn:
        found = list(conn.execute(select(table)))  # type: ignore[call-overload]  # a table
    engine.dispose()
    return found


def add(config: Path, login: str = "anna", password: str = "correct horse") -> Result:
    return leadhub(config, "user", "add", login, "--password-stdin", given=f"{password}\n")


def message(result: Result) -> str:
    return str(getattr(result.exception, "message", result.exception))


def test_a_user_is_kept_with_an_argon2id_hash_under_one_spelling(config: Path) -> None:
    assert add(config, "Anna").exit_code == 0
    (user,) = rows(config, t_user)
    assert user.login == "anna"  # type: ignore[attr-defined]
    assert user.password.startswith("$argon2id$")  # type: ignore[attr-defined]
    assert password_matches(user.password, "correct horse")  # type: ignore[attr-defined]
    assert not password_matches(user.password, "correct horse ")  # type: ignore[attr-defined]


def test_the_same_login_is_refused_in_any_spelling(config: Path) -> None:
    add(config)
    again = add(config, "ANNA")
    assert "there is a user anna already" in message(again)


@pytest.mark.parametrize(
    ("login", "password", "why"),
    [("anna", "short", "too short"), ("anna", "x" * 1001, "too long"), ("anna b", "correct horse", "letters")],
)
def test_bad_logins_and_passwords_are_refused(config: Path, login: str, password: str, why: str) -> None:
    assert why in message(add(config, login, password))
    assert leadhub(config, "user", "list").stdout.startswith("Nobody")


def test_a_new_password_ends_all_sessions(config: Path) -> None:
    add(config)
    assert leadhub(config, "user", "passwd", "anna", "--password-stdin", given="another horse\n").exit_code == 0
    (user,) = rows(config, t_user)
    assert user.session_epoch == 1  # type: ignore[attr-defined]
    assert password_matches(user.password, "another horse")  # type: ignore[attr-defined]
    assert "there is no user oleg" in message(
        leadhub(config, "user", "passwd", "oleg", "--password-stdin", given="another horse\n")
    )


def test_without_a_terminal_and_without_the_option_no_password_is_waited_for(config: Path) -> None:
    assert "nobody can be asked" in message(leadhub(config, "user", "add", "anna", given="correct horse\n"))
    assert "no password on standard input" in message(leadhub(config, "user", "add", "anna", "--password-stdin"))


def test_users_are_listed_and_removed(config: Path) -> None:
    add(config)
    add(config, "oleg")
    listed = json.loads(leadhub(config, "user", "list", "--json").stdout)
    assert [one["login"] for one in listed] == ["anna", "oleg"]
    assert leadhub(config, "user", "remove", "anna").exit_code == 0
    assert leadhub(config, "user", "list").stdout.startswith("oleg")
    assert "there is no user anna" in message(leadhub(config, "user", "remove", "anna"))


def test_a_token_is_shown_once_and_kept_as_a_digest(config: Path) -> None:
    token = leadhub(config, "token", "create", "bi").stdout.strip()
    (row,) = rows(config, t_api_token)
    assert row.digest == digest(token)  # type: ignore[attr-defined]
    assert token not in str(row)
    listed = leadhub(config, "token", "list").stdout
    assert listed.startswith("bi ")
    assert "never" in listed
    assert token not in listed
    assert "there is a token bi already" in message(leadhub(config, "token", "create", "bi"))
    assert leadhub(config, "token", "revoke", "bi").exit_code == 0
    assert rows(config, t_api_token) == []
    assert "there is no token bi" in message(leadhub(config, "token", "revoke", "bi"))
