"""The parts of a hub: one that a fault of ours ends is started anew."""

from tests.support.hub_on_virtual_time import hub, virtual


@virtual
async def test_a_spool_that_could_not_be_taken_in_once_is_taken_in_all_the_same() -> None:
    async with hub() as h:
        life = h.lives["one"]
        assert life.hub is not None
        intake = life.hub.intake
        real, failed = intake.drain, []

        async def once_broken() -> int:
            if not failed:
                failed.append(True)
                raise KeyError("a fault of ours")
            return await real()

        intake.drain = once_broken  # type: ignore[method-assign]  # the fault
        h.world.database_down = True
        await h.post("site", {"name": "Мария", "phone": "+79160000001"})
        h.world.database_down = False
        await h.until(lambda: len(h.leads()) == 1, 30.0)
        assert failed
        await h.quiet()
        assert len(h.amocrm.deals) == 1
