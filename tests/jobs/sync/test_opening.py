"""What a sync has to know of its accounts before it may write."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from connectors.base import Metadata, Pipeline, Stage
from connectors.errors import PermanentError, RetryableError
from connectors.records import RecordField
from connectors.registry import CONNECTORS
from jobs.config.loading import load
from jobs.opening import patiently
from jobs.sync.opening import Opened, open_sync
from mappings.problems import MappingError
from tests.support.manual_clock import ManualClock
from tests.support.memory_connector import config, memory_crms
from tests.support.memory_crm import MemoryCrm

KNOWN = Metadata(pipelines=(Pipeline("0", "Общая", (Stage("NEW", "Новая"),)),), known=frozenset({"pipelines"}))
MAPPING = "object: deal\nfields: {title: title, stage: stage}\n"


@dataclass(frozen=True, slots=True)
class Busy(Opened):
    """An account that tells its stages only when it is asked for the third time."""

    asked: Any = None

    async def metadata(self) -> Metadata:
        self.asked.append(1)
        return KNOWN if len(self.asked) > 2 else Metadata()


class Moody(MemoryCrm):
    """Its fields cannot be read: `error` says why."""

    error: Exception

    async def fields(self, object: Any) -> tuple[RecordField, ...]:
        raise self.error


async def test_a_sync_of_deals_does_not_begin_before_the_stages_are_known(tmp_path: Path) -> None:
    with memory_crms() as accounts:
        (tmp_path / "config.yaml").write_text(config().replace("object: contact", "object: deal"))
        folder = tmp_path / "mappings" / "sync"
        folder.mkdir(parents=True)
        (folder / "memory-memory-deal.yaml").write_text(MAPPING)
        settings = load(tmp_path / "config.yaml", {})
        target: Any = type("Target", (), {"crm": accounts["left"]})()
        ends = {name: Busy(name, CONNECTORS["memory"], target, None, []) for name in ("sales", "hs")}
        with pytest.raises(RetryableError, match=r'Memory "(sales|hs)": the stages cannot be read'):
            await open_sync(settings, "contacts", ends)
        sync = await patiently(lambda: open_sync(settings, "contacts", ends), ManualClock())
        assert [one.name for one in sync.left.account.stages or ()] == ["Новая"]


async def test_a_stage_that_no_crm_has_stops_the_sync_with_its_line_and_the_nearest_name(tmp_path: Path) -> None:
    """Its deals would go to the first stage of the CRM."""
    with memory_crms() as accounts:
        (tmp_path / "config.yaml").write_text(config().replace("object: contact", "object: deal"))
        folder = tmp_path / "mappings" / "sync"
        folder.mkdir(parents=True)
        wrong = MAPPING.replace("stage: stage", 'stage: {map: {"В работе": "Общая/Нова"}}')
        (folder / "memory-memory-deal.yaml").write_text(wrong)
        settings = load(tmp_path / "config.yaml", {})
        target: Any = type("Target", (), {"crm": accounts["left"]})()
        ends = {name: Busy(name, CONNECTORS["memory"], target, None, [1, 1]) for name in ("sales", "hs")}
        with pytest.raises(MappingError) as error:
            await open_sync(settings, "contacts", ends)
    left, right = str(error.value).split("\nmappings/")
    place = 'sync/memory-memory-deal.yaml:2:38  fields.stage.map["В работе"]: Memory'
    assert left.startswith(f'mappings/{place} "sales" has no stage "В работе"\n    there are: Новая')
    assert right.startswith(f'{place} "hs" has no stage "Общая/Нова"')
    assert 'Did you mean "Общая/Новая"?' in right


async def test_fields_that_cannot_be_read_for_the_moment_are_not_taken_for_empty(tmp_path: Path) -> None:
    with memory_crms():
        (tmp_path / "config.yaml").write_text(config())
        settings = load(tmp_path / "config.yaml", {})
        crm = Moody("left", ManualClock())
        target: Any = type("Target", (), {"crm": crm})()
        ends = {name: Busy(name, CONNECTORS["memory"], target, None, [1, 1]) for name in ("sales", "hs")}
        crm.error = RetryableError("too many calls")
        with pytest.raises(RetryableError, match="too many calls"):
            await open_sync(settings, "contacts", ends)
        crm.error = PermanentError("no such right")
        assert (await open_sync(settings, "contacts", ends)).left.account.fields is None
