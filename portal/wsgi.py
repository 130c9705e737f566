"""The web server's door."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
application = get_wsgi_application()

from portal.database import refuse_unsafe_runtime  # noqa: E402 - Django must be set up first

refuse_unsafe_runtime()
