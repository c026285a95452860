"""What config.yaml may say about a virtual PBX of Mango Office."""

from pydantic import Field, model_validator

from connectors.chats import Secret
from connectors.pbx import PbxSettings


class MangoSettings(PbxSettings):
    """A source of type `mango`."""

    signed_with = ("vpbx_api_salt",)

    vpbx_api_key: Secret | None = Field(None, description="unique code of the PBX, from its API page")
    vpbx_api_salt: Secret | None = Field(None, description="key for the signature, from the same page")
    line_number: str = Field(
        "", coerce_numbers_to_str=True, description="our number for calls made from the hub; empty: the employee's own"
    )
    api_url: str = Field("https://app.mango-office.ru/vpbx/", description="where the API of the PBX lives")

    @model_validator(mode="after")
    def _go_together(self) -> "MangoSettings":
        if (self.vpbx_api_key is None) != (self.vpbx_api_salt is None):
            raise ValueError("vpbx_api_key and vpbx_api_salt go together: set both or none")
        return self
