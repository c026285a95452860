"""A configuration that is right: what comes out of it."""

from datetime import time, timedelta
from pathlib import Path

import pytest

from jobs.config.loading import ConfigError, Settings, load
from tests.jobs.configs import ENV, SECRET, VALID, loaded, write


@pytest.fixture(autouse=True)
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_contract_example_loads_with_every_section(tmp_path: Path) -> None:
    settings = loaded(tmp_path, VALID)
    assert [(name, one.type) for name, one in settings.connections.items()] == [
        ("sales", "amocrm"),
        ("b24", "bitrix24"),
        ("hs", "hubspot"),
    ]
    assert settings.sources["site"].type == "webform"
    assert settings.routes[0].from_ == ("site",)
    assert settings.routes[0].to == ("sales",)
    assert settings.routes[1].from_ == ("*",)
    assert settings.syncs["contacts"].poll == timedelta(seconds=30)
    assert settings.alerts.channels["ops"].type == "telegram"
    assert settings.sandbox is not None
    assert settings.sandbox.address == ("127.0.0.1", 8090)
    assert settings.hub.fallback is not None
    assert settings.hub.fallback.to == ("ops",)


def test_defaults_work_and_carry_their_units(tmp_path: Path) -> None:
    settings = loaded(tmp_path, "hub: {}\n")
    hub = settings.hub
    assert hub.address == ("127.0.0.1", 8080)
    assert (hub.timezone, hub.locale, hub.default_region, hub.public_url) == ("UTC", "en", None, None)
    assert (hub.late_after, hub.max_age) == (timedelta(seconds=60), timedelta(days=3))
    assert hub.max_body == 1_000_000
    assert hub.secret_key == ()
    assert settings.sandbox is None
    assert settings.alerts.show_personal is False


def test_relative_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    settings = loaded(tmp_path / "etc", "sandbox: {state_file: s.json}\n")
    assert settings.database_url == f"sqlite:///{tmp_path}/etc/var/leadhub.db"
    assert settings.hub.spool_dir == tmp_path / "etc/var/spool"
    assert settings.sandbox is not None
    assert settings.sandbox.state_file == tmp_path / "etc/s.json"
    assert settings.base_dir == tmp_path / "etc"


def test_absolute_paths_stay(tmp_path: Path) -> None:
    settings = loaded(tmp_path, "hub: {database: 'sqlite:////srv/hub.db', spool_dir: /srv/spool}\n")
    assert settings.database_url == "sqlite:////srv/hub.db"
    assert settings.hub.spool_dir == Path("/srv/spool")


@pytest.mark.parametrize(
    ("written", "url"),
    [
        ("postgresql://user:password@host1,host2/leadhub", "postgresql://user:password@host1,host2/leadhub"),
        ("postgres://u@h:5433/db?sslmode=require", "postgresql://u@h:5433/db?sslmode=require"),
        ("postgresql+psycopg://u@h/db", "postgresql://u@h/db"),
        (
            "postgresql://postgres:@/postgres?host=/run/postgresql",
            "postgresql://postgres:@/postgres?host=/run/postgresql",
        ),
        ("postgresql://u:p@[::1]:5432/db", "postgresql://u:p@[::1]:5432/db"),
    ],
)
def test_postgres_urls_that_are_fine(tmp_path: Path, written: str, url: str) -> None:
    assert loaded(tmp_path, f"hub: {{database: '{written}'}}\n").database_url == url


def test_secrets_are_not_shown_by_repr(tmp_path: Path) -> None:
    settings = loaded(tmp_path, VALID)
    assert SECRET not in repr(settings)
    assert SECRET not in str(settings)
    assert settings.hub.secret_key[0].get_secret_value() == ENV["LEADHUB_SECRET_KEY"]


def test_secret_keys_rotate_newest_first(tmp_path: Path) -> None:
    settings = loaded(tmp_path, "hub: {secret_key: [newer-newer-newer, older-older-older]}\n")
    assert [key.get_secret_value() for key in settings.hub.secret_key] == ["newer-newer-newer", "older-older-older"]


def test_numbers_are_taken_as_text_where_text_is_meant(tmp_path: Path) -> None:
    settings = loaded(tmp_path, "sources: {1: {type: webform, key: 00123, title: 2024-01-01}}\n")
    source = settings.sources["1"].settings.model_dump()
    assert source["key"].get_secret_value() == "00123"
    assert source["title"] == "2024-01-01"


def test_a_single_name_stands_for_a_list(tmp_path: Path) -> None:
    settings = loaded(tmp_path, VALID.replace('from: ["*"], to: [b24, hs]', "from: site, to: b24"))
    assert settings.routes[1].from_ == ("site",)
    assert settings.routes[1].to == ("b24",)


def test_anchors_and_merged_sections_work(tmp_path: Path) -> None:
    text = "sources:\n  a: &form {type: webform, honeypot: hp}\n  b:\n    <<: *form\n    honeypot: other\n"
    settings = loaded(tmp_path, text)
    assert settings.sources["a"].settings.model_dump()["honeypot"] == "hp"
    assert settings.sources["b"].settings.model_dump()["honeypot"] == "other"


def test_a_byte_order_mark_and_windows_line_ends_are_read(tmp_path: Path) -> None:
    text = b"\xef\xbb\xbf" + b"hub:\r\n  locale: ru\r\n"
    assert loaded(tmp_path, text).hub.locale == "ru"


def test_digest_time_and_own_values_are_typed(tmp_path: Path) -> None:
    text = 'alerts: {digest_at: "09:30", heartbeat_url: "https://hc.example/abc/"}\n'
    text += "hub: {max_body: 2 MiB, max_age: 1h30m}\n"
    settings = loaded(tmp_path, text)
    assert settings.alerts.digest_at == time(9, 30)
    assert settings.alerts.heartbeat_url == "https://hc.example/abc/"
    assert settings.hub.max_body == 2 * 1024 * 1024
    assert settings.hub.max_age == timedelta(minutes=90)


# --- environment ---------------------------------------------------------------------------


def test_dotenv_beside_the_file_is_read_and_the_environment_wins(tmp_path: Path) -> None:
    path = write(tmp_path / "etc", "hub: {locale: '${L}', timezone: '${Z}'}\n")
    (tmp_path / "etc/.env").write_text('# comment\nexport L=ru\nZ="Asia/Omsk"\n')
    assert load(path, {}).hub.locale == "ru"
    assert load(path, {}).hub.timezone == "Asia/Omsk"
    assert load(path, {"L": "en"}).hub.locale == "en"


def test_the_process_environment_is_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEADHUB_TEST_LOCALE", "ru")
    assert load(write(tmp_path, "hub: {locale: '${LEADHUB_TEST_LOCALE}'}\n")).hub.locale == "ru"


@pytest.mark.parametrize(
    ("written", "environ", "value"),
    [
        ("${A:-b}", {}, "b"),
        ("${A:-b}", {"A": ""}, "b"),
        ("${A:-b}", {"A": "c"}, "c"),
        ("x${A}y${B:-}z", {"A": "1"}, "x1yz"),
        ("$${A}", {}, "${A}"),
        ("${A}", {"A": "${B}"}, "${B}"),
        ("${A:-https://x.example/a?b=c}", {}, "https://x.example/a?b=c"),
        ("$A and 5$", {}, "$A and 5$"),
        ("${A}", {"A": "a: {b}\n- *c"}, "a: {b}\n- *c"),
    ],
)
def test_variables_are_put_in_after_the_yaml_is_read(
    tmp_path: Path, written: str, environ: dict[str, str], value: str
) -> None:
    settings = loaded(tmp_path, f"sources: {{a: {{type: webform, title: '{written}'}}}}\n", environ)
    assert settings.sources["a"].settings.model_dump()["title"] == value


def test_numbers_and_flags_come_from_variables_too(tmp_path: Path) -> None:
    settings = loaded(
        tmp_path, "alerts: {show_personal: '${P}'}\nhub: {max_body: '${B}'}\n", {"P": "true", "B": "5000"}
    )
    assert settings.alerts.show_personal is True
    assert settings.hub.max_body == 5000


def test_a_setting_with_an_empty_default_is_left_out(tmp_path: Path) -> None:
    settings = loaded(tmp_path, "hub: {secret_key: '${K:-}', locale: '${L:-}'}\n", {})
    assert settings.hub.secret_key == ()
    assert settings.hub.locale == "en"


def test_an_empty_key_never_opens_a_door(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, "sources: {site: {type: webform, key: '${SITE_KEY}'}}\n", {"SITE_KEY": ""})
    assert "environment variable SITE_KEY is empty" in str(caught.value)


# --- warnings --------------------------------------------------------------------------------


def warnings(settings: Settings) -> list[str]:
    return [f"{problem.path}: {problem.message}" for problem in settings.warnings]


def test_what_works_but_is_hardly_meant_is_a_warning(tmp_path: Path) -> None:
    text = """\
connections:
  hs: {type: hubspot, access_token: a-token}
  spare: {type: hubspot, access_token: a-token}
sources:
  site: {type: webform}
  other: {type: webform}
routes:
  - {from: [site], to: [hs]}
  - {from: [site], when: lead.form == 'x', to: [hs]}
"""
    assert warnings(loaded(tmp_path, text)) == [
        "routes[1]: is never used: routes above it take everything from its sources",
        "sources.other: is in no route",
        "connections.spare: is used by no route and no sync",
        "alerts: nobody is told when a lead fails or a connection goes down",
    ]


def test_a_broken_mapping_that_nothing_names_is_a_warning_only(tmp_path: Path) -> None:
    path = write(tmp_path, VALID, draft="deal: {titel: x}\n")
    [problem] = load(path, ENV).warnings
    assert problem.file == f"{tmp_path}/mappings/draft.yaml"
    assert 'unknown part "titel"' in problem.message


def test_an_assignment_that_is_hardly_meant_is_a_warning(tmp_path: Path) -> None:
    text = VALID.replace("    mapping: own\n", "    assign: {users: [101], outside_hours: hold}\n")
    assert warnings(loaded(tmp_path, text)) == ["routes[0].assign: outside_hours is hold, but there are no hours"]


def test_webhooks_of_a_synced_crm_that_nothing_proves_are_a_warning(tmp_path: Path) -> None:
    text = VALID.replace("    hook_token: ${AMO_TOKEN}\n", "")
    assert warnings(loaded(tmp_path, text)) == ["connections.sales: takes webhooks from anybody who knows its address"]


def test_a_sync_that_recognises_nobody_is_a_warning(tmp_path: Path) -> None:
    text = VALID.replace("object: contact", "object: contact, mapping: names")
    path = write(tmp_path, text)
    (tmp_path / "mappings" / "sync").mkdir(parents=True, exist_ok=True)
    mapping = "object: contact\nleft: amocrm\nright: hubspot\nfields:\n  name: {left: name, right: firstname}\n"
    (tmp_path / "mappings" / "sync" / "names.yaml").write_text(mapping, encoding="utf-8")
    assert warnings(load(path, ENV)) == ["syncs.contacts: would make a second time what both CRMs have already"]


def test_syncs_that_are_hardly_meant_are_warnings(tmp_path: Path) -> None:
    found = VALID[VALID.index("  contacts:") :].splitlines()[0]
    more = found.replace("contacts:", "again:").replace("object: contact", "object: contact, mapping: own-way")
    text = VALID.replace(found, f"{found}\n{more}").replace("direction: both", "direction: left_to_right")
    path = write(tmp_path, text)
    (tmp_path / "mappings" / "sync").mkdir(parents=True, exist_ok=True)
    mapping = "extends: amocrm-hubspot-contact\nfields:\n  position: {direction: right_to_left}\n"
    (tmp_path / "mappings" / "sync" / "own-way.yaml").write_text(mapping, encoding="utf-8")
    assert warnings(load(path, ENV)) == [
        'syncs.again: keeps the same contact records as "contacts"',
        "fields.position: is never carried: its direction is right_to_left",
    ]
    when = "object: contact, left_when: left.position == 'x'"
    parted = load(write(tmp_path, text.replace("object: contact", when)), ENV)
    assert len(warnings(parted)) == 1
