"""The one error of this package."""


class StartError(Exception):
    """Something on this machine stands in the way; the message says what, and what to do about it."""
