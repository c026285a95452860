"""What config.yaml may say about a Tilda site."""

from pydantic import Field, SecretStr

from connectors.formfields import FormSettings


class TildaSettings(FormSettings):
    """A source of type `tilda`. Every setting may be left out; without `api_key` and `url_token` anybody may send."""

    keyed_with = ("api_key",)

    api_key: SecretStr | None = Field(None, description="API key typed in Tilda's settings of the webhook")
    api_key_name: str = Field(
        "api_key", min_length=1, description="name of the field or header in which Tilda sends the API key"
    )
