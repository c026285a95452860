"""What config.yaml may say about a MoySklad account."""

from pydantic import Field, SecretStr

from connectors.paying import PaymentSettings


class MoyskladSettings(PaymentSettings):
    """A source of type `moysklad`. It signs nothing: set `url_token`."""

    reads_with = "access_token"

    access_token: SecretStr | None = Field(None, description="API token: what the webhook links to is read with it")
    api_url: str = Field("https://api.moysklad.ru/api/remap/1.2", description="address of the API")
