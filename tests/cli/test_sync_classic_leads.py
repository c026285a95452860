"""Leads of two Bitrix24 portals in classic mode, kept equal with the shipped mapping."""

from pathlib import Path
from typing import Any

from tests.cli.inside import inside
from tests.cli.sandboxes import sandboxes

CONFIG = """\
connections:
  one: {{type: bitrix24, webhook_url: "{one}/bitrix24/rest/1/sandbox/"}}
  two: {{type: bitrix24, webhook_url: "{two}/bitrix24/rest/1/sandbox/"}}
sources: {{site: {{type: webform}}}}
routes: [{{from: [site], to: [one]}}]
syncs:
  leads: {{left: one, right: two, object: lead}}
"""


def test_a_lead_goes_over_with_its_stage_and_comment_and_what_is_done_there_comes_back(tmp_path: Path) -> None:
    with sandboxes() as (one, left), sandboxes() as (two, right):
        boxes: list[Any] = [app.layers["bitrix24"].vendor for app in (left, right)]
        crms = [box.crm for box in boxes]
        for crm in crms:
            crm.simple = False
        (tmp_path / "config.yaml").write_text(CONFIG.format(one=one, two=two))
        fields = {"TITLE": "Окна", "NAME": "Анна", "STATUS_ID": "IN_PROCESS", "COMMENTS": "Три окна"}
        crms[0].save("lead", fields)
        assert inside("sync", "run", "leads", folder=tmp_path).status == 0
        (copy,) = boxes[1].leads.values()
        assert {name: copy[name] for name in fields} == fields
        crms[1].change("lead", str(copy["ID"]), {"STATUS_ID": "PROCESSED"}, pipeline_too=True)
        assert inside("sync", "run", "leads", folder=tmp_path).status == 0
        (first,) = boxes[0].leads.values()
        assert first["STATUS_ID"] == "PROCESSED"
        assert inside("sync", "plan", "leads", folder=tmp_path).status == 0
