"""`leadhub demo`: the traffic it makes, the hub it may use, and that it tells the truth."""

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.demo import _base, _free_port, _served, _tell, _usable, _wait
from cli.words import Words
from jobs.audit import ConnectionAudit, DayAudit, Finding
from jobs.config.loading import load
from jobs.demo import Arrived, Form, Sent, plan
from leads.phones import phones
from tests.cli.hubless import folder_with_database
from tests.cli.inside import inside
from tests.cli.running import leadhub

CONFIG = """\
hub: {{listen: "127.0.0.1:{port}", secret_key: "a secret of the tests, long enough"}}
connections:
  marketing: {{type: hubspot, base_url: "http://127.0.0.1:{sandbox}/hubspot", access_token: sandbox}}
sources:
  site: {{type: webform, key: a-key-of-the-tests}}
routes:
  - {{from: [site], to: [marketing]}}
sandbox: {{listen: "127.0.0.1:{sandbox}"}}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Of a hub that runs as a process of its own; HubSpot, where no outage needs a long second look."""
    made = tmp_path_factory.mktemp("hub")
    (made / "config.yaml").write_text(CONFIG.format(port=_free_port(), sandbox=_free_port()))
    settings = load(made / "config.yaml", {})
    with (made / "serve.log").open("w+") as log, _served(made, log) as process:
        _wait(settings, process, log)
        yield made


def rows(out: str) -> dict[str, str]:
    """What the demo ends with, by the words before the number."""
    lines = [line.rstrip() for line in out.splitlines()]
    return dict(line.rsplit(maxsplit=1) for line in lines if line[-1:].isdigit() and "   " in line)


@given(st.integers(0, 10_000), st.floats(2, 120))
def test_the_plan_is_in_order_with_repeats_of_persons_and_of_requests(seed: int, seconds: float) -> None:
    submissions = plan(random.Random(seed), [Form("site"), Form("landing")], seconds)
    times = [one.at_s for one in submissions]
    assert times == sorted(times)
    assert 0 <= times[0] <= times[-1] <= seconds + 1
    assert {one.source for one in submissions} <= {"site", "landing"}
    events = {one.uid for one in submissions}
    assert len(events) == max(3, round(seconds * 2))
    for one in submissions:
        assert len(phones(one.form["phone"], "RU").found) == 1, one.form["phone"]
    if seconds > 30:
        assert len({one.form["phone"] for one in submissions}) < len(events), "somebody writes again"


def test_traffic_goes_through_the_running_hub_and_what_arrived_is_counted_in_the_crm(folder: Path) -> None:
    ran = inside("demo", "--seconds", "4", folder=folder)
    assert ran.status == 0, ran.out + ran.err
    assert "Forms go to the running hub at" in ran.out
    told = rows(ran.out)
    accepted = int(told["accepted leads"])
    assert accepted == 8
    assert (told["delivered"], told["lost"], told["doubled"]) == ("8", "0", "0")
    settings = load(folder / "config.yaml", {})
    assert settings.sandbox is not None
    state = httpx.get(f"{_base(settings.sandbox.address)}/_sandbox/state", timeout=120).json()
    hubspot = next(one for one in state["vendors"] if one["name"] == "hubspot")
    assert hubspot["faults"] == [], "the outage is over"
    deals = next(one["total"] for one in hubspot["tables"] if "deal" in one["title"].lower())
    assert deals == accepted - int(told["joined to an open deal"])
    log = (folder / "serve.log").read_text()
    assert "HTTP 503" in log, "there was an outage"


FINE = Arrived(8, 8, 8, 0, 0, 1, (0.1, 3.0), {"marketing": 8})
CHECKED = ConnectionAudit("marketing", 8, 8)


@pytest.mark.parametrize(
    ("found", "checked", "words"),
    [
        (FINE, CHECKED, ""),
        (replace(FINE, stored=7, delivered=7), CHECKED, "lost"),
        (FINE, replace(CHECKED, findings=(Finding("absent", "lead-1", "marketing", "10"),)), "lost"),
        (FINE, replace(CHECKED, findings=(Finding("doubled", "lead-1", "marketing", "10", ("11",)),)), "doubled"),
        (replace(FINE, delivered=7, pending=1), CHECKED, "still waiting"),
        (replace(FINE, delivered=7, failed=1), CHECKED, "not taken by the CRM"),
        (FINE, replace(CHECKED, checked=0, error="ping: HTTP 503"), "could not be read"),
    ],
)
def test_what_did_not_arrive_is_not_glossed_over(
    folder: Path, capsys: pytest.CaptureFixture[str], found: Arrived, checked: ConnectionAudit, words: str
) -> None:
    settings = load(folder / "config.yaml", {})
    sent = Sent(8, 8, lead_ids=dict.fromkeys(f"lead-{number}" for number in range(8)))
    audit = DayAudit(date(2026, 11, 24), (checked,))
    fine = _tell(Words.of(settings), settings, sent, found, audit)
    out = capsys.readouterr().out
    assert fine == (not words)
    assert words in out
    told = rows(out)
    assert (told["lost"] == "0") == (words != "lost")
    assert (told["doubled"] == "0") == (words != "doubled")


def test_findings_about_other_leads_are_not_the_demos(folder: Path) -> None:
    settings = load(folder / "config.yaml", {})
    other = replace(CHECKED, findings=(Finding("absent", "somebody else's", "marketing", "10"),))
    sent = Sent(8, 8, lead_ids={"lead-1": None})
    assert _tell(Words.of(settings), settings, sent, FINE, DayAudit(date(2026, 11, 24), (other,)))


def test_a_hub_that_delivers_to_a_real_crm_is_never_used(folder: Path, tmp_path: Path) -> None:
    text = (
        (folder / "config.yaml")
        .read_text()
        .replace("hub: {", f'hub: {{database: "sqlite:///{folder}/var/leadhub.db", ')
    )
    config = tmp_path / "config.yaml"
    config.write_text(text)
    assert _usable(load(config, {}))
    config.write_text(text.replace("connections:\n", 'connections:\n  real: {type: hubspot, access_token: "x"}\n'))
    assert not _usable(load(config, {}))


def test_a_hub_on_another_database_is_not_used(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text((folder / "config.yaml").read_text())
    assert not _usable(load(tmp_path / "config.yaml", {})), "there is no database beside this file"
    folder_with_database(tmp_path, (folder / "config.yaml").read_text())
    assert not _usable(load(tmp_path / "config.yaml", {})), "nobody works on that one"


@pytest.mark.slow
def test_without_a_running_hub_a_temporary_one_shows_it_and_leaves_nothing(tmp_path: Path) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    ran = leadhub("demo", "--seconds", "2", cwd=tmp_path, TMPDIR=str(temporary))
    assert ran.status == 0, ran.out + ran.err
    assert "a temporary hub at http://127.0.0.1:" in ran.out
    told = rows(ran.out)
    assert (told["lost"], told["doubled"]) == ("0", "0")
    assert told["delivered"] == told["accepted leads"]
    assert list(temporary.iterdir()) == []
