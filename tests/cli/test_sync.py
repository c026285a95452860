"""`leadhub sync` as an operator uses it, on CRMs in memory."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.cli.inside import inside
from tests.cli.running import Ran
from tests.support.memory_connector import MAPPING, config, memory_crms
from tests.support.memory_crm import MemoryCrm

PHONE, OTHER_PHONE = "+79161234567", "+79031112233"


@dataclass
class Scene:
    folder: Path
    left: MemoryCrm
    right: MemoryCrm

    def sync(self, *arguments: str) -> Ran:
        return inside("sync", *arguments, folder=self.folder)

    def json(self, *arguments: str) -> tuple[int, Any]:
        ran = self.sync(*arguments, "--json")
        assert ran.out, ran.err
        return ran.status, json.loads(ran.out)

    def configure(self, **settings: Any) -> None:
        (self.folder / "config.yaml").write_text(config(**settings), encoding="utf-8")


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    mapping = tmp_path / "mappings" / "sync" / "contact.yaml"
    mapping.parent.mkdir(parents=True)
    mapping.write_text(MAPPING, encoding="utf-8")
    with memory_crms() as accounts:
        made = Scene(tmp_path, accounts["left"], accounts["right"])
        made.configure()
        yield made


def test_a_plan_says_what_a_run_would_do_and_changes_nothing(scene: Scene) -> None:
    left = scene.left.put("contact", first_name="Анна", phones=(PHONE,))
    for _ in range(2):
        status, plan = scene.json("plan", "contacts")
        assert (status, plan["writes"], plan["counts"]["create_right"]) == (1, 1, 1)
        (change,) = plan["changes"]
        assert (change["op"], change["side"], change["of"]) == ("create", "right", left)
        assert change["after"]["first_name"] == "Анна"
    assert (scene.left.writes, scene.right.writes) == ([], [])
    assert scene.json("status", "contacts")[1]["state"] == "never_ran"
    ran = scene.sync("plan", "contacts", "--csv")
    assert ran.out.splitlines()[0] == "sync,op,side,record_id,of,field,before,after"
    assert "contacts,create,right,,1,first_name,,Анна" in ran.out


def test_a_run_makes_both_sides_equal_and_the_next_plan_is_empty(scene: Scene) -> None:
    scene.left.put("contact", first_name="Анна", phones=(PHONE,))
    scene.right.put("contact", first_name="Борис", phones=(OTHER_PHONE,))
    status, result = scene.json("run", "contacts")
    assert (status, result["state"]) == (0, "done")
    assert (result["counts"]["create_left"], result["counts"]["create_right"]) == (1, 1)
    assert scene.json("plan", "contacts")[0] == 0
    assert "nothing to do" in scene.sync("plan").out
    status, stands = scene.json("status", "contacts")
    assert (status, stands["state"], stands["pairs"]["paired"], stands["due"]) == (0, "ok", 2, 0)
    assert scene.sync("run").status == 0


def test_unclear_matches_and_conflicts_are_listed_with_the_ids_of_both_sides_and_resolved(scene: Scene) -> None:
    one = scene.left.put("contact", first_name="Анна", phones=(PHONE,))
    two = scene.left.put("contact", first_name="Игорь", phones=(PHONE,))
    right = scene.right.put("contact", first_name="Анна", phones=(PHONE,))
    scene.sync("run", "contacts")
    status, stands = scene.json("status", "contacts")
    (unclear,) = stands["ambiguous"]
    assert (status, unclear["left_ids"], unclear["right_ids"]) == (1, [one, two], [right])
    assert (unclear["left_names"], unclear["right_names"]) == ({one: "Анна", two: "Игорь"}, {right: "Анна"})
    assert f"sales {one} Анна, {two} Игорь · hs {right} Анна" in scene.sync("status").out
    wrong = scene.sync("conflicts", "resolve", unclear["id"], "--left")
    assert (wrong.status, "--pair" in wrong.err) == (2, True)
    assert scene.sync("conflicts", "resolve", unclear["id"], "--pair", one, right).status == 0
    scene.sync("run", "contacts")
    (unclear,) = scene.json("status", "contacts")[1]["ambiguous"]
    told = f"sales {one} Анна (has a partner), {two} Игорь · hs {right} Анна (has a partner)"
    assert told in scene.sync("conflicts", "list").out
    assert scene.sync("conflicts", "resolve", unclear["id"], "--apart").status == 0
    scene.sync("run", "contacts")
    assert len(scene.right.alive("contact")) == 2
    scene.left.edit("contact", one, position="директор")
    scene.right.edit("contact", right, position="бухгалтер")
    scene.sync("run", "contacts")
    status, (conflict,) = scene.json("conflicts", "list")
    assert (status, conflict["field"], conflict["left"], conflict["right"]) == (1, "position", "директор", "бухгалтер")
    assert (conflict["left_ids"], conflict["right_ids"]) == ([one], [right])
    assert re.search(rf"sales {one} Анна: директор \(person, \d\d:\d\d\)", scene.sync("conflicts", "list").out)
    assert "nothing to write, some of it waits for a person" in scene.sync("plan", "contacts").out
    scene.sync("conflicts", "resolve", conflict["id"], "--right")
    scene.sync("run", "contacts")
    assert scene.left.records["contact", one].values["position"] == "бухгалтер"
    assert scene.json("conflicts", "list") == (0, [])


def test_a_mass_change_asks_and_goes_through_with_yes(scene: Scene) -> None:
    scene.configure(brake="{at_least: 5}")
    ids = [scene.left.put("contact", first_name=f"N{n}", phones=(f"+791600000{n:02}",)) for n in range(12)]
    assert scene.sync("run", "contacts").status == 0
    for id in ids:
        scene.left.edit("contact", id, first_name="всем одно")
    status, result = scene.json("run", "contacts")
    assert (status, result["state"], result["error"]) == (
        1,
        "braked",
        "would change 12 of 12 paired records, more than 30 %",
    )
    assert scene.json("status", "contacts")[1]["state"] == "waits"
    assert "leadhub sync run contacts --yes" in scene.sync("run", "contacts").out
    assert scene.sync("run", "contacts", "--yes").status == 0
    assert {one.values["first_name"] for one in scene.right.alive("contact").values()} == {"всем одно"}


def test_a_crm_that_does_not_let_us_in_is_named(scene: Scene) -> None:
    scene.right.unauthorized = True
    ran = scene.sync("run", "contacts")
    assert (ran.status, '"hs": the token is refused' in ran.err) == (2, True)


def test_a_pass_is_taken_back_where_nobody_has_changed_it_since(scene: Scene) -> None:
    one = scene.left.put("contact", first_name="Анна", phones=(PHONE,))
    two = scene.left.put("contact", first_name="Борис", phones=(OTHER_PHONE,))
    scene.sync("run", "contacts")
    by_name = {record.values["first_name"]: id for id, record in scene.right.alive("contact").items()}
    scene.left.edit("contact", one, first_name="ошибка")
    scene.left.edit("contact", two, first_name="ошибка")
    pass_id = scene.json("run", "contacts")[1]["pass_id"]
    scene.right.edit("contact", by_name["Борис"], first_name="Боря")
    status, result = scene.json("undo", "--pass", pass_id)
    assert (status, result["counts"]) == (0, {"restored_right": 1, "changed_since": 1})
    assert scene.right.records["contact", by_name["Анна"]].values["first_name"] == "Анна"
    assert scene.right.records["contact", by_name["Борис"]].values["first_name"] == "Боря"
    assert scene.json("undo", "--pass", pass_id)[1]["counts"] == {"as_before": 1, "changed_since": 1}
    scene.sync("run", "contacts")
    assert scene.right.records["contact", by_name["Анна"]].values["first_name"] == "Анна", "not done again by itself"
    assert pass_id in {one["pass_id"] for one in scene.json("status", "contacts")[1]["passes"]}
    assert f'pass {pass_id}  changed in Memory "hs": 2' in scene.sync("status", "contacts").out
    assert scene.left.records["contact", two].values["first_name"] == "Боря"
    assert scene.sync("undo", "--pass", "none").status == 2


def test_texts_are_in_the_hubs_language_and_unknown_names_are_told(scene: Scene) -> None:
    scene.configure(locale="ru")
    scene.left.put("contact", first_name="Анна", phones=(PHONE,))
    assert "создано в Memory «hs»: 1" in scene.sync("plan", "contacts").out
    assert "создано в Memory «hs»: 1" in scene.sync("run", "contacts").out
    ran = scene.sync("plan", "contakts")
    assert (ran.status, "contacts" in ran.err) == (2, True)


def test_a_crm_that_refuses_the_token_ends_the_command_with_the_reason(scene: Scene) -> None:
    scene.right.unauthorized = True
    for command in ("plan", "run"):
        ran = scene.sync(command, "contacts")
        assert (ran.status, "token" in ran.out + ran.err) in ((1, True), (2, True))


def test_a_shadow_tells_in_all_passes_together_what_it_would_have_done(scene: Scene) -> None:
    scene.configure(shadow="true")
    for number in range(2):
        scene.left.put("contact", first_name=f"N{number}", phones=(f"+7916000000{number}",))
        ran = scene.sync("run", "contacts")
        assert (ran.status, "nothing was written" in ran.out) == (0, True)
        assert re.search(r'would be made in .*"hs": 1', ran.out)
    assert re.search(r'would be made in .*"hs": 2: leadhub sync plan contacts', scene.sync("status").out)
    assert scene.json("status", "contacts")[1]["would"] == {"create_right": 2}
    assert re.search(r'would be made in .*"hs": 2', scene.sync("plan", "contacts").out)
    assert scene.right.writes == []
    scene.configure()
    assert scene.json("run", "contacts")[1]["counts"]["create_right"] == 2
    assert "would" not in scene.sync("status").out


def test_refusals_are_in_the_language_of_the_hub(scene: Scene) -> None:
    scene.configure(locale="ru")
    one = scene.left.put("contact", first_name="Анна", phones=(PHONE,))
    scene.left.put("contact", first_name="Игорь", phones=(PHONE,))
    scene.right.put("contact", first_name="Анна", phones=(PHONE,))
    scene.sync("run", "contacts")
    (issue,) = scene.json("conflicts", "list")[1]
    resolve = ("conflicts", "resolve", issue["id"])
    for arguments, said in {
        ("plan", "contact"): "синхронизации «contact» нет\n    есть: contacts. Может быть, «contacts»?",
        ("undo", "--pass", "nothing"): "прохода nothing нет\n    последние называет leadhub sync status",
        ("conflicts", "resolve", "nothing", "--left"): "открытого вопроса nothing нет\n    leadhub sync conflicts list",
        resolve: "скажите, как: одно из --left, --right, --pair, --apart, --resume, --again, --done",
        (*resolve, "--left"): "здесь возможно: --pair, --apart",
        (*resolve, "--pair", one, "7"): "назовите по одной записи каждой стороны: слева 1, 2; справа 1",
    }.items():
        ran = scene.sync(*arguments)
        assert (ran.status, ran.err.rstrip()) == (2, f"leadhub: {said}")


def test_a_plan_names_whom_a_pass_would_remove(scene: Scene) -> None:
    scene.configure(deletions="archive")
    one = scene.left.put("contact", first_name="Анна", phones=(PHONE,))
    scene.sync("run", "contacts")
    scene.left.remove("contact", one)
    assert "archive hs 1  Анна\n" in scene.sync("plan", "contacts").out
    assert "contacts,archive,right,1,,first_name,Анна," in scene.sync("plan", "contacts", "--csv").out


def test_what_a_pass_wrote_is_shown_with_the_values_before_and_after(scene: Scene) -> None:
    one = scene.left.put("contact", first_name="Анна", phones=(PHONE,))
    scene.sync("run", "contacts")
    scene.left.edit("contact", one, first_name="Аня")
    done = scene.json("run", "contacts")[1]
    ran = scene.sync("show", done["pass_id"])
    assert ran.status == 0
    assert "  update hs 1  first_name: Анна → Аня\n" in ran.out
    assert "contacts,update,right,1,,first_name,Анна,Аня" in scene.sync("show", done["pass_id"], "--csv").out
    status, shown = scene.json("show", done["pass_id"])
    (change,) = shown["changes"]
    assert (status, shown["sync"], shown["state"], change["state"]) == (0, "contacts", "done", "done")
    assert (change["before"]["first_name"], change["after"]["first_name"]) == ("Анна", "Аня")
    unknown = scene.sync("show", "0199")
    assert (unknown.status, unknown.err) == (
        2,
        "leadhub: there is no pass 0199\n    leadhub sync status names the last ones\n",
    )


def test_long_values_are_cut_to_where_they_differ(scene: Scene) -> None:
    same = "Окна. " * 100
    one = scene.left.put("contact", first_name="Анна", phones=(PHONE,), position=f"{same} левый {same}")
    assert f"position: — → {same[:80]}…, phones" in scene.sync("plan", "contacts").out
    scene.right.put("contact", first_name="Анна", phones=(PHONE,), position=f"{same} правый")
    scene.sync("run", "contacts")
    shown = rf"sales {one} Анна: ….{{20}}левый .*… \(person, .* hs 1 Анна: ….{{20}}правый \(person, "
    assert re.search(shown, scene.sync("status").out)
    (conflict,) = scene.json("conflicts", "list")[1]
    assert (conflict["left"], conflict["right"]) == (f"{same} левый {same}", f"{same} правый")
