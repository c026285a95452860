"""A table of leads from a file: read, understood by the same rules as a web form, stored as bulk work."""

import csv
import hashlib
import io
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.exc import IntegrityError

from connectors.doors import Inbound, Refused, Unreadable
from connectors.registry import SOURCES
from connectors.webform.fields import meaning_of
from jobs.config.loading import Settings
from jobs.intake.kept import dedup_keys, to_lead
from jobs.intake.routing import Router
from jobs.intake.source import Source
from jobs.retrying import make_router
from leads.clock import Clock
from leads.ids import new_id
from store.db import Database, StoreUnavailable
from store.intake import Acceptance, Accepted, Intake, PlannedDelivery, RawRequest
from store.outbox import BULK

DELIMITERS = ";,\t|"
ID_COLUMNS = frozenset({"id", "ид", "№", "номер заявки", "id заявки", "id лида", "lead id", "lead_id"})
MAX_CELL = 1_000_000
ROWS_AT_ONCE = 100
"""In one transaction: a hub that runs beside us waits a few milliseconds at most."""
BUSY_TRIES = 10
BUSY_S = 0.5


class UnreadableTable(Exception):
    """Nothing can be made of the file; the text says why."""


@dataclass(frozen=True, slots=True)
class Row:
    """`line`: where it begins in the file, from 1."""

    line: int
    number: int
    cells: dict[str, str]


@dataclass(frozen=True, slots=True)
class Table:
    """`digest` is of the whole file, so that the same file twice makes the same leads."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    bad: tuple[tuple[int, str], ...]
    """(line, why) of rows that cannot be understood."""
    digest: str
    encoding: str
    delimiter: str

    def meanings(self) -> dict[str, str]:
        """Column -> what it is taken for; "extra" is kept as it is."""
        return {name: "id" if _is_id(name) else meaning_of(name).meaning for name in self.columns}


@dataclass(slots=True)
class Imported:
    """What became of the rows. `bad` and `flagged`: (line, why); flagged ones are stored all the same."""

    rows: int = 0
    added: int = 0
    repeated: int = 0
    unrouted: int = 0
    bad: list[tuple[int, str]] = field(default_factory=list)
    flagged: list[tuple[int, str]] = field(default_factory=list)
    connections: dict[str, int] = field(default_factory=dict)


# --- the file ------------------------------------------------------------------------------------


def read_table(content: bytes) -> Table:
    """UTF-8, UTF-16 with its mark, else windows-1251; cut by comma, semicolon, tab or bar. Raises UnreadableTable."""
    text, encoding = _decode(content)
    delimiter = _delimiter(text)
    csv.field_size_limit(MAX_CELL)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        columns = next((row for row in reader if any(cell.strip() for cell in row)), None)
    except csv.Error as error:
        raise UnreadableTable(f"the first line cannot be read: {error}") from error
    if columns is None:
        raise UnreadableTable("the file is empty")
    names = _unique([cell.strip() for cell in columns])
    rows: list[Row] = []
    bad: list[tuple[int, str]] = []
    for line, cells in _lines(reader, bad):
        if not any(cell.strip() for cell in cells):
            continue
        rest = [cell for cell in cells[len(names) :] if cell.strip()]
        if rest:
            bad.append((line, f"{len(cells)} cells, but {len(names)} columns: is a {_shown(delimiter)} in a text?"))
            continue
        pairs = {name: cell.strip() for name, cell in zip(names, cells, strict=False) if cell.strip()}
        rows.append(Row(line, len(rows) + len(bad) + 1, pairs))
    digest = hashlib.sha256(content).hexdigest()
    return Table(tuple(names), tuple(rows), tuple(bad), digest, encoding, delimiter)


def _lines(reader: Any, bad: list[tuple[int, str]]) -> Iterator[tuple[int, list[str]]]:
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            bad.append((line, str(error)))
            continue
        yield line, cells


def _decode(content: bytes) -> tuple[str, str]:
    marked = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    encodings = ["utf-16"] if marked else ["utf-8-sig", "cp1251"]
    for encoding in encodings:
        try:
            return content.decode(encoding), encoding.removesuffix("-sig")
        except UnicodeDecodeError:
            continue
    raise UnreadableTable("the text is neither UTF-8 nor windows-1251")


def _delimiter(text: str) -> str:
    """The one that cuts the header into most columns and the next lines into as many."""
    lines = [line for line in text.splitlines()[:20] if line.strip()]
    if not lines:
        raise UnreadableTable("the file is empty")

    def score(delimiter: str) -> tuple[int, int]:
        counts = [len(next(csv.reader([line], delimiter=delimiter), [])) for line in lines]
        return (sum(count == counts[0] for count in counts) if counts[0] > 1 else 0, counts[0])

    try:
        return max(DELIMITERS, key=score)
    except csv.Error as error:
        raise UnreadableTable(str(error)) from error


def _shown(delimiter: str) -> str:
    return {"\t": "tab", ",": "comma", ";": "semicolon"}.get(delimiter, delimiter)


def _unique(names: list[str]) -> list[str]:
    """Columns without a name, or with the name of another, get a number: form rules ignore numbers at the end."""
    seen: dict[str, int] = {}
    found = []
    for index, name in enumerate(names, 1):
        name = name or f"column {index}"
        seen[name] = seen.get(name, 0) + 1
        found.append(name if seen[name] == 1 else f"{name} {seen[name]}")
    return found


def _is_id(column: str) -> bool:
    return column.casefold() in ID_COLUMNS


# --- the leads -------------------------------------------------------------------------------------


def default_source(settings: Settings) -> str:
    """`import` where it is defined, else the first web form; "" when there is none."""
    if "import" in settings.sources:
        return "import"
    return next((name for name, one in settings.sources.items() if one.type == "webform"), "")


class Importer:
    """Stores the rows of a table as leads of one source. Doing it twice adds nothing."""

    def __init__(self, settings: Settings, source: str, db: Database | None, clock: Clock) -> None:
        """Without `db` nothing is stored: a dry run, in which no row is known to be a repeat."""
        door = SOURCES["webform"]
        configured = settings.sources[source]
        own = configured.settings if isinstance(configured.settings, door.settings) else door.settings()
        self._source = Source(source, door, own)
        self._region = settings.hub.default_region or ""
        self._router: Router = make_router(settings, clock)
        self._db = db
        self._clock = clock
        self._intake = Intake(clock)

    async def run(self, table: Table, file: str, progress: Callable[[int], None] = lambda _done: None) -> Imported:
        """`progress(rows done)` is called after each transaction. Raises StoreUnavailable; what was stored stays."""
        done = Imported(rows=len(table.rows) + len(table.bad), bad=list(table.bad))
        for start in range(0, len(table.rows), ROWS_AT_ONCE):
            rows = table.rows[start : start + ROWS_AT_ONCE]
            items = [item for row in rows if (item := self._acceptance(table, row, file, done)) is not None]
            for item, result in zip(items, await self._store(items), strict=True):
                self._count(done, item, result)
            progress(start + len(rows))
        done.bad.sort()
        return done

    def _acceptance(self, table: Table, row: Row, file: str, done: Imported) -> Acceptance | None:
        now = self._clock.now()
        given = next((text for name, text in row.cells.items() if _is_id(name)), "")
        uid = f"csv:{given}" if given else f"csv:{table.digest[:24]}:{row.number}"
        body = json.dumps(row.cells, ensure_ascii=False).encode()
        headers = {"content-type": "application/json", "idempotency-key": uid}
        inbound = Inbound("POST", "", [], headers, body, "", now)
        try:
            parsed = self._source.door.parse(self._source.settings, inbound, self._region).leads[0]
        except (Unreadable, Refused) as error:
            done.bad.append((row.line, error.reason))
            return None
        except IndexError:
            done.bad.append((row.line, "nothing in it"))
            return None
        if "no_contact" in parsed.flags:
            done.flagged.append((row.line, "neither a phone nor an e-mail"))
        lead = to_lead(parsed, new_id(self._clock), self._source.name, now, over_rate=False)
        routed = self._router.route(lead)
        keys, since = dedup_keys(self._source.name, self._source.settings, parsed, now)
        return Acceptance(
            lead=lead,
            raw=RawRequest("IMPORT", f"{file}:{row.line}", {"content-type": "application/json"}, body),
            dedup_keys=keys,
            duplicates_since=since,
            deliveries=tuple(PlannedDelivery(name, routed.route, priority=BULK) for name in routed.connections),
            status="pending" if routed.connections else "failed",
            status_why=routed.why,
            keep_differences=bool(parsed.lead_uid),
        )

    async def _store(self, items: Sequence[Acceptance]) -> list[Accepted]:
        if self._db is None:
            return [Accepted(item.lead.id, duplicate=False) for item in items]
        try:
            return await self._written(items)
        except IntegrityError:  # the running hub took one of these persons in at this moment
            return [one for item in items for one in await self._written([item])]

    async def _written(self, items: Sequence[Acceptance]) -> list[Accepted]:
        assert self._db is not None
        for _ in range(BUSY_TRIES):
            try:
                return await self._db.write(self._intake.accept, items)
            except StoreUnavailable:
                await self._clock.sleep(BUSY_S)
        return await self._db.write(self._intake.accept, items)

    @staticmethod
    def _count(done: Imported, item: Acceptance, result: Accepted) -> None:
        if result.duplicate:
            done.repeated += 1
            return
        done.added += 1
        done.unrouted += not item.deliveries
        for planned in item.deliveries:
            done.connections[planned.connection] = done.connections.get(planned.connection, 0) + 1
