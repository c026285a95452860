"""The fields of one CRM account as rows: what a mapping may call them, what they hold."""

from typing import Any

from connectors.base import Connector, Metadata
from jobs.accounts import KIND_OF, account_of
from mappings.accounts import Account
from mappings.attributes import RecordObject


def field_rows(connector: Connector, metadata: Metadata, deals: Account | None = None) -> list[dict[str, Any]]:
    """For each field `object`, `id`, `code`, `name`, `type` (ours), `vendor_type`, `several`, `read_only`, `values`.

    `values` is name -> id: of lists, of stages (as `Pipeline/Stage`) and of users (by e-mail). `attribute` is the
    word that all CRMs share, "" for other fields. A part that the CRM did not tell has no rows.
    `deals` is what is known of the deals of an account whose `metadata` tells of leads.
    """
    rows: list[dict[str, Any]] = []
    told: tuple[RecordObject, ...] = ("contact", "company", metadata.deal_is)
    accounts = {about: account_of(connector, "", metadata, about) for about in told}
    if deals is not None:
        accounts["deal"] = deals
    for about, account in accounts.items():
        types = {info.id: info.type for info in metadata.fields.get(KIND_OF[about], ())} if about in told else {}
        shared = {one.key for one in connector.attributes.get(about, ())}
        for one in account.fields or ():
            values = dict(one.enums)
            if one.type == "stage":
                values = {f"{stage.pipeline}/{stage.name}": stage.id for stage in account.stages or ()}
            if one.type == "user":
                values = {user.email or user.name: user.id for user in account.users or () if user.active}
            rows.append(
                {
                    "object": about,
                    "id": (one.id if about in told else "") or one.code or one.key,
                    "code": one.code,
                    "name": one.name or one.key,
                    "type": one.type,
                    "vendor_type": types.get(one.id, ""),
                    "several": one.several,
                    "read_only": one.read_only,
                    "max_chars": one.max_chars,
                    "attribute": one.key if one.key in shared else "",
                    "values": values,
                }
            )
    return rows
