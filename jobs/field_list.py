"""The fields of one CRM account as rows: what a mapping may call them, what they hold."""

from typing import Any

from connectors.base import Connector, Metadata
from jobs.accounts import account_of
from mappings.attributes import RecordObject

OBJECTS: tuple[RecordObject, ...] = ("contact", "company", "deal")


def field_rows(connector: Connector, metadata: Metadata) -> list[dict[str, Any]]:
    """For each field `object`, `id`, `code`, `name`, `type` (ours), `vendor_type`, `several`, `read_only`, `values`.

    `values` is name -> id: of lists, of stages (as `Pipeline/Stage`) and of users (by e-mail). `attribute` is the
    word that all CRMs share, "" for other fields. A part that the CRM did not tell has no rows.
    """
    rows: list[dict[str, Any]] = []
    for about in OBJECTS:
        account = account_of(connector, "", metadata, about)
        types = {info.id: info.type for info in metadata.fields.get("deal" if about == "lead" else about, ())}
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
                    "id": one.id or one.code or one.key,
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
