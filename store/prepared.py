"""Statements of the hot path: SQLAlchemy Core, compiled once, run on the driver's own cursor.

Core costs 50 µs of its own for each statement that is run and 200 more for each that is built, where SQLite needs 4 for
what is asked of it. What is written here is Core all the same: types, defaults and dialects are those of the tables.
"""

from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic_core import to_json
from sqlalchemy import ColumnElement, Connection, Dialect, Text, bindparam
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import TypeDecorator

Values = Mapping[str, Any]
Bound = Sequence[Any] | Mapping[str, Any]
"""As the driver takes it."""
Processor = Callable[[Any], Any] | None
Rows = list[Any]
"""Named tuples, like the rows of Core."""

Result = TypeVar("Result")

NOTHING: Values = {}
OWN_CURSOR = "own cursor"
"""Under which a connection to PostgreSQL has ours (`Connection.info`, store.libpq)."""


class Prepared:
    """A statement with named parameters. In an INSERT, and in an UPDATE that sets none by itself, parameters named
    like columns are what is written, as in `Connection.execute`; defaults of the table are filled in.

    `IN` takes lists that are known beforehand; for others there is `among`.
    All raise DBAPIError as Core does, TypeError for other parameters than the statement has.
    """

    __slots__ = ("_compiled", "_statement")

    def __init__(self, statement: Any) -> None:
        self._statement = statement
        self._compiled: dict[tuple[str, ...], _Compiled] = {}

    def all(self, conn: Connection, values: Values = NOTHING) -> Rows:
        compiled = self._for(conn, values)
        return compiled.rows_of(fetch(conn, compiled.sql, compiled.bound(values)))

    def first(self, conn: Connection, values: Values = NOTHING) -> Any:
        """None: there is no row."""
        compiled = self._for(conn, values)
        found = fetch(conn, compiled.sql, compiled.bound(values))
        return compiled.rows_of(found[:1])[0] if found else None

    def scalars(self, conn: Connection, values: Values = NOTHING) -> list[Any]:
        """The first column."""
        return [row[0] for row in self.all(conn, values)]

    def scalar(self, conn: Connection, values: Values = NOTHING) -> Any:
        """The first column of the first row; None: there is no row."""
        row = self.first(conn, values)
        return None if row is None else row[0]

    def run(self, conn: Connection, values: Values = NOTHING) -> int:
        """For what returns no rows; returns how many it changed."""
        compiled = self._for(conn, values)
        return execute(conn, compiled.sql, compiled.bound(values))

    def run_many(self, conn: Connection, many: Sequence[Values]) -> int:
        """The same for each; all have the same parameters."""
        if not many:
            return 0
        compiled = self._for(conn, many[0])
        bound = [compiled.bound(values) for values in many]
        return execute(conn, compiled.sql, bound[0]) if len(bound) == 1 else execute_many(conn, compiled.sql, bound)

    def _for(self, conn: Connection, values: Values) -> "_Compiled":
        key = (conn.dialect.name, *values)
        found = self._compiled.get(key)
        if found is None:
            found = self._compiled[key] = _compiled(self._statement, conn.dialect, frozenset(values))
        return found


def fetch(conn: Connection, sql: str, values: Bound) -> list[tuple[Any, ...]]:
    """Rows of SQL in the driver's own words, as the driver gives them. Raises DBAPIError, as the other three."""
    _begin(conn)
    rows: list[tuple[Any, ...]] = _driven(conn, sql, lambda cursor: cursor.execute(sql, values).fetchall())
    return rows


def execute(conn: Connection, sql: str, values: Bound) -> int:
    """For what returns no rows; returns how many it changed."""
    _begin(conn)
    return run_bare(conn, sql, values)


def run_bare(conn: Connection, sql: str, values: Bound = ()) -> int:
    """`execute` for who begins the transaction himself."""
    changed: int = _driven(conn, sql, lambda cursor: cursor.execute(sql, values).rowcount)
    return changed


def execute_many(conn: Connection, sql: str, many: Sequence[Bound]) -> int:
    """`execute` for each of them, in one go."""
    _begin(conn)

    def act(cursor: Any) -> int:
        cursor.executemany(sql, many)
        changed: int = cursor.rowcount
        return changed

    return _driven(conn, sql, act)


def commit(conn: Connection) -> None:
    """Commits at once; SQLAlchemy, which holds the transaction, finds nothing left to commit. Raises DBAPIError."""
    if OWN_CURSOR in conn.info:
        _driven(conn, "COMMIT", lambda cursor: cursor.commit())


def _begin(conn: Connection) -> None:
    if not conn.in_transaction():
        conn.begin()


def _driven(conn: Connection, sql: str, act: Callable[[Any], Result]) -> Result:
    """What the driver's cursor gives; a connection that is closed already gives none."""
    cursor = None
    try:
        cursor = conn.info.get(OWN_CURSOR) or conn.connection.cursor()
        return act(cursor)
    except conn.dialect.loaded_dbapi.Error as error:
        raise _told(conn, sql, error, cursor) from error
    finally:
        if cursor is not None:
            cursor.close()


def _told(conn: Connection, sql: str, error: Exception, cursor: Any) -> Exception:
    """As SQLAlchemy tells it, without values; a connection that was lost is not used again."""
    lost = conn.dialect.is_disconnect(error, conn.connection.dbapi_connection, cursor)  # type: ignore[arg-type]  # it is one of the driver's
    if lost:
        conn.invalidate(error)
    dialect, base = conn.dialect, conn.dialect.loaded_dbapi.Error
    return DBAPIError.instance(
        sql, None, error, base, hide_parameters=True, connection_invalidated=lost, dialect=dialect
    )


@dataclass(frozen=True, slots=True)
class _Compiled:
    """`given`: names and processors of what the caller gives; `fixed`: of the rest the value, or who makes it.

    `order`: names as the driver takes them; None: by name. `read`: processors of columns that have one.
    """

    sql: str
    given: tuple[tuple[str, Processor], ...]
    fixed: dict[str, Any]
    made: tuple[tuple[str, Callable[[], Any]], ...]
    order: tuple[str, ...] | None
    row: Callable[..., Any]
    read: tuple[tuple[int, Callable[[Any], Any]], ...]

    def bound(self, values: Values) -> Any:
        bound = {name: values[name] if process is None else process(values[name]) for name, process in self.given}
        if self.fixed:
            bound |= self.fixed
        for name, make in self.made:
            bound[name] = make()
        return bound if self.order is None else [bound[name] for name in self.order]

    def rows_of(self, found: list[tuple[Any, ...]]) -> Rows:
        if not self.read:
            return [self.row(one) for one in found]
        rows = []
        for one in found:
            values = list(one)
            for place, process in self.read:
                values[place] = process(values[place])
            rows.append(self.row(values))
        return rows


def _compiled(statement: Any, dialect: Dialect, names: frozenset[str]) -> _Compiled:
    keys = None if statement.is_select else sorted(names & set(statement.table.columns.keys()))
    compiled: SQLCompiler = statement.compile(dialect=dialect, column_keys=keys)
    asked = {name for name, one in compiled.binds.items() if one.required}
    if names != asked:
        raise TypeError(f"given {', '.join(sorted(names))} for the parameters {', '.join(sorted(asked))}")
    # What is known already, each of a list of IN too, becomes a parameter that has its value.
    expanded = compiled.construct_expanded_state(dict.fromkeys(asked), escape_names=False)
    parents = {one: name for name, many in expanded.parameter_expansion.items() for one in many}
    processors = {
        name: compiled.binds[parents.get(name, name)].type.dialect_impl(dialect).bind_processor(dialect)
        for name in expanded.parameters
    }
    fixed: dict[str, Any] = {name: value for name, value in expanded.parameters.items() if name not in asked}
    made: dict[str, Callable[[], Any]] = {}
    for column in (*compiled.insert_prefetch, *compiled.update_prefetch):
        default: Any = column.default
        if default.is_callable:
            made[column.key] = _maker(default.arg, processors[column.key])
            del fixed[column.key]
        else:
            fixed[column.key] = default.arg
    columns = list(getattr(statement, "exported_columns", ()))
    reads = [column.type.dialect_impl(dialect).result_processor(dialect, None) for column in columns]
    names_of_columns = [column.key or "" for column in columns]
    row: Any = namedtuple("Row", names_of_columns, rename=True)  # type: ignore[misc]  # known when it runs
    return _Compiled(
        sql=expanded.statement,
        given=tuple((name, processors[name]) for name in expanded.parameters if name in names),
        fixed={
            name: value if (process := processors[name]) is None else process(value) for name, value in fixed.items()
        },
        made=tuple(made.items()),
        order=tuple(expanded.positiontup) if expanded.positiontup is not None else None,
        row=row._make,
        read=tuple((place, process) for place, process in enumerate(reads) if process is not None),
    )


def _maker(make: Callable[[Any], Any], process: Processor) -> Callable[[], Any]:
    return lambda: _processed(make(None), process)


def _processed(value: Any, process: Processor) -> Any:
    return value if process is None else process(value)


class among(ColumnElement[bool]):  # stands in statements like SQLAlchemy's own functions
    """Whether a column of texts is in a list that is one parameter, so that the statement is always the same."""

    inherit_cache = False

    def __init__(self, column: ColumnElement[Any], name: str) -> None:
        self.column, self.list = column, bindparam(name, type_=_Texts())


class _Texts(TypeDecorator[Sequence[str]]):
    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Sequence[str] | None, dialect: Dialect) -> str:
        return to_json(list(value or ())).decode() if dialect.name == "sqlite" else as_array(value or ())


@compiles(among)
def _among(element: among, compiler: SQLCompiler, **how: Any) -> str:
    column, texts = compiler.process(element.column, **how), compiler.process(element.list, **how)
    if compiler.dialect.name == "sqlite":
        return f"{column} IN (SELECT value FROM json_each({texts}))"  # noqa: S608  # a column and a parameter
    return f"{column} = ANY(({texts})::text[])"


def as_array(values: Iterable[str | int | bytes | bool]) -> str:
    """A list as PostgreSQL reads it, `{"a","b"}`: psycopg looks at each value with regular expressions, which takes
    longer than all the rest of an insert. Raises TypeError for a value of another type."""
    return "{" + ",".join([_ELEMENTS.get(type(value), _quoted)(value) for value in values]) + "}"


def _quoted(text: Any) -> str:
    escaped = str.replace(text, "\\", "\\\\").replace('"', '\\"')  # of a member of an enum the value, not the name
    return f'"{escaped}"'


_ELEMENTS: dict[type, Callable[[Any], str]] = {
    str: _quoted,
    int: str,
    bool: str,
    bytes: lambda value: f'"\\\\x{value.hex()}"',
}
