"""`leadhub doctor` and `leadhub alerts test`."""

import asyncio
import json
import socket
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from connectors.sandbox.app import SandboxApp
from leads.clock import SystemClock
from store.db import InlineDatabase
from store.refused import RefusedRow, keep_refused
from store.sealing import Sealer
from store.tokens import StoredTokens
from tests.cli.inside import inside
from tests.cli.sandboxes import sandboxes
from tests.support.databases import migrated_sqlite

CONFIG = """\
hub: {{listen: "127.0.0.1:{port}"}}
connections:
  sales: {{type: amocrm, base_url: "{url}/amocrm", access_token: sandbox}}
sources:
  site: {{type: webform}}
routes:
  - {{from: [site], to: [sales]}}
alerts:
  channels:
    ops: {{type: telegram, bot_token: "1:sandbox", chat_id: -100123, api_url: "{url}/telegram"}}
"""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[tuple[Path, SandboxApp, socket.socket]]:
    """A folder, the vendors, and a socket that holds the hub's port without answering there."""
    with sandboxes() as (url, app), socket.socket() as port:
        port.bind(("127.0.0.1", 0))
        (tmp_path / "config.yaml").write_text(CONFIG.format(url=url, port=port.getsockname()[1]))
        yield tmp_path, app, port


def examined(folder: Path) -> tuple[int, dict[str, dict[str, Any]]]:
    ran = inside("doctor", "--json", folder=folder)
    answer = json.loads(ran.out)
    assert answer["fine"] == (ran.status == 0)
    return ran.status, {one["name"]: one for one in answer["checks"]}


def test_a_machine_before_its_first_start_is_explained_and_not_changed(
    world: tuple[Path, SandboxApp, socket.socket],
) -> None:
    folder, _, port = world
    port.close()
    status, found = examined(folder)
    assert status == 0
    assert (found["database"]["state"], found["hub"]["state"]) == ("warning", "warning")
    assert "leadhub serve" in found["hub"]["advice"]
    assert found['amoCRM "sales"']["state"] == found["alerts ops"]["state"] == found["disk"]["state"] == "ok"
    assert sorted(path.name for path in folder.iterdir()) == ["config.yaml"]


def test_problems_are_named_with_what_to_do(world: tuple[Path, SandboxApp, socket.socket]) -> None:
    folder, app, _port = world
    migrated_sqlite(folder / "var/leadhub.db")
    (folder / ".env").write_text("A=1\n")
    (folder / ".env").chmod(0o644)
    app.add_fault({"vendor": "amocrm", "kind": "401"})
    app.add_fault({"vendor": "telegram", "kind": "503"})
    status, found = examined(folder)
    assert status == 1
    assert found["hub"]["state"] == "problem", "somebody else has the port"
    assert "hub.listen" in found["hub"]["advice"]
    assert (found['amoCRM "sales"']["state"], found["alerts ops"]["state"]) == ("problem", "problem")
    assert found["secrets"]["advice"] == f"chmod 600 {folder / '.env'}"
    assert "leads" in found["database"]["text"]
    assert found["worker"]["state"] == "warning"
    (folder / ".env").chmod(stat.S_IRUSR)
    assert "secrets" not in examined(folder)[1]
    out = inside("doctor", folder=folder).out
    assert "✗ hub: another program answers" in out


def test_a_test_alert_arrives_or_says_why_not(world: tuple[Path, SandboxApp, socket.socket]) -> None:
    folder, app, _port = world
    assert inside("alerts", "list", folder=folder).out == "ops (telegram)\n"
    ran = inside("alerts", "test", folder=folder)
    assert (ran.status, "sent, look whether it is there" in ran.out) == (0, True)
    shown = [row for table in app.layers["telegram"].vendor.tables() for row in table.rows]
    assert any("leadhub writes here when leads do not arrive" in " ".join(row) for row in shown)
    app.add_fault({"vendor": "telegram", "kind": "401"})
    ran = inside("alerts", "test", "ops", folder=folder)
    assert ran.status == 1
    assert ran.err.startswith("leadhub: ops (telegram): ")
    unknown = inside("alerts", "test", "opps", folder=folder)
    assert (unknown.status, 'Did you mean "ops"?' in unknown.err) == (2, True)


def test_a_crm_that_breaks_the_connection_off_is_worded(world: tuple[Path, SandboxApp, socket.socket]) -> None:
    folder, app, _port = world
    (folder / "config.yaml").write_text((folder / "config.yaml").read_text().replace("hub: {", "hub: {locale: ru, "))
    app.add_fault({"vendor": "amocrm", "kind": "down"})
    app.add_fault({"vendor": "telegram", "kind": "down"})
    status, found = examined(folder)
    assert status == 1
    assert found['amoCRM "sales"']["text"] == "нет связи с CRM (их сторона или сеть)"
    assert "проверьте адрес" in found['amoCRM "sales"']["advice"]
    assert found["alerts ops"]["text"] == "нет связи с ops (их сторона или сеть)"


def test_over_a_change_of_keys_it_says_whether_the_old_one_may_go(
    world: tuple[Path, SandboxApp, socket.socket],
) -> None:
    folder, _, _ = world
    url = migrated_sqlite(folder / "var/leadhub.db")
    old, new = "the old key of the tests", "the new key of the tests"
    asyncio.run(kept_under(old, url))
    as_given = (folder / "config.yaml").read_text()
    oauth = '{client_id: a, client_secret: b, redirect_uri: "http://127.0.0.1/"}'

    def secrets(*keys: str, connection: str = "access_token: sandbox") -> dict[str, Any]:
        text = as_given.replace("hub: {", f"hub: {{secret_key: {json.dumps(keys)}, ")
        (folder / "config.yaml").write_text(text.replace("access_token: sandbox", connection))
        return examined(folder)[1]

    found = secrets(new, old)
    assert found["secrets"]["text"] == "the old key still holds the token of sales"
    found = secrets(new, connection=f"oauth: {oauth}")
    assert found["secrets"]["text"].startswith("1 refused requests cannot be opened: the key")
    assert "the key that sealed it is missing" in found['amoCRM "sales"']["text"]
    assert "leadhub auth sales" in found['amoCRM "sales"']["advice"]
    found = secrets(new, old, connection=f"oauth: {oauth}")  # asking the CRM seals its token anew
    assert found["secrets"]["text"].startswith("the old key is needed until 01.12 14:02, by refused requests")
    assert found["secrets"]["state"] == "ok"
    assert "secrets" not in secrets(old)
    (folder / "var/leadhub.db").unlink()
    migrated_sqlite(folder / "var/leadhub.db")
    assert secrets(new, old)["secrets"]["text"] == "nothing needs the old key in hub.secret_key"


async def kept_under(key: str, url: str) -> None:
    """A token and a refused request, sealed with this key."""
    db, sealer = InlineDatabase(url), Sealer([key])
    await StoredTokens(db, sealer, "sales", SystemClock()).save({"access_token": "sandbox"})
    at = datetime(2026, 11, 24, 14, 2, tzinfo=UTC)
    key_id, sealed = sealer.seal(b"{}", about="refused:1")
    row = RefusedRow("1", "site", at, "2026-11-24", 401, "", "POST", "", 2, key_id=key_id, sealed=sealed)
    await db.write(keep_refused, [row])
    await db.close()
