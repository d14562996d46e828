"""All settings, one flat file. Everything that differs between machines comes from the environment.

Locally (`PROPDESK_ENV=local`, the default) `propdesk.local` fills in what is missing: private servers and generated
secrets under `PROPDESK_DATA`. In production nothing is guessed: a missing secret or server address stops the start.
"""

from pathlib import Path

import django_stubs_ext
import environ
from django.templatetags.static import static

django_stubs_ext.monkeypatch()

env = environ.Env()
BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = Path(env.str("PROPDESK_DATA", default=str(BASE_DIR / ".data"))).resolve()
PRODUCTION = env.str("PROPDESK_ENV", default="local") == "production"

# --- Secrets -------------------------------------------------------------------------------------------------------
SECRET_KEY = env.str("SECRET_KEY")
# Fernet keys, newest first: the first one encrypts, all of them decrypt (rotation without a flag day).
FIELD_KEYS = env.list("FIELD_KEYS")

# --- Django --------------------------------------------------------------------------------------------------------
DEBUG = False
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=[] if PRODUCTION else ["*"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
ROOT_URLCONF = "propdesk.urls"
WSGI_APPLICATION = "propdesk.wsgi.application"
ADMIN_PATH = env.str("ADMIN_PATH", default="admin/")
LOGIN_REDIRECT_URL = "admin:index"

INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "propdesk.lib.access",
    "propdesk.lib.processes",
    "brokers",
    "programs",
    "purchases",
    "challenges",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# --- Data ----------------------------------------------------------------------------------------------------------
DATABASES = {"default": env.db("DATABASE_URL")}
DATABASES["default"]["CONN_MAX_AGE"] = 600
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_I18N = False
USE_TZ = True
USE_THOUSAND_SEPARATOR = True
FORMAT_MODULE_PATH = "propdesk.formats"

STATIC_URL = "static/"
# A folder to collect into is a matter of production; locally whitenoise would complain that it is not there.
STATIC_ROOT = BASE_DIR / "staticfiles" if PRODUCTION else None
STATICFILES_DIRS = [BASE_DIR / "static"] if (BASE_DIR / "static").is_dir() else []
# Locally pages serve their assets straight from the packages; production runs `collectstatic`.
WHITENOISE_USE_FINDERS = not PRODUCTION
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if PRODUCTION
        else "django.contrib.staticfiles.storage.StaticFilesStorage",
    },
}

# --- Security ------------------------------------------------------------------------------------------------------
SECURE_SSL_REDIRECT = PRODUCTION
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]  # asked by load balancers over plain HTTP
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if PRODUCTION else None
SECURE_HSTS_SECONDS = 31_536_000 if PRODUCTION else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = PRODUCTION
SECURE_HSTS_PRELOAD = PRODUCTION
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = PRODUCTION
SESSION_COOKIE_AGE = 8 * 3600
X_FRAME_OPTIONS = "DENY"
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024

# --- API -----------------------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["propdesk.lib.access.authentication.TokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PARSER_CLASSES": ["propdesk.lib.mng.parsers.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["propdesk.lib.mng.renderers.OrjsonRenderer"],
    "DEFAULT_SCHEMA_CLASS": "propdesk.lib.mng.schema.CodedSchema",
    "EXCEPTION_HANDLER": "propdesk.lib.mng.errors.exception_handler",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "PropDesk API",
    "DESCRIPTION": "The back office of a prop-trading firm.",
    "VERSION": "0.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "ENUM_NAME_OVERRIDES": {
        "ProgramStatus": "programs.models.Program.Status",
        "PurchaseStatus": "purchases.models.Purchase.Status",
        "ChallengeStatus": "challenges.models.Challenge.Status",
        "BlockReason": "purchases.reasons.BlockReason",
    },
}

# --- Admin (Unfold). Callables are given by their path, since the apps are not loaded yet. ---------------------------
UNFOLD = {
    "SITE_TITLE": "PropDesk",
    "SITE_HEADER": "PropDesk",
    "SITE_SUBHEADER": "Back office",
    "SITE_SYMBOL": "finance_mode",
    "SITE_URL": None,
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_BACK_BUTTON": True,
    "ENVIRONMENT": "propdesk.navigation.environment",
    "DASHBOARD_CALLBACK": "propdesk.lib.admin.dashboard.dashboard",
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("propdesk/favicon.svg")},
    ],
    "STYLES": [lambda request: static("propdesk/admin.css")],
    "SIDEBAR": {"show_search": True, "navigation": "propdesk.navigation.sidebar"},
}

# --- Celery: an accelerator only. The rows are the queue, the sweeper finishes everything without Redis. --------------
REDIS_URL = env.str("REDIS_URL")
CELERY_BROKER_URL = REDIS_URL
# Celery's command line takes BROKER_URL, which is the trading broker's address here, for its own; these come before it.
CELERY_BROKER_READ_URL = CELERY_BROKER_WRITE_URL = REDIS_URL
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# The worker waits for Redis as long as it takes; the default gives up after a hundred tries and ends the process.
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 600,
    "unacked_restore_interval": 10,
    # kombu multiplies the interval by ten unless told otherwise, which delays a lost task by 100 s more.
    "unacked_restore_throttle": 1,
    "socket_connect_timeout": 1,
    "socket_timeout": 5,
}
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_TIME_LIMIT = 300
# Without this the Django integration closes the database connection around every task.
CELERY_DB_REUSE_MAX = 1000
CELERY_TASK_PUBLISH_RETRY = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False

# --- PropDesk ------------------------------------------------------------------------------------------------------
# Of each token: requests a second for ever (0: no limit), and at once after a rest.
RATE_LIMIT_PER_SECOND = env.float("RATE_LIMIT_PER_SECOND", default=50)
RATE_LIMIT_BURST = env.int("RATE_LIMIT_BURST", default=500)
# Which processes `/readyz` waits for; `make run` names the ones that it starts.
EXPECTED_PROCESSES = env.list("PROPDESK_PROCESSES", default=["worker", "sweeper"])
BROKERSIM_URL = env.str("BROKERSIM_URL", default=f"http://127.0.0.1:{env.int('BROKERSIM_PORT', default=8100)}")
# Hosts that a broker connection may point at, so that admin text can never aim our keys at another machine.
VENDOR_HOSTS = ["portalapp.thinkmarkets.com", "portalappqa.thinkmarkets.com"]
BROKER_HOSTS = env.list("BROKER_HOSTS", default=VENDOR_HOSTS + ([] if PRODUCTION else ["127.0.0.1", "localhost"]))
# Accounts are created under addresses of this domain of ours: the broker's mail reaches us, a lost account is found.
ACCOUNT_EMAIL_DOMAIN = env.str("ACCOUNT_EMAIL_DOMAIN", default="accounts.propdesk.example")
MONITOR_SECONDS = env.float("MONITOR_SECONDS", default=3)
METRIC_SNAPSHOT_SECONDS = env.float("METRIC_SNAPSHOT_SECONDS", default=60)

# --- TCP gateway (`manage.py mngserver --help` says what each is for) -------------------------------------------------
MNG_HOST = env.str("MNG_HOST", default="127.0.0.1")
MNG_PORT = env.int("MNG_PORT", default=8090)
MNG_TLS_CERTIFICATE = env.str("MNG_TLS_CERTIFICATE", default="")
MNG_TLS_KEY = env.str("MNG_TLS_KEY", default="")
MNG_MAX_FRAME = env.int("MNG_MAX_FRAME", default=2 * 1024 * 1024)
# The clients of the original API hold a connection open for days without a word.
MNG_IDLE_SECONDS = env.float("MNG_IDLE_SECONDS", default=3600)
MNG_MAX_CONNECTIONS = env.int("MNG_MAX_CONNECTIONS", default=256)
# Well below the threads: one connection full of slow commands leaves the others theirs.
MNG_MAX_IN_FLIGHT = env.int("MNG_MAX_IN_FLIGHT", default=8)
MNG_THREADS = env.int("MNG_THREADS", default=32)
MNG_STOP_SECONDS = env.float("MNG_STOP_SECONDS", default=7)

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {
            "class": "propdesk.lib.redaction.RedactingFormatter",
            "format": "{asctime} {levelname} {name} {message}",
            "style": "{",
        }
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", default="INFO")},
}
