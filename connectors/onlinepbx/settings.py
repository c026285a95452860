"""What config.yaml may say about an onlinePBX account."""

from pydantic import Field, SecretStr

from connectors.callfields import CallSettings


class OnlinePbxSettings(CallSettings):
    """A source of type `onlinepbx`. It signs nothing: set `url_token`."""

    domain: str = Field("", description="the PBX, e.g. demo.onpbx.ru; events of another one are taken and marked")
    auth_key: SecretStr | None = Field(
        None, min_length=1, description="key of the API, for its history, calls and recordings; wants `domain`"
    )
    api_url: str = Field("https://api.onlinepbx.ru", description="where the API lives")
