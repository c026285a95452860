"""What config.yaml may say about a virtual PBX of MegaFon and its kin."""

from pydantic import Field

from connectors.chats import Secret
from connectors.pbx import PbxSettings


class MegafonSettings(PbxSettings):
    """A source of type `megafon`."""

    keyed_with = ("crm_token",)

    crm_token: Secret | None = Field(None, description="key typed into the cabinet, which comes with every request")
