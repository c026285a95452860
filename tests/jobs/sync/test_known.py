"""A lead that is delivered to both CRMs of a sync makes each record once, whoever of the two is first."""

from typing import Any

import pytest
from sqlalchemy import insert, update

from store import sync_pairs
from store.outbox import remember_links
from store.tables import t_delivery, t_identity, t_link
from tests.support.sync_stage import PHONE, Stage


async def delivery(stage: Stage, connection: str, state: str, **values: Any) -> None:
    now = stage.clock.now()
    row = {"id": f"d-{connection}", "lead_id": "lead-1", "connection": connection, "lane": "person-1", "place": 1}
    times = {"created_at": now, "due_at": now, "age_from": now}
    await stage.db.write(lambda conn: conn.execute(insert(t_delivery).values(**row, state=state, **times, **values)))


async def link(stage: Stage, connection: str, kind: str, our_id: str, id: str) -> None:
    await stage.db.write(lambda conn: remember_links(conn, connection, [(kind, our_id, id)], stage.clock.now()))


async def settle(stage: Stage) -> None:
    await stage.db.write(lambda conn: conn.execute(update(t_delivery).values(state="delivered")))


@pytest.mark.parametrize("known_by", ["link", "own key", "phone"])
async def test_a_contact_whose_lead_is_on_its_way_to_the_other_crm_is_waited_for(stage: Stage, known_by: str) -> None:
    sync = stage.sync()
    left = stage.left.put("contact", first_name="Анна", **({"phones": (PHONE,)} if known_by == "phone" else {}))
    await delivery(stage, "right", "claimed")
    if known_by == "link":
        await link(stage, "left", "contact", "person-1", left)
    elif known_by == "own key":
        stage.left.records["contact", left].key = "person-1"
    else:
        identity = {"kind": "phone", "value": PHONE, "person_id": "person-1", "since": stage.clock.now()}
        await stage.db.write(lambda conn: conn.execute(insert(t_identity).values(**identity)))
    await stage.run(sync)
    assert stage.right.writes == []
    made = stage.right.put("contact", first_name="Анна", **({"phones": (PHONE,)} if known_by == "phone" else {}))
    await link(stage, "left", "contact", "person-1", left)
    await link(stage, "right", "contact", "person-1", made)
    await settle(stage)
    result = await stage.run(sync)
    assert (result.counts["matched"], list(stage.right.alive("contact")), len(stage.left.alive("contact"))) == (
        1,
        [made],
        1,
    )
    await stage.quiet(sync)


@pytest.mark.parametrize(
    ("object", "values"),
    [("contact", {"first_name": "Анна"}), ("company", {"name": "ООО Ромашка"}), ("deal", {"title": "Заявка"})],
)
async def test_what_leads_made_in_both_crms_is_paired_even_before_a_list_shows_it(
    stage: Stage, object: Any, values: dict[str, Any]
) -> None:
    sync = stage.sync(object)
    left = stage.left.put(object, **values)
    stage.right.lag_s = 3600.0  # an index that lags
    right = stage.right.put(object, **values)
    for crm, id in (("left", left), ("right", right)):
        await link(stage, crm, object, "ours-1", id)
        getattr(stage, crm).records[object, id].key = "ours-1"
    await stage.run(sync)
    assert (list(stage.left.alive(object)), list(stage.right.alive(object))) == ([left], [right])
    pairs = await stage.db.read(lambda conn: sync_pairs.partners(conn, sync.name, "left", [left]))
    assert pairs[left].right_id == right


async def test_a_company_of_a_lead_on_its_way_is_waited_for_and_a_dead_delivery_is_not(stage: Stage) -> None:
    sync = stage.sync("company")
    left = stage.left.put("company", name="ООО Ромашка")
    await delivery(stage, "left", "delivered", company_id=left)
    await delivery(stage, "right", "ready")
    await stage.run(sync)
    assert stage.right.writes == []
    await stage.db.write(
        lambda conn: conn.execute(update(t_delivery).where(t_delivery.c.id == "d-right").values(state="dead"))
    )
    await stage.run(sync)
    assert len(stage.right.alive("company")) == 1
    await stage.quiet(sync)


async def test_a_partner_that_is_not_there_any_more_is_waited_for_once(stage: Stage) -> None:
    sync = stage.sync()
    left = stage.left.put("contact", first_name="Анна")
    await link(stage, "left", "contact", "person-1", left)
    await link(stage, "right", "contact", "person-1", "404")
    await stage.run(sync)
    assert stage.values(stage.right, "contact", "first_name") == ["Анна"]
    await stage.quiet(sync)


async def test_a_contact_that_the_sync_made_is_the_one_that_the_persons_next_lead_finds(stage: Stage) -> None:
    sync = stage.sync()
    left = stage.left.put("contact", first_name="Анна")  # from a chat: no phone, no e-mail
    await link(stage, "left", "contact", "person-1", left)
    await stage.run(sync)
    (made,) = stage.right.alive("contact")
    found = await stage.db.read(lambda conn: conn.execute(t_link.select()).all())
    assert {(one.connection, one.our_id, one.vendor_id) for one in found} == {
        ("left", "person-1", left),
        ("right", "person-1", made),
    }
