"""A pool secret is planted and pasted; then every sink that it could have reached is read."""

from __future__ import annotations

import json
import logging
from base64 import b64decode
from typing import Any

import pytest
import redis
from django.core import mail
from django.db import connection
from django.urls import reverse

from customers import tenancy
from mining import alerts
from mining.models import Credential
from portal.alerts import mails as alert_mails
from tests.portal.access_table import ROUTES
from tests.portal.api.test_access import ROUTES as API_ROUTES
from tests.portal.test_access_matrix import visit
from tests.world import CANARY, NOW, World

PASTED_KEY, PASTED_SECRET = "canary-pasted-api-key-41", "canary-pasted-secret-8c1f5e77"
SECRETS = (CANARY, "api-key-of-the-world", PASTED_KEY, PASTED_SECRET)

pytestmark = pytest.mark.django_db


def found_in(text: str) -> list[str]:
    return [secret for secret in SECRETS if secret in text]


def readable(message: Any) -> str:
    """A task as it lies in Redis: the arguments are in base64."""
    return f"{message!r} {b64decode(json.loads(message)['body']).decode()}"


def paste(world: World) -> str:
    owner = world.north.owner
    fields = owner.form(login="second", api_key=PASTED_KEY, secret=PASTED_SECRET)
    answer = owner.browser().post(reverse("staff:key_paste"), fields, follow=True)
    assert answer.status_code == 200
    return answer.content.decode()


def mails_about_the_key(world: World) -> str:
    provider = world.north.provider
    with tenancy.access_context(world.north.system):
        Credential.objects.filter(pk=world.north.credential.pk).update(state=Credential.State.REFUSED)
    alerts.refresh(provider.pk, now=NOW)
    alert_mails.mail_alerts(provider.pk, now=NOW)
    assert "the key of main" in mail.outbox[0].subject
    return "".join(f"{message.subject}\n{message.body}" for message in mail.outbox)


@pytest.mark.long
def test_no_page_and_no_answer_of_the_api_shows_a_pool_secret(world: World) -> None:
    north, pages = world.north, {"paste": paste(world)}
    for route, row in ROUTES.items():
        if row.method == "get":
            who = north.owner if row.audience.startswith("staff") else north.clients[0].owner
            visit(who.browser(), route, row, north, who)
            path = "/" + route
            for name, value in row.arguments(north).items():
                path = path.replace(f"<str:{name}>", value).replace(f"<slug:{name}>", value)
            answer = who.browser().get(path)
            body = answer.getvalue() if answer.streaming else answer.content
            pages[route] = body.decode(errors="replace")
    lists = [route for route in API_ROUTES if "<" not in route]
    assert len(lists) > 5
    for route in lists:
        pages[f"api {route}"] = north.api().get(f"/api/v1/{route}").content.decode()
    assert len(pages) > 30
    assert {where: found_in(text) for where, text in pages.items() if found_in(text)} == {}


def test_no_log_no_table_no_task_and_no_audit_row_holds_a_pool_secret(
    world: World, caplog: pytest.LogCaptureFixture, django_capture_on_commit_callbacks: Any, settings: Any
) -> None:
    caplog.set_level(logging.DEBUG)
    broker = redis.Redis.from_url(settings.REDIS_URL)
    broker.delete("celery", "people")
    with django_capture_on_commit_callbacks(execute=True):
        paste(world)
    queued = [message for queue in ("celery", "people") for message in broker.lrange(queue, 0, -1)]
    tasks = "".join(readable(message) for message in queued)
    broker.delete("celery", "people")
    assert "verify_credential" in tasks
    sinks = {"tasks": tasks, "mails": mails_about_the_key(world), "logs": caplog.text}
    with tenancy.access_context(world.north.system), connection.cursor() as cursor:
        assert Credential.objects.filter(login__name="second").exists()
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT coalesce(string_agg(t::text, E'\\n'), '') FROM \"{table}\" t")
            sinks[table] = cursor.fetchone()[0]
    assert "credential.pasted" in sinks["customers_auditentry"]
    assert {where: found_in(text) for where, text in sinks.items() if found_in(text)} == {}
