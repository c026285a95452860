"""Why something that a person wants cannot be done, in the person's language."""


class Refusal(Exception):
    """`str` of it is the English text; `said` the one of a locale."""

    def __init__(self, english: str, russian: str) -> None:
        super().__init__(english)
        self._russian = russian

    def said(self, locale: str) -> str:
        return self._russian if locale == "ru" else str(self)
