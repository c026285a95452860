"""`leadhub sync run` that a person stops: the pass ends where nothing is unknown, and the next goes on there."""

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from cli.opened import with_database
from jobs.config.loading import load
from store import sync_pairs
from tests.cli.running import environment, leadhub
from tests.cli.sandboxes import sandboxes

CONFIG = """\
hub: {{listen: "127.0.0.1:8099", secret_key: "a secret of the tests, long enough"}}
connections:
  sales: {{type: amocrm, base_url: "{url}/amocrm", access_token: sandbox}}
  b24: {{type: bitrix24, webhook_url: "{url}/bitrix24/rest/1/sandbox/"}}
sources: {{site: {{type: webform}}}}
routes: [{{from: [site], to: [sales]}}]
syncs:
  people: {{left: sales, right: b24, object: contact, brake: {{records: 1000}}}}
"""
MANY = 220


def test_a_pass_that_is_stopped_leaves_nothing_unknown_and_the_next_goes_on_there(tmp_path: Path) -> None:
    with sandboxes() as (url, app):
        sales: Any = app.layers["amocrm"].vendor
        b24: Any = app.layers["bitrix24"].vendor
        for n in range(MANY):
            phone = {"field_code": "PHONE", "values": [{"value": f"+7900{n:07}", "enum_code": "WORK"}]}
            sales.put("contacts", {"first_name": f"N{n}", "custom_fields_values": [phone]})
        (tmp_path / "config.yaml").write_text(CONFIG.format(url=url))
        app.add_fault({"vendor": "bitrix24", "kind": "slow", "match": "batch", "delay_s": 0.5})
        with (tmp_path / "err").open("w") as err:
            heeding = ["env", "--default-signal=INT"]  # what starts the tests in the background may ignore it
            command = [*heeding, sys.executable, "-m", "cli.main", "sync", "run", "people"]
            running = subprocess.Popen(command, cwd=tmp_path, env=environment(), stdout=subprocess.DEVNULL, stderr=err)
            until = time.monotonic() + 60
            while not b24.contacts and time.monotonic() < until:
                time.sleep(0.02)  # another process fills the sandbox: it tells nobody
            running.send_signal(signal.SIGINT)
            assert running.wait(30) == 130
        made = len(b24.contacts)
        assert made > 0
        said = (tmp_path / "err").read_text()
        assert "stops after what is on its way" in said
        assert "goes on where it was: leadhub sync run people" in said
        counts = with_database(load(tmp_path / "config.yaml", {}), lambda db: db.read(sync_pairs.counts, "people"))
        assert counts == {"paired": made}
        assert "stopped" in leadhub("sync", "status", "people", cwd=tmp_path).out
        app.clear_faults()
        assert leadhub("sync", "run", "people", cwd=tmp_path).status == 0
        assert len(b24.contacts) == MANY
        assert leadhub("sync", "plan", "people", cwd=tmp_path).status == 0
