"""What config.yaml may say about a Callibri project."""

from pydantic import Field

from connectors.callfields import CallSettings
from connectors.webform.fields import OwnNames


class CallibriSettings(CallSettings):
    """A source of type `callibri`. It signs nothing: set `url_token`."""

    fields: OwnNames = Field(
        default_factory=dict,
        description="their field -> ours, for fields that the owner named himself, e.g. tel: phone",
    )
