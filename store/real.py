"""Which leads are counted: not those of `leadhub source test`, unless they were to be delivered."""

from typing import Any

from sqlalchemy import Text, literal, or_, type_coerce

from store.tables import t_lead


def is_real() -> Any:
    """A condition on `lead`: a test that was kept apart is discarded from the beginning and flagged."""
    flags = literal(" ") + type_coerce(t_lead.c.flags, Text) + literal(" ")
    return or_(t_lead.c.status != "discarded", flags.not_like("% test %"))
