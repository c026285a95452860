"""What a mapping must know of an account, from what the connector read of it."""

from collections.abc import Mapping
from dataclasses import replace

from connectors.base import Connector, FieldInfo, Kind, Metadata
from mappings.accounts import Account, AccountField, AccountStage, AccountUser
from mappings.attributes import RecordObject

KIND_OF: Mapping[RecordObject, Kind] = {"contact": "contact", "company": "company", "deal": "deal", "lead": "deal"}
"""A lead of Bitrix24's classic mode is what its connector calls a deal."""


def account_of(
    connector: Connector, name: str, metadata: Metadata, about: RecordObject, *, zone: str = "UTC", region: str = ""
) -> Account:
    """`name` is the connection's. Parts that could not be read are None."""
    infos = metadata.fields.get(KIND_OF[about]) if "fields" in metadata.known else None
    attributes = connector.attributes.get(about, ())
    return Account(
        title=f'{connector.title} "{name}"',
        fields=_fields(attributes, infos) if infos is not None else None,
        stages=_stages(metadata) if "pipelines" in metadata.known else None,
        users=_users(metadata) if "users" in metadata.known else None,
        zone=zone,
        region=region,
    )


def _fields(attributes: tuple[AccountField, ...], infos: tuple[FieldInfo, ...]) -> tuple[AccountField, ...]:
    """The shared attributes, each with the id and the name that the account gives its field, then all other fields."""
    by_code = {info.code or info.id: info for info in infos}
    named = tuple(_named(one, by_code.get(one.code)) if one.code else one for one in attributes)
    taken = {one.code for one in attributes if one.code}
    return (*named, *(_own(info) for info in infos if (info.code or info.id) not in taken))


def _named(attribute: AccountField, info: FieldInfo | None) -> AccountField:
    if info is None:
        return attribute
    return replace(
        attribute,
        name=info.name,
        id=info.id,
        enums=info.enums,
        read_only=attribute.read_only or info.read_only,
        max_chars=attribute.max_chars or info.max_chars,
    )


def _own(info: FieldInfo) -> AccountField:
    return AccountField(
        key=info.id,
        name=info.name,
        code=info.code,
        id=info.id,
        type=info.kind,
        several=info.several,
        enums=info.enums,
        read_only=info.read_only,
        max_chars=info.max_chars,
    )


def _stages(metadata: Metadata) -> tuple[AccountStage, ...]:
    return tuple(
        AccountStage(stage.id, stage.name, pipeline.id, pipeline.name, stage.outcome, pipeline.is_default, stage.takes)
        for pipeline in metadata.pipelines
        for stage in pipeline.stages
    )


def _users(metadata: Metadata) -> tuple[AccountUser, ...]:
    return tuple(AccountUser(user.id, user.email, user.name, user.active, user.login) for user in metadata.users)
