"""`leadhub init`: what it writes works at once."""

from pathlib import Path

import pytest

from cli.frame import CannotRun
from cli.init import STARTER, starter_file, write_starter
from jobs.config.loading import load
from tests.cli.running import ROOT, leadhub


def test_what_init_writes_is_a_right_configuration_with_no_environment(tmp_path: Path) -> None:
    ran = leadhub("init", "hub", cwd=tmp_path)
    assert ran.status == 0
    assert sorted(str(path.relative_to(tmp_path / "hub")) for path in (tmp_path / "hub").rglob("*.*")) == [
        ".env.example",
        "config.yaml",
        "mappings/amocrm-leads.yaml",
        "mappings/tests/amocrm-leads.yaml",
        "schemas/config.schema.json",
        "schemas/mapping.schema.json",
        "schemas/sync-mapping.schema.json",
    ]
    checked = leadhub("check", cwd=tmp_path / "hub")
    assert checked.status == 0
    assert checked.err == ""
    assert checked.out == "config.yaml is fine: 3 connections, 2 sources, 3 routes.\n"


def test_every_crm_of_the_starter_is_the_sandbox_that_starts_with_it(tmp_path: Path) -> None:
    write_starter(tmp_path)
    settings = load(tmp_path / "config.yaml", {})
    assert settings.sandbox is not None
    text = (tmp_path / "config.yaml").read_text()
    for vendor in [*(one.type for one in settings.connections.values()), "telegram"]:
        assert f"http://{settings.sandbox.listen}/{vendor}" in text


def test_the_shipped_configuration_is_the_one_that_init_writes() -> None:
    assert (ROOT / "config.yaml").read_text() == starter_file("config.yaml").read_text(encoding="utf-8")
    assert (ROOT / ".env.example").read_text() == starter_file("env.example").read_text(encoding="utf-8")


def test_every_line_of_the_starter_that_is_commented_out_is_right_too(tmp_path: Path) -> None:
    write_starter(tmp_path)
    path = tmp_path / "config.yaml"
    lines = []
    for line in path.read_text().splitlines():
        body = line.lstrip()
        wanted = body.startswith("# ") and ":" in body.split("#")[1].split(" ")[1]
        lines.append(line.replace("# ", "", 1) if wanted and not body.startswith(("# leadhub:", "# yaml-")) else line)
    text = "\n".join(lines)
    for setting in ("public_url:", "fallback:", "assign:", "repeat:", "key:", "heartbeat_url:", "digest_at:"):
        assert any(line.strip().startswith(setting) for line in lines), setting
    path.write_text(text)
    names = ("LEADHUB_SECRET_KEY", "SITE_KEY", "HEARTBEAT_URL")
    settings = load(path, dict.fromkeys(names, "https://example.com/0123456789"))
    assert settings.hub.fallback is not None
    assert settings.routes[-1].assign is not None
    assert settings.alerts.digest_at is not None


@pytest.mark.parametrize(
    ("arguments", "file", "hint"),
    [
        (("init", "--config", "hub/my.yaml"), "hub/my.yaml", "cd hub && leadhub serve --config my.yaml"),
        (("init", "hub", "--config", "my.yaml"), "hub/my.yaml", "cd hub && leadhub serve --config my.yaml"),
        (("--config", "my.yaml", "init"), "my.yaml", "leadhub serve --config my.yaml"),
    ],
)
def test_init_takes_another_name_for_the_configuration(
    tmp_path: Path, arguments: tuple[str, ...], file: str, hint: str
) -> None:
    ran = leadhub(*arguments, cwd=tmp_path)
    assert ran.status == 0
    assert ran.out.endswith(f"with built-in sandbox CRMs:  {hint}\n")
    assert (tmp_path / file).is_file()
    assert not list(tmp_path.rglob("config.yaml"))
    assert (tmp_path / file).with_name("mappings").is_dir()
    assert leadhub("check", "--config", file, cwd=tmp_path).status == 0
    again = leadhub(*arguments, cwd=tmp_path)
    assert again.status == 2
    assert again.err.startswith(f"leadhub: {file}, ")


@pytest.mark.parametrize("there", list(STARTER))
def test_nothing_is_overwritten_and_then_nothing_is_written(tmp_path: Path, there: str) -> None:
    (tmp_path / there).parent.mkdir(exist_ok=True, parents=True)
    (tmp_path / there).write_text("mine")
    ran = leadhub("init", cwd=tmp_path)
    assert ran.status == 2
    assert f"{there}: already there, nothing was written" in ran.err
    assert (tmp_path / there).read_text() == "mine"
    assert [name for name in STARTER if (tmp_path / name).exists()] == [there]


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotRun, match="file"):
        write_starter(tmp_path / "file" / "hub")
    ran = leadhub("init", "file", cwd=tmp_path)
    assert ran.status == 2
    assert "Traceback" not in ran.err
