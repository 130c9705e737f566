"""One settings module; what differs between installations comes from the environment (portal/environment.py)."""

from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path

import structlog
from csp.constants import NONE, SELF
from kombu import Queue

from portal import environment
from portal.logs import logging_config, structlog_processors

BASE_DIR = Path(__file__).resolve().parent.parent

PORTAL_MODE = environment.portal_mode()
PRODUCTION = PORTAL_MODE == "production"
PORTAL_DATA_DIR = Path(environment.read("PORTAL_DATA_DIR", str(BASE_DIR / ".data")))
DEBUG = False
SECRET_KEY = environment.secret_key(PORTAL_MODE)
POOL_SEALING_PUBLIC_KEYS = environment.sealing_keys("POOL_SEALING_PUBLIC_KEYS", PORTAL_MODE, required=True)
POOL_SEALING_PRIVATE_KEYS = environment.sealing_keys("POOL_SEALING_PRIVATE_KEYS", PORTAL_MODE, required=False)
WHITEPOOL_BASE_URL = environment.read("WHITEPOOL_BASE_URL", "https://whitebit.com").rstrip("/")
if not WHITEPOOL_BASE_URL.startswith("https://" if PRODUCTION else ("https://", "http://127.0.0.1:")):
    environment.refuse("WHITEPOOL_BASE_URL must be an https address, such as https://whitebit.com.")
# Waits between tries of one pool call, and the longest a call may take with all its tries (seconds).
POOL_DEADLINE_SECONDS = 60.0
# The first and the longest wait after a failure; it doubles in between.
POOL_BACK_OFF_SECONDS = (1.0, 30.0)
# Addresses of this machine that calls to the pool leave from; none: as its routes say.
POOL_EGRESS_ADDRESSES = environment.addresses("POOL_EGRESS_ADDRESSES")

ALLOWED_HOSTS = environment.words("ALLOWED_HOSTS", "" if PRODUCTION else "127.0.0.1,localhost,testserver")
if PRODUCTION and (not ALLOWED_HOSTS or "*" in ALLOWED_HOSTS):
    environment.refuse("ALLOWED_HOSTS must list the portal's host names, comma-separated, without *.")

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_structlog",
    "csp",
    "customers",
    "mining",
    "billing",
    "portal",
    # Its commands exist where it is installed: the image has none of it.
    *(["devkit"] if find_spec("devkit") else []),
]

MIDDLEWARE = [
    "portal.middleware.HealthMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    # Opens the transaction and the tenant's context round everything below it.
    "portal.middleware.TenancyMiddleware",
    "portal.middleware.LogMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "portal.middleware.PrivatePagesMiddleware",
]

ROOT_URLCONF = "portal.urls"
WSGI_APPLICATION = "portal.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.messages.context_processors.messages",
                "portal.context.portal",
            ],
        },
    }
]
FORM_RENDERER = "portal.forms.renderer.PortalRenderer"

# --- Database. DATABASE_URL is the runtime role; DATABASE_OWNER_URL the role that owns the tables and migrates.
_database_url = environment.read("DATABASE_URL")
_owner_url = environment.read("DATABASE_OWNER_URL", "")
DATABASES = {"default": environment.runtime_database(_database_url, assume_runtime_role=not _owner_url)}
OWNER_DATABASE = environment.database(
    "DATABASE_OWNER_URL" if _owner_url else "DATABASE_URL", _owner_url or _database_url
)
# Without DATABASE_OWNER_URL the one role is the owner, and the runtime role is made and assumed from it.
RUNTIME_ROLE = DATABASES["default"]["USER"] if _owner_url else environment.RUNTIME_ROLE
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Redis: nonces, rate limit, broker and throttles. Everything in it may be lost without loss of data.
REDIS_URL, CELERY_BROKER_URL = environment.redis_urls(environment.read("REDIS_URL"))
if PRODUCTION:
    _unencrypted = environment.words("UNENCRYPTED_HOSTS", "")
    environment.refuse_unchecked_database("DATABASE_URL", DATABASES["default"], _unencrypted)
    environment.refuse_unchecked_database("DATABASE_OWNER_URL", OWNER_DATABASE, _unencrypted)
    environment.refuse_unchecked_redis(REDIS_URL, _unencrypted)
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "portal",
        "OPTIONS": {"serializer": "portal.cache.JSONSerializer"},
    }
}

# --- People
AUTH_USER_MODEL = "customers.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ("email", "name")},
    },
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
ACCOUNT_ADAPTER = "portal.sign_in.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "none"  # an address is proved by the invitation that was sent to it
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_LOGOUT_ON_PASSWORD_CHANGE = False  # the others end (portal/sessions.py)
ACCOUNT_REAUTHENTICATION_TIMEOUT = 900
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
# How many proxies of ours stand in front: a visitor's address is what they heard, not theirs (portal/visitor.py).
TRUSTED_PROXY_COUNT = environment.whole_number("TRUSTED_PROXY_COUNT", 1 if PRODUCTION else 0)
# Only failures count against a sign-in, by network and by account; known devices by themselves (portal/sign_in.py).
ACCOUNT_RATE_LIMITS = {"login": None, "login_failed": "10/m/ip,5/5m/key"}
MFA_ADAPTER = "portal.sign_in.MFAAdapter"
MFA_FORMS = {"authenticate": "portal.sign_in.SignInCodeForm", "reauthenticate": "portal.sign_in.FreshCodeForm"}
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
MFA_TOTP_ISSUER = "Hosting portal"
MFA_TOTP_TOLERANCE = 1  # steps of 30 s, either way: clocks of phones and people who type slowly
# Without use, and in all, by whom one acts for (portal/sessions.py). Customers look in from their phones every few
# days, and what moves their money asks for more than a session. The cookie outlasts both: who comes back late is known
# as the one whose form is kept.
STAFF_SESSION = (timedelta(hours=1), timedelta(hours=24))
CUSTOMER_SESSION = (timedelta(days=7), timedelta(days=30))
SESSION_COOKIE_AGE = 31 * 24 * 3600
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = PRODUCTION
SESSION_COOKIE_NAME = "__Host-session" if PRODUCTION else "portal_session"
CSRF_COOKIE_NAME = "__Host-csrf" if PRODUCTION else "portal_csrf"
CSRF_COOKIE_HTTPONLY = True
DEVICE_COOKIE_NAME = "__Host-device" if PRODUCTION else "portal_device"
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"

# The address that links in mails begin with.
PORTAL_URL = environment.read("PORTAL_URL", "" if PRODUCTION else "http://127.0.0.1:8000").rstrip("/")
if PRODUCTION and not PORTAL_URL.startswith("https://"):
    environment.refuse("PORTAL_URL must be the https address of the portal, such as https://portal.example.com.")

# --- Mail
_email = environment.read("EMAIL_URL", "" if PRODUCTION else "file://")
if PRODUCTION and not _email:
    environment.refuse("EMAIL_URL is not set. Set it to your mail server, such as smtp+tls://user:password@host:587.")
EMAIL_CONFIG = environment.email("EMAIL_URL", _email, PORTAL_DATA_DIR)
globals().update(EMAIL_CONFIG)
DEFAULT_FROM_EMAIL = environment.sender("DEFAULT_FROM_EMAIL", PORTAL_MODE)
SERVER_EMAIL = DEFAULT_FROM_EMAIL

# --- Browser
SECURE_SSL_REDIRECT = PRODUCTION
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if PRODUCTION else None
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if PRODUCTION else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = PRODUCTION
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "object-src": [NONE],
        "frame-ancestors": [NONE],
        "manifest-src": [SELF],
    }
}
STATIC_URL = "/static/"
# Collected for production only; elsewhere WhiteNoise finds the files where they are.
STATIC_ROOT = BASE_DIR / "staticfiles" if PRODUCTION else None
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if PRODUCTION
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = not PRODUCTION

# --- REST
# What one token may call in a minute.
API_CALLS_PER_MINUTE = environment.whole_number("API_CALLS_PER_MINUTE", 600)
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["portal.api.auth.TokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated", "portal.api.auth.HasScope"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "portal.api.problems.problem",
    "UNAUTHENTICATED_USER": None,
    "COERCE_DECIMAL_TO_STRING": True,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Hosting portal",
    "DESCRIPTION": (
        "What the portal's pages do, for the provider's own systems. `id` is a row's code. Money is an integer in the"
        " smallest unit, named in the field (`total_sat`: satoshi); amounts of the pool are decimal strings. Days are"
        " UTC and inclusive. Lists are newest first, in pages: follow `next` until it is null. Refusals are problem"
        " details (RFC 9457). Acts that ask a person for a fresh second factor ask a token for its scope and no more."
        " Each answer says in `RateLimit` what is left of the token's calls in this minute."
    ),
    "VERSION": "1",
    "OAS_VERSION": "3.1.1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "DISABLE_DOCSTRING_DESCRIPTIONS": True,
    "ENUM_SUFFIX": "",
    "POSTPROCESSING_HOOKS": ["portal.api.base.name_enums", "portal.api.codes.describe"],
}

# --- Jobs. State lives in PostgreSQL; a task may run twice, late or never.
CELERY_TASK_SERIALIZER = CELERY_RESULT_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]  # nothing that is unpickled: Redis holds no code
CELERY_TASK_IGNORE_RESULT = True
# What a person waits for is not behind the line of what is due, nor is what finds what is due. Every worker takes from
# both queues in turn.
CELERY_TASK_QUEUES = [Queue("celery"), Queue("people")]
CELERY_TASK_DEFAULT_QUEUE = "celery"
CELERY_TASK_ROUTES = {
    task: {"queue": "people"}
    for task in (
        "mining.tasks.settle_intent",
        "mining.tasks.verify_credential",
        "mining.tasks.run_asked_sync",
        "mining.tasks.sync_due",
        "mining.tasks.touch_key",
        "mining.tasks.refresh_alerts",
        "portal.tasks.mail_new_alerts",
        "portal.tasks.mail_alerts",
    )
}
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_TIME_LIMIT = 900
CELERY_TASK_SOFT_TIME_LIMIT = 840
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 1800,
    "unacked_restore_throttle": 1,
    "max_connections": 40,
    # Whoever queues a task while the broker is away hears so at once, not after 6 s for each task: sweeps repair it.
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0.1,
    "interval_max": 0.2,
}
CELERY_BROKER_POOL_LIMIT = 20
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BEAT_SCHEDULE_FILENAME = str(PORTAL_DATA_DIR / "beat-schedule")
CELERY_BEAT_SCHEDULE = {
    # Those that piled up while no worker was there do no harm, but one is enough.
    "sync what is due": {"task": "mining.tasks.sync_due", "schedule": 60.0, "options": {"expires": 300}},
    "see what people must know": {"task": "mining.tasks.refresh_alerts", "schedule": 60.0, "options": {"expires": 300}},
    "see it of the money": {"task": "billing.tasks.refresh_alerts", "schedule": 60.0, "options": {"expires": 300}},
    "mail what is new of it": {"task": "portal.tasks.mail_new_alerts", "schedule": 60.0, "options": {"expires": 300}},
    "mail terms that reach back": {
        "task": "portal.tasks.mail_new_terms",
        "schedule": 60.0,
        "options": {"expires": 300},
    },
    "work out uptime": {"task": "mining.tasks.keep_uptime", "schedule": 600.0, "options": {"expires": 600}},
    "make and drop months": {"task": "mining.tasks.keep_partitions", "schedule": 21_600.0},
    "forget answers of the API": {"task": "portal.tasks.forget_old_calls", "schedule": 3600.0},
    "let go of what nobody needs": {"task": "mining.tasks.let_go", "schedule": 86400.0},
    "read again what documents rest on": {"task": "billing.tasks.read_again", "schedule": 3600.0},
    "forget sessions that ended": {"task": "portal.tasks.forget_ended_sessions", "schedule": 24 * 3600.0},
    "make the files that are missing": {"task": "billing.tasks.make_missing_files", "schedule": 60.0},
}
DJANGO_STRUCTLOG_CELERY_ENABLED = True

LOGGING = logging_config(environment.log_level())
structlog.configure(
    processors=structlog_processors(),
    logger_factory=structlog.stdlib.LoggerFactory(),
    cache_logger_on_first_use=True,
)

LANGUAGE_CODE = "en"
USE_I18N = True
TIME_ZONE = "UTC"
USE_TZ = True
