"""gunicorn's settings: `gunicorn -c python:portal.gunicorn portal.wsgi`."""

import os
from typing import Any

bind = os.environ.get("BIND", "0.0.0.0:8000")
workers = int(os.environ.get("WEB_WORKERS", "2"))
threads = int(os.environ.get("WEB_THREADS", "4"))
# The application loads once, before the workers fork: a wrong setting is one sentence, not one for each worker.
preload_app = True
control_socket_disable = True  # its place is the home folder, and nobody here uses it
accesslog = None  # django-structlog writes a line for each request, with its id
timeout = 60
max_requests, max_requests_jitter = 5000, 500


def post_fork(_server: Any, _worker: Any) -> None:
    from django.db import connections

    connections.close_all()  # the check at start opened one
