"""Forks hubs that have imported everything already, so that a crash test starts dozens of them in little time.

Reads a line of JSON for each on its input: {"options": ..., "out": FIFO, "log": file}. The child
prints its process id first. All children die with their parent, whatever happens to it.
"""

import json
import os
import signal
import sys
from typing import Any

from tests.support import hub_main


def main() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them: the end of their output says it all
    for line in sys.stdin:
        if os.fork() == 0:
            _child(json.loads(line))


def _child(asked: dict[str, Any]) -> None:
    hub_main.die_with_parent()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    status = 1
    try:
        for number, path, flags in (
            (0, os.devnull, os.O_RDONLY),
            (1, asked["out"], os.O_WRONLY),
            (2, asked["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND),
        ):
            opened = os.open(path, flags, 0o600)
            os.dup2(opened, number)
            os.close(opened)
        print(f"pid {os.getpid()}", flush=True)
        hub_main.serve(hub_main.Options.from_json(asked["options"]))
        status = 0
    except SystemExit as end:
        status = int(end.code or 0)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        print(f"exit {status}", flush=True)
        os._exit(status)


if __name__ == "__main__":
    main()
