"""The simulated network is asked what the real one is asked, or the simulator would try another hub than ours."""

from pathlib import Path

import pytest

from connectors.errors import TooEarlyError
from connectors.http import MAY_WRITE
from tests.simulate.schedule import Report, Schedule, play_seed, prepare


class HeldUp(Schedule):
    """A write of a process that was held up for so long that another may own the connection."""

    async def play(self) -> Report:
        life = self.world.boot("one", ())
        assert life.hub is not None
        bitrix24 = life.hub.connections["b24"].target
        token = MAY_WRITE.set(lambda: False)
        with pytest.raises(TooEarlyError):
            await bitrix24.update_deal("1", {"TITLE": "a"})
        MAY_WRITE.reset(token)
        self.report.calls = sum("update" in path for _, _, path in self.world.layers["bitrix24"].requests)
        life.kill()
        return self.report


def test_a_write_does_not_leave_when_the_connection_may_be_another_s(tmp_path: Path) -> None:
    assert play_seed(1, *prepare(tmp_path), HeldUp).calls == 0
