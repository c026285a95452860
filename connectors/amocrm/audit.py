"""Reading our deals back in bulk."""

from datetime import datetime, timedelta

from connectors.amocrm.api import AmocrmApi
from connectors.amocrm.lookup import NEWEST
from connectors.amocrm.payloads import EntityFields
from connectors.amocrm.records import Row, found_deal, key_of, made_before, moment, newest_first, rows_of
from connectors.base import FoundDeal

MAX_PAGES = 400
CLOCKS_APART = timedelta(minutes=5)
"""The vendor's clock and ours may differ by this much."""
IDS_PER_CALL = 100
FEW = 3
"""So many missing deals are read one by one without trying the filter."""


class Audit:
    def __init__(self, api: AmocrmApi) -> None:
        self._api = api
        self._filter_by_id_works = True

    async def read_back(
        self, deal_ids: tuple[str, ...], since: datetime, until: datetime, fields: EntityFields
    ) -> list[FoundDeal]:
        """The plain list back to `since`, 250 deals a call; then what it did not hold, by id."""
        wanted = set(deal_ids)
        rows: dict[str, Row] = {}
        asked = [*NEWEST, ("with", "contacts")]
        async for page in self._api.pages("audit deals", "/api/v4/leads", "leads", asked, max_pages=MAX_PAGES):
            for row in page:
                made = moment(row.get("created_at"))
                in_window = made is None or since - CLOCKS_APART <= made <= until + CLOCKS_APART
                if str(row["id"]) in wanted or (in_window and key_of(row, fields)):
                    rows[str(row["id"])] = row
            if page and newest_first(page) and made_before(page[-1], since - CLOCKS_APART):
                break
        missing = [deal_id for deal_id in deal_ids if deal_id not in rows]
        for start in range(0, len(missing), IDS_PER_CALL):
            rows.update(await self._by_id(missing[start : start + IDS_PER_CALL]))
        return [found_deal(row, fields) for row in rows.values() if not row.get("is_deleted")]

    async def _by_id(self, deal_ids: list[str]) -> dict[str, Row]:
        """By the id filter while it works (a paid option, silently ignored where it is off), else one by one."""
        rows: dict[str, Row] = {}
        if self._filter_by_id_works and len(deal_ids) > FEW:
            asked = [*(("filter[id][]", deal_id) for deal_id in deal_ids), ("with", "contacts"), ("limit", "250")]
            answer = await self._api.get("audit deals by id", "/api/v4/leads", asked)
            found = {str(row.get("id")): row for row in rows_of(answer, "leads") or []}
            self._filter_by_id_works = set(found) <= set(deal_ids)
            rows = {deal_id: row for deal_id, row in found.items() if deal_id in deal_ids}
        for deal_id in deal_ids:
            if deal_id not in rows:
                row = await self._api.get_one("audit deal", f"/api/v4/leads/{deal_id}", [("with", "contacts")])
                if row is not None:
                    rows[deal_id] = row
        return rows
