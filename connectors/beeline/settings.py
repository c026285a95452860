"""What config.yaml may say about a Beeline cloud PBX."""

from pydantic import Field, SecretStr

from connectors.callfields import CallSettings


class BeelineSettings(CallSettings):
    """A source of type `beeline`. It signs nothing: set `url_token`."""

    api_token: SecretStr | None = Field(
        None, min_length=1, description="X-MPBX-API-AUTH-TOKEN of the cabinet, for calls and recordings"
    )
    recorded: bool = Field(
        False, description="the PBX records calls: then each answered one has a recording (events do not tell)"
    )
    api_url: str = Field("https://cloudpbx.beeline.ru/apis/portal/", description="where the API lives")
