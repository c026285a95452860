"""A call by telephony where an application may, else as an activity, else as a comment; never twice."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import respx

from connectors.base import CallDraft, ContactDraft, DealDraft, Hint, Opening
from connectors.bitrix24 import Bitrix24Client, Bitrix24Settings
from connectors.errors import AuthError, PermanentError, UnknownOutcomeError
from connectors.sandbox.base import FaultKind
from leads.clock import SystemClock
from tests.connectors.bitrix24.conftest import Portal
from tests.support.mocked import mocked
from tests.support.token_store import MemoryTokens

SITE = "https://portal.example.ru"
AT = datetime(2026, 11, 24, 11, 17, tzinfo=UTC)
HINT = Hint(AT)
CALL = CallDraft(
    key="pbx-1:in_7",
    deal_id="42",
    contact_id="12",
    direction="in",
    phone="+79161234567",
    line="+74951234567",
    started_at=AT,
    talk_s=62,
    ring_s=9,
    disposition="answered",
    recording_url="https://rec.example.ru/1.mp3",
    responsible="7",
    text="Ответила Анна (101)",
)
REGISTER, FINISH = "telephony.externalCall.register", "telephony.externalCall.finish"
ATTACH, STATISTIC = "telephony.externalCall.attachRecord", "voximplant.statistic.get"
MISSING = {"error": "ERROR_METHOD_NOT_FOUND", "error_description": "Method not found!"}


class Vendor:
    """Answers an application by method, of an iterator each time the next; keeps what was asked."""

    def __init__(self, router: respx.MockRouter) -> None:
        self.answers: dict[str, Any] = {STATISTIC: []}
        self.asked: list[tuple[str, dict[str, Any]]] = []
        router.post(url__startswith=f"{SITE}/rest/").mock(side_effect=self._answer)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        method, body = request.url.path.rpartition("/")[2], json.loads(request.content)
        assert body.pop("auth", "access") == "access"
        self.asked.append((method, body))
        answer = self.answers.get(method, MISSING)
        answer = next(answer) if isinstance(answer, Iterator) else answer
        if isinstance(answer, dict) and "error" in answer:
            return httpx.Response(answer.get("status", 400), json=answer)
        return httpx.Response(200, json={"result": answer})

    def methods(self) -> list[str]:
        return [method for method, _ in self.asked]

    def body(self, method: str) -> dict[str, Any]:
        return next(body for asked, body in self.asked if asked == method)


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    with mocked() as router:
        yield Vendor(router)


def application() -> Bitrix24Client:
    oauth = {"client_id": "local.1", "client_secret": "s"}
    given = Bitrix24Settings.model_validate({"base_url": SITE, "oauth": oauth, "record": "deal", "max_batch": 1})
    now = SystemClock().now().timestamp()
    tokens = {"access_token": "access", "refresh_token": "r", "obtained_at": now, "expires_at": now + 3600}
    return Bitrix24Client(Opening("b24", given, SystemClock(), MemoryTokens(tokens)))


async def test_an_application_registers_finishes_and_completes_the_call(vendor: Vendor) -> None:
    vendor.answers |= {
        REGISTER: {"CALL_ID": "externalCall.a1", "CRM_ENTITY_TYPE": "CONTACT", "CRM_ENTITY_ID": 12},
        FINISH: {"CALL_ID": "externalCall.a1", "CRM_ACTIVITY_ID": 99},
        ATTACH: {"FILE_ID": 3},
        "crm.activity.binding.add": True,
        "crm.activity.update": True,
    }
    assert await application().create(CALL) == "99"
    assert vendor.asked[:3] == [
        (STATISTIC, {"FILTER": {"EXTERNAL_CALL_ID": "pbx-1:in_7"}}),
        (
            REGISTER,
            {
                "USER_ID": 7,
                "PHONE_NUMBER": "+79161234567",
                "TYPE": 2,
                "CALL_START_DATE": "2026-11-24T11:17:00+00:00",
                "CRM_CREATE": 0,
                "SHOW": 0,
                "EXTERNAL_CALL_ID": "pbx-1:in_7",
                "LINE_NUMBER": "+74951234567",
                "CRM_ENTITY_TYPE": "CONTACT",
                "CRM_ENTITY_ID": 12,
            },
        ),
        (
            FINISH,
            {"CALL_ID": "externalCall.a1", "USER_ID": 7, "DURATION": 62, "STATUS_CODE": "200", "ADD_TO_CHAT": 0},
        ),
    ]
    assert sorted(vendor.methods()[3:]) == ["crm.activity.binding.add", "crm.activity.update", ATTACH]
    assert vendor.body(ATTACH) == {"CALL_ID": "externalCall.a1", "RECORD_URL": "https://rec.example.ru/1.mp3"}
    assert vendor.body("crm.activity.binding.add") == {"activityId": 99, "entityTypeId": 2, "entityId": 42}
    assert vendor.body("crm.activity.update") == {"id": 99, "fields": {"DESCRIPTION": "Ответила Анна (101)"}}


@pytest.mark.parametrize(
    ("disposition", "code"),
    [
        ("answered", "200"),
        ("missed", "304"),
        ("no_answer", "480"),
        ("busy", "486"),
        ("failed", "503"),
        ("voicemail", "304"),
    ],
)
async def test_every_end_of_a_call_has_its_code(vendor: Vendor, disposition: Any, code: str) -> None:
    vendor.answers |= {REGISTER: {"CALL_ID": "a1"}, FINISH: {"CRM_ACTIVITY_ID": 99}}
    draft = replace(CALL, deal_id="L_15", contact_id="", disposition=disposition, direction="out", text="")
    await application().create(draft)
    assert vendor.body(FINISH)["STATUS_CODE"] == code
    asked = vendor.body(REGISTER)
    assert (asked["TYPE"], asked["CRM_ENTITY_TYPE"], asked["CRM_ENTITY_ID"]) == (1, "LEAD", 15)
    assert vendor.methods()[3:] == [ATTACH], "nothing is left to bind"


async def test_a_call_stays_logged_when_its_belongings_are_refused(vendor: Vendor) -> None:
    vendor.answers |= {REGISTER: {"CALL_ID": "a1"}, FINISH: {"CALL_ID": "a1"}}
    assert await application().create(CALL) == "a1"
    vendor.answers[FINISH] = {"CRM_ACTIVITY_ID": "99"}
    assert await application().create(CALL) == "99"


NO_TELEPHONY = [
    {"error": "insufficient_scope", "error_description": "higher privileges", "status": 403},
    {"error": "insufficient_scope", "error_description": "higher privileges", "status": 401},
    {"error": "WRONG_AUTH_TYPE", "error_description": "denied", "status": 403},
    {"error": "ACCESS_DENIED", "error_description": "Access denied", "status": 403},
    MISSING,
]


@pytest.mark.parametrize("refusal", NO_TELEPHONY)
@pytest.mark.parametrize("method", [STATISTIC, REGISTER])
async def test_a_portal_that_keeps_telephony_from_us_gets_an_activity_and_is_not_asked_again_soon(
    vendor: Vendor, method: str, refusal: dict[str, Any]
) -> None:
    vendor.answers |= {REGISTER: {"CALL_ID": "a1"}, method: refusal, "crm.activity.add": 55}
    client = application()
    assert await client.create(CALL) == "55"
    assert FINISH not in vendor.methods()
    vendor.asked.clear()
    assert await client.create(CALL) == "55"
    assert vendor.asked == [
        (
            "crm.activity.add",
            {
                "fields": {
                    "OWNER_TYPE_ID": 2,
                    "OWNER_ID": 42,
                    "TYPE_ID": 2,
                    "SUBJECT": "Ответила Анна (101)",
                    "DESCRIPTION": "Ответила Анна (101)\nhttps://rec.example.ru/1.mp3\n\n#leadhub:pbx-1:in_7",
                    "DIRECTION": 1,
                    "COMMUNICATIONS": [{"VALUE": "+79161234567", "ENTITY_TYPE_ID": 3, "ENTITY_ID": 12}],
                    "START_TIME": "2026-11-24T11:17:00+00:00",
                    "END_TIME": "2026-11-24T11:18:11+00:00",
                    "COMPLETED": "Y",
                    "ORIGINATOR_ID": "leadhub",
                    "ORIGIN_ID": "pbx-1:in_7",
                    "RESPONSIBLE_ID": 7,
                }
            },
        )
    ]


async def test_a_dead_token_is_not_taken_for_missing_telephony(vendor: Vendor) -> None:
    vendor.answers[STATISTIC] = {"error": "invalid_token", "error_description": "x", "status": 401}
    with pytest.raises(AuthError):
        await application().create(CALL)
    assert vendor.methods() == [STATISTIC]


async def test_a_call_of_nobody_in_the_crm_is_an_activity(vendor: Vendor) -> None:
    """Telephony wants a user for each call, and a missed one has none."""
    vendor.answers["crm.activity.add"] = 55
    assert await application().create(replace(CALL, responsible="")) == "55"
    assert vendor.methods() == ["crm.activity.add"]
    assert "RESPONSIBLE_ID" not in vendor.asked[0][1]["fields"]


async def test_where_no_activity_is_taken_it_is_a_comment(vendor: Vendor) -> None:
    vendor.answers |= {STATISTIC: MISSING, "crm.timeline.comment.add": 5, "crm.activity.list": []}
    assert await application().create(CALL) == "C_5"
    comment = vendor.body("crm.timeline.comment.add")["fields"]["COMMENT"]
    assert comment == "Ответила Анна (101)\nhttps://rec.example.ru/1.mp3\n\n#leadhub:pbx-1:in_7"
    vendor.answers["crm.activity.add"] = {"error": "", "error_description": "Wrong communication"}
    assert await application().create(CALL) == "C_5"
    row = {"ID": "8", "DESCRIPTION": "x #leadhub:pbx-1:in_7"}
    vendor.answers["crm.activity.list"] = [row]
    assert await application().create(CALL) == "8", "refused, and written all the same"


async def test_a_deal_that_is_gone_gets_no_comment(vendor: Vendor) -> None:
    gone = {"error": "OWNER_NOT_FOUND", "error_description": "Owner was not found"}
    vendor.answers |= {STATISTIC: MISSING, "crm.activity.add": gone}
    with pytest.raises(PermanentError) as caught:
        await application().create(CALL)
    assert caught.value.gone


# --- against the sandbox -----------------------------------------------------------------------


def by_app(portal: Portal) -> Bitrix24Client:
    access, refresh = portal.sandbox.authority.pair()
    now = SystemClock().now().timestamp()
    token = {"access_token": access, "refresh_token": refresh, "obtained_at": now, "expires_at": now + 3600}
    oauth = {"client_id": "local.sandbox", "client_secret": "sandbox-secret", "server": portal.url}
    return portal.open(oauth=oauth, base_url=portal.url, tokens=MemoryTokens(token))


async def on_a_deal(client: Bitrix24Client) -> CallDraft:
    contact_id = await client.create(ContactDraft("p-1", "Иван", ("+79161234567",)))
    deal_id = await client.create(DealDraft("l-1", "Окна", contact_id=contact_id))
    return replace(CALL, deal_id=deal_id, contact_id=contact_id, started_at=SystemClock().now())


async def test_a_webhook_asks_for_telephony_once_and_is_refused_it(portal: Portal) -> None:
    client = portal.open()
    draft = await on_a_deal(client)
    made = await client.create(draft)
    assert portal.sandbox.activities[made]["ORIGIN_ID"] == draft.key
    await client.create(replace(draft, key="other"))
    assert portal.methods().count(STATISTIC) == 1
    assert portal.methods().count(REGISTER) == 1
    assert await client.find_created(draft, HINT) == made


async def test_a_webhook_that_is_let_in_uses_telephony(vendor: Vendor) -> None:
    vendor.answers |= {REGISTER: {"CALL_ID": "a1"}, FINISH: {"CRM_ACTIVITY_ID": 99}}
    given = Bitrix24Settings.model_validate({"webhook_url": f"{SITE}/rest/1/s/", "record": "deal", "max_batch": 1})
    client = Bitrix24Client(Opening("b24", given, SystemClock(), MemoryTokens({})))
    assert await client.create(CALL) == "99"
    assert vendor.methods()[:3] == [STATISTIC, REGISTER, FINISH]


@pytest.mark.parametrize("kind", ["reset", "reset_after", "500_after", "truncated"])
@pytest.mark.parametrize("method", [REGISTER, FINISH])
async def test_whatever_answer_gets_lost_the_call_is_there_once(portal: Portal, method: str, kind: FaultKind) -> None:
    client = by_app(portal)
    draft = await on_a_deal(client)
    portal.fail(kind, method)
    with pytest.raises(UnknownOutcomeError):
        await client.create(draft)
    written = method == FINISH and kind != "reset"
    assert len(portal.sandbox.phone_calls) == written
    found = await client.find_created(draft, HINT)
    assert (found is not None) == written
    made = await client.create(draft)
    assert made == (found or made)
    (row,) = portal.sandbox.phone_calls.values()
    assert (row["CRM_ACTIVITY_ID"], row["EXTERNAL_CALL_ID"]) == (made, draft.key)
    assert row["RECORD_URL"] == draft.recording_url, "what was lost with the answer is sent again"
    activity = portal.sandbox.activities[made]
    assert activity["DESCRIPTION"] == draft.text
    assert activity["BINDINGS"] == [{"OWNER_TYPE_ID": "2", "OWNER_ID": draft.deal_id}]
    assert len(portal.sandbox.activities) == 1


async def test_a_lost_activity_of_an_application_without_the_scope_is_found(portal: Portal) -> None:
    portal.sandbox.telephony = False
    client = by_app(portal)
    draft = await on_a_deal(client)
    portal.fail("reset_after", "crm.activity.add")
    with pytest.raises(UnknownOutcomeError):
        await client.create(draft)
    assert await client.find_created(draft, HINT) == "1"
    assert await client.find_created(replace(draft, key="other"), HINT) is None


async def test_a_lost_comment_is_found(portal: Portal) -> None:
    portal.sandbox.without.add("crm.activity.add")
    client = portal.open()
    draft = await on_a_deal(client)
    portal.fail("reset_after", "crm.timeline.comment.add")
    with pytest.raises(UnknownOutcomeError):
        await client.create(draft)
    assert await client.find_created(draft, HINT) == "C_1"


FINISHED = {"EXTERNAL_CALL_ID": CALL.key, "CALL_ID": "a1", "CRM_ACTIVITY_ID": "99"}
NOT_FOUND = {"error": "", "error_description": "Call is not found"}


async def test_of_what_the_statistics_show_the_oldest_of_ours_is_taken_and_not_made_again(vendor: Vendor) -> None:
    client = application()
    vendor.answers[STATISTIC] = [
        {**FINISHED, "EXTERNAL_CALL_ID": "other", "CRM_ACTIVITY_ID": "5"},
        {**FINISHED, "CRM_ACTIVITY_ID": "100"},
        FINISHED,
    ]
    assert await client.create(CALL) == "99"
    assert vendor.methods() == [STATISTIC]
    assert await client.find_created(CALL, HINT) == "99"


async def test_a_finish_that_is_refused_is_believed_only_after_a_look(vendor: Vendor) -> None:
    """The second finish of a call is refused as well."""
    vendor.answers |= {REGISTER: {"CALL_ID": "a1"}, FINISH: NOT_FOUND, "crm.activity.add": 55}
    vendor.answers[STATISTIC] = iter([[], [FINISHED]])
    assert await application().create(CALL) == "99"
    assert vendor.body(ATTACH)["CALL_ID"] == "a1"
    vendor.answers[STATISTIC] = iter([[], []])
    assert await application().create(CALL) == "55", "nowhere to be seen: an activity"
    vendor.answers[STATISTIC] = iter([[], {"error": "INTERNAL_SERVER_ERROR", "error_description": "", "status": 500}])
    with pytest.raises(UnknownOutcomeError):
        await application().create(CALL)


# --- a recording that comes later ------------------------------------------------------------------------------------


async def test_a_late_recording_is_attached_to_the_call_of_telephony(portal: Portal) -> None:
    client = by_app(portal)
    draft = replace(await on_a_deal(client), recording_url="")
    made = await client.create(draft)
    assert await client.attach_recording(draft.key, made, CALL.recording_url)
    assert await client.attach_recording(draft.key, made, CALL.recording_url)
    (row,) = portal.sandbox.phone_calls.values()
    assert row["RECORD_URL"] == CALL.recording_url


async def test_calls_that_are_not_of_telephony_take_no_recording(portal: Portal) -> None:
    client = portal.open()
    made = await client.create(await on_a_deal(client))
    assert not await client.attach_recording(CALL.key, made, CALL.recording_url)
    portal.sandbox.telephony = False
    assert not await by_app(portal).attach_recording(CALL.key, made, CALL.recording_url)
    portal.sandbox.telephony = True
    assert not await by_app(portal).attach_recording("other", made, CALL.recording_url)
