"""What a mapping must know of one CRM account to turn names into ids and back. Filled in by `jobs`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, get_args

FieldType = Literal[
    "text", "number", "money", "bool", "date", "datetime", "phone", "email", "url", "enum", "user", "stage"
]
FIELD_TYPES: Final[tuple[FieldType, ...]] = get_args(FieldType)
Outcome = Literal["", "won", "lost"]


@dataclass(frozen=True, slots=True)
class AccountField:
    """One field of one kind of record. `key` is where a record holds it: an attribute's name, or the field's id.

    `enums` is name -> id. `max_chars`, `max_values`: 0 means "no limit known". `decimals` -1: as many as there are.
    `foreign`: its values mean something in this account only.
    """

    key: str
    name: str = ""
    code: str = ""
    id: str = ""
    type: FieldType = "text"
    several: bool = False
    enums: Mapping[str, str] = field(default_factory=dict)
    read_only: bool = False
    max_chars: int = 0
    max_values: int = 0
    decimals: int = -1
    foreign: bool = False


@dataclass(frozen=True, slots=True)
class AccountStage:
    id: str
    name: str
    pipeline_id: str
    pipeline: str
    outcome: Outcome = ""
    is_default: bool = False
    """Of the pipeline that new deals go to."""
    takes: bool = True
    """Whether records may be put there."""


@dataclass(frozen=True, slots=True)
class AccountUser:
    id: str
    email: str
    name: str = ""
    active: bool = True
    login: str = ""
    """Another id, by which the CRM names who changed a record."""


@dataclass(frozen=True, slots=True)
class Account:
    """One side. None for a part that could not be read: then what looks right is believed.

    `title` is for messages: `amoCRM "sales"`. `zone` is where its dates without a time belong, `region` the
    country of phones without a country code.
    """

    title: str = ""
    fields: tuple[AccountField, ...] | None = None
    stages: tuple[AccountStage, ...] | None = None
    users: tuple[AccountUser, ...] | None = None
    zone: str = "UTC"
    region: str = ""
    _ways: Mapping[str, AccountField] = field(default_factory=dict, init=False, repr=False, compare=False)
    _users: Mapping[str, AccountUser] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Indexes, so that a pass over many records does not search."""
        ways: dict[str, AccountField] = {}
        for way in ("key", "id", "code", "name"):
            for one in self.fields or ():
                ways.setdefault(getattr(one, way), one)
        for way in ("key", "code", "name"):
            for one in self.fields or ():
                ways.setdefault(_folded(getattr(one, way)), one)
        users = {user.id: user for user in self.users or ()}
        for way in ("email", "name"):
            for user in self.users or ():
                if user.active:
                    users.setdefault(_folded(getattr(user, way)), user)
        ways.pop("", None)
        users.pop("", None)
        object.__setattr__(self, "_ways", ways)
        object.__setattr__(self, "_users", users)

    def field(self, label: str) -> AccountField | None:
        """By key, id, code or the name that people see: exactly so first, then in whatever case."""
        return self._ways.get(label) or self._ways.get(_folded(label))

    def user(self, ref: str) -> AccountUser | None:
        """By id, and active ones by e-mail or name."""
        return self._users.get(ref) or self._users.get(_folded(ref))

    def who(self, ref: str) -> str:
        """How the user is called who changed a record; what the CRM says of him where he is not known."""
        user = self._users.get(ref) or next((one for one in self.users or () if ref and one.login == ref), None)
        return (user.name or user.email or ref) if user is not None else ref

    def labels(self) -> list[str]:
        """The fields as people see them."""
        return [one.name or one.code or one.key for one in self.fields or ()]


def _folded(text: str) -> str:
    return text.strip().casefold()
