"""Look-ups that leave together while they wait for the limiter: by key, by e-mail, by phone."""

from collections.abc import Awaitable, Callable
from typing import Any

import phonenumbers

from connectors.base import Kind
from connectors.errors import ConnectorError, PermanentError, RetryableError
from connectors.hubspot.api import HubSpotApi, SendAlone
from connectors.hubspot.payloads import KEY_PROPERTY, TYPES
from connectors.hubspot.records import found_records, lowest, next_page, properties_of, record_id, results_of, whole
from connectors.limits import Batcher
from connectors.recordvalues import same_name

MAX_BATCH = 100
MAX_PHONES = 20
"""In one search: its body is limited to 3 000 characters."""
SEARCH_LIMIT = 200

SEARCHABLE = ("hs_searchable_calculated_phone_number", "hs_searchable_calculated_mobile_number")
"""Hidden; area code and number without the country code."""
TYPED = ("phone", "mobilephone")
CALCULATED = ("hs_calculated_phone_number", "hs_calculated_mobile_number")
PHONE_PROPERTIES = (*TYPED, *SEARCHABLE, *CALCULATED)

Found = str | None
Send = Callable[[list[str]], Awaitable[list[Found | ConnectorError]]]


def same_phone(typed: str, e164: str) -> bool:
    """Whether what a person typed into the CRM is this number: `8 (916) …` is, a number of another country is not."""
    bare = typed.strip()
    for sign in ("доб", "ext", "x", ",", ";", "#"):
        bare = bare.lower().split(sign)[0]
    if bare.startswith("00"):
        bare = f"+{bare[2:]}"
    match = phonenumbers.is_number_match(bare, e164)
    return match in (phonenumbers.MatchType.EXACT_MATCH, phonenumbers.MatchType.NSN_MATCH)


def national(e164: str) -> str:
    """The number without its country code, as HubSpot's searchable properties hold it."""
    try:
        return phonenumbers.national_significant_number(phonenumbers.parse(e164, None))
    except phonenumbers.NumberParseException:
        return e164.lstrip("+")


def has_phone(properties: dict[str, str], e164: str) -> bool:
    return any(same_phone(properties[name], e164) for name in (*TYPED, *CALCULATED) if properties.get(name))


def has_email(properties: dict[str, str], email: str) -> bool:
    """Also an additional e-mail of a merged contact counts."""
    ours = email.strip().lower()
    held = [properties.get("email", ""), *properties.get("hs_additional_emails", "").split(";")]
    return ours in (one.strip().lower() for one in held)


def phone_search(phones: list[str]) -> dict[str, Any]:
    """The body of a search for contacts with any of these numbers (E.164)."""
    if len(phones) == 1:
        suffix = f"*{national(phones[0])}"
        filters = [{"propertyName": name, "operator": "CONTAINS_TOKEN", "value": suffix} for name in SEARCHABLE]
        filters += [{"propertyName": name, "operator": "EQ", "value": phones[0]} for name in TYPED]
    else:
        nationals = sorted({national(phone) for phone in phones})
        filters = [_any_of(name, nationals) for name in SEARCHABLE] + [_any_of(name, phones) for name in TYPED]
    return {
        "filterGroups": [{"filters": [one]} for one in filters],
        "properties": [*PHONE_PROPERTIES],
        "limit": SEARCH_LIMIT,
    }


def plain_phone_search(phone: str) -> dict[str, Any]:
    """For an account that does not know the hidden properties."""
    filters = [{"propertyName": name, "operator": "EQ", "value": phone} for name in TYPED]
    groups = [{"filters": [one]} for one in filters]
    return {"filterGroups": groups, "properties": [*TYPED], "limit": SEARCH_LIMIT}


def _any_of(name: str, values: list[str]) -> dict[str, Any]:
    return {"propertyName": name, "operator": "IN", "values": values}


class Lookups:
    def __init__(self, api: HubSpotApi) -> None:
        self._api = api
        self._by_key = {kind: self._ids(kind, KEY_PROPERTY[kind]) for kind in TYPES}
        self._by_email = self._ids("contact", "email")
        self._by_phone: Batcher[str, Found] = Batcher(
            api.search_limiter, self._search_phones, max_batch=MAX_PHONES, operation="find contact by phone"
        )

    async def by_key(self, kind: Kind, key: str) -> Found:
        """Id of the record with our key. No index, so no delay. PermanentError when the property is no id."""
        return await self._one(self._by_key[kind], kind, KEY_PROPERTY[kind], key.lower())

    async def by_email(self, email: str) -> Found:
        return await self._one(self._by_email, "contact", "email", email.strip().lower())

    async def by_key_if(self, kind: Kind, key: str) -> Found:
        """`by_key` where the property may be no id: then it proves nothing and finds nothing."""
        try:
            return await self.by_key(kind, key)
        except PermanentError:
            return None

    async def by_email_if(self, email: str) -> Found:
        """`by_email` where HubSpot may take the text for no e-mail: then nobody has it."""
        try:
            return await self.by_email(email)
        except PermanentError:
            return None

    async def by_phone(self, phone: str) -> Found:
        """The oldest contact with this number, of those that the index already has (it lags by seconds)."""
        try:
            return await self._by_phone.call(phone)
        except SendAlone:
            pass
        async with self._api.search_limiter.turn():
            return await self._search_phone(phone)

    async def company_named(self, name: str) -> Found:
        """The only company of this name, of those that the index already has; None also where searching is refused."""
        named = {"propertyName": "name", "operator": "EQ", "value": name}
        body = {"filterGroups": [{"filters": [named]}], "properties": ["name"], "limit": SEARCH_LIMIT}
        try:
            answer = await self._api.search("find company", "companies", body)
        except PermanentError:
            return None
        records = found_records(answer, "find company")
        found = [record_id(record) for record in records if same_name(properties_of(record).get("name", ""), name)]
        return found[0] if len(found) == 1 and found[0] else None

    async def _one(self, batcher: Batcher[str, Found], kind: Kind, property_: str, value: str) -> Found:
        try:
            return await batcher.call(value)
        except SendAlone:
            pass
        async with self._api.limiter.turn():
            return await self._get(kind, property_, value)

    def _ids(self, kind: Kind, property_: str) -> Batcher[str, Found]:
        async def send(values: list[str]) -> list[Found | ConnectorError]:
            different = list(dict.fromkeys(values))
            if len(different) == 1:
                return [await self._get(kind, property_, different[0])] * len(values)
            found = await self._batch(kind, property_, different)
            return [found[value] for value in values]

        return Batcher(self._api.limiter, send, max_batch=MAX_BATCH, operation=f"find {kind} by {property_}")

    async def _get(self, kind: Kind, property_: str, value: str) -> Found:
        path = self._api.paths.record(TYPES[kind], value)
        params = {"idProperty": property_, "properties": ",".join(_asked(property_))}
        try:
            record = await self._api.send(f"find {kind}", "GET", path, writes=False, params=params)
        except PermanentError as error:
            if error.status == 404:
                return None
            raise
        if not record_id(record):
            raise RetryableError("no id in the answer", f"find {kind}", 200)
        return record_id(record) if _holds(properties_of(record), property_, value) else None

    async def _batch(self, kind: Kind, property_: str, values: list[str]) -> dict[str, Found | ConnectorError]:
        body = {
            "idProperty": property_,
            "properties": _asked(property_),
            "propertiesWithHistory": [],
            "inputs": [{"id": value} for value in values],
        }
        path = self._api.paths.batch(TYPES[kind], "read")
        try:
            answer = await self._api.send(f"find {kind}s", "POST", path, writes=False, json=body)
        except PermanentError as error:
            return dict.fromkeys(values, SendAlone("refused as a batch", f"find {kind}s", error.status))
        lost = None if whole(answer) else RetryableError("the answer is not complete", f"find {kind}s", 207)
        found: dict[str, Found | ConnectorError] = {}
        records = [(record_id(record), properties_of(record)) for record in results_of(answer)]
        for value in values:
            found[value] = next((id_ for id_, held in records if id_ and _has(held, property_, value)), lost)
        return found

    async def _search_phones(self, phones: list[str]) -> list[Found | ConnectorError]:
        different = list(dict.fromkeys(phones))
        if len(different) == 1:
            return [await self._search_phone(different[0])] * len(phones)
        alone = SendAlone("refused as a batch", "find contacts by phone")
        try:
            answer = await self._api.send_search("find contacts by phone", "contacts", phone_search(different))
        except PermanentError:
            return [alone] * len(phones)
        if next_page(answer):
            return [alone] * len(phones)
        records = found_records(answer, "find contacts by phone")
        return [_oldest(records, phone) for phone in phones]

    async def _search_phone(self, phone: str) -> Found:
        """None also where the account refuses to search: then the create decides by e-mail and key."""
        for body in (phone_search([phone]), plain_phone_search(phone)):
            try:
                answer = await self._api.send_search("find contact by phone", "contacts", body)
            except PermanentError:
                continue
            return _oldest(found_records(answer, "find contact by phone"), phone)
        return None


def _oldest(records: list[dict[str, Any]], phone: str) -> Found:
    return lowest(filter(None, (record_id(record) for record in records if has_phone(properties_of(record), phone))))


def _asked(property_: str) -> list[str]:
    return ["email", "hs_additional_emails"] if property_ == "email" else [property_]


def _has(properties: dict[str, str], property_: str, value: str) -> bool:
    if property_ == "email":
        return has_email(properties, value)
    return properties.get(property_, "").lower() == value


def _holds(properties: dict[str, str], property_: str, value: str) -> bool:
    """Whether the record that was asked for by `value` has it; believed where the answer does not show it."""
    return property_ not in properties or _has(properties, property_, value)
