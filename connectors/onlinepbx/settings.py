"""What config.yaml may say about an onlinePBX account."""

from pydantic import Field

from connectors.callfields import CallSettings


class OnlinePbxSettings(CallSettings):
    """A source of type `onlinepbx`. It signs nothing: set `url_token`."""

    domain: str = Field("", description="the PBX, e.g. demo.onpbx.ru; events of another one are taken and marked")
