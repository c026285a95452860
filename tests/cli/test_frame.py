"""Exit statuses, options and errors of the command as a whole."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from cli.frame import CANNOT_RUN, FINE, NOT_FINE, CannotRun, not_fine, run
from cli.main import build
from jobs.config.loading import ConfigError, Problem
from tests.cli.running import environment, leadhub


def test_help_names_every_command_and_is_fine(tmp_path: Path) -> None:
    ran = leadhub("--help", cwd=tmp_path)
    assert ran.status == 0
    for command in ("init", "check", "db"):
        assert command in ran.out


def test_version_needs_no_command(tmp_path: Path) -> None:
    ran = leadhub("--version", cwd=tmp_path)
    assert ran.status == 0
    assert ran.out.startswith("leadhub ")


@pytest.mark.parametrize(
    "arguments", [(), ("nope",), ("check", "--nope"), ("init", "a", "b"), ("db",), ("db", "restore"), ("--config",)]
)
def test_bad_usage_ends_with_2_and_no_traceback(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    ran = leadhub(*arguments, cwd=tmp_path)
    assert ran.status == 2
    assert "Traceback" not in ran.out + ran.err


def test_a_config_error_goes_to_stderr_with_2(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("hub: {locale: de}\n")
    ran = leadhub("check", cwd=tmp_path)
    assert (ran.status, ran.out) == (2, "")
    assert ran.err == (
        'config.yaml:1:15  hub.locale: "de" is not allowed here\n    allowed: ru, en.\n'
        "1 problem; nothing was started.\n"
    )


def test_every_place_to_name_the_configuration_works_and_the_nearest_wins(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.yaml").write_text(f"hub: {{{name}: 1}}\n")
    assert leadhub("check", cwd=tmp_path, LEADHUB_CONFIG="a.yaml").err.startswith("a.yaml:1:7  hub.a:")
    assert leadhub("--config", "b.yaml", "check", cwd=tmp_path, LEADHUB_CONFIG="a.yaml").err.startswith("b.yaml:")
    ran = leadhub("--config", "b.yaml", "check", "--config", "c.yaml", cwd=tmp_path, LEADHUB_CONFIG="a.yaml")
    assert ran.err.startswith("c.yaml:")
    assert leadhub("check", cwd=tmp_path).err.startswith("config.yaml  no such file\n")


def test_ctrl_c_ends_without_a_traceback(tmp_path: Path) -> None:
    fifo = tmp_path / "config.yaml"
    os.mkfifo(fifo)
    heeding = ["env", "--default-signal=INT"]  # what starts the tests in the background may ignore it
    command = [*heeding, sys.executable, "-m", "cli.main", "check"]
    process = subprocess.Popen(command, cwd=tmp_path, env=environment(), stderr=subprocess.PIPE, text=True)
    with open(fifo, "wb"):  # opens when the command has begun to read its configuration
        process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)  # closed before: a signal between opening and reading wakes no reader
    assert process.returncode == 130
    assert "Traceback" not in err


PROBLEM = Problem("c", 1, 2, "a", "is bad")


def _raise(error: BaseException) -> None:
    raise error


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (CannotRun("no disk", "buy one\nor two"), CANNOT_RUN, "leadhub: no disk\n    buy one\n    or two\n"),
        (
            ConfigError([Problem("c", 1, 2, "a", "is bad")]),
            CANNOT_RUN,
            "c:1:2  a: is bad\n1 problem; nothing was started.\n",
        ),
        (
            ValueError("call +7 916 123-45-67\nnow"),
            CANNOT_RUN,
            "leadhub: ValueError: call +7916***4567 now\n    LEADHUB_DEBUG=1 shows where\n",
        ),
        (SystemExit(NOT_FINE), NOT_FINE, ""),
        (SystemExit(None), FINE, ""),
        (SystemExit("text"), CANNOT_RUN, ""),
    ],
)
def test_whatever_is_raised_becomes_a_status_and_a_sentence(
    error: BaseException, status: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(lambda: _raise(error)) == status
    assert capsys.readouterr().err == said


def test_a_command_that_answers_not_fine_ends_with_1() -> None:
    app = typer.Typer()
    app.command()(lambda: _raise(not_fine()))
    assert run(lambda: app([], prog_name="leadhub")) == NOT_FINE


def test_debug_shows_where_an_unforeseen_error_came_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEADHUB_DEBUG", "1")
    with pytest.raises(ValueError, match="here"):
        run(lambda: _raise(ValueError("here")))


def test_every_command_takes_config() -> None:
    without = []
    todo: list[tuple[tuple[str, ...], Any]] = [(("leadhub",), typer.main.get_command(build()))]
    while todo:
        path, command = todo.pop()
        inside = getattr(command, "commands", {})
        todo.extend(((*path, name), one) for name, one in inside.items())
        if not inside and not any("--config" in one.opts for one in command.params):
            without.append(" ".join(path))
    assert without == []
