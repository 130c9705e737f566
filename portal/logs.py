"""JSON logs, one line an event, with the request's or the task's id (django-structlog binds them)."""

import re
from collections.abc import MutableMapping
from typing import Any

import structlog
from structlog.typing import Processor

# What opens a door by itself and may stand in an address or a message: an invitation's link, an API token.
BEARERS = re.compile(r"((?:/|%2F)(?:invite|reset(?:/|%2F)key)(?:/|%2F)|hpt_)[^/%\s\"']+", re.IGNORECASE)

# PostgreSQL's second line of an error quotes the row that it refuses, a password's hash among it.
# The row may hold line breaks: it goes on to what PostgreSQL or a traceback says next.
ROW_OF_AN_ERROR = re.compile(
    r"^(DETAIL:).*?(?=\n(?:HINT|QUERY|CONTEXT):|\n\n(?:The above exception|During handling)|\Z)",
    re.MULTILINE | re.DOTALL,
)


def mask_bearers(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = ROW_OF_AN_ERROR.sub(r"\1 …", BEARERS.sub(r"\1…", value))
    return event


def structlog_processors() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        *_shared(),
        structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
    ]


def _shared() -> list[Processor]:
    return [
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        # Tracebacks without local variables: locals may hold an opened secret.
        structlog.processors.format_exc_info,
        mask_bearers,
    ]


def logging_config(level: str) -> dict[str, Any]:
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "json": {
                "()": structlog.stdlib.ProcessorFormatter,
                "processor": structlog.processors.JSONRenderer(),
                "foreign_pre_chain": [structlog.contextvars.merge_contextvars, *_shared()],
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            "django.server": {"handlers": ["stderr"], "level": "INFO", "propagate": False},
            "celery.worker.strategy": {"level": "WARNING"},
            "celery.app.trace": {"level": "WARNING"},
        },
    }
