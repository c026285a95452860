"""A sample of the door: a lead form."""

from datetime import datetime

from connectors.doors import Inbound
from connectors.samples import EMAIL, NAME, PHONE, millis, own_id, posted_json, secret
from connectors.vk.settings import VkSettings

USER_ID = 1


def sample(settings: VkSettings, address: str, now: datetime) -> Inbound:
    told = (("first_name", "Name", NAME), ("phone_number", "Phone", PHONE), ("email", "Email", EMAIL))
    answers = [{"key": key, "question": question, "answer": answer} for key, question, answer in told]
    group = int(settings.group_id.lstrip("-abcdefghijklmnopqrstuvwxyz") or 1)
    form = {
        "lead_id": millis(now),
        "group_id": group,
        "user_id": USER_ID,
        "form_id": 1,
        "form_name": NAME,
        "answers": answers,
    }
    tree: dict[str, object] = {"group_id": group, "type": "lead_forms_new", "event_id": own_id(now)}
    tree["object"] = {**form, "answers": answers}
    if settings.secret is not None:
        tree["secret"] = secret(settings.secret)
    return posted_json(settings, address, now, tree)
