"""Record sync's side of a CRM: the records of one connection, listed, read and written in batches.

A connector that offers it sets `Connector.records`; the port shares the open account's client and limiter, so
that a fresh lead's calls go first. The engine in `jobs.sync` decides what is written; a port knows how.

Values have one vocabulary for all CRMs where a CRM has such a thing, and the vendor's field id
for all else:

| key | of | value |
| --- | --- | --- |
| `name` | contact, company | text; of a contact the whole name |
| `first_name`, `last_name`, `middle_name` | contact, lead | text; a CRM that keeps one name gives it as `first_name` |
| `position`, `birthday` | contact, lead | text; date |
| `phones`, `emails` | contact, company, lead | tuple of texts as they are stored, the main one first |
| `website`, `address`, `city`, `country` | contact, company, lead | text |
| `inn`, `industry` | company | text |
| `title` | deal, lead | text |
| `price`, `currency` | deal, lead | decimal number as text, `1500` or `1500.5`; ISO 4217 |
| `pipeline`, `stage` | deal, lead | the CRM's ids, together; a lead has no pipeline |
| `company_name` | lead | text |
| `closed` | lead | bool, only read: became a deal, or is junk |
| `responsible` | all | the CRM's user id |
| `comment`, `source`, `utm_source` … `utm_term` | all | text, where the CRM has such a field of its own |
| `tags` | where the CRM has tags | tuple of texts |
| `created_at`, `closed_at` | all; deal, lead | aware datetime, UTC |

Every other field: text as str, number as decimal text, yes or no as bool, a day as date, a moment as aware datetime,
one choice as the id of the choice, several choices or values as tuple. Nothing is None, `""` or `()`, all alike.
Names of choices, stages and users come with `fields` and the account's metadata; the mapping turns them into ids.
What a CRM cannot write (`RecordField.read_only`) is read all the same.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, Protocol, runtime_checkable

from pydantic import BaseModel

from connectors.doors import Inbound
from connectors.errors import ConnectorError
from leads.identity import Key

if TYPE_CHECKING:
    from connectors.base import Pipeline

RecordObject = Literal["contact", "company", "deal", "lead"]
OBJECTS: Final[tuple[RecordObject, ...]] = ("contact", "company", "deal", "lead")
FieldType = Literal[
    "text", "number", "money", "bool", "date", "datetime", "phone", "email", "url", "enum", "user", "stage"
]
LINKS: Final[Mapping[RecordObject, tuple[RecordObject, ...]]] = {
    "contact": ("company",),
    "company": (),
    "deal": ("contact", "company"),
    "lead": ("contact", "company"),
}
"""Which links a record owns; the other direction is the same link seen from the other end."""


@dataclass(frozen=True, slots=True)
class RecordField:
    """One key that `values` may have: an attribute's name, or the vendor's field id.

    `enums`: the name of a choice -> its id. `max_chars`, `max_values`: 0 means "no limit known". `decimals` -1: as
    many as there are. `foreign`: as of connectors.base.FieldInfo.
    """

    key: str
    name: str = ""
    code: str = ""
    type: FieldType = "text"
    several: bool = False
    enums: Mapping[str, str] = field(default_factory=dict)
    read_only: bool = False
    max_chars: int = 0
    max_values: int = 0
    decimals: int = -1
    foreign: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """One record as the CRM has it at `modified_at`, by the CRM's clock.

    `links`: object -> ids, the main one first; None where this answer does not tell (then `RecordPort.links` is
    asked). `deleted`: archived, in the bin, or known to be gone; then `values` may be empty. `merged_into`: the id
    of the record that took its place. `key` is what our key field holds, "" when nothing or unknown.
    """

    id: str
    object: RecordObject
    values: Mapping[str, Any] = field(default_factory=dict)
    modified_at: datetime | None = None
    modified_by: str = ""
    links: Mapping[RecordObject, tuple[str, ...]] | None = None
    deleted: bool = False
    merged_into: str = ""
    key: str = ""


class Stub(NamedTuple):
    """A record in a full listing: enough to see that it is there, and whether it changed."""

    id: str
    modified_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """`cursor` asks for the next page, "" after the last. Opaque and lasting: a pass may go on with it days later."""

    records: tuple[Record, ...]
    cursor: str = ""


@dataclass(frozen=True, slots=True)
class StubPage:
    stubs: tuple[Stub, ...]
    cursor: str = ""


@dataclass(frozen=True, slots=True)
class NewRecord:
    """`key` is ours, at most 64 characters of a-z, 0-9, `-` and `:`; written into the key field where there is one."""

    key: str
    values: Mapping[str, Any]
    links: Mapping[RecordObject, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Change:
    """Only what is to be set. A list (`phones`, `tags`) is the whole new list; an empty value clears the field."""

    id: str
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Written:
    """What became of one record of a batch.

    `error` None: it is in the CRM. UnknownOutcomeError: it may be. Any other error: nothing of it was written.
    `existed`: a create found that the record is there already (unique e-mail), `id` says which; nothing was written.
    `values`: what the answer itself says that the fields hold now, for vendors that tell; never from a later read.
    `left_out`: field -> why it was refused, where the rest was written all the same.
    """

    id: str = ""
    existed: bool = False
    values: Mapping[str, Any] | None = None
    modified_at: datetime | None = None
    left_out: Mapping[str, str] = field(default_factory=dict)
    error: ConnectorError | None = None


@dataclass(frozen=True, slots=True)
class LinkChange:
    """One link to be made or removed; `main` where the CRM knows a main contact or a primary company."""

    id: str
    to: RecordObject
    to_id: str
    remove: bool = False
    main: bool = False


@dataclass(frozen=True, slots=True)
class RecordCapabilities:
    """What a port can do; the engine reads this instead of asking for vendors' names. Batches: records per call.

    `overlap_s`: a change may become visible in `changed` so many seconds after its own `modified_at`.
    `precision_s`: of `modified_at`. `sees_deleted`: `changed` (or `deleted`) shows deletions; else only `listing`
    tells, by what is missing. `links_move`: making or removing a link moves `modified_at` of its owner.
    `creates_links`: `create` also makes the links that it is given; else they are made afterwards by `link`.
    `finds_created`: `find_created` can be trusted to find what a lost create made, after the connection's
    `look_again_s`; without, an unknown create goes to a person.
    """

    objects: frozenset[RecordObject]
    read_batch: int = 50
    create_batch: int = 50
    update_batch: int = 50
    remove_batch: int = 50
    link_batch: int = 50
    parallel: int = 4
    """Calls that may be on their way at the same time; the limiter paces them."""
    overlap_s: float = 120.0
    precision_s: float = 1.0
    sees_deleted: bool = False
    links_move: bool = False
    creates_links: bool = False
    finds_by: frozenset[str] = frozenset()
    archives: frozenset[RecordObject] = frozenset()
    """Objects whose records can be put where a person gets them back from."""
    deletes: frozenset[RecordObject] = frozenset()
    tags: frozenset[RecordObject] = frozenset()
    finds_created: bool = True
    lead_field: str = ""
    """Key of the value of a deal that names the lead it came out of."""


class RecordPort(Protocol):
    """The records of one open account. All ids are strings. Methods are safe to call at the same time.

    A call that fails as a whole raises an error of `connectors.errors`; UnknownOutcomeError then holds for every
    record of the batch. Batches are never larger than the capabilities say; a port that has to, makes several
    requests of one. `fields` names the keys of `values` that are wanted.
    """

    @property
    def capabilities(self) -> RecordCapabilities: ...

    async def server_time(self) -> datetime | None:
        """The CRM's clock now, from the `Date` of an answer; None if it does not say. At most one cheap read."""
        ...

    async def fields(self, object: RecordObject) -> tuple[RecordField, ...]:
        """Every key that `values` may have, those of the table above included."""
        ...

    async def changed(
        self, object: RecordObject, since: datetime | None, fields: Sequence[str], cursor: str = ""
    ) -> Page:
        """Records modified at or after `since` (None: all), deleted ones included where the vendor shows them.

        By modification time, ascending where the vendor can. With `cursor`, the page after the one that gave it.
        Paging must not lose a record that is modified meanwhile; it may show one twice. Whoever pages to the end
        has seen every record of which a change became visible before the first page was asked for.
        """
        ...

    async def listing(self, object: RecordObject, cursor: str = "") -> StubPage:
        """Every record that is there now, by id, as cheaply as the vendor allows. Deleted ones are left out."""
        ...

    async def count(self, object: RecordObject) -> int | None:
        """How many there are, for the time left; None where that would cost more than a call."""
        ...

    async def read(self, object: RecordObject, ids: Sequence[str], fields: Sequence[str]) -> dict[str, Record]:
        """Asked id -> record, fresh from the vendor's own store and not from a search index.

        A merged one comes as its survivor (`record.id` is not the id asked for) or with `merged_into`; an id
        that is left out does not exist for us.
        """
        ...

    async def find(self, object: RecordObject, keys: Sequence[Key]) -> dict[Key, tuple[str, ...]]:
        """Ids of the records that have a key, compared after normalising. Keys without any are left out.

        Kinds: phone (E.164), email (lower case), external, inn (digits), domain (bare).
        """
        ...

    async def create(self, object: RecordObject, records: Sequence[NewRecord]) -> list[Written]:
        """Writes new records, with their links if `creates_links`; never repeats by itself."""
        ...

    async def find_created(self, object: RecordObject, keys: Sequence[str], sent_at: datetime) -> dict[str, str]:
        """Our key -> id of what `create` with unknown outcome made. A key that is left out was not found."""
        ...

    async def update(self, object: RecordObject, changes: Sequence[Change]) -> list[Written]:
        """Sets values; safe to repeat. A record that is gone: PermanentError(gone=True) in its place."""
        ...

    async def archive(self, object: RecordObject, ids: Sequence[str]) -> list[Written]:
        """Where a person gets it back from. Already gone counts as done."""
        ...

    async def delete(self, object: RecordObject, ids: Sequence[str]) -> list[Written]:
        """For good. Already gone counts as done."""
        ...

    async def tag(self, object: RecordObject, ids: Sequence[str], tag: str) -> list[Written]:
        """Adds a tag and keeps the others; safe to repeat."""
        ...

    async def links(self, object: RecordObject, ids: Sequence[str], to: RecordObject) -> dict[str, tuple[str, ...]]:
        """Id -> ids of the linked records, the main one first; an id without any may be left out."""
        ...

    async def link(self, object: RecordObject, changes: Sequence[LinkChange]) -> list[Written]:
        """Makes and removes links; safe to repeat. Removing what is not there counts as done."""
        ...

    async def deleted(self, object: RecordObject, since: datetime) -> tuple[Record, ...]:
        """Deletions and merges seen since then (`deleted`, `merged_into`); () where the vendor does not tell."""
        ...


@dataclass(frozen=True, slots=True)
class RecordHint:
    """What a CRM's webhook says: look at this record soon. Never believed for more than that.

    `deleted` and `merged_into` make the look certain instead of waiting for the next full one.
    """

    object: RecordObject
    id: str
    deleted: bool = False
    merged_into: str = ""


Hooks = Callable[[BaseModel, Inbound], tuple[RecordHint, ...]]
"""(the connection's settings, a request to `/hooks/{connection}`) -> what to look at. Pure.

Raises `connectors.doors.Refused` when the sender cannot prove who it is, `Unreadable` when nothing can be made of it.
`Inbound.path_tail` is what follows the connection's name."""


@runtime_checkable
class RecordPipelines(Protocol):
    """An open account of which `Target.metadata` tells the stages of what enquiries become there, deal or lead."""

    async def record_pipelines(self, about: RecordObject) -> "tuple[Pipeline, ...] | None":
        """The stages of that kind of record; None where `metadata` tells them. Raises ConnectorError."""
        ...


@runtime_checkable
class RecordPages(Protocol):
    """An open account that shows records of a sync elsewhere than `connectors.base.Target.record_url` says."""

    def record_page(self, about: RecordObject, record_id: str) -> str: ...


@runtime_checkable
class DealIds(Protocol):
    """An open account in which an enquiry may become another kind of record than a deal."""

    async def record_of(self, deal_id: str) -> tuple[RecordObject, str]:
        """Kind and own id of what `connectors.base.Target.create` made of a deal and called `deal_id`."""
        ...
