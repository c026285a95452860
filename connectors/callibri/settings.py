"""What config.yaml may say about a Callibri project."""

from pydantic import Field, SecretStr

from connectors.callfields import CallSettings
from connectors.webform.fields import OwnNames


class CallibriSettings(CallSettings):
    """A source of type `callibri`. It signs nothing: set `url_token`."""

    fields: OwnNames = Field(
        default_factory=dict,
        description="their field -> ours, for fields that the owner named himself, e.g. tel: phone",
    )
    user_email: str = Field("", description="user of the statistics API, for what the webhook lost")
    user_token: SecretStr | None = Field(None, min_length=1, description="its token")
    site_id: str = Field("", coerce_numbers_to_str=True, description="number of the project; empty: all of the user")
    api_url: str = Field("https://api.callibri.ru", description="where the API lives")
