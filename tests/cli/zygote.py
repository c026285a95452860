"""Forks commands that have imported everything already: most of the time of a command is spent on that.

Reads a line of JSON for each: {"arguments": [...], "cwd": folder, "environment": {...}, "out": file, "err": file}, and
prints its exit status. One at a time.
"""

import json
import os
import sys
import traceback
from typing import Any

from cli.main import main as leadhub
from jobs import app  # most commands import it

assert app


def main() -> None:
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            _run(json.loads(line))
        _, ended = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(ended), flush=True)


def _run(asked: dict[str, Any]) -> None:
    status = 1
    for number, path in ((0, os.devnull), (1, asked["out"]), (2, asked["err"])):
        opened = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    os.environ.clear()
    os.environ.update(asked["environment"])
    os.chdir(asked["cwd"])
    sys.argv = ["leadhub", *asked["arguments"]]
    try:
        leadhub()
        status = 0
    except SystemExit as end:
        if not isinstance(end.code, int | None):
            print(end.code, file=sys.stderr)
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    main()
