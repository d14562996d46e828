"""Passwords for new accounts."""

import secrets
import string

LENGTH = 24
KINDS = (string.ascii_uppercase, string.ascii_lowercase, string.digits, "!#$%")


def new_password() -> str:
    """A random password of every kind the broker asks for. Nobody keeps it: access is given by a password reset."""
    characters = [secrets.choice(kind) for kind in KINDS]
    characters += [secrets.choice("".join(KINDS)) for _ in range(LENGTH - len(KINDS))]
    secrets.SystemRandom().shuffle(characters)
    return "".join(characters)
