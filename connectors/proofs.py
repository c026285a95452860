"""How a source knows its sender, and which secrets its settings hold."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, SecretStr

from connectors.doors import DoorSettings

Kind = Literal["signature", "key", "token", "address"]
KINDS: tuple[Kind, ...] = ("signature", "key", "token", "address")


@dataclass(frozen=True, slots=True)
class Proof:
    """One way in which a door can check its sender: `setting` holds the secret, or the addresses."""

    kind: Kind
    setting: str


def possible(model: type[DoorSettings]) -> tuple[Proof, ...]:
    """What a kind of door can check, strongest first."""
    return (
        *(Proof("signature", name) for name in model.signed_with),
        *(Proof("key", name) for name in model.keyed_with),
        Proof("token", "url_token"),
        *(Proof("address", name) for name in model.sent_from),
    )


def configured(settings: DoorSettings) -> tuple[Proof, ...]:
    """What one source does check, strongest first; none: it is open to anybody who knows its address."""
    return tuple(one for one in possible(type(settings)) if getattr(settings, one.setting, None))


def secrets_of(settings: BaseModel) -> frozenset[str]:
    """Every secret in the settings, however deep."""
    return frozenset(secret for name in type(settings).model_fields for secret in _secrets(getattr(settings, name)))


def _secrets(value: Any) -> Iterator[str]:
    match value:
        case SecretStr():
            if secret := value.get_secret_value():
                yield secret
        case BaseModel():
            yield from secrets_of(value)
        case Mapping():
            for one in value.values():
                yield from _secrets(one)
        case tuple() | list() | set() | frozenset():
            for one in value:
                yield from _secrets(one)
