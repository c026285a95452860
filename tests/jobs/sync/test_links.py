"""Links between records follow them, one way or both."""

import pytest

from jobs.sync.model import Sibling
from store import sync_records
from tests.support.sync_stage import PHONE, Stage


@pytest.mark.parametrize("told", [True, False], ids=["told with the record", "asked for"])
@pytest.mark.parametrize("heard", ["compared", "hinted"])
async def test_links_are_made_when_both_ends_have_partners(stage: Stage, told: bool, heard: str) -> None:
    stage.left.links_in_records = stage.right.links_in_records = told
    companies = stage.sync("company", siblings=[Sibling("contacts", "contact")])
    contacts = stage.sync("contact", siblings=[Sibling("companys", "company")])
    company = stage.left.put("company", name="ООО Ромашка", inn="7707083893")
    contact = stage.left.put("contact", first_name="Анна", phones=(PHONE,))
    stage.left.connect("contact", contact, "company", company)
    await stage.run(contacts)
    assert [one.links["company"] for one in stage.right.alive("contact").values()] == [[]]
    await stage.run(companies)
    await stage.run(contacts)
    (right_company,) = stage.right.alive("company")
    (right_contact,) = stage.right.alive("contact")
    assert stage.right.records["contact", right_contact].links["company"] == [right_company]
    await stage.quiet(contacts)
    stage.right.connect("contact", right_contact, "company", right_company, off=True)
    if heard == "hinted":
        await stage.db.write(lambda conn: sync_records.hint(conn, "contacts", "right", right_contact))
    await stage.run(contacts, full=heard == "compared", hints=heard == "hinted")
    assert stage.left.records["contact", contact].links["company"] == []
    await stage.quiet(contacts)
    stage.left.connect("contact", contact, "company", company)
    await stage.run(contacts, full=True)
    assert stage.right.records["contact", right_contact].links["company"] == [right_company]
    await stage.quiet(contacts)


async def test_one_way_a_link_that_somebody_took_out_of_the_copy_stays_out(stage: Stage) -> None:
    companies = stage.sync("company", siblings=[Sibling("contacts", "contact")], direction="left_to_right")
    contacts = stage.sync("contact", siblings=[Sibling("companys", "company")], direction="left_to_right")
    company, contact = stage.left.put("company", name="Ромашка"), stage.left.put("contact", first_name="Анна")
    stage.left.connect("contact", contact, "company", company)
    await stage.run(companies)
    await stage.run(contacts)
    (there,), (copy,) = stage.right.alive("company"), stage.right.alive("contact")
    assert stage.right.records["contact", copy].links["company"] == [there]
    stage.right.connect("contact", copy, "company", there, off=True)
    for _ in range(2):
        await stage.run(contacts, full=True)
        assert stage.right.records["contact", copy].links["company"] == []
    stage.left.connect("contact", contact, "company", company, off=True)
    await stage.run(contacts, full=True)
    stage.left.connect("contact", contact, "company", company)
    await stage.run(contacts, full=True)
    assert stage.right.records["contact", copy].links["company"] == [there]
