"""`leadhub check`."""

import json
from pathlib import Path

from tests.cli.running import leadhub

FINE = """\
connections:
  hs: {type: hubspot, access_token: Zq7secretZq7secret, base_url: "http://127.0.0.1:1"}
sources:
  site: {type: webform}
  other: {type: webform}
routes:
  - {from: [site], to: [hs]}
alerts:
  channels: {ops: {type: telegram, bot_token: "1:Zq7secret", chat_id: 1}}
"""


def test_warnings_go_to_stderr_and_the_answer_is_still_fine(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(FINE)
    ran = leadhub("check", cwd=tmp_path)
    assert ran.status == 0
    assert ran.out == "config.yaml is fine: 1 connection, 2 sources, 1 route.\n"
    assert ran.err.startswith("warning: config.yaml:5:3  sources.other: is in no route\n")


def test_json_holds_the_same_and_nothing_secret(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(FINE)
    ran = leadhub("check", "--json", cwd=tmp_path)
    answer = json.loads(ran.out)
    assert answer["connections"] == {"hs": "hubspot"}
    assert answer["problems"] == []
    assert answer["warnings"][0]["path"] == "sources.other"
    assert "Zq7secret" not in ran.out + ran.err


def test_json_of_a_wrong_configuration_lists_every_problem_and_ends_with_2(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(FINE.replace("hubspot", "hubspott").replace("to: [hs]", "to: [hss]"))
    ran = leadhub("check", "--json", cwd=tmp_path)
    assert ran.status == 2
    answer = json.loads(ran.out)
    assert answer["file"] == "config.yaml"
    found = [(one["file"], one["line"], one["column"], one["path"]) for one in answer["problems"]]
    assert found == [("config.yaml", 2, 14, "connections.hs.type"), ("config.yaml", 7, 25, "routes[0].to[0]")]
    assert answer["problems"][1]["hint"] == 'defined: hs. Did you mean "hs"?'
    assert "Zq7secret" not in ran.out + ran.err


def test_live_ends_with_1_when_a_crm_does_not_answer(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(FINE)
    ran = leadhub("check", "--live", cwd=tmp_path)
    assert ran.status == 1
    assert ran.out == "hs (hubspot): not reached\n"
    assert "config.yaml:2:3  connections.hs: the CRM cannot be reached" in ran.err
    assert ran.err.endswith("1 problem found in the CRMs.\n")
    assert "Zq7secret" not in ran.out + ran.err


def test_live_before_anybody_has_signed_in_says_so_with_and_without_a_database(tmp_path: Path) -> None:
    text = FINE.replace(
        "access_token: Zq7secretZq7secret",
        "oauth: {client_id: a, client_secret: Zq7secretZq7secret, redirect_uri: 'http://127.0.0.1:8080/oauth'}",
    )
    (tmp_path / "config.yaml").write_text(text)
    for made in (False, True):
        if made:
            assert leadhub("db", "upgrade", cwd=tmp_path).status == 0
        ran = leadhub("check", "--live", cwd=tmp_path)
        assert ran.status == 1
        assert "connections.hs: nobody has signed in yet\n    leadhub auth hs" in ran.err
        assert "Zq7secret" not in ran.out + ran.err
