"""`leadhub migrate` as an integrator uses it: plan, dictionary, move, comparison, once more."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from connectors.sandbox.amocrm import AmocrmSandbox
from connectors.sandbox.hubspot import HubSpotSandbox
from connectors.sandbox.hubspot_errors import RefusedError
from tests.cli.inside import inside
from tests.cli.running import Ran
from tests.cli.sandboxes import sandboxes
from tests.connectors.records.amocrm_scene import item_of

CONFIG = """
hub: {{listen: "127.0.0.1:0", locale: {locale}, default_region: RU}}
connections:
  amo: {{type: amocrm, base_url: "{url}/amocrm", access_token: sandbox, rate: {{calls: 1000}}}}
  b24: {{type: bitrix24, webhook_url: "{url}/bitrix24/rest/1/sandbox/", rate: {{calls: 1000}}}}
  hs: {{type: hubspot, base_url: "{url}/hubspot", access_token: sandbox, rate: {{calls: 1000, per_s: 1}}}}
{syncs}
"""
PEOPLE = 6


@dataclass
class Scene:
    folder: Path
    url: str
    old: AmocrmSandbox
    new: HubSpotSandbox
    portal: Any

    def migrate(self, *arguments: str, ends: tuple[str, str] = ("amo", "hs")) -> Ran:
        return inside("migrate", "--from", ends[0], "--to", ends[1], *arguments, folder=self.folder)

    def configure(self, locale: str = "en", syncs: str = "") -> None:
        text = CONFIG.format(url=self.url, locale=locale, syncs=syncs)
        (self.folder / "config.yaml").write_text(text, encoding="utf-8")

    def fill(self) -> None:
        for number in range(PEOPLE):
            phones, emails = (f"+7916000{number:04d}",), (f"p{number}@example.ru",)
            contact = self.old.put("contacts", item_of({"first_name": "Анна", "phones": phones, "emails": emails}))
            deal = self.old.put("leads", item_of({"title": f"Окна {number}", "price": "1500"}))
            company = self.old.put("companies", item_of({"name": f"ООО Окна {number}"}))
            self.old.connect("leads", deal, "contacts", contact)
            self.old.connect("contacts", contact, "companies", company)

    def there(self, kind: str) -> int:
        return len(self.new.records.live[kind])


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with sandboxes() as (url, app):
        old: Any = app.layers["amocrm"].vendor
        new: Any = app.layers["hubspot"].vendor
        made = Scene(tmp_path, url, old, new, app.layers["bitrix24"].vendor)
        made.configure()
        made.fill()
        yield made


def test_without_a_yes_the_plan_and_the_dictionary_are_made_and_nothing_is_moved(scene: Scene) -> None:
    ran = scene.migrate()
    assert ran.status == 1, ran.err
    assert "6 deals" in ran.out
    assert "leadhub migrate --from amo --to hs --yes" in ran.out
    assert "Notes, tasks and calls go along as notes, tasks and calls" in ran.out
    assert "Not moved, stays in the old CRM: contents of files." in ran.out
    assert scene.there("deals") == 0
    file = scene.folder / "mappings" / "sync" / "migrate-amo-hs-deal.yaml"
    assert '"Воронка/Первичный контакт": "Продажи/Новая заявка"' in file.read_text(encoding="utf-8")
    assert inside("check", folder=scene.folder).status == 0
    file.write_text(file.read_text(encoding="utf-8") + "# mine\n", encoding="utf-8")
    scene.migrate()
    assert file.read_text(encoding="utf-8").endswith("# mine\n")


def test_with_a_yes_all_is_moved_compared_and_a_second_run_changes_nothing(scene: Scene) -> None:
    ran = scene.migrate("--yes", "--json")
    report = json.loads(ran.out)
    assert (ran.status, report["finished"], report["differences"]) == (0, True, 0), report
    assert [scene.there(kind) for kind in ("companies", "contacts", "deals")] == [PEOPLE] * 3
    deals = report["objects"]["deal"]
    assert deals["sums"] == [{"currency": "", "old": "9000", "expected": "9000", "new": "9000"}]
    assert (deals["links"]["old"], deals["links"]["there"]) == (PEOPLE, PEOPLE)
    assert deals["new_total"] in (None, PEOPLE), "an index that lags behind does not tell"
    before = json.dumps(scene.new.snapshot())
    ran = scene.migrate("--yes")
    assert (ran.status, "Both CRMs agree." in ran.out) == (0, True), ran.out
    assert "migrate-amo-hs-deal: {left: amo, right: hs, object: deal, direction: left_to_right" in ran.out
    assert json.dumps(scene.new.snapshot()) == before
    kept = scene.folder / "var" / "migrate-amo-hs.txt"
    assert "Both CRMs agree." in kept.read_text(encoding="utf-8")
    assert json.loads(kept.with_suffix(".json").read_text(encoding="utf-8"))["differences"] == 0


def test_history_goes_along_and_both_sides_are_counted(scene: Scene) -> None:
    deal = next(iter(scene.old.deals))
    scene.old._make_note("leads", deal, {"note_type": "common", "params": {"text": "Замер в пятницу"}})()
    scene.old._make_note("leads", deal, {"note_type": "sms_in", "params": {"text": "Жду", "phone": "+79160000001"}})()
    ran = scene.migrate("--yes", "--json")
    report = json.loads(ran.out)
    assert (ran.status, report["differences"]) == (0, 0), report
    told = report["history"]["deal"]
    assert (told["made"], told["written"], told["entries"], told["before"]) == ({"note": 1}, 1, 1, 0)
    sides = {"absent": 0, "absent_ids": []}
    assert told["kinds"] == {
        "note": {"old": 1, "own": 1, "noted": 0, **sides},
        "message": {"old": 1, "own": 0, "noted": 1, **sides},
    }
    note, gathering = (one["properties"]["hs_note_body"] for one in scene.new.records.live["notes"].values())
    assert note == "Замер в пятницу"
    assert "incoming message: +79160000001 Жду" in gathering
    out = scene.migrate("--yes").out
    assert "history, deals: written: 0 entries, written before: 2" in out
    assert "    notes: 1 / 1\n    messages: 1 / 0, in the note of history: 1" in out
    assert scene.there("notes") == 2
    scene.new.records.archive("notes", next(iter(scene.new.records.live["notes"])))
    ran = scene.migrate("--yes")
    assert (ran.status, "    notes: 1 / 0, not there: 1" in ran.out, "1 difference" in ran.out) == (1, True, True)
    assert scene.there("notes") == 1, "what a person has removed is not made again"


def test_what_the_new_crm_refuses_as_its_own_is_named(scene: Scene) -> None:
    deal = next(iter(scene.old.deals))
    scene.old._make_note("leads", deal, {"note_type": "common", "params": {"text": "Замер в пятницу"}})()
    create = scene.new.records.create

    def picky(type_: str, given: Any, links: Any) -> Any:
        if type_ == "notes" and given["hs_note_body"] == "Замер в пятницу":
            raise RefusedError(400, "Property values were not valid", "VALIDATION_ERROR")
        return create(type_, given, links)

    scene.new.records.create = picky  # type: ignore[method-assign]
    out = scene.migrate("--yes").out
    assert "history, deals: written: 1 entry, not taken as its own, in the note of history: 1" in out
    assert "    notes: 1 / 0, in the note of history: 1" in out
    assert f"    {deal} (notes): VALIDATION_ERROR" in out, out
    assert "Both CRMs agree." in out


def test_what_differs_ends_with_status_1(scene: Scene) -> None:
    assert scene.migrate("--yes").status == 0
    deal = next(iter(scene.new.records.live["deals"]))
    scene.new.records.archive("deals", deal)
    ran = scene.migrate("--yes", "--json")
    report = json.loads(ran.out)
    assert (ran.status, report["objects"]["deal"]["found"]) == (1, {"absent": 1, "stages": 1, "sums": 1})
    assert scene.there("deals") == PEOPLE - 1, "a record removed by a person is not made again"


@pytest.mark.parametrize(
    ("ends", "told"),
    [
        (("amo", "amo"), "both the old and the new CRM"),
        (("amoo", "hs"), 'Did you mean "amo"?'),
        (("amo", "sales"), 'connection "sales" is not defined'),
    ],
)
def test_wrong_names_are_told(scene: Scene, ends: tuple[str, str], told: str) -> None:
    ran = scene.migrate("--yes", ends=ends)
    assert (ran.status, told in ran.err) == (2, True), ran.err


def test_a_refused_token_a_broken_dictionary_and_a_sync_that_writes_back_end_with_status_2(scene: Scene) -> None:
    scene.configure(syncs="syncs: {contacts: {left: hs, right: amo, object: contact}}")
    ran = scene.migrate("--yes")
    assert (ran.status, "direction: right_to_left" in ran.err) == (2, True), ran.err
    scene.configure()
    file = scene.folder / "mappings" / "sync" / "migrate-amo-hs-deal.yaml"
    file.parent.mkdir(parents=True)
    file.write_text("object: deal\nleft: amocrm\nright: hubspot\nfields: {title: dealnam}\n", encoding="utf-8")
    ran = scene.migrate("--yes")
    assert (ran.status, 'has no field "dealnam"' in ran.err) == (2, True), ran.err
    file.unlink()
    text = (scene.folder / "config.yaml").read_text(encoding="utf-8")
    (scene.folder / "config.yaml").write_text(text.replace("access_token: sandbox", "access_token: x", 1), "utf-8")
    ran = scene.migrate("--yes")
    assert (ran.status, scene.there("deals")) == (2, 0), ran.err
    assert 'amoCRM "amo": the token is refused' in ran.err, "which of the two"
    assert "run it again: it goes on where it was" in ran.err


def test_in_russian(scene: Scene) -> None:
    scene.configure(locale="ru")
    ran = scene.migrate("--yes", "--sample", "2")
    assert (ran.status, "проба: 2" in ran.out, "Обе CRM совпадают." in ran.out) == (0, True, True), ran.out
    assert scene.there("deals") == 2


def test_who_is_who_is_asked_with_the_command_that_decides_it(scene: Scene) -> None:
    for name in ("Анна", "Игорь"):
        scene.new.records.create("contacts", {"firstname": name, "phone": "+79160000000"}, [])
    ran = scene.migrate("--yes", "--json")
    report = json.loads(ran.out)
    assert (ran.status, report["objects"]["contact"]["absent"]) == (1, {"ambiguous": 1})
    (issue,) = report["issues"]
    assert (issue["kind"], issue["object"], len(issue["right_ids"])) == ("ambiguous", "contact", 2)
    assert issue["id"] in scene.migrate("--yes").out
    decided = inside("sync", "conflicts", "resolve", issue["id"], "--apart", folder=scene.folder)
    assert decided.status == 0, decided.err
    assert scene.migrate("--yes").status == 0
    assert scene.there("contacts") == PEOPLE + 2


def test_a_plan_says_of_which_records_something_has_no_counterpart_and_refuses_in_the_language_of_the_hub(
    scene: Scene,
) -> None:
    scene.old.edit("contacts", next(iter(scene.old.contacts)), {"responsible_user_id": 1010102})
    scene.configure("ru")
    plan = scene.migrate().out
    assert "    контакты: нет в словаре" in plan or "    контакты: нет пары" in plan, plan
    ran = scene.migrate(ends=("amo", "hss"))
    assert (ran.status, ran.err) == (2, "leadhub: подключения «hss» нет; есть: amo, b24, hs. Может быть, hs?\n")
    assert scene.migrate(ends=("hs", "hs")).err == "leadhub: «hs» — и прежняя, и новая CRM\n"


def test_sums_in_several_currencies_are_named_where_the_new_crm_keeps_none(scene: Scene) -> None:
    for price, currency in (("1234.5", "USD"), ("1500", "RUB")):
        scene.portal.crm.save("deal", {"TITLE": "Окна", "OPPORTUNITY": price, "CURRENCY_ID": currency})
    told = "the new CRM keeps no currency: there all of these are sums in its own"
    plan = scene.migrate(ends=("b24", "amo")).out
    assert f"    sum 1,500 RUB\n    sum 1,234.50 USD\n    {told}\n" in plan
    assert told in scene.migrate("--yes", ends=("b24", "amo")).out
    assert told not in scene.migrate(ends=("b24", "hs")).out


def test_what_is_known_of_one_account_is_not_taken_for_anothers(scene: Scene) -> None:
    assert scene.migrate("--yes").status == 0
    config = scene.folder / "config.yaml"
    config.write_text(config.read_text(encoding="utf-8").replace("127.0.0.1", "localhost"), encoding="utf-8")
    before = dict(scene.new.records.live["deals"])
    ran = scene.migrate("--yes")
    assert ran.status == 2
    assert "this move went between other accounts before (amo@127.0.0.1:" in ran.err
    assert "--renamed" in ran.err
    assert scene.new.records.live["deals"] == before
    assert scene.migrate("--yes", "--renamed").status == 0
    assert scene.migrate("--yes").status == 0
    assert scene.there("deals") == PEOPLE
