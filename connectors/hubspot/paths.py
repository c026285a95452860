"""Every path of the API, built from the one version of the connection (fact sheet, section 1)."""

import re
from dataclasses import dataclass
from typing import Self
from urllib.parse import quote

from connectors.hubspot.settings import ApiVersion

DATED: ApiVersion = "2026-03"
"""What is tried where the paths without a date are not known."""

_DATED_PATH = re.compile(r"/crm/(objects|associations|properties|pipelines|owners)/\d{4}-\d{2}(/.*)?")
_PLAIN_PATH = re.compile(r"/crm/v[34]/(objects|associations|properties|pipelines|owners)(/.*)?")


def _part(value: str) -> str:
    """One path segment; `+` of an e-mail address becomes %2B."""
    return quote(value, safe="")


@dataclass(frozen=True, slots=True)
class Paths:
    """`version` is a date (paths of today) or "v3" (paths that are no longer developed)."""

    version: ApiVersion

    def other(self) -> Self:
        """The paths to try where a server does not know these."""
        return type(self)(DATED if self.version == "v3" else "v3")

    def same(self, path: str) -> str:
        """`path` of another version, in this one; "" for one that has none."""
        found = _DATED_PATH.fullmatch(path) or _PLAIN_PATH.fullmatch(path)
        if found is None:
            return ""
        root, rest = found[1], found[2] or ""
        if self.version != "v3":
            return f"/crm/{root}/{self.version}{rest}"
        linked = root == "associations" or "/associations/" in rest
        return f"/crm/{'v4' if linked else 'v3'}/{root}{rest}"

    def objects(self, type_: str) -> str:
        return f"/crm/v3/objects/{type_}" if self.version == "v3" else f"/crm/objects/{self.version}/{type_}"

    def record(self, type_: str, id_: str) -> str:
        return f"{self.objects(type_)}/{_part(id_)}"

    def batch(self, type_: str, verb: str) -> str:
        return f"{self.objects(type_)}/batch/{verb}"

    def search(self, type_: str) -> str:
        return f"{self.objects(type_)}/search"

    def associations(self, from_: str, id_: str, to: str) -> str:
        root = "/crm/v4/objects" if self.version == "v3" else f"/crm/objects/{self.version}"
        return f"{root}/{from_}/{_part(id_)}/associations/{to}"

    def associations_batch(self, from_: str, to: str, verb: str) -> str:
        root = "/crm/v4/associations" if self.version == "v3" else f"/crm/associations/{self.version}"
        return f"{root}/{from_}/{to}/batch/{verb}"

    def properties(self, type_: str) -> str:
        return f"/crm/v3/properties/{type_}" if self.version == "v3" else f"/crm/properties/{self.version}/{type_}"

    def one_property(self, type_: str, name: str) -> str:
        return f"{self.properties(type_)}/{_part(name)}"

    def property_groups(self, type_: str) -> str:
        return f"{self.properties(type_)}/groups"

    def pipelines(self, type_: str) -> str:
        return f"/crm/v3/pipelines/{type_}" if self.version == "v3" else f"/crm/pipelines/{self.version}/{type_}"

    @property
    def owners(self) -> str:
        return "/crm/v3/owners" if self.version == "v3" else f"/crm/owners/{self.version}"

    @property
    def account(self) -> str:
        return "/account-info/v3/details" if self.version == "v3" else f"/account-info/{self.version}/details"

    @property
    def token(self) -> str:
        return f"/oauth/{self.version}/token"
