"""What config.yaml may say about a virtual PBX of MegaFon and its kin."""

from pydantic import Field

from connectors.chats import Secret
from connectors.pbx import PbxSettings


class MegafonSettings(PbxSettings):
    """A source of type `megafon`."""

    keyed_with = ("crm_token",)

    crm_token: Secret | None = Field(None, description="key typed into the cabinet, which comes with every request")
    token: Secret | None = Field(
        None, description="key of the PBX itself, for its history, calls and recordings; wants `api_url`"
    )
    api_url: str = Field(
        "",
        description="address of the PBX as its cabinet shows it: https://NAME.megapbx.ru/crmapi/v1, or the older "
        "https://NAME.megapbx.ru/sys/crm_api.wcgp, which is meant by a bare name",
    )
