"""Statements of the hot path on PostgreSQL's own client library, which psycopg brings.

A cursor of psycopg costs three times the processor time of what it asks of libpq. Worse, it lets go of the interpreter
three times for each statement, and beside threads that are busy takes up to 5 ms to get it back each time; libpq's own
blocking call lets go once. What goes in and out is psycopg's: connections, errors, types.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Self

import psycopg
from psycopg import errors, pq
from psycopg.adapt import PyFormat, Transformer

Values = Sequence[Any] | Mapping[str, Any]
_PLACEHOLDER = re.compile(r"%(?:\((\w+)\))?s|%%")
_TEXT, _BINARY = pq.Format.TEXT, pq.Format.BINARY
_IDLE = pq.TransactionStatus.IDLE
OUTDATED = (errors.FeatureNotSupported, errors.InvalidSqlStatementName)
"""Of a statement that was prepared: columns have another type since then, or the server has forgotten it."""
_DONE = frozenset((pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK))


class Cursor:
    """Of one connection, for ever; used by one thread at a time, like the connection.

    `execute` begins a transaction when there is none, as psycopg does. Raises psycopg.Error.
    """

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._pg = connection.pgconn
        self._prepared: dict[str, tuple[bytes, Sequence[str]]] = {}
        self._rows = Transformer(connection)
        self._result: pq.abc.PGresult | None = None
        self.rowcount = -1

    def execute(self, sql: str, values: Values = ()) -> Self:
        if self._pg.transaction_status == _IDLE:
            self.run("BEGIN")
        name, names = self._prepared.get(sql) or self._prepare(sql)
        given = [values[one] for one in names] if isinstance(values, Mapping) else values
        dumped: Any = [self._dumped(value) for value in given]  # psycopg's types know of no NULL here; it takes them
        formats = [_BINARY if type(value) is bytes else _TEXT for value in given]
        try:
            self._result = self._checked(self._pg.exec_prepared(name, dumped, formats))
        except OUTDATED:
            self._pg.finish()  # to be told like a lost connection: on a new one all is prepared anew
            raise
        self.rowcount = self._result.command_tuples or 0
        return self

    def executemany(self, sql: str, many: Sequence[Values]) -> None:
        changed = 0
        for values in many:
            changed += self.execute(sql, values).rowcount
        self.rowcount = changed

    def fetchall(self) -> list[tuple[Any, ...]]:
        if self._result is None:
            return []
        self._rows.set_pgresult(self._result)
        return self._rows.load_rows(0, self._result.ntuples, tuple)

    def commit(self) -> None:
        """Raises psycopg.Error: nothing of it is stored, or (the connection is lost) nobody knows."""
        if self._pg.transaction_status != _IDLE and self.run("COMMIT") != b"COMMIT":
            raise errors.InFailedSqlTransaction("the transaction had failed: the server rolled it back")

    def close(self) -> None:
        """Lets go of the rows; as every cursor has it, but this one serves the next statement."""
        self._result = None
        self._rows.set_pgresult(None)

    def run(self, command: str) -> bytes | None:
        """What takes no values; returns what the server says that it did."""
        return self._checked(self._pg.exec_(command.encode())).command_status

    def _prepare(self, sql: str) -> tuple[bytes, Sequence[str]]:
        """Statements of the hot path are few, and always the same: each is prepared when it is first used."""
        names: list[str] = []

        def numbered(found: re.Match[str]) -> str:
            if found[0] == "%%":
                return "%"
            name = found[1] or str(len(names))
            if name not in names:
                names.append(name)
            return f"${names.index(name) + 1}"

        known = f"leadhub_{len(self._prepared)}".encode(), names
        text = _PLACEHOLDER.sub(numbered, sql)
        self._checked(self._pg.prepare(known[0], text.encode()))
        self._prepared[sql] = known
        return known

    def _dumped(self, value: Any) -> bytes | None:
        kind = type(value)
        if kind is str:
            dumped: bytes = value.encode()
        elif value is None or kind is bytes:
            return value  # type: ignore[no-any-return]  # bytes or None
        elif kind is int:
            return b"%d" % value
        else:
            dumped = bytes(self._rows.get_dumper(value, PyFormat.TEXT).dump(value) or b"")
        if b"\0" in dumped:  # libpq would cut it off there
            raise psycopg.DataError("PostgreSQL text fields cannot contain NUL (0x00) bytes")
        return dumped

    def _checked(self, result: pq.abc.PGresult) -> pq.abc.PGresult:
        if result.status in _DONE:
            return result
        if result.error_field(pq.DiagnosticField.SQLSTATE):
            raise errors.error_from_result(result)
        self._pg.finish()  # libpq says so itself: the server is gone, whether or not libpq calls it so yet
        raise psycopg.OperationalError(result.get_error_message())
