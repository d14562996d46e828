"""The broker's no."""


class RefusedError(Exception):
    """The broker says no; the text is for the caller."""
