"""When an owner looks for due deliveries: never needlessly, and never late."""

import pytest

from store import outbox
from tests.support.hub_on_virtual_time import PATIENT, config, hub, virtual

AT_ONCE_S = 5.0
"""Far below PATIENT's minute between two looks by itself."""


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Of each look: how many deliveries it took."""
    taken: list[int] = []
    real = outbox.claim

    def claim(*args: object, **kwargs: object) -> outbox.ClaimResult:
        result = real(*args, **kwargs)  # type: ignore[arg-type]  # as it came
        taken.append(len(result.claimed))
        return result

    monkeypatch.setattr(outbox, "claim", claim)
    return taken


def test_a_lead_is_looked_for_once(looks: list[int]) -> None:
    @virtual
    async def run() -> None:
        async with hub(config(), pace=PATIENT) as h:
            await h.post("site", {"phone": "+79160000000"})
            await h.quiet()
            looks.clear()
            for number in range(1, 6):
                await h.post("site", {"phone": f"+7916000000{number}"})
                await h.quiet()
            assert looks == [1] * 5

    run()


@virtual
async def test_the_next_of_a_person_goes_as_soon_as_the_one_before_has_arrived() -> None:
    async with hub(config(), pace=PATIENT) as h:
        await h.post("site", {"phone": "+79160000000"})
        await h.quiet()
        for number in range(4):
            await h.post("site", {"phone": "+79161234567", "comment": str(number)})
        assert await h.quiet() < AT_ONCE_S


@virtual
async def test_more_than_may_be_under_way_follow_as_places_become_free() -> None:
    async with hub(config("  - {from: [site], to: [hs]}"), pace=PATIENT) as h:
        await h.post("site", {"phone": "+79160000000"})
        await h.quiet()
        for number in range(150):
            await h.post("site", {"phone": f"+7916123{number:04d}"})
        assert await h.quiet() < 6 * AT_ONCE_S


@virtual
async def test_a_try_again_is_made_when_it_is_due() -> None:
    async with hub(config(), pace=PATIENT) as h:
        await h.post("site", {"phone": "+79160000000"})
        await h.quiet()
        fault = h.fault("amocrm", "500", times=1)
        lead = await h.post("site", {"phone": "+79161234567"})
        assert await h.quiet() < AT_ONCE_S
        assert fault.hits == 1
        assert h.delivery(lead).attempts == 2


@virtual
async def test_after_an_outage_what_waits_goes_as_soon_as_a_probe_has_worked() -> None:
    async with hub(config(), pace=PATIENT) as h:
        await h.post("site", {"phone": "+79160000000"})
        await h.quiet()
        h.fault("amocrm", "503")
        for number in range(12):
            await h.post("site", {"phone": f"+7916123{number:04d}"})
        await h.until(lambda: h.owner("amo").breaker.open, 60.0)
        await h.wait(300.0)
        h.calm()
        await h.until(lambda: not h.owner("amo").breaker.open, 20.0)
        assert await h.quiet() < 3 * AT_ONCE_S
