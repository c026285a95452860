"""The command run inside the test's own process: the same code and statuses, without the start-up of Python."""

import contextlib
import io
import sys
from pathlib import Path
from typing import Any
from unittest import mock

from cli.frame import run
from cli.main import build
from tests.cli.running import Ran


def inside(*arguments: str, folder: Path, stdin: Any = "") -> Ran:
    """`leadhub ARGUMENTS --config FOLDER/config.yaml`; its output goes to no terminal. `stdin`: text, or who types."""
    out, err = io.StringIO(), io.StringIO()
    given = [*arguments, "--config", str(folder / "config.yaml")]
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        mock.patch.object(sys, "stdin", io.StringIO(stdin) if isinstance(stdin, str) else stdin),
    ):
        status = run(lambda: build()(given, prog_name="leadhub"))
    return Ran(status, out.getvalue(), err.getvalue())
