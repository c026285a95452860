"""What a CRM connector is: its declaration, the drafts it is given, the protocol it keeps.

The engine in `jobs.delivery.deliver` decides *what* is written and *when* it may be written again;
a connector knows *how* one vendor is asked. Every method may raise the errors of
`connectors.errors`; a create that fails with anything unforeseen counts as unknown.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, Protocol

from pydantic import BaseModel

from connectors.tokens import TokenStore
from leads.clock import Clock
from mappings.accounts import AccountField, FieldType, Outcome
from mappings.attributes import RecordObject

if TYPE_CHECKING:
    from connectors.activities import OpenActivities
    from connectors.histories import OpenHistories
    from connectors.records import Hooks, RecordPort
    from connectors.webhooks import Subscribe

Kind = Literal["contact", "company", "deal", "note", "task", "call"]
KINDS: tuple[Kind, ...] = ("contact", "company", "deal", "note", "task", "call")
Disposition = Literal["answered", "missed", "no_answer", "busy", "failed", "voicemail"]


# --- drafts: what is to be written, already resolved to the vendor's ids -----------------


@dataclass(frozen=True, slots=True)
class ContactDraft:
    """`key` is the person's key in our field of the record; `fields` is custom field id or code -> value."""

    key: str
    name: str = ""
    phones: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    responsible: str = ""
    company_id: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CompanyDraft:
    key: str
    name: str
    responsible: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DealDraft:
    """A deal, or where the connection is set so, the vendor's lead (Bitrix24 classic mode)."""

    key: str
    title: str
    contact_id: str = ""
    company_id: str = ""
    responsible: str = ""
    pipeline: str = ""
    stage: str = ""
    price: str = ""
    source: str = ""
    comment: str = ""
    tags: tuple[str, ...] = ()
    utm: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, Any] = field(default_factory=dict)
    phones: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    name: str = ""


@dataclass(frozen=True, slots=True)
class NoteDraft:
    """Plain text with line breaks, for the vendor's form."""

    key: str
    text: str
    deal_id: str
    contact_id: str = ""


@dataclass(frozen=True, slots=True)
class TaskDraft:
    key: str
    text: str
    due_at: datetime
    deal_id: str
    contact_id: str = ""
    responsible: str = ""


@dataclass(frozen=True, slots=True)
class CallDraft:
    """A call that is over, for the CRM's own form of calls: on the deal, or where `deal_id` is "" on the contact.

    `key` is our id of the call, `phone` the client's number (E.164), `line` our own number or "". `talk_s` is how long
    two people talked, `ring_s` how long it rang before. `responsible` is a CRM user id or "", `employee` who talked
    as text. `text` is one line for people: what the vendor's form may have no field for.
    """

    key: str
    deal_id: str
    contact_id: str
    direction: Literal["in", "out"]
    phone: str
    line: str
    started_at: datetime
    talk_s: int
    ring_s: int
    disposition: Disposition
    recording_url: str = ""
    responsible: str = ""
    employee: str = ""
    text: str = ""


Draft = ContactDraft | CompanyDraft | DealDraft | NoteDraft | TaskDraft | CallDraft


@dataclass(frozen=True, slots=True)
class DealState:
    """A deal as the CRM has it now. `closed` = won or lost."""

    id: str
    closed: bool
    contact_ids: tuple[str, ...] = ()
    responsible: str = ""
    pipeline: str = ""
    stage: str = ""
    updated_at: datetime | None = None


# --- what the CRM is made of ------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CrmUser:
    """`login`: by which the CRM names who changed a record, where that is not the `id`."""

    id: str
    name: str
    email: str = ""
    active: bool = True
    login: str = ""


@dataclass(frozen=True, slots=True)
class Stage:
    """`outcome` of a closed one, where the vendor tells. `takes`: records may be put there; else they are only found in
    it."""

    id: str
    name: str
    closed: bool = False
    outcome: Outcome = ""
    takes: bool = True


@dataclass(frozen=True, slots=True)
class Pipeline:
    id: str
    name: str
    stages: tuple[Stage, ...]
    is_default: bool = False


@dataclass(frozen=True, slots=True)
class FieldInfo:
    """`id` is what is sent; `code` and `name` are what a person may write instead. `enums` is text -> id.

    `type` is the vendor's word, `kind` ours. `max_chars` 0: no limit known. `foreign`: its values are numbers of
    records or files of this account, and mean something else in another one.
    """

    id: str
    name: str
    code: str = ""
    type: str = "text"
    enums: Mapping[str, str] = field(default_factory=dict)
    read_only: bool = False
    kind: FieldType = "text"
    several: bool = False
    max_chars: int = 0
    foreign: bool = False


@dataclass(frozen=True, slots=True)
class Metadata:
    """Users, pipelines and fields of one account. An empty `known` entry means "could not be read", not "none".

    A part that could not be read (no rights, vendor error) is left out of `known` and then
    nothing is checked against it: a lead never waits for metadata.
    """

    users: tuple[CrmUser, ...] = ()
    pipelines: tuple[Pipeline, ...] = ()
    fields: Mapping[Kind, tuple[FieldInfo, ...]] = field(default_factory=dict)
    known: frozenset[str] = frozenset()
    """Which of "users", "pipelines", "fields" were read."""
    deal_is: Literal["deal", "lead"] = "deal"
    """What a deal of the lead path is there: Bitrix24's classic mode begins with leads."""


@dataclass(frozen=True, slots=True)
class NeededField:
    """A field that leadhub wants in the CRM; `leadhub setup` shows and creates it."""

    kind: Kind
    code: str
    name_ru: str
    name_en: str
    unique: bool = False


# --- reading back --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FoundDeal:
    """One of our deals as read back in bulk. `key` is what our key field holds ("" when there is none)."""

    id: str
    key: str
    has_contact: bool
    has_source: bool
    responsible: str
    contact_id: str = ""


@dataclass(frozen=True, slots=True)
class Hint:
    """What is known about a write whose outcome is not: where a look-up may start."""

    sent_at: datetime
    contact_id: str = ""
    deal_id: str = ""
    phones: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    elapsed_s: float | None = None
    """Seconds since it was sent by a clock that nobody sets; None: what `sent_at` says."""


# --- declaration -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Rate:
    """`calls` in any window of `per_s` seconds; with `leak_per_s`, a leaky bucket of `calls` that leaks so fast."""

    calls: int
    per_s: float = 1.0
    leak_per_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a vendor can do; generic code reads this instead of asking for names.

    `look_again_s`: after a write with unknown outcome, seconds after sending at which a
    look-up must have found nothing before the write may be sent again; empty where a
    unique key makes the repeat itself safe. `recheck_s`: seconds after such a repeat at
    which doubles are looked for. `slowest_write_s`: the longest that the vendor may still
    be working on a request that we gave up.
    """

    max_rate: Rate
    max_batch: int = 1
    look_again_s: tuple[float, ...] = ()
    recheck_s: tuple[float, ...] = ()
    slowest_write_s: float = 30.0
    creates: frozenset[Kind] = frozenset(KINDS)
    webhooks: bool = False
    changes: Literal["poll", "webhook+poll", "none"] = "poll"
    always_responsible: bool = False
    """Every deal has a responsible user, also when we name none: one without is a finding of the audit."""


class Target(Protocol):
    """One open CRM account. All ids are strings. Methods are safe to call at the same time."""

    async def ping(self) -> None:
        """One cheap read that proves that the token works. Used as the breaker's probe."""
        ...

    async def metadata(self) -> Metadata: ...

    async def find_contact(self, phones: tuple[str, ...], emails: tuple[str, ...], key: str) -> str | None:
        """Id of the contact that has our key, one of these phones or e-mails (compared after normalising), or None."""
        ...

    async def find_company(self, name: str) -> str | None:
        """Id of the one company with exactly this name, upper and lower case alike (see `recordvalues.same_name`).

        None when there is none and when that is unsure: several of that name, or a search that the account refuses.
        """
        ...

    async def create(self, draft: Draft) -> str:
        """Writes one record, its links included, and returns its id. Never repeats by itself.

        A contact that turns out to exist (HubSpot 409) is not an error: its id is returned.
        """
        ...

    async def find_created(self, draft: Draft, hint: Hint) -> str | None:
        """Looks for what an earlier `create(draft)` with unknown outcome may have made: lowest id, or None."""
        ...

    async def enrich_contact(self, contact_id: str, draft: ContactDraft) -> None:
        """Adds phones and e-mails that are missing, fills empty fields; overwrites nothing. Safe to repeat."""
        ...

    async def update_deal(self, deal_id: str, fields: Mapping[str, Any]) -> None:
        """Sets custom fields (id or code -> value) on an existing deal; safe to repeat."""
        ...

    async def open_deal(self, contact_id: str) -> DealState | None:
        """The contact's newest deal: an open one if there is any, else the newest closed, else None."""
        ...

    async def deal_state(self, deal_id: str) -> DealState | None: ...

    async def reopen_deal(self, deal_id: str, pipeline: str, stage: str) -> None: ...

    async def read_back(self, deal_ids: tuple[str, ...], since: datetime, until: datetime) -> list[FoundDeal]:
        """Bulk read for the audit: these deals, and every other deal bearing our key made in the window."""
        ...

    async def ensure_fields(self, needed: tuple[NeededField, ...], *, create: bool) -> list[NeededField]:
        """The needed fields that are missing; with `create` they are made. May raise AuthError (no rights)."""
        ...

    def record_url(self, kind: Kind, record_id: str) -> str:
        """Where a person sees the record in the CRM."""
        ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Opening:
    """What `jobs` hands to a connector when it opens a connection."""

    name: str
    settings: BaseModel
    clock: Clock
    tokens: TokenStore
    transport: Any = None
    """An `httpx.AsyncBaseTransport` instead of the network (simulator, tests), or None."""
    user_agent: str = "leadhub"
    read_only: bool = False
    """Nothing is made in the account, not even a field of ours."""


@dataclass(frozen=True, slots=True)
class Connector:
    """The declaration of one vendor: `CONNECTOR` in `connectors/<name>/__init__.py`."""

    name: str
    title: str
    settings: type[BaseModel]
    open: Callable[[Opening], Target]
    capabilities: Callable[[BaseModel], Capabilities]
    needed_fields: tuple[NeededField, ...] = ()
    attributes: Mapping[RecordObject, tuple[AccountField, ...]] = field(default_factory=dict)
    """What each kind of record has of `mappings.attributes`, with the vendor's limits."""
    records: "Callable[[Any], RecordPort] | None" = None
    histories: "OpenHistories | None" = None
    activities: "OpenActivities | None" = None
    """(the open Target) -> its records, for record sync, what happened around them, for a move, and how that is
    written; all share its client and limiter. None: cannot be synced, read, written."""
    hooks: "Hooks | None" = None
    """Reads the CRM's own webhooks, `POST /hooks/{connection}`. None: it has none that we understand."""
    hooks_proven_by: str = ""
    """The setting without which anybody may send them; of the connection or of its `oauth`. "": they need none."""
    subscribe: "Subscribe | None" = None
    """Sees to it that the CRM sends them, for `leadhub setup`."""

    def proves_hooks(self, settings: BaseModel) -> bool:
        """Whether these settings tell the CRM's webhooks from anybody else's."""
        places = (settings, getattr(settings, "oauth", None))
        return not self.hooks_proven_by or any(getattr(one, self.hooks_proven_by, None) is not None for one in places)
