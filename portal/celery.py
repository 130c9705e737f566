"""The Celery application: JSON only, ids as arguments, no results."""

import logging.config
import os
from typing import Any

from celery import Celery
from celery.signals import setup_logging, worker_init
from django_structlog.celery.steps import DjangoStructLogInitStep

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

app = Celery("portal")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["customers", "mining", "billing", "portal"])
app.steps["worker"].add(DjangoStructLogInitStep)


@setup_logging.connect
def use_our_logging(**_kwargs: Any) -> None:
    from django.conf import settings

    logging.config.dictConfig(settings.LOGGING)


@worker_init.connect
def refuse_unsafe_start(**_kwargs: Any) -> None:
    from django.conf import settings

    from mining.pool.limits.egress import is_ours
    from portal.database import refuse_unsafe_runtime
    from portal.environment import refuse, wrong_pair

    if wrong := wrong_pair(settings.POOL_SEALING_PUBLIC_KEYS, settings.POOL_SEALING_PRIVATE_KEYS):
        refuse(f"a worker needs POOL_SEALING_PRIVATE_KEYS with the key that belongs to the public key {wrong!r}.")
    for address in settings.POOL_EGRESS_ADDRESSES:
        if not is_ours(address):
            refuse(f"POOL_EGRESS_ADDRESSES names {address}, which this machine does not have.")
    refuse_unsafe_runtime()
