"""`leadhub sources` and `leadhub source test`, beside a hub that runs."""

import json
import sqlite3
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cli.frame import CannotRun
from cli.sources import read_since
from jobs.config.loading import load
from store.inbox import Pending
from store.tables import t_audit_entry
from tests.cli.hubless import folder_with_database
from tests.cli.inside import inside
from tests.support.running_hub import RunningHub, running_hub

OLD, NEW = "tok-of-the-old-site", "tok-of-the-new-site"
SOURCES = f"""
  calls: {{type: mango, title: Линия, vpbx_api_key: key-of-mango-1, vpbx_api_salt: salt-of-mango-1}}
  forms: {{type: cf7, url_token: {OLD}}}
  quiet: {{type: telphin}}
  ads: {{type: meta, app_secret: secret-of-meta-1, verify_token: word-of-meta-1}}
"""


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    with running_hub(tmp_path_factory.mktemp("hub"), locale="en", sources=SOURCES) as running:
        yield running


@pytest.fixture
def mended(hub: RunningHub) -> Iterator[None]:
    """While this lasts, the command sees the token that the vendor uses; the hub still runs with the old one."""
    file = hub.folder / "config.yaml"
    before = file.read_text(encoding="utf-8")
    file.write_text(before.replace(OLD, NEW), encoding="utf-8")
    yield
    file.write_text(before, encoding="utf-8")


def refuse(hub: RunningHub, name: str) -> None:
    body = json.dumps({"your-name": name, "your-tel": "8 916 123-45-67"}).encode()
    asked = urllib.request.Request(f"{hub.url}/in/forms/{NEW}", body, {"content-type": "application/json"})
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(asked, timeout=120)


def test_each_source_is_shown_with_address_proofs_and_what_is_wrong(hub: RunningHub) -> None:
    hub.send("site", name="Anna", phone="8 926 765-40-21")
    fine = inside("sources", folder=hub.folder)
    assert fine.status == 0, fine.err
    assert f"{hub.url}/in/forms/***" in fine.out
    assert "calls «Линия»  Mango Office (mango)" in fine.out
    assert "checks: signature · nothing came yet · today: nothing" in fine.out
    assert "open to anybody who knows the address: set url_token" in fine.out
    assert "today: 1 lead" in fine.out
    assert fine.out.count("set page_token: without it nothing can be read") == 1
    assert OLD not in fine.out
    assert f"{hub.url}/in/forms/{OLD}" in inside("sources", "--show-secrets", folder=hub.folder).out
    found = {one["name"]: one for one in json.loads(inside("sources", "--json", folder=hub.folder).out)}
    assert found["site"]["today"]["leads"] == 1
    assert found["quiet"]["open"] is True


def test_a_source_that_only_refuses_is_not_fine_and_is_mended_by_running_again(
    hub: RunningHub, request: pytest.FixtureRequest
) -> None:
    refuse(hub, "Ivan")
    refuse(hub, "Oleg")
    told = inside("sources", folder=hub.folder)
    assert told.status == 1
    assert "! 2 × 403 since" in told.out
    assert "leadhub sources rerun forms" in told.out

    listed = json.loads(inside("sources", "refused", "forms", "--json", folder=hub.folder).out)
    assert [one["kept"] for one in listed] == [True, True]
    text = inside("sources", "refused", folder=hub.folder).out
    assert "403 the token in the address is wrong or missing  127.0.0.1" in text
    assert "8916***4567" in text
    assert NEW not in text

    again = inside("sources", "rerun", "forms", folder=hub.folder)
    assert (again.status, again.out.count("refused again")) == (1, 2)

    request.getfixturevalue("mended")
    first = listed[-1]["id"]
    one = inside("sources", "rerun", "forms", "--id", first, "--json", folder=hub.folder)
    assert one.status == 0, one.err
    assert [(each["id"], each["outcome"]) for each in json.loads(one.out)["requests"]] == [(first, "accepted")]
    unknown = inside("sources", "rerun", "forms", "--id", first, folder=hub.folder)
    assert (unknown.status, "let in already" in unknown.err) == (1, True)
    rest = inside("sources", "rerun", "forms", "--since", "1h", folder=hub.folder)
    assert (rest.status, rest.out.count("let in")) == (0, 1)
    assert "Nothing is kept" in inside("sources", "rerun", "forms", folder=hub.folder).out
    assert "× 403" not in inside("sources", folder=hub.folder).out

    leads = json.loads(inside("leads", "list", "--source", "forms", "--json", folder=hub.folder).out)
    assert sorted(lead["name"] for lead in leads) == ["Ivan", "Oleg"]
    assert {tuple(lead["flags"]) for lead in leads} == {("rerun",)}
    story = inside("leads", "show", leads[0]["id"], folder=hub.folder).out
    assert "let in after all by cli" in story
    assert NEW not in story


def test_a_source_is_tried_through_the_address_where_the_hub_listens(hub: RunningHub) -> None:
    told = inside("source", "test", "calls", folder=hub.folder)
    assert told.status == 0, told.err
    assert f"{hub.url}/in/calls (on this machine): arrived" in told.out
    assert "Understood: 1 call" in told.out
    assert "leadhub test, +79990000000" in told.out
    assert "No route takes leads of this source." in told.out
    found = json.loads(inside("source", "test", "site", "--json", folder=hub.folder).out)
    assert found["fine"] is True
    assert (found["lead"]["status"], found["lead"]["flags"]) == ("discarded", ["test"])
    assert [one["state"] for one in found["lead"]["deliveries"]] == ["discarded"]
    assert found["reply"]["status"] == 202
    actions = hub.read(
        lambda conn: [row.subject for row in conn.execute(t_audit_entry.select()) if "test" in row.action]
    )
    assert actions == ["calls", "site"]
    status = json.loads(inside("status", "--json", folder=hub.folder).out)
    assert status["discarded"] == 0


def test_a_test_may_be_delivered(hub: RunningHub) -> None:
    told = inside("source", "test", "site", "--deliver", folder=hub.folder)
    assert told.status == 0, told.err
    assert 'On its way to amoCRM "sales"' in told.out


def test_a_public_address_that_does_not_lead_here_is_told(hub: RunningHub) -> None:
    file = hub.folder / "config.yaml"
    before = file.read_text(encoding="utf-8")
    file.write_text(before.replace("  locale: en", "  locale: en\n  public_url: http://127.0.0.1:9"), encoding="utf-8")
    told = inside("source", "test", "site", folder=hub.folder)
    file.write_text(before, encoding="utf-8")
    assert told.status == 1
    assert "http://127.0.0.1:9/in/site (public address): cannot be reached" in told.out
    assert f"{hub.url}/in/site (on this machine): arrived" in told.out


def test_without_a_running_hub_nothing_arrives(tmp_path: Path) -> None:
    folder = folder_with_database(tmp_path, "hub: {listen: '127.0.0.1:9'}\nsources: {site: {type: webform}}\n")
    told = inside("source", "test", "site", folder=folder)
    assert (told.status, "cannot be reached" in told.out) == (1, True)
    quiet = inside("sources", folder=folder)
    assert (quiet.status, "nothing came yet" in quiet.out) == (0, True)


def test_what_cannot_be_worked_on_is_listed_and_let_go_for_a_reason(tmp_path: Path) -> None:
    folder = folder_with_database(tmp_path, "hub: {listen: '127.0.0.1:9'}\nsources: {site: {type: webform}}\n")
    one = Pending(1, "0192f0a0-0000-7000-8000-000000000001", "site", datetime(2026, 11, 24, tzinfo=UTC), b"broken")
    with sqlite3.connect(folder / "var/leadhub.db") as db:
        at = one.received_at.timestamp() * 1_000_000
        row = (one.place, one.id, one.source, at, one.record, 3, at, "ValueError")
        db.execute("INSERT INTO inbox_request VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
    listed = inside("sources", "stuck", folder=folder)
    assert (listed.status, "ValueError  3 tries" in listed.out) == (1, True)
    (told,) = json.loads(inside("sources", "stuck", "site", "--json", folder=folder).out)
    assert (told["id"], told["received_at"], told["size_bytes"]) == (one.id, "2026-11-24T00:00:00+00:00", 6)
    assert inside("sources", "discard", one.id, folder=folder).status == 2
    done = inside("sources", "discard", one.id, "--why", "a broken test", folder=folder)
    assert (done.status, done.out.strip()) == (0, "discarded: 1")
    assert inside("sources", "discard", one.id, "--why", "again", folder=folder).status == 1
    assert inside("sources", "stuck", folder=folder).status == 0


@pytest.mark.parametrize(
    "words", [("source", "test", "sit"), ("sources", "rerun", "sit"), ("sources", "refused", "sit")]
)
def test_an_unknown_source_is_refused_with_the_nearest_name(hub: RunningHub, words: tuple[str, ...]) -> None:
    told = inside(*words, folder=hub.folder)
    assert told.status == 2
    assert "site" in told.err


def test_since_is_a_duration_a_day_or_a_time(hub: RunningHub) -> None:
    settings = load(hub.folder / "config.yaml", {})
    hour_ago = read_since("1h", settings)
    assert hour_ago is not None
    assert abs(datetime.now(UTC) - hour_ago - timedelta(hours=1)) < timedelta(seconds=5)
    assert read_since("", settings) is None
    at = read_since("2026-11-24T14:00", settings)
    assert at is not None
    assert at.isoformat() == "2026-11-24T14:00:00+03:00"
    with pytest.raises(CannotRun, match="no time"):
        read_since("yesterday", settings)
