"""Which source goes to which connection, and how."""

from pydantic import Field

from jobs.config.models import Names, Strict
from leads.assignment_settings import AssignSettings
from leads.repeats import RepeatPolicy


class RouteSettings(Strict):
    """One route. Routes are tried from the top; the first that matches a lead is used."""

    name: str = Field("", max_length=100, description="shown in the console and in reports")
    from_: Names = Field(alias="from", min_length=1, description='names of sources; "*" = all')
    when: str | None = Field(None, description="condition, such as lead.utm_source == 'yandex'")
    to: Names = Field(min_length=1, description="names of connections")
    mapping: str | None = Field(None, description="mappings/NAME.yaml instead of the CRM's preset")
    repeat: RepeatPolicy = Field(default_factory=RepeatPolicy, description="what an enquiry of a known person makes")
    assign: AssignSettings | None = Field(None, description="who is responsible; default: whom the CRM chooses")
