"""The sandbox as `amocrm-api` from PyPI sees it, over real HTTP: written by others, so it knows nothing of us."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from amocrm.v2 import Company, Contact, Lead, Pipeline, Status, Tag, Task, User, custom_field, exceptions, interaction
from amocrm.v2.account import Account, AccountInteraction
from amocrm.v2.entity.custom_field import CustomFieldModel
from amocrm.v2.filters import SingleListFilter
from amocrm.v2.tokens import MemoryTokensStorage, default_token_manager
from requests.adapters import HTTPAdapter

from connectors.sandbox.amocrm import AmocrmSandbox
from connectors.sandbox.base import FaultLayer
from leads.clock import SystemClock
from tests.support.vendor_server import serve

pytestmark = pytest.mark.filterwarnings("ignore:datetime.datetime.utc:DeprecationWarning")
STORAGE = MemoryTokensStorage()
default_token_manager("sandbox-client", "sandbox-secret", "sandbox", "http://127.0.0.1:8080/oauth", STORAGE)


class Person(Contact):  # type: ignore[misc]
    phone = custom_field.ContactPhoneField("Телефон")
    email = custom_field.ContactEmailField("Email")


class Request(Lead):  # type: ignore[misc]
    building = custom_field.SelectCustomField("Тип объекта")
    address = custom_field.TextCustomField("Адрес объекта")
    area = custom_field.NumericCustomField("Площадь, м²")
    utm_source = custom_field.TextCustomField("utm_source", code="UTM_SOURCE")


def account_info() -> Any:
    return Account(data=AccountInteraction().get())


class ToSandbox(HTTPAdapter):
    """The client knows one host only; its requests for it go to the sandbox instead."""

    def __init__(self, base_url: str) -> None:
        super().__init__()
        self._base_url = base_url

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:  # type: ignore[override]
        parts = urlsplit(str(request.url))
        request.url = f"{self._base_url}{parts.path}" + (f"?{parts.query}" if parts.query else "")
        return super().send(request, **kwargs)


@pytest.fixture
async def box() -> AsyncIterator[AmocrmSandbox]:
    clock = SystemClock()
    sandbox = AmocrmSandbox(clock, rate=None)
    pair = sandbox.issue_tokens()
    STORAGE.save_tokens(pair["access_token"], pair["refresh_token"])
    async with serve(FaultLayer(sandbox, clock)) as url:
        adapter = ToSandbox(url)
        interaction._session.mount("https://sandbox.amocrm.ru/", adapter)
        yield sandbox
        adapter.close()


async def aside(work: Callable[[], Any]) -> Any:
    """The client blocks, the server needs the loop."""
    return await asyncio.to_thread(work)


async def test_account_users_and_pipelines(box: AmocrmSandbox) -> None:
    account = await aside(account_info)
    assert (account.name, account.subdomain) == ("Песочница", "sandbox")
    users = await aside(lambda: list(User.objects.all()))
    assert [user.name for user in users] == ["Анна Петрова", "Борис Смирнов", "Вера Кузнецова"]
    assert [user.is_admin for user in users] == [True, False, False]
    pipelines = await aside(lambda: list(Pipeline.objects.all()))
    assert [(pipeline.name, pipeline.is_main) for pipeline in pipelines] == [
        ("Воронка", True),
        ("Повторные продажи", False),
    ]
    statuses = await aside(lambda: list(Status.get_for(pipelines[0]).all()))
    assert [status.name for status in statuses][-2:] == ["Успешно реализовано", "Закрыто и не реализовано"]


async def test_a_contact_is_made_found_and_changed(box: AmocrmSandbox) -> None:
    def work() -> tuple[Any, Any, list[Any]]:
        person = Person(name="Иван Иванов", phone="+79161234567", email="ivan@example.ru")
        person.save()
        again = Person.objects.get(person.id)
        again.name = "Иван Петрович"
        again.save()
        return person, Person.objects.get(person.id), list(Person.objects.filter(query="9161234567"))

    made, read, found = await aside(work)
    assert (read.name, read.phone, read.email) == ("Иван Петрович", "+79161234567", "ivan@example.ru")
    assert [person.id for person in found] == [made.id]
    assert box.contacts[str(made.id)]["name"] == "Иван Петрович"


async def test_a_lead_with_fields_tags_contact_note_and_task(box: AmocrmSandbox) -> None:
    def work() -> tuple[Any, ...]:
        person = Person(name="Иван")
        person.save()
        lead = Request(name="Заявка", price=1200, building="Дом", address="ул. Ленина, 5", area=42, utm_source="yandex")
        lead.tags.append("окна")
        lead.save()
        lead.contacts.append(person, main=True)
        lead.notes(text="Нужны 3 окна").save()
        till = datetime.now(UTC) + timedelta(minutes=15)
        lead.tasks.add(Task(text="Позвонить", complete_till=till, task_type_id=1))
        lead = Request.objects.get(lead.id)
        notes = [note.text for note in lead.notes.objects.all()]
        tasks = [task.text for task in lead.tasks]
        return lead, [contact.name for contact in lead.contacts], [tag.name for tag in lead.tags], notes, tasks

    lead, contacts, tags, notes, tasks = await aside(work)
    assert (lead.name, lead.price, lead.building.value, lead.building.id) == ("Заявка", 1200, "Дом", 6200011)
    assert (lead.address, lead.area, lead.utm_source) == ("ул. Ленина, 5", 42.0, "yandex")
    assert (contacts, tags, notes, tasks) == (["Иван"], ["окна"], ["Нужны 3 окна"], ["Позвонить"])
    record = box.deals[str(lead.id)]
    assert record["_embedded"]["contacts"][0]["is_main"] is True
    assert await aside(lambda: lead.pipeline.name) == "Воронка"
    assert await aside(lambda: lead.status.name) == "Первичный контакт"
    assert await aside(lambda: lead.responsible_user.name) == "Анна Петрова"


async def test_moving_a_lead_and_paging_through_many(box: AmocrmSandbox) -> None:
    def work() -> tuple[Any, list[int]]:
        for number in range(260):
            Lead(name=f"Заявка {number}").save()
        lead = next(iter(Lead.objects.filter(order={"id": "desc"})))
        lead.status = 142
        lead.save()
        return Lead.objects.get(lead.id), [lead.id for lead in Lead.objects.all()]

    last, ids = await aside(work)
    assert last.name == "Заявка 259"
    assert last.closed_at is not None
    assert ids == sorted(ids)
    assert len(ids) == 260


async def test_filters_are_ignored_until_the_account_has_paid_for_them(box: AmocrmSandbox) -> None:
    def work() -> list[int]:
        wanted = SingleListFilter("id")(box_ids[1])
        return [lead.id for lead in Lead.objects.filter(filters=(wanted,))]

    await aside(lambda: [Lead(name=str(number)).save() for number in range(3)])
    box_ids = [int(key) for key in box.deals]
    assert await aside(work) == box_ids
    box.filters = True
    assert await aside(work) == [box_ids[1]]


async def test_companies_and_tags(box: AmocrmSandbox) -> None:
    company = await aside(lambda: Company(name="ООО Ромашка").save())
    assert box.companies[str(company.id)]["name"] == "ООО Ромашка"
    tag = await aside(lambda: Tag.leads.create(name="vip"))
    assert await aside(lambda: Tag.leads.create(name="vip").id) == tag.id
    assert [tag.name for tag in await aside(lambda: list(Tag.leads.all()))] == ["vip"]


async def test_field_lists(box: AmocrmSandbox) -> None:
    fields = await aside(lambda: list(CustomFieldModel.get_for(Lead())))
    by_code = {field.code: field for field in fields if field.code}
    assert {"UTM_SOURCE", "YCLID", "_YM_UID"} <= set(by_code)
    assert by_code["UTM_SOURCE"].type == "tracking_data"


async def test_what_is_not_there_and_what_is_not_allowed(box: AmocrmSandbox) -> None:
    with pytest.raises(exceptions.NotFound):
        await aside(lambda: Lead.objects.get(5))
    with pytest.raises(exceptions.ValidationError) as caught:
        await aside(lambda: Lead(name="x", status=999).save())
    assert caught.value.args[0]["validation-errors"][0]["errors"][0]["path"] == "status_id"
    box.admin = False
    with pytest.raises(exceptions.PermissionsDenyException):
        await aside(lambda: list(User.objects.all()))
    box.access_tokens.clear()
    with pytest.raises(exceptions.UnAuthorizedException):
        await aside(account_info)
