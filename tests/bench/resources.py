"""How soon the hub is ready, and what it takes while nothing happens."""

import time
from pathlib import Path
from statistics import median

from tests.bench import processes
from tests.bench.scale import Scale
from tests.bench.table import Row, at_most

AIM_READY_S, AIM_IDLE_MB = 1.5, 100


def measure(folder: Path, scale: Scale) -> list[Row]:
    ready, idle = [], 0.0
    database = f"sqlite:///{folder / 'leadhub.db'}"
    with processes.hub(folder, database):  # the first start makes the schema and the .pyc files
        pass
    for _ in range(scale.starts):
        with processes.hub(folder, database) as hub:
            ready.append(hub.ready_s)
            time.sleep(scale.idle_s)
            idle = hub.resident_mb()
    return [
        at_most("start to ready, existing database", median(ready), AIM_READY_S, "s", digits=2),
        at_most("memory, idle", idle, AIM_IDLE_MB, "MB"),
    ]
