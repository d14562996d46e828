"""The product's own settings, with the usual peer served beside it."""

from propdesk.settings import *  # noqa: F403  (what is measured runs on exactly these)

ROOT_URLCONF = "bench.urls"
RATE_LIMIT_PER_SECOND = 1_000_000
RATE_LIMIT_BURST = 1_000_000
