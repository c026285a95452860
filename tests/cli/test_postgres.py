"""The commands beside a hub on PostgreSQL."""

import json
from pathlib import Path
from typing import Any

from tests.cli.inside import inside
from tests.support.databases import new_postgres
from tests.support.running_hub import running_hub


def test_status_leads_audit_and_import_work_on_postgresql_too(postgres_server: str, tmp_path: Path) -> None:
    def asked(*arguments: str) -> Any:
        ran = inside(*arguments, "--json", folder=tmp_path)
        assert ran.status in (0, 1), ran.err
        return json.loads(ran.out)

    with running_hub(tmp_path, database=new_postgres(postgres_server), locale="en") as hub:
        first = hub.send(name="Anna", phone="+7 916 123-45-67", utm_medium="cpc")
        spam = hub.send(name="Bot", phone="+7 916 123-45-68", leadhub_hp="x")
        assert asked("status")["pending"] >= 1
        assert asked("leads", "retry", spam)["changed"] == [spam]
        hub.wait_until_delivered()
        assert [one["id"] for one in asked("leads", "list", "--search", "anna")] == [first]
        assert asked("leads", "show", first)["timeline"][0]["event"] == "received"
        (tmp_path / "leads.csv").write_text("name;phone\nОльга;+79215550101\n")
        assert asked("leads", "import", str(tmp_path / "leads.csv"))["added"] == 1
        assert asked("leads", "import", str(tmp_path / "leads.csv"))["repeated"] == 1
        hub.wait_until_delivered()
        answer = asked("audit", "--ledger")
        assert (answer["fine"], answer["checked"]) == (True, 4)
        assert [one["received"] for one in answer["ledger"] if one["source"] == "site"] == [3]
        assert inside("status", folder=tmp_path).status == 0
        assert "PostgreSQL, 3 leads" in inside("doctor", folder=tmp_path).out
