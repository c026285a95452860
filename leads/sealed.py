"""What is stored encrypted and cannot be opened."""


class CannotUnseal(Exception):
    """None of the configured keys opens it: the key that sealed it is missing from hub.secret_key."""
