"""What config.yaml may say about a Telphin account."""

from pydantic import Field, SecretStr

from connectors.callfields import CallSettings


class TelphinSettings(CallSettings):
    """A source of type `telphin`. It signs nothing: set `url_token`."""

    client_id: str = Field("", description="App ID of a trusted application, for history, calls and recordings")
    client_secret: SecretStr | None = Field(None, min_length=1, description="its App Secret")
    api_url: str = Field("https://apiproxy.telphin.ru", description="where the API lives")
