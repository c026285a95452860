"""A connector for CRMs in memory, so that config, commands and the running hub can sync them like any other."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest
from pydantic import BaseModel, ConfigDict

from connectors import registry
from connectors.base import Capabilities, Connector, Kind, Metadata, Opening, Rate, Target
from connectors.doors import Inbound, Refused
from connectors.records import RecordHint
from leads.clock import SystemClock
from tests.support.memory_crm import MemoryCrm

KIND = "memory"


class MemorySettings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    account: str
    secret: str = ""


@dataclass
class MemoryTarget:
    """Only what a sync asks of an open account."""

    crm: MemoryCrm

    async def metadata(self) -> Metadata:
        return Metadata(known=frozenset({"pipelines"}))

    async def ping(self) -> None:
        return

    def record_url(self, kind: Kind, record_id: str) -> str:
        return f"https://{self.crm.name}.example/{kind}/{record_id}"

    async def close(self) -> None:
        return


@dataclass
class Accounts:
    """The CRMs by the name of the account, made when first opened."""

    crms: dict[str, MemoryCrm] = field(default_factory=dict)

    def __getitem__(self, name: str) -> MemoryCrm:
        return self.crms.setdefault(name, MemoryCrm(name, SystemClock()))

    def open(self, opening: Opening) -> Target:
        return cast(Target, MemoryTarget(self[cast(MemorySettings, opening.settings).account]))


def read_hook(settings: BaseModel, inbound: Inbound) -> tuple[RecordHint, ...]:
    """`?id=17` with the account's secret in the path."""
    if inbound.path_tail != cast(MemorySettings, settings).secret:
        raise Refused("wrong secret")
    return (RecordHint("contact", inbound.param("id")),)


@contextmanager
def memory_crms() -> Iterator[Accounts]:
    """Connections may be of the type `memory` inside."""
    accounts = Accounts()
    connector = Connector(
        name=KIND,
        title="Memory",
        settings=MemorySettings,
        open=accounts.open,
        capabilities=lambda settings: Capabilities(Rate(100)),
        records=lambda target: target.crm,
        hooks=read_hook,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(cast(dict[str, str], registry._CRMS), KIND, KIND)
        patch.setitem(sys.modules, f"connectors.{KIND}", SimpleNamespace(CONNECTOR=connector))  # type: ignore[misc]  # enough of a module
        yield accounts


CONFIG = """
hub: {{listen: "127.0.0.1:0", locale: {locale}, default_region: RU}}
connections:
  sales: {{type: memory, account: left, secret: s3cret}}
  hs: {{type: memory, account: right}}
syncs:
  contacts: {{left: sales, right: hs, object: contact, poll: {poll}{more}}}
"""
MAPPING = """
object: contact
match: [external_id, emails, phones]
fields:
  first_name: first_name
  position: {conflict: ask}
  external_id: external_id
  phones: {conflict: append}
  emails: {conflict: append}
"""


def config(locale: str = "en", poll: str = "1s", **settings: Any) -> str:
    more = "".join(f", {name}: {value}" for name, value in settings.items())
    return CONFIG.format(locale=locale, poll=poll, more=more)
