"""What config.yaml may say about an Asterisk or FreePBX."""

import re

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from connectors.callfields import CallSettings


class AmiSettings(BaseModel):
    """The manager interface, if the hub is to listen to it. manager.conf: `read = call,cdr,dialplan,agent`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = Field(description="address of the PBX; 5038 must not be reachable from outside")
    port: int = Field(5038, ge=1, le=65535)
    username: str = Field(min_length=1, description="section of manager.conf")
    secret: SecretStr = Field(min_length=1, description="its secret")
    tls: bool = Field(False, description="the port speaks TLS (5039)")

    @field_validator("username", "secret")
    @classmethod
    def _is_one_line(cls, value: str | SecretStr) -> str | SecretStr:
        text = value.get_secret_value() if isinstance(value, SecretStr) else value
        if "\r" in text or "\n" in text:
            raise ValueError("a line break would be another command to the PBX")
        return value


class AsteriskSettings(CallSettings):
    """A source of type `asterisk`: the hangup handler's requests, the AMI stream, or both."""

    ami: AmiSettings | None = Field(None, description="manager interface; without effect so far: nothing listens yet")
    extension_pattern: str = Field(r"\d{2,5}", description="regular expression of what a colleague's channel is called")
    trunks: tuple[str, ...] = Field((), description="names of trunks that look like extensions, e.g. 88")
    recordings_url: str = Field("", description="web address of the recordings' folder, put in front of file names")

    @field_validator("extension_pattern")
    @classmethod
    def _is_pattern(cls, pattern: str) -> str:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError("not a regular expression") from error
        return pattern
