"""What config.yaml may say about an Avito account."""

from pydantic import Field

from connectors.doors import DoorSettings


class AvitoSettings(DoorSettings):
    """A source of type `avito`. How Avito signs is not published: set `url_token`."""

    user_id: str = Field("", coerce_numbers_to_str=True, description="number of our Avito account")
