"""Whatever happens to two CRMs and to us: after a quiet time both are equal by the rules, nothing is there twice."""

import asyncio
import tempfile
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from jobs.sync.model import Sibling, Sync
from jobs.sync.passes import plan
from jobs.sync.run import BATCH, Run
from jobs.sync.status import WRITES
from leads.merge import OTHER, Side
from store import sync_log, sync_pairs, sync_records
from store.leases import Held
from tests.support.databases import new_sqlite
from tests.support.memory_crm import Died, MemoryCrm
from tests.support.sync_stage import Stage

SIDES = st.sampled_from(["left", "right"])
NAMES = st.sampled_from(["Анна", "Борис", "Вера", ""])
PHONES = st.sampled_from(
    [(), ("+79161234567",), ("8 916 123-45-67",), ("+79031112233",), ("+79031112233", "+79990000000")]
)
EMAILS = st.sampled_from([(), ("a@example.ru",), ("A@Example.ru",), ("b@example.ru",)])
WORDS = st.sampled_from(["", "директор", "бухгалтер"])
PICK = st.integers(min_value=0, max_value=30)


class Histories(RuleBasedStateMachine):
    """People edit, CRMs misbehave, our process dies; `teardown` lets it get quiet and looks at both sides."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(prefix="sync-")
        self.stage = Stage(new_sqlite(Path(self.folder.name)))
        self.edits = 0
        self.made_by_people: Counter[Side] = Counter()
        self.removed_before_known: Counter[Side] = Counter()

    @initialize(
        skews=st.tuples(st.integers(-600, 600), st.integers(-600, 600)),
        policy=st.sampled_from(["ignore", "archive", "tag", "delete"]),
        tells=st.booleans(),
        sees_deleted=st.booleans(),
        links_told=st.booleans(),
        batch=st.sampled_from([1, 3, BATCH]),
    )
    def set_up(
        self,
        skews: tuple[int, int],
        policy: str,
        tells: bool,
        sees_deleted: bool,
        links_told: bool,
        batch: int,
    ) -> None:
        self.stage.batch = batch  # small ones: several are on their way at once
        self.stage.left.skew_s, self.stage.right.skew_s = skews
        self.stage.left.tells_time = tells
        self.stage.right.links_in_records = links_told
        if sees_deleted:
            self.stage.right.capabilities = replace(self.stage.right.capabilities, sees_deleted=True)
        company = Sibling("companys", "company")
        self.contacts = self.stage.sync(siblings=[company], deletions=policy, flips=1000)
        self.companies = self.stage.sync("company", siblings=[Sibling("contacts", "contact")], flips=1000)

    # --- what people do ------------------------------------------------------------------------------------------

    @rule(side=SIDES, name=NAMES, phones=PHONES, emails=EMAILS)
    def make(self, side: Side, name: str, phones: tuple[str, ...], emails: tuple[str, ...]) -> None:
        self._crm(side).put("contact", first_name=name, phones=phones, emails=emails)
        self._edited(side)

    @rule(side=SIDES, inn=st.sampled_from(["", "7707083893", "500100732259"]), name=st.sampled_from(["Ромашка", "Луч"]))
    def make_company(self, side: Side, inn: str, name: str) -> None:
        self._crm(side).put("company", name=name, inn=inn)
        self._edited(side)

    @rule(side=SIDES, pick=PICK, name=NAMES)
    def rename(self, side: Side, pick: int, name: str) -> None:
        self._edit(side, pick, first_name=name)

    @rule(side=SIDES, pick=PICK, word=WORDS)
    def promote(self, side: Side, pick: int, word: str) -> None:
        self._edit(side, pick, position=word)

    @rule(side=SIDES, pick=PICK, phones=PHONES)
    def new_phones(self, side: Side, pick: int, phones: tuple[str, ...]) -> None:
        self._edit(side, pick, phones=phones)

    @rule(side=SIDES, pick=PICK)
    def remove(self, side: Side, pick: int) -> None:
        if (id := self._pick(side, pick)) is not None:
            self.removed_before_known[side] += self._is_not_known_yet(side, id)
            self._crm(side).remove("contact", id)
            self._edited(side)

    @rule(side=SIDES, one=PICK, other=PICK)
    def merge(self, side: Side, one: int, other: int) -> None:
        survivor, loser = self._pick(side, one), self._pick(side, other)
        if survivor is not None and loser is not None and survivor != loser:
            self._crm(side).merge("contact", survivor, loser)
            self._edited(side)

    @rule(side=SIDES, pick=PICK, to=PICK, off=st.booleans())
    def link(self, side: Side, pick: int, to: int, off: bool) -> None:
        contact, company = self._pick(side, pick), self._pick(side, to, "company")
        if contact is not None and company is not None:
            self._crm(side).connect("contact", contact, "company", company, off=off)
            self._edited(side)

    # --- what goes wrong -----------------------------------------------------------------------------------------

    @rule(side=SIDES, pick=PICK, said=st.sampled_from(["", "", "gone"]), times=st.integers(1, 3))
    def hint(self, side: Side, pick: int, said: str, times: int) -> None:
        """A webhook, true or not, once or again; most changes come without one."""
        if (id := self._pick(side, pick)) is not None:
            for _ in range(times):
                self._do(self.stage.db.write(lambda conn: sync_records.hint(conn, "contacts", side, id, said)))

    @rule(side=SIDES, lag=st.sampled_from([0.0, 10.0, 25.0]))
    def lag(self, side: Side, lag: float) -> None:
        self._crm(side).lag_s = lag

    @rule(side=SIDES, lost=st.integers(0, 2), refused=st.integers(0, 3))
    def trouble(self, side: Side, lost: int, refused: int) -> None:
        self._crm(side).lose_replies, self._crm(side).refuse_next = lost, refused

    @rule(seconds=st.integers(0, 40))
    def wait(self, seconds: int) -> None:
        self.stage.clock.forward(seconds)

    @rule(full=st.booleans(), which=st.sampled_from(["contacts", "companies"]))
    def run_a_pass(self, full: bool, which: str) -> None:
        self._pass(self._sync(which), full=full)

    @rule(which=st.sampled_from(["contacts", "companies"]))
    def a_plan_says_what_a_run_does(self, which: str) -> None:
        """A plan writes nothing, and where nothing goes wrong after it, the run does that and no more."""
        self._calm()
        self.stage.clock.forward(60)  # past every index's delay
        sync, before = self._sync(which), self._writes()
        if self._do(self.stage.db.read(sync_pairs.counts, sync.name)).get("creating"):
            return  # what was lost is only looked up by a run
        stage = self.stage
        said = self._do(plan(sync, stage.db, stage.clock, _counts, full=True, batch=stage.batch))
        assert self._writes() == before
        did = self._pass(sync, full=True).counts
        writes = [f"{op}_{side}" for op in WRITES for side in ("left", "right")]
        assert {name: said[name] for name in writes if said[name]} == {
            name: did[name] for name in writes if name in did
        }

    @rule(side=SIDES, after=st.integers(0, 4), full=st.booleans())
    def die_between_two_writes(self, side: Side, after: int, full: bool) -> None:
        self._crm(side).die_after = after
        try:
            self._pass(self.contacts, full=full)
        except Died:
            self._restart()
        self._crm(side).die_after = None

    @rule(at=st.sampled_from(["intended", "written"]), full=st.booleans())
    def die_around_the_calls(self, at: str, full: bool) -> None:
        async def die(name: str) -> None:
            if name == at:
                raise Died

        self.stage.checkpoint = die
        try:
            self._pass(self.contacts, full=full)
        except Died:
            self._restart()
        self.stage.checkpoint = _alive

    @precondition(lambda self: self.edits > 0)
    @rule()
    def nothing_is_there_twice(self) -> None:
        for side in ("left", "right"):
            crm = self._crm(side)
            keys = [one.key for one in crm.records.values() if one.key]
            assert len(keys) == len(set(keys)), "one create landed twice"
            made = sum(op == "create" for op, _ in crm.writes)
            # A look for what a lost answer may have made does not find what people removed meanwhile: made again.
            assert made <= self.made_by_people[OTHER[side]] + self.removed_before_known[side]

    def teardown(self) -> None:
        try:
            if hasattr(self, "contacts"):
                self._get_quiet()
                self.nothing_is_there_twice()
                self._compare()
        finally:
            self._do(self.stage.db.close())
            self.folder.cleanup()

    # --- inside ----------------------------------------------------------------------------------------------------

    def _get_quiet(self) -> None:
        self._calm()
        for _ in range(8):
            before = self._writes()
            for sync in (self.companies, self.contacts):
                result = self._pass(sync, full=True, patient=True)
                assert result.state == "done", result
            if self._writes() == before:
                break
        else:
            raise AssertionError("it never gets quiet")
        # Each edit is carried over once, or twice where both sides get a union; and a create brings its links.
        assert self._writes() <= 4 * self.edits, (self._writes(), self.edits)

    def _calm(self) -> None:
        for crm in (self.stage.left, self.stage.right):
            crm.lag_s, crm.lose_replies, crm.refuse_next, crm.die_after = 0.0, 0, 0, None

    def _compare(self) -> None:
        sync, stage = self.contacts, self.stage
        issues = self._do(stage.db.read(lambda conn: sync_log.issues(conn, sync.name)))
        asked = {(issue.pair_id, issue.field) for issue in issues if issue.kind == "conflict"}
        told = {("left", id) for issue in issues for id in issue.left_ids}
        told |= {("right", id) for issue in issues for id in issue.right_ids}
        for side in ("left", "right"):
            alive = self._crm(side).alive("contact")
            rows = self._rows(sync.name, side, alive)
            for id, one in alive.items():
                row = rows[id]
                ends = self._do(
                    stage.db.read(lambda conn, row=row: sync_records.of_pairs(conn, sync.name, [row.pair_id]))
                )
                partner = ends.get(row.pair_id, {}).get(OTHER[side]) if row.pair_id else None
                if partner is None or partner.state == "gone" or row.status == "kept":
                    assert row.status in ("kept", "ambiguous") or (side, id) in told, (side, id, row.status)
                    continue
                other = self._crm(OTHER[side]).alive("contact")[partner.record_id]
                left, right = (one, other) if side == "left" else (other, one)
                different = set(sync.mapping.differences(left.values, right.values))
                allowed = {field for pair, field in asked if pair == row.pair_id}
                assert different <= allowed | {"external_id"}, (different, left.values, right.values)
                assert self._linked(left.links, "left") == self._linked(right.links, "right")

    def _is_not_known_yet(self, side: Side, id: str) -> bool:
        """Made by the sync, whose answer was lost: nothing of it is stored yet."""
        made = any(one.id == id and one.key for one in self._crm(side).records.values() if one.object == "contact")
        row = self._rows("contacts", side, [id]).get(id)
        return made and (row is None or not row.pair_id)

    def _rows(self, sync: str, side: Side, ids: Iterable[str]) -> dict[str, Any]:
        return self._do(self.stage.db.read(lambda conn: sync_records.rows(conn, sync, side, list(ids))))  # type: ignore[no-any-return]

    def _ends(self, sync: str, pair_id: str) -> dict[str, Any]:
        return self._do(self.stage.db.read(lambda conn: sync_records.of_pairs(conn, sync, [pair_id]))).get(pair_id, {})  # type: ignore[no-any-return]

    def _linked(self, links: dict[Any, list[str]], side: Side) -> set[str]:
        rows = self._rows("companys", side, links.get("company", []))
        paired = {row.pair_id for row in rows.values() if row.pair_id and row.state == "alive"}
        return {pair for pair in paired if len(self._ends("companys", pair)) == 2}

    def _writes(self) -> int:
        return len(self.stage.left.writes) + len(self.stage.right.writes)

    def _sync(self, which: str) -> Sync:
        return self.contacts if which == "contacts" else self.companies

    def _pass(self, sync: Sync, **wish: Any) -> Any:
        return self._do(self.stage.run(sync, **wish))

    def _restart(self) -> None:
        """A new process: it knows only what was committed."""
        held: dict[str, Held] = self.stage._held
        self._do(self.stage.db.close())
        self.stage.db = type(self.stage.db)(self.stage.url)
        self.stage._held = held

    def _do(self, work: Any) -> Any:
        return asyncio.run(work)

    def _crm(self, side: Side) -> MemoryCrm:
        return self.stage.left if side == "left" else self.stage.right

    def _pick(self, side: Side, number: int, object: Any = "contact") -> str | None:
        alive = list(self._crm(side).alive(object))
        return alive[number % len(alive)] if alive else None

    def _edit(self, side: Side, pick: int, **values: Any) -> None:
        if (id := self._pick(side, pick)) is not None:
            self._crm(side).edit("contact", id, **values)
            self._edited(side)

    def _edited(self, side: Side) -> None:
        self.edits += 1
        self.made_by_people[side] += 1
        self.stage.clock.forward(1.5)


async def _alive(_name: str) -> None:
    pass


async def _counts(run: Run) -> Counter[str]:
    return run.counts


TestHistories = Histories.TestCase
TestHistories.settings = settings(
    max_examples=40,
    stateful_step_count=25,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
