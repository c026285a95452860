"""Notes, tasks and calls around records, put into one CRM and read in another as people see them there."""

from datetime import UTC, datetime
from typing import Any, NamedTuple

from connectors.sandbox.amocrm_data import USERS
from tests.jobs.migrate.house import House

AT = int(datetime(2024, 3, 1, 9, 30, tzinfo=UTC).timestamp())
ENTITY = {"deal": "leads", "contact": "contacts", "company": "companies"}


class Seen(NamedTuple):
    """`on`: kind and id of the record. `at`, `due`: to the minute, UTC, "" where the CRM keeps none of its own. `by`:
    the person's name, of a task whose it is. `text` without our mark."""

    on: tuple[str, str]
    at: str
    by: str
    text: str
    more: str = ""


def seen(made: House, crm: str, kind: str) -> list[Seen]:
    """Those of one kind, sorted. `more`: a call's direction, number, seconds and recording; when a task is due, and
    whether it is done."""
    of = {"amocrm": _amocrm, "bitrix24": _bitrix24, "hubspot": _hubspot}
    return sorted(of[vendor_of(crm)](made.scenes[crm].box, kind))


def vendor_of(crm: str) -> str:
    return {"portal": "bitrix24"}.get(crm, crm)


def _amocrm(box: Any, kind: str) -> list[Seen]:
    users = {user[0]: user[1] for user in USERS}
    found = []
    for row in (box.tasks if kind == "task" else box.notes).values():
        on = next(about for about, entity in ENTITY.items() if entity == row["entity_type"]), str(row["entity_id"])
        at, by = _minute(row["created_at"]), users.get(row["created_by"], "")
        if kind == "task":
            more = f"{_minute(row['complete_till'])} {'done' if row['is_completed'] else 'open'}"
            found.append(Seen(on, at, users[row["responsible_user_id"]], row["text"].split(" #lh-")[0], more))
        elif kind == "call" and row["note_type"] in ("call_in", "call_out"):
            params = row["params"]
            way = row["note_type"].removeprefix("call_")
            more = f"{way} {params['phone']} {params['duration']} {params['link']}"
            found.append(Seen(on, at, by, params.get("call_result", ""), more))
        elif kind == "note" and row["note_type"] == "common":
            found.append(Seen(on, at, by, row["params"]["text"].split("\n#lh-")[0]))
    return found


def _bitrix24(box: Any, kind: str) -> list[Seen]:
    users = {id: f"{one['NAME']} {one['LAST_NAME']}" for id, one in box.crm.users.items()}
    if kind == "note":
        return [
            Seen((row["ENTITY_TYPE"], row["ENTITY_ID"]), "", users[row["AUTHOR_ID"]], _bare(row["COMMENT"]))
            for row in box.comments.values()
        ]
    found = []
    for row in box.activities.values():
        on = {"1": "lead", "2": "deal", "3": "contact", "4": "company"}[row["OWNER_TYPE_ID"]], row["OWNER_ID"]
        whose, text = users[row["RESPONSIBLE_ID"]], _bare(row["DESCRIPTION"])
        if kind == "task" and row.get("PROVIDER_ID") == "CRM_TODO":
            state = "done" if row["COMPLETED"] == "Y" else "open"
            found.append(Seen(on, "", whose, text, f"{_minute(row['DEADLINE'])} {state}"))
        elif kind == "call" and row["TYPE_ID"] == "2":
            start, end = (datetime.fromisoformat(row[name]) for name in ("START_TIME", "END_TIME"))
            way = {"1": "in", "2": "out"}[row["DIRECTION"]]
            text, _, link = text.rpartition("\n")
            more = f"{way} {row['COMMUNICATIONS'][0]['VALUE']} {int((end - start).total_seconds())} {link}"
            found.append(Seen(on, _minute(row["START_TIME"]), whose, text, more))
    return found


def _hubspot(box: Any, kind: str) -> list[Seen]:
    users = {id: f"{one['firstName']} {one['lastName']}" for id, one in box.schema.owners.items()}
    found = []
    for id, record in box.records.live[f"{kind}s"].items():
        row = record["properties"]
        linked = box.records.links[f"{kind}s", id]
        ((about, ids),) = ((one, list(some)) for one, some in linked.items() if some)
        (of,) = ids
        on, by = (
            ({"deals": "deal", "contacts": "contact", "companies": "company"}[about], of),
            row.get("hubspot_owner_id", ""),
        )
        whose, at = users.get(by, ""), _minute(row["hs_timestamp"])
        if kind == "note":
            found.append(Seen(on, at, whose, _plain(row["hs_note_body"])))
        elif kind == "task":
            state = {"COMPLETED": "done", "NOT_STARTED": "open"}[row["hs_task_status"]]
            found.append(
                Seen(on, "", whose, _plain(row.get("hs_task_body") or row["hs_task_subject"]), f"{at} {state}")
            )
        else:
            incoming = row["hs_call_direction"] == "INBOUND"
            phone = row["hs_call_from_number" if incoming else "hs_call_to_number"]
            seconds = int(row["hs_call_duration"]) // 1000
            more = f"{'in' if incoming else 'out'} {phone} {seconds} {row.get('hs_call_recording_url', '')}"
            found.append(Seen(on, at, whose, _plain(row.get("hs_call_body") or ""), more))
    return found


def _plain(html: str) -> str:
    return html.replace("<br>", "\n").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _bare(text: str | None) -> str:
    return (text or "").split("\n\n#leadhub:")[0]


def _minute(at: Any) -> str:
    when = datetime.fromtimestamp(at, UTC) if isinstance(at, int) else datetime.fromisoformat(at).astimezone(UTC)
    return when.isoformat()[:16]


def put_note(made: House, crm: str, about: str, id: str, text: str, *, at: int = AT) -> str:
    """By the second user of the CRM."""
    box = made.scenes[crm].box
    if crm == "amocrm":
        item = {"note_type": "common", "params": {"text": text}, "created_at": at, "created_by": SECOND[crm]}
        return str(box._make_note(ENTITY[about], id, item)()["id"])
    if crm == "bitrix24":
        fields = {"ENTITY_TYPE": about, "ENTITY_ID": id, "COMMENT": text, "AUTHOR_ID": SECOND[crm]}
        number = str(box.crm.timeline.comment_add({"fields": fields}))
        box.comments[number]["CREATED"] = _stamp(at)
        return number
    row = {"hs_note_body": text, "hubspot_owner_id": SECOND[crm], "hs_timestamp": _stamp(at)}
    return hang(made, "notes", about, id, row)


def put_task(made: House, crm: str, about: str, id: str, text: str, *, due: int, done: bool, at: int = AT) -> str:
    """Of the second user."""
    box, whose = made.scenes[crm].box, SECOND[crm]
    if crm == "amocrm":
        item = {
            "text": text,
            "complete_till": due,
            "entity_type": ENTITY[about],
            "entity_id": id,
            "created_at": at,
            "created_by": whose,
            "responsible_user_id": whose,
            "is_completed": done,
        }
        return str(box._make_task(item)()["id"])
    if crm == "bitrix24":
        kind = {"lead": 1, "deal": 2, "contact": 3, "company": 4}[about]
        todo = {"ownerTypeId": kind, "ownerId": id, "deadline": _stamp(due), "title": text, "responsibleId": whose}
        number = str(box.crm.timeline.todo_add(todo)["id"])
        box.activities[number] |= {"CREATED": _stamp(at), "COMPLETED": "Y" if done else "N", "AUTHOR_ID": whose}
        return number
    row = {"hs_task_subject": text, "hs_task_status": "COMPLETED" if done else "NOT_STARTED"}
    return hang(made, "tasks", about, id, {**row, "hubspot_owner_id": whose, "hs_timestamp": _stamp(due)})


def put_call(made: House, crm: str, about: str, id: str, *, phone: str, seconds: int, at: int = AT) -> str:
    """An incoming one that the second user took; recorded."""
    box, whose, link = made.scenes[crm].box, SECOND[crm], f"https://rec.example.ru/{at}.mp3"
    if crm == "amocrm":
        params = {"uniq": f"u{at}", "duration": seconds, "source": "x", "link": link, "phone": phone}
        item = {"note_type": "call_in", "params": params, "created_at": at, "created_by": whose}
        return str(box._make_note(ENTITY[about], id, item)()["id"])
    if crm == "bitrix24":
        kind = {"lead": 1, "deal": 2, "contact": 3, "company": 4}[about]
        fields = {
            "OWNER_TYPE_ID": kind,
            "OWNER_ID": id,
            "TYPE_ID": 2,
            "SUBJECT": "Звонок",
            "DIRECTION": 1,
            "COMPLETED": "Y",
            "START_TIME": _stamp(at),
            "END_TIME": _stamp(at + seconds),
            "COMMUNICATIONS": [{"VALUE": phone}],
            "RESPONSIBLE_ID": whose,
        }
        number = str(box.crm.timeline.activity_add({"fields": fields}))
        box.activities[number]["FILES"] = [{"id": 1, "url": link}]
        return number
    row = {"hs_call_direction": "INBOUND", "hs_call_from_number": phone, "hs_call_duration": str(seconds * 1000)}
    more = {"hs_call_recording_url": link, "hubspot_owner_id": whose, "hs_timestamp": _stamp(at)}
    return hang(made, "calls", about, id, {**row, **more})


TO = {
    "notes": {"deal": 214, "contact": 202, "company": 190},
    "tasks": {"deal": 216, "contact": 204, "company": 192},
    "calls": {"deal": 206, "contact": 194, "company": 182},
}


def hang(made: House, type_: str, about: str, id: str, properties: dict[str, Any]) -> str:
    types = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": TO[type_][about]}]
    records = made.scenes["hubspot"].box.records
    return str(records.create(type_, properties, [{"to": {"id": id}, "types": types}])["id"])


SECOND: dict[str, Any] = {"amocrm": USERS[1][0], "bitrix24": "7", "hubspot": "80510102"}
SECOND_NAME = USERS[1][1]


def same_people(made: House) -> None:
    """The second users of all CRMs have one name, so that the dictionary of a move knows them."""
    first, last = SECOND_NAME.split()
    for portal in made.scenes.keys() & {"bitrix24", "portal"}:
        made.scenes[portal].box.crm.users[SECOND["bitrix24"]] |= {"NAME": first, "LAST_NAME": last}
    made.scenes["hubspot"].box.schema.owners[SECOND["hubspot"]] |= {"firstName": first, "lastName": last}


def _stamp(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()
