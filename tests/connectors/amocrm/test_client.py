"""The client against the sandbox over real HTTP: what a manager then finds in the CRM."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.amocrm import CONNECTOR
from connectors.base import CompanyDraft, ContactDraft, DealDraft, NoteDraft, TaskDraft
from connectors.errors import AuthError, PermanentError, RateLimitedError
from connectors.http import CALL_LOG, CallRecord
from connectors.limits import BULK, PRIORITY
from connectors.sandbox import amocrm_data as data
from tests.connectors.amocrm.support import IVAN, connected, deal


def custom(record: dict[str, Any], code: str) -> list[Any]:
    rows = record["custom_fields_values"] or []
    return [value["value"] for row in rows if row["field_code"] == code for value in row["values"]]


async def test_a_fresh_lead_arrives_whole() -> None:
    due_at = datetime(2026, 11, 24, 14, 17, tzinfo=UTC)
    async with connected() as x:
        await x.crm.ensure_fields(CONNECTOR.needed_fields, create=True)
        assert await x.crm.find_contact(IVAN.phones, IVAN.emails, IVAN.key) is None
        contact_id = await x.crm.create(IVAN)
        draft = DealDraft(
            "lead-1",
            "Заявка с сайта: «Расчёт окон»",
            contact_id=contact_id,
            responsible="1010102",
            pipeline="7700002",
            stage="77000022",
            price="1200.50",
            source="site",
            tags=("окна", "site"),
            utm={"utm_source": "yandex", "utm_campaign": "окна_весна", "yclid": "77", "unheard_of": "x"},
            fields={"620001": "Дом", "620003": "42", "620005": True, "LEADHUB_LINK": "https://hub.example.com/l/1"},
        )
        deal_id = await x.crm.create(draft)
        note_id = await x.crm.create(NoteDraft("lead-1:note", "Нужны 3 окна\nэтаж 5", deal_id))
        task_id = await x.crm.create(TaskDraft("lead-1:task", "Позвонить", due_at, deal_id, responsible="1010102"))
        made, contact = x.box.deals[deal_id], x.box.contacts[contact_id]
    assert contact["name"] == "Иван Иванов"
    assert custom(contact, "PHONE") == ["+79161234567"]
    assert custom(contact, "EMAIL") == ["ivan@example.ru"]
    assert custom(contact, "LEADHUB_ID") == ["person-1"]
    assert made["name"] == "Заявка с сайта: «Расчёт окон»"
    assert (made["price"], made["pipeline_id"], made["status_id"]) == (1201, 7700002, 77000022)
    assert made["responsible_user_id"] == 1010102
    assert [link["id"] for link in made["_embedded"]["contacts"]] == [int(contact_id)]
    assert [tag["name"] for tag in made["_embedded"]["tags"]] == ["окна", "site"]
    assert custom(made, "LEADHUB_ID") == ["lead-1"]
    assert custom(made, "LEADHUB_SOURCE") == ["site"]
    assert custom(made, "LEADHUB_LINK") == ["https://hub.example.com/l/1"]
    assert custom(made, "UTM_SOURCE") == ["yandex"]
    assert custom(made, "UTM_CAMPAIGN") == ["окна_весна"]
    assert custom(made, "YCLID") == ["77"]
    assert x.box.notes[note_id]["params"]["text"].startswith("Нужны 3 окна\nэтаж 5\n#lh-")
    task = x.box.tasks[task_id]
    assert (task["entity_id"], task["complete_till"]) == (int(deal_id), int(due_at.timestamp()))
    assert task["responsible_user_id"] == 1010102
    assert task["text"].startswith("Позвонить #lh-")


async def test_a_later_lead_takes_two_calls_before_its_deal_exists() -> None:
    """After the account is known: searches at the same time, contact, deal."""
    async with connected() as x:
        await x.crm.create(deal(await x.crm.create(IVAN)))
        seen = len(x.layer.requests)
        other = ContactDraft("person-2", "Мария", ("+79160000001",))
        assert await x.crm.find_contact(other.phones, (), other.key) is None
        await x.crm.create(deal(await x.crm.create(other), "lead-2"))
        assert x.paths(seen) == ["GET /api/v4/contacts", "POST /api/v4/contacts", "POST /api/v4/leads"]


async def test_the_key_field_is_made_where_it_is_missing() -> None:
    async with connected() as x:
        await x.crm.create(deal(await x.crm.create(IVAN)))
        made = [field for field in x.box.fields["leads"].values() if field["code"] == "LEADHUB_ID"]
        assert [(field["type"], field["is_api_only"]) for field in made] == [("text", True)]


async def test_without_rights_to_make_a_field_the_key_stands_in_the_deals_name() -> None:
    async with connected(admin=False) as x:
        deal_id = await x.crm.create(deal(await x.crm.create(IVAN)))
        assert x.box.deals[deal_id]["name"] == "Заявка с сайта [lh-lead-1]"
        assert x.box.contacts[next(iter(x.box.contacts))]["name"] == "Иван Иванов"
        assert await x.crm.find_created(deal(""), x.hint("0")) == deal_id


@pytest.mark.parametrize("kind", ["401", "500", "502", "hang", "html200", "reset"])
async def test_a_field_list_that_cannot_be_read_never_stops_a_lead(kind: Any) -> None:
    async with connected() as x:
        x.fail(kind, "custom_fields", times=-1)
        deal_id = await x.crm.create(deal(await x.crm.create(IVAN), utm={"utm_source": "yandex", "yclid": "7"}))
        made = x.box.deals[deal_id]
        assert made["name"] == "Заявка с сайта [lh-lead-1]"
        assert custom(made, "UTM_SOURCE") == ["yandex"]
        assert custom(made, "YCLID") == [], "not every account has it, so it is not risked"


async def test_a_key_field_deleted_meanwhile_does_not_stop_the_deal() -> None:
    async with connected() as x:
        contact_id = await x.crm.create(IVAN)
        await x.crm.create(deal(contact_id))
        x.box.delete_field("leads", "LEADHUB_ID")
        second = await x.crm.create(deal(contact_id, "lead-2"))
        assert x.box.deals[second]["name"] == "Заявка с сайта [lh-lead-2]"
        third_at = len(x.layer.requests)
        await x.crm.create(deal(contact_id, "lead-3"))
        assert x.paths(third_at) == ["POST /api/v4/leads"], "what was refused once is remembered"
        assert await x.crm.find_created(deal(contact_id, "lead-2"), x.hint(contact_id)) == second


@pytest.mark.parametrize(
    ("change", "fields", "gone"),
    [
        ({"responsible": "999"}, ("responsible",), False),
        ({"responsible": "Анна"}, ("responsible",), False),
        ({"pipeline": "999"}, ("pipeline",), False),
        ({"stage": "999"}, ("stage",), False),
        ({"price": "много"}, ("price",), False),
        ({"contact_id": "999"}, ("contact_id",), True),
        ({"fields": {"620002": "ул. Ленина", "999": "x"}}, ("999",), False),
        ({"fields": {"620001": "Замок"}}, ("620001",), False),
        ({"fields": {"999": "x"}, "responsible": "1010103"}, ("999",), False),
    ],
)
async def test_a_refusal_names_the_field_as_the_draft_does(
    change: dict[str, Any], fields: tuple[str, ...], gone: bool
) -> None:
    async with connected() as x:
        draft = replace(deal(await x.crm.create(IVAN)), **change)
        with pytest.raises(PermanentError) as caught:
            await x.crm.create(draft)
        assert (caught.value.fields, caught.value.gone) == (fields, gone)
        assert x.box.deals == {}
        assert "Ленина" not in str(caught.value)


async def test_one_bad_deal_does_not_sink_the_others_of_its_request() -> None:
    async with connected(settings={"rate": {"calls": 3, "per_s": 0.2}}) as x:
        contact_id = await x.crm.create(IVAN)
        await x.crm.create(deal(contact_id, "warm"))
        drafts = [deal(contact_id, f"k{n}", responsible="999" if n in (3, 7) else "1010102") for n in range(12)]
        seen = len(x.layer.requests)
        results = await asyncio.gather(*(x.crm.create(draft) for draft in drafts), return_exceptions=True)
        refused = [n for n, result in enumerate(results) if isinstance(result, PermanentError)]
        assert refused == [3, 7]
        keys = {x.box.key_of(x.box.deals[result]) for result in results if isinstance(result, str)}
        assert keys == {f"k{n}" for n in range(12) if n not in refused}
        assert len(x.box.deals) == 11
        assert len(x.paths(seen)) < 12, "they left together"


async def test_a_backlog_leaves_in_batches_and_a_fresh_note_goes_to_its_deal_alone() -> None:
    async with connected(settings={"rate": {"calls": 3, "per_s": 0.2}}) as x:
        contact_id = await x.crm.create(IVAN)
        deal_id = await x.crm.create(deal(contact_id))
        seen = len(x.layer.requests)
        await x.crm.create(NoteDraft("first", "первая", deal_id))
        assert x.paths(seen) == [f"POST /api/v4/leads/{deal_id}/notes"]
        PRIORITY.set(BULK)
        notes = [NoteDraft(f"n{n}", f"текст {n}", deal_id) for n in range(30)]
        ids = await asyncio.gather(*(x.crm.create(note) for note in notes))
        assert "POST /api/v4/leads/notes" in x.paths(seen)
        assert len(x.paths(seen)) <= 6
        texts = [x.box.notes[note_id]["params"]["text"].split("\n")[0] for note_id in ids]
        assert texts == [f"текст {n}" for n in range(30)]


async def test_a_request_for_many_is_noted_with_each_of_their_attempts() -> None:
    async with connected(settings={"rate": {"calls": 3, "per_s": 0.2}}) as x:
        contact_id = await x.crm.create(IVAN)
        await x.crm.create(deal(contact_id))

        async def attempt(key: str) -> list[CallRecord]:
            log: list[CallRecord] = []
            CALL_LOG.set(log)
            await x.crm.create(deal(contact_id, key))
            return log

        logs = await asyncio.gather(*(asyncio.create_task(attempt(f"k{n}")) for n in range(8)))
        assert [[(call.operation, call.status) for call in log] for log in logs] == [[("create deal", 200)]] * 8


async def test_contacts_are_matched_by_number_however_it_was_typed() -> None:
    async with connected() as x:
        typed = await x.crm.create(ContactDraft("", "Из телефонной книги", ("8 (916) 123-45-67",)))
        assert await x.crm.find_contact(("+79161234567",), (), "") == typed


async def test_a_stranger_that_the_search_brings_up_is_never_taken() -> None:
    """amocrm-api-php 348 and 515: hits come from any field, "first row" attaches a lead to a stranger."""
    async with connected() as x:
        await x.crm.create(ContactDraft("p", "Заказчик дал номер 9161234567", ("+74951234567",), ("a@example.ru",)))
        await x.crm.create(ContactDraft("p", "ivan@example.ru", ("+3809161234567",)))
        assert await x.crm.find_contact(("+79161234567",), ("ivan@example.ru",), "p") is None


async def test_a_phone_weighs_more_than_an_email_and_the_oldest_of_doubles_is_taken() -> None:
    async with connected() as x:
        by_mail = await x.crm.create(ContactDraft("", "Почта", (), ("ivan@example.ru",)))
        by_phone = await x.crm.create(ContactDraft("", "Телефон", ("+79161234567",)))
        await x.crm.create(ContactDraft("", "Двойник", ("+79161234567",)))
        assert await x.crm.find_contact(("+79161234567",), ("ivan@example.ru",), "") == by_phone
        assert await x.crm.find_contact(("+79160000000",), ("IVAN@example.ru ",), "") == by_mail


async def test_enriching_adds_what_is_missing_and_overwrites_nothing() -> None:
    async with connected() as x:
        contact_id = await x.crm.create(
            ContactDraft("", "Иван", ("8 916 123-45-67",), (), fields={"POSITION": "Директор"})
        )
        draft = ContactDraft(
            "person-1",
            "Иван Петрович",
            ("+79161234567", "+79161234568"),
            ("ivan@example.ru",),
            fields={"POSITION": "Сторож", "630004": datetime(1980, 5, 1, tzinfo=UTC)},
        )
        await x.crm.enrich_contact(contact_id, draft)
        record = x.box.contacts[contact_id]
        assert record["name"] == "Иван"
        assert custom(record, "PHONE") == ["8 916 123-45-67", "+79161234568"]
        assert custom(record, "EMAIL") == ["ivan@example.ru"]
        assert custom(record, "POSITION") == ["Директор"]
        assert custom(record, "LEADHUB_ID") == ["person-1"]
        seen = len(x.layer.requests)
        await x.crm.enrich_contact(contact_id, draft)
        assert x.paths(seen) == [f"GET /api/v4/contacts/{contact_id}"], "nothing is missing any more"


async def test_enriching_a_contact_that_is_gone_says_so() -> None:
    async with connected() as x:
        with pytest.raises(PermanentError) as caught:
            await x.crm.enrich_contact("77", IVAN)
        assert caught.value.gone


async def test_open_deal_prefers_an_open_one_and_reopen_moves_a_closed_one() -> None:
    async with connected() as x:
        contact_id = await x.crm.create(IVAN)
        assert await x.crm.open_deal(contact_id) is None
        first = await x.crm.create(deal(contact_id, "a"))
        second = await x.crm.create(deal(contact_id, "b"))
        x.box.move_deal(second, 7700001, 143)
        state = await x.crm.open_deal(contact_id)
        assert state is not None
        assert (state.id, state.closed) == (first, False)
        x.box.move_deal(first, 7700002, 142)
        state = await x.crm.open_deal(contact_id)
        assert state is not None
        assert (state.id, state.closed, state.contact_ids) == (second, True, (contact_id,))
        await x.crm.reopen_deal(second, "7700002", "77000022")
        assert x.box.deals[second]["status_id"] == 77000022
        x.box.move_deal(second, 7700002, 143)
        await x.crm.reopen_deal(second, "", "")
        assert (x.box.deals[second]["pipeline_id"], x.box.deals[second]["status_id"]) == (7700002, 77000021)
        x.box.delete_deal(second)
        assert await x.crm.deal_state(second) is None


async def test_update_deal_sets_fields_and_skips_those_of_ours_that_the_account_lacks() -> None:
    async with connected() as x:
        deal_id = await x.crm.create(deal(await x.crm.create(IVAN)))
        seen = len(x.layer.requests)
        await x.crm.update_deal(deal_id, {"LEADHUB_LAST_TOUCH": "yandex"})
        assert x.paths(seen) == []
        await x.crm.update_deal(deal_id, {"620002": "ул. Ленина, 5", "LEADHUB_LAST_TOUCH": "yandex"})
        assert [row["values"] for row in x.box.deals[deal_id]["custom_fields_values"] if row["field_id"] == 620002] == [
            [{"value": "ул. Ленина, 5"}]
        ]
        with pytest.raises(PermanentError) as caught:
            await x.crm.update_deal(deal_id, {"999": "x", "620002": "y"})
        assert caught.value.fields == ("999",)


async def test_a_company_is_made_and_linked() -> None:
    async with connected() as x:
        company_id = await x.crm.create(CompanyDraft("c", "ООО Ромашка", responsible="1010103"))
        contact_id = await x.crm.create(replace(IVAN, company_id=company_id))
        deal_id = await x.crm.create(deal(contact_id, company_id=company_id))
        assert x.box.deals[deal_id]["_embedded"]["companies"] == [{"id": int(company_id)}]
        assert await x.crm.find_created(CompanyDraft("c", "ооо ромашка"), x.hint()) == company_id
        assert await x.crm.find_created(CompanyDraft("c", "ООО Лютик"), x.hint()) is None


async def test_metadata_has_what_can_be_used() -> None:
    async with connected() as x:
        found = await x.crm.metadata()
    assert found.known == {"users", "pipelines", "fields"}
    assert [user.name for user in found.users] == ["Анна Петрова", "Борис Смирнов", "Вера Кузнецова"]
    assert [(pipe.name, pipe.is_default) for pipe in found.pipelines] == [
        ("Воронка", True),
        ("Повторные продажи", False),
    ]
    stages = found.pipelines[1].stages
    assert [(stage.id, stage.closed) for stage in stages] == [
        ("77000021", False),
        ("77000022", False),
        ("142", True),
        ("143", True),
    ]
    kinds = {info.name: info for info in found.fields["deal"]}
    assert kinds["Тип объекта"].enums == {"Квартира": "6200010", "Дом": "6200011", "Офис": "6200012"}
    assert {info.code for info in found.fields["contact"]} >= {"PHONE", "EMAIL"}


async def test_metadata_saves_the_first_lead_the_field_lists() -> None:
    async with connected() as x:
        await x.crm.ensure_fields(CONNECTOR.needed_fields, create=True)
        await x.crm.metadata()
        seen = len(x.layer.requests)
        await x.crm.create(deal(await x.crm.create(IVAN)))
        assert x.paths(seen) == ["POST /api/v4/contacts", "POST /api/v4/leads"]


async def test_the_first_lead_and_the_metadata_share_one_reading_of_the_fields() -> None:
    async with connected() as x:
        await x.crm.ensure_fields(CONNECTOR.needed_fields, create=True)
        seen = len(x.layer.requests)
        await asyncio.gather(x.crm.metadata(), x.crm.create(IVAN), x.crm.find_contact(IVAN.phones, (), ""))
        lists = [path for path in x.paths(seen) if "custom_fields" in path]
        assert len(lists) == len(set(lists)) == 3


async def test_where_only_the_key_field_is_missing_the_lists_are_not_read_again() -> None:
    async with connected() as x:
        await x.crm.metadata()
        seen = len(x.layer.requests)
        await x.crm.create(deal(await x.crm.create(IVAN)))
        assert not [path for path in x.paths(seen) if path.startswith("GET")]


async def test_metadata_leaves_out_what_the_token_may_not_read() -> None:
    async with connected(admin=False) as x:
        assert (await x.crm.metadata()).known == {"pipelines", "fields"}


async def test_ensure_fields_shows_then_makes_then_finds_nothing_missing() -> None:
    async with connected() as x:
        needed = CONNECTOR.needed_fields
        assert await x.crm.ensure_fields(needed, create=False) == list(needed)
        assert "LEADHUB_LINK" not in {field["code"] for field in x.box.fields["leads"].values()}
        assert await x.crm.ensure_fields(needed, create=True) == list(needed)
        assert await x.crm.ensure_fields(needed, create=False) == []
        names = {field["code"]: field["name"] for field in x.box.fields["leads"].values()}
        assert names["LEADHUB_SOURCE"] == "leadhub: источник"
    async with connected(admin=False) as x:
        with pytest.raises(AuthError):
            await x.crm.ensure_fields(CONNECTOR.needed_fields, create=True)


@pytest.mark.parametrize("filters", [False, True])
async def test_read_back_is_bulk_and_brings_ours_only(filters: bool) -> None:
    async with connected(filters=filters) as x:
        now = datetime.now(UTC)
        contact_id = await x.crm.create(IVAN)
        ours = [await x.crm.create(deal(contact_id, f"k{n}", responsible="1010102")) for n in range(6)]
        strangers = [await x.crm.create(DealDraft("x", "Чужая")) for _ in range(2)]
        for stranger in strangers:
            x.box.deals[stranger].update(custom_fields_values=None, name="Чужая сделка")
        bare = await x.crm.create(DealDraft("k9", "Без контакта"))
        old = ours[:5]
        for deal_id in (*old, strangers[0]):
            x.box.deals[deal_id]["created_at"] -= 10 * 86400
        x.box.delete_deal(ours[0])
        seen = len(x.layer.requests)
        found = {deal.id: deal for deal in await x.crm.read_back(tuple(ours), now - timedelta(hours=1), now)}
        assert set(found) == {*ours[1:], bare}
        assert found[ours[5]].key == "k5"
        assert found[ours[5]].contact_id == contact_id
        assert found[ours[5]].responsible == "1010102"
        assert (found[ours[5]].has_contact, found[ours[5]].has_source) == (True, True)
        assert (found[bare].key, found[bare].has_contact, found[bare].has_source) == ("k9", False, False)
        assert len(x.paths(seen)) <= 3 if filters else 8


async def test_a_search_that_ignores_what_is_asked_is_read_on_and_compared() -> None:
    """amocrm-api-php 71: parameters are silently ignored and the whole list comes back."""
    async with connected() as x:
        x.box.stores["contacts"].index.find = lambda query, now_s: list(x.box.contacts)  # type: ignore[method-assign]
        for n in range(300):
            await x.crm.create(ContactDraft("", f"Чужой {n}", (f"+7495{n:07d}",)))
        ours = await x.crm.create(IVAN)
        assert await x.crm.find_contact(IVAN.phones, (), "") == ours


async def test_a_refused_token_is_an_auth_error_and_ping_tells() -> None:
    async with connected() as x:
        await x.crm.ping()
    async with connected(token="another") as x:
        with pytest.raises(AuthError) as caught:
            await x.crm.ping()
        assert caught.value.status == 401


async def test_an_unpaid_account_is_an_auth_error() -> None:
    async with connected() as x:
        x.box.paid = False
        with pytest.raises(AuthError, match="not paid"):
            await x.crm.create(IVAN)


async def test_the_flood_block_stops_everything_for_five_minutes() -> None:
    async with connected() as x:
        await x.crm.create(IVAN)
        x.box.blocked = True
        with pytest.raises(RateLimitedError) as caught:
            await x.crm.create(IVAN)
        assert caught.value.retry_after_s == 300
        x.box.blocked = False
        seen = len(x.layer.requests)
        with pytest.raises(RateLimitedError, match="flood") as caught:
            await x.crm.ping()
        assert 299 < caught.value.retry_after_s <= 300
        assert x.paths(seen) == []


async def test_forbidden_in_json_is_about_rights_and_pauses_nothing() -> None:
    async with connected(admin=False) as x:
        with pytest.raises(AuthError, match="no rights"):
            await x.crm.ensure_fields(CONNECTOR.needed_fields, create=True)
        await x.crm.ping()


async def test_too_many_requests_pauses_as_long_as_told() -> None:
    async with connected(rate=(1, 60.0)) as x:
        x.box.retry_after_s = 5
        await x.crm.ping()
        with pytest.raises(RateLimitedError) as caught:
            await x.crm.ping()
        assert caught.value.retry_after_s == 5


async def test_record_urls_are_where_people_look() -> None:
    async with connected() as x:
        assert x.crm.record_url("deal", "7") == f"{x.url}/leads/detail/7"
        assert x.crm.record_url("contact", "8") == f"{x.url}/contacts/detail/8"


async def test_a_list_field_of_a_company_takes_the_id_of_its_value() -> None:
    async with connected() as x:
        field = data.custom_field(640009, "Отрасль", "select", None, "companies", ("Строительство", "Торговля"))
        x.box.fields["companies"][640009] = field
        trade = str(field["enums"][1]["id"])
        company_id = await x.crm.create(CompanyDraft("c", "ООО Ромашка", fields={"640009": trade}))
        (held,) = x.box.companies[company_id]["custom_fields_values"]
        assert [value["value"] for value in held["values"]] == ["Торговля"]


async def test_a_page_address_of_any_length_costs_a_deal_none_of_its_marks() -> None:
    async with connected() as x:
        utm = {"utm_source": "yandex", "referrer": f"https://example.ru/?{'q' * 400}"}
        deal_id = await x.crm.create(deal(await x.crm.create(IVAN), utm=utm))
        held = x.box.deals[deal_id]
        assert custom(held, "UTM_SOURCE") == ["yandex"]
        assert custom(held, "REFERRER") == [utm["referrer"][:255]]
