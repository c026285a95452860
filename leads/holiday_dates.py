"""Public holidays of a country, by the `holidays` package."""

from datetime import date
from functools import lru_cache


@lru_cache(64)
def holidays_of(country: str, year: int) -> tuple[frozenset[date], frozenset[date]]:
    """(public holidays and moved days off, working weekend days) of one year."""
    import holidays  # here, not above: 20 MB that most installations do not need

    found = holidays.country_holidays(country, years=[year])
    return frozenset(found), frozenset(getattr(found, "weekend_workdays", None) or ())


@lru_cache(1)
def holiday_countries() -> frozenset[str]:
    """ISO codes whose holidays are known."""
    import holidays

    return frozenset(code for code in holidays.list_supported_countries(include_aliases=False) if len(code) == 2)
