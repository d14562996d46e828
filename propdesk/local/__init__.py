"""Running PropDesk on one machine with nothing prepared: private servers from wheels, generated secrets, one command.

Nothing here is used in production. The package imports neither Django nor the apps: it prepares the environment that
the settings then read, so it runs before them.
"""
