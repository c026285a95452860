"""What config.yaml may say about a Calltouch site."""

from pydantic import Field, SecretStr

from connectors.callfields import CallSettings


class CalltouchSettings(CallSettings):
    """A source of type `calltouch`. It signs nothing: set `secret_param`, `url_token`, or both."""

    keyed_with = ("secret_param",)

    secret_param: SecretStr | None = Field(
        None, min_length=1, description="the value of a parameter `secret` that you add to the webhook"
    )
    client_api_id: SecretStr | None = Field(
        None, min_length=1, description="key of the API (clientApiId), for what the webhooks lost"
    )
    site_id: str = Field("", coerce_numbers_to_str=True, description="number of the site, for the same")
    api_url: str = Field("https://api.calltouch.ru", description="where the API lives")
