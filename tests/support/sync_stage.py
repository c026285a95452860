"""Two CRMs in memory, a sync between them and a real database, for tests that look at what a pass does."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from jobs.checkpoints import Checkpoint, passed
from jobs.config.syncs import SyncSettings
from jobs.sync.model import End, Sibling, Sync, conditions_of
from jobs.sync.passes import PassResult, Wish, run_pass
from jobs.sync.run import BATCH
from mappings.accounts import Account, AccountField
from mappings.records import RecordMapping, parse_record_mapping
from store import leases
from store.db import InlineDatabase
from store.leases import Held
from tests.support.databases import QuickDatabase
from tests.support.manual_clock import ManualClock
from tests.support.memory_crm import FIELDS, LISTS, MemoryCrm

CONTACT = """
object: contact
match: [external_id, emails, phones]
fields:
  first_name: first_name
  last_name: {conflict: left}
  position: {conflict: ask}
  external_id: {conflict: first}
  phones: {conflict: append}
  emails: {conflict: append}
  tags: {conflict: append}
"""
COMPANY = """
object: company
match: [inn, website, name]
fields:
  name: name
  inn: inn
  website: website
"""
DEAL = """
object: deal
match: [external_id]
fields:
  title: title
  price: {type: money, conflict: max}
  external_id: external_id
"""
MAPPINGS = {"contact": CONTACT, "company": COMPANY, "deal": DEAL}

PHONE, OTHER_PHONE = "+79161234567", "+79031112233"


def account(object: str, title: str) -> Account:
    fields = tuple(AccountField(name, name, several=name in LISTS, type=_type(name)) for name in FIELDS[object])  # type: ignore[index]
    return Account(title, fields, region="RU")


def _type(name: str) -> Any:
    return {"phones": "phone", "emails": "email", "website": "url"}.get(name, "text")


def mapping(object: str, text: str = "") -> RecordMapping:
    parsed = parse_record_mapping((text or MAPPINGS[object]).encode(), f"{object}.yaml", name=object)
    return parsed.bound(account(object, "left"), account(object, "right"))


@dataclass
class Stage:
    """`sync` is the sync named "contacts" unless told otherwise; `run` does one pass and keeps its result."""

    url: str
    clock: ManualClock = field(default_factory=ManualClock)
    left: MemoryCrm = field(init=False)
    right: MemoryCrm = field(init=False)
    db: InlineDatabase = field(init=False)
    checkpoint: Checkpoint = passed
    batch: int = BATCH
    results: list[PassResult] = field(default_factory=list)
    _held: dict[str, Held] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.left = MemoryCrm("left", self.clock)
        self.right = MemoryCrm("right", self.clock)
        self.db = QuickDatabase(self.url)

    def sync(
        self,
        object: str = "contact",
        name: str = "",
        *,
        text: str = "",
        siblings: Sequence[Sibling] = (),
        look_again_s: tuple[float, ...] = (1.0, 5.0),
        **settings: Any,
    ) -> Sync:
        chosen = SyncSettings.model_validate({"left": "left", "right": "right", "object": object, **settings})
        ends = [
            End(name_, crm, account(object, name_), look_again_s)
            for name_, crm in (("left", self.left), ("right", self.right))
        ]
        return Sync(
            name or f"{object}s",
            chosen,
            mapping(object, text),
            ends[0],
            ends[1],
            tuple(siblings),
            conditions_of(chosen),
        )

    async def held(self, name: str) -> Held:
        if name not in self._held:
            taken = await self.db.write(lambda conn: leases.take(conn, name, "test", self.clock.now(), ttl_s=1e9))
            assert taken is not None
            self._held[name] = taken
        return self._held[name]

    async def run(self, sync: Sync, **wish: Any) -> PassResult:
        self.clock.forward(120)  # time passes between two passes
        held = await self.held(f"sync:{sync.name}")
        wanted = Wish(**{"yes": True, **wish})
        result = await run_pass(sync, self.db, self.clock, held, wanted, checkpoint=self.checkpoint, batch=self.batch)
        self.results.append(result)
        return result

    async def quiet(self, sync: Sync) -> None:
        """The next full pass writes nothing."""
        before = len(self.left.writes) + len(self.right.writes)
        result = await self.run(sync, full=True)
        assert result.state == "done", result
        assert len(self.left.writes) + len(self.right.writes) == before, (self.left.writes, self.right.writes)

    def values(self, crm: MemoryCrm, object: str, name: str) -> list[Any]:
        return sorted(one.values.get(name, "") for one in crm.alive(object).values())  # type: ignore[arg-type]
