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
# Nothing in front of us may say by a header which part of the path is the program's own (SCRIPT_NAME), what the path is
# (PATH_INFO) or who asks: gunicorn would believe it from this machine, and from anybody through a unix socket. What
# proxies do tell, the scheme and the visitor's address, the portal reads for itself.
forwarder_headers = ""
forwarded_allow_ips = ""
header_map = "drop"  # X_Forwarded_For is not X-Forwarded-For
timeout = 60
max_requests, max_requests_jitter = 5000, 500


def post_fork(_server: Any, _worker: Any) -> None:
    from django.db import connections

    connections.close_all()  # the check at start opened one
