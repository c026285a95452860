"""`leadhub auth`: signing in to the sandbox CRMs by OAuth."""

import re
import sqlite3
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.cli.inside import inside
from tests.cli.sandboxes import sandboxes

CONFIG = """\
hub: {{secret_key: "a secret of the tests, long enough"}}
connections:
  amo:
    type: amocrm
    base_url: {url}/amocrm
    oauth: {{client_id: sandbox-client, client_secret: sandbox-secret, redirect_uri: "http://127.0.0.1:8080/oauth"}}
  b24:
    type: bitrix24
    base_url: {url}/bitrix24
    oauth: {{client_id: local.sandbox, client_secret: sandbox-secret, server: "{url}/bitrix24"}}
  hs:
    type: hubspot
    base_url: {url}/hubspot
    oauth: {{client_id: sandbox-client, client_secret: sandbox-secret, redirect_uri: "http://127.0.0.1:8080/oauth"}}
  fixed: {{type: amocrm, base_url: "{url}/amocrm", access_token: sandbox}}
sources:
  site: {{type: webform}}
routes:
  - {{from: [site], to: [amo, b24, hs, fixed]}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    with sandboxes() as (url, _app):
        (tmp_path / "config.yaml").write_text(CONFIG.format(url=url))
        (tmp_path / "url").write_text(url)
        yield tmp_path


def consented(folder: Path, link: str, connection: str) -> str:
    """The address to which the vendor sends a person who agrees."""
    if connection == "hs":  # the sandbox has no consent page of HubSpot's
        state = parse_qs(urlsplit(link).query)["state"][0]
        return f"http://127.0.0.1:8080/oauth?code=sandbox-code&state={state}"
    query = urlsplit(link).query
    path = {"amo": "/amocrm/oauth", "b24": "/bitrix24/oauth/authorize/"}[connection]
    answer = httpx.get(f"{(folder / 'url').read_text()}{path}?{query}", timeout=120)
    assert answer.status_code == 302
    return answer.headers["location"]


def link_of(folder: Path, connection: str) -> str:
    """A link, from a run that was given no code."""
    ran = inside("auth", connection, folder=folder)
    assert (ran.status, "no code was given" in ran.err) == (2, True)
    found = re.search(r"https?://\S+", ran.out)
    assert found
    return found[0]


@pytest.mark.parametrize("connection", ["amo", "b24", "hs"])
def test_the_code_becomes_a_stored_token_that_works(folder: Path, connection: str) -> None:
    before = inside("check", "--live", folder=folder)
    assert before.status == 1
    assert f"connections.{connection}: nobody has signed in yet\n    leadhub auth {connection}" in before.err
    assert re.search(rf"^{connection} \(\w+\): not signed in yet", before.out, re.MULTILINE)
    assert "fixed (amocrm): the token works" in before.out
    assert not (folder / "var").exists(), "a check makes nothing"
    told = f'"{connection}": nobody has signed in yet\n    leadhub auth {connection}\n'
    assert inside("setup", connection, folder=folder).err.endswith(told)
    assert inside("db", "upgrade", folder=folder).status == 0
    assert f"connections.{connection}: nobody has signed in yet" in inside("check", "--live", folder=folder).err
    address = consented(folder, link_of(folder, connection), connection)
    ran = inside("auth", connection, "--code", address, folder=folder)
    assert ran.status == 0, ran.err
    assert "the token works" in ran.out
    assert "renewed by the hub" in ran.out
    after = inside("check", "--live", folder=folder)
    assert f"connections.{connection}:" not in after.err
    assert re.search(rf"^{connection} \(\w+\): the token works", after.out, re.MULTILINE)


def test_tokens_are_encrypted_in_the_database(folder: Path) -> None:
    ran = inside("auth", "hs", "--code", "sandbox-code", folder=folder)
    assert ran.status == 0, ran.err
    [(sealed,)] = sqlite3.connect(folder / "var/leadhub.db").execute("SELECT sealed FROM token").fetchall()
    assert b"sandbox-access" not in sealed
    whole = b"".join(path.read_bytes() for path in (folder / "var").iterdir() if path.is_file())
    assert b"sandbox-access" not in whole
    assert b"sandbox-refresh" not in whole


def test_signing_in_again_when_the_key_of_the_stored_token_is_lost(folder: Path) -> None:
    code = ("auth", "hs", "--code", "sandbox-code")
    assert inside(*code, folder=folder).status == 0
    config = (folder / "config.yaml").read_text()
    (folder / "config.yaml").write_text(config.replace("a secret of the tests", "another secret of the tests"))
    assert "the stored token cannot be opened" in inside("check", "--live", folder=folder).err
    ran = inside(*code, folder=folder)
    assert (ran.status, "the token works" in ran.out) == (0, True)


def test_a_crm_that_asks_to_wait_does_not_cost_the_code(folder: Path) -> None:
    address = consented(folder, link_of(folder, "amo"), "amo")
    url = (folder / "url").read_text()
    fault = {"vendor": "amocrm", "kind": "429", "match": "POST /oauth2/access_token", "times": 1}
    httpx.post(f"{url}/_sandbox/faults", json=fault, timeout=120)
    ran = inside("auth", "amo", "--code", address, folder=folder)
    assert (ran.status, "the token works" in ran.out) == (0, True), ran.err


class Person:
    """Opens the link that was printed, agrees, and types what `change` makes of the address that opened."""

    def __init__(self, folder: Path, change: Callable[[str], str] = str) -> None:
        self._folder, self._change = folder, change

    def isatty(self) -> bool:
        return False

    def readline(self) -> str:
        link = re.search(r"https?://\S+", sys.stdout.getvalue())  # type: ignore[attr-defined]  # a StringIO
        assert link
        return f"{self._change(consented(self._folder, link[0], 'amo'))}\n"


def test_the_pasted_address_is_taken_from_the_keyboard(folder: Path) -> None:
    ran = inside("auth", "amo", folder=folder, stdin=Person(folder))
    assert ran.status == 0, ran.err
    assert "the token works" in ran.out


def test_an_answer_to_another_link_is_not_taken(folder: Path) -> None:
    other = Person(folder, lambda address: re.sub(r"state=[^&]+", "state=other", address))
    ran = inside("auth", "amo", folder=folder, stdin=other)
    assert (ran.status, "belongs to another link" in ran.err) == (2, True)


def test_a_refused_or_used_code_says_to_run_it_again(folder: Path) -> None:
    address = consented(folder, link_of(folder, "amo"), "amo")
    assert inside("auth", "amo", "--code", address, folder=folder).status == 0
    ran = inside("auth", "amo", "--code", address, folder=folder)
    assert ran.status == 1
    assert "run the command again" in ran.err
    assert parse_qs(urlsplit(address).query)["code"][0] not in ran.err


def test_a_person_who_said_no_is_told_so(folder: Path) -> None:
    ran = inside("auth", "amo", "--code", "http://127.0.0.1:8080/oauth?error=access_denied&state=x", folder=folder)
    assert (ran.status, "it was refused: access_denied" in ran.err) == (2, True)


def test_the_consent_of_another_account_is_not_taken(folder: Path) -> None:
    address = re.sub(r"referer=[^&]+", "referer=other.amocrm.ru", consented(folder, link_of(folder, "amo"), "amo"))
    ran = inside("auth", "amo", "--code", address, folder=folder)
    assert (ran.status, "another account" in ran.err) == (1, True)


def test_a_connection_without_oauth_and_one_that_is_not_there_cannot_be_signed_in_to(folder: Path) -> None:
    fixed = inside("auth", "fixed", "--code", "x", folder=folder)
    assert (fixed.status, "nothing to sign in to" in fixed.err) == (2, True)
    unknown = inside("auth", "fixd", folder=folder)
    assert (unknown.status, 'Did you mean "fixed"?' in unknown.err) == (2, True)
    assert not (folder / "var/leadhub.db").exists()


def test_what_is_refused_is_said_in_the_hubs_language(folder: Path) -> None:
    config = folder / "config.yaml"
    config.write_text(config.read_text().replace("hub: {", "hub: {locale: ru, "))
    told = {
        inside("auth", "fixed", "--code", "x", folder=folder).err,
        inside("auth", "amo", "--code", "?error=access_denied", folder=folder).err,
        inside("auth", "amo", "--code", "два слова", folder=folder).err,
        inside("auth", "amo", folder=folder).err,
    }
    assert told == {
        "leadhub: «fixed» работает с постоянным токеном или вебхуком из конфигурации: входить не во что\n",
        "leadhub: CRM отказала: access_denied\n",
        "leadhub: кода в этом нет: вставьте весь адрес открывшейся страницы или код из него\n",
        "leadhub: код не указан\n    вставьте его или передайте через --code\n",
    }
