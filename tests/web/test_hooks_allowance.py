"""Webhooks that nothing proves are taken slowly."""

from pathlib import Path
from urllib.parse import urlencode

from tests.support.manual_clock import ManualClock
from tests.support.quiet_hub import quiet_hub
from web.hooks import BURST, PER_S, RETRY_AFTER_S, Allowance


def test_unproven_hints_are_taken_in_a_burst_and_then_at_a_steady_pace() -> None:
    clock = ManualClock()
    allowance = Allowance(clock)
    assert allowance.take(BURST)
    assert not allowance.take(1)
    clock.forward(1)
    assert allowance.take(PER_S)
    assert not allowance.take(1)


def test_a_long_quiet_time_allows_no_more_than_the_burst() -> None:
    clock = ManualClock()
    allowance = Allowance(clock)
    assert allowance.take(1)
    clock.forward(86_400)
    assert not allowance.take(BURST + 1)
    assert allowance.take(BURST)


async def test_a_crm_that_proves_nothing_is_told_over_http_to_send_it_again_later(
    tmp_path: Path, database_url: str
) -> None:
    half = urlencode({f"leads[update][{number}][id]": str(number + 1) for number in range(BURST // 2)})
    headers = {"content-type": "application/x-www-form-urlencoded"}
    async with quiet_hub(tmp_path, database_url) as quiet, quiet.visitor() as amocrm:
        answers = [await amocrm.post("/hooks/sales", content=half, headers=headers) for _ in range(3)]
        assert [one.status_code for one in answers] == [200, 200, 429]
        assert answers[2].headers["retry-after"] == str(RETRY_AFTER_S)
        quiet.clock.forward(BURST / 2 / PER_S)
        assert (await amocrm.post("/hooks/sales", content=half, headers=headers)).status_code == 200
