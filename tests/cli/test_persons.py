"""`leadhub persons`: two known persons whom one lead ties."""

import json
from pathlib import Path

from tests.cli.hubless import CONFIG, accept, folder_with_database
from tests.cli.inside import inside

PHONE, EMAIL = "+79160000001", "anna@example.ru"


def tied(folder: Path) -> str:
    accept(folder, name="Анна", phones=(PHONE,))
    accept(folder, name="Борис", phones=(), emails=(EMAIL,))
    return accept(folder, name="Анна", phones=(PHONE,), emails=(EMAIL,))


def test_they_are_listed_and_joined_and_the_leads_story_says_so(tmp_path: Path) -> None:
    folder = folder_with_database(tmp_path)
    assert inside("persons", "list", folder=folder).status == 0
    lead_id = tied(folder)
    ran = inside("persons", "list", folder=folder)
    assert (ran.status, ran.out.splitlines()[0].split()[0]) == (1, lead_id)
    assert f"Анна  {PHONE}\n" in ran.out
    assert f"Борис  {EMAIL}\n" in ran.out
    (listed,) = json.loads(inside("persons", "list", "--json", folder=folder).out)
    assert [one["name"] for one in listed["persons"]] == ["Анна", "Борис"]
    joined = inside("persons", "join", lead_id, "--why", "called", folder=folder)
    assert (joined.status, joined.out) == (0, f"They are one now: Анна  {EMAIL}, {PHONE}\n")
    again = inside("persons", "join", lead_id, folder=folder)
    assert (again.status, "it is decided already" in again.err) == (1, True)
    assert inside("persons", "list", folder=folder).status == 0
    assert "joined with the person of other enquiries by cli:" in inside("leads", "show", lead_id, folder=folder).out


def test_they_stay_two_and_a_hub_that_speaks_russian_says_it_in_russian(tmp_path: Path) -> None:
    folder = folder_with_database(tmp_path, CONFIG.replace("hub: {", "hub: {locale: ru, "))
    lead_id = tied(folder)
    assert inside("persons", "apart", lead_id, "--why", "жена", folder=folder).out == "Остаются двумя людьми.\n"
    assert inside("persons", "list", folder=folder).out == "Решать нечего.\n"
    assert "это другой человек, решил: cli:" in inside("leads", "show", lead_id, folder=folder).out
    unknown = inside("persons", "apart", "0199", folder=folder)
    assert (unknown.status, unknown.err.startswith("leadhub: 0199: ")) == (1, True)
