"""An event of Meta Lead Ads -> an errand for each lead that it names."""

from typing import Any

from connectors.doors import Inbound, Parsed
from connectors.events import Errand
from connectors.formfields import dict_of, dicts_of, object_of, text_of
from connectors.meta.settings import MetaSettings

_TOLD = ("leadgen_id", "page_id", "form_id", "ad_id", "adgroup_id", "created_time")


def parse(settings: MetaSettings, inbound: Inbound, region: str) -> Parsed:
    """Raises UnreadableBody. One request may hold several entries with several changes each; one lead is one errand."""
    event = object_of(inbound)
    if text_of(event.get("object")) != "page":
        return Parsed()
    errands: dict[str, Errand] = {}
    for entry in dicts_of(event.get("entry")):
        for change in dicts_of(entry.get("changes")):
            errand = _errand(change, text_of(entry.get("id")))
            if errand is not None:
                errands.setdefault(errand.key, errand)
    return Parsed(errands=tuple(errands.values()))


def _errand(change: dict[str, Any], page_id: str) -> Errand | None:
    value = dict_of(change.get("value"))
    leadgen_id = text_of(value.get("leadgen_id"))
    if text_of(change.get("field")) != "leadgen" or not leadgen_id:
        return None
    told = {name: text_of(value.get(name)) for name in _TOLD}
    told["page_id"] = told["page_id"] or page_id
    return Errand("leadgen", leadgen_id, {name: text for name, text in told.items() if text})
