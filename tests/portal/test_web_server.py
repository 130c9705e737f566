"""What comes through the real web server: no header and no spelling of the path opens another page than its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest
from django.db import connection

from customers import tenancy
from customers.models import Invitation
from tests.waiting import LAST_RESORT_SECONDS, until
from tests.world import World

pytestmark = pytest.mark.django_db(transaction=True)
ROOT = Path(__file__).resolve().parents[2]
STAFF_PAGES = ("/staff/", "/staff/team/", "/staff/customers/", "/staff/documents/")
NEW_OWNER = "email=thief%40x.example&role=owner&acting_as="
# As names of headers and, for those that a server may take for its own, with each spelling of it.
PREFIX_HEADERS = ("SCRIPT_NAME", "Script-Name", "X-Script-Name", "X-Forwarded-Prefix", "X-Forwarded-Path")
PATH_HEADERS = ("PATH_INFO", "Path-Info", "X-Original-URL", "X-Rewrite-URL", "X-Original-URI", "REQUEST_URI", "RAW_URI")


@pytest.fixture
def socket_path(world: World, tmp_path: Path) -> Iterator[str]:
    """gunicorn as production starts it, on a unix socket: there it believes whoever speaks to it."""
    place, log = str(tmp_path / "web.sock"), tmp_path / "web.log"
    database = os.environ["DATABASE_URL"].replace("/portal?", f"/{connection.settings_dict['NAME']}?")
    command = [sys.executable, "-m", "gunicorn", "-c", "python:portal.gunicorn", "--workers", "1", "portal.wsgi"]
    with log.open("wb") as stream:
        server = subprocess.Popen(
            command,
            cwd=ROOT,
            env=os.environ | {"BIND": f"unix:{place}", "DATABASE_URL": database, "FORWARDED_ALLOW_IPS": "*"},
            stdout=stream,
            stderr=stream,
        )
    try:
        until(lambda: answers(place) or server.poll() is not None)
        assert server.poll() is None, log.read_text()
        yield place
    finally:
        server.terminate()
        server.wait(LAST_RESORT_SECONDS)


def answers(place: str) -> bool:
    try:
        return ask(place, "GET", "/healthz", {})[0] == 200
    except OSError:
        return False


def ask(place: str, method: str, target: str, headers: dict[str, str], body: str | None = None) -> tuple[int, str]:
    """One request, sent as it is written here."""
    speaking = HTTPConnection("localhost", timeout=LAST_RESORT_SECONDS)
    speaking.sock = socket.socket(socket.AF_UNIX)
    speaking.sock.settimeout(LAST_RESORT_SECONDS)
    speaking.sock.connect(place)
    try:
        speaking.request(method, target, body, headers)
        answer = speaking.getresponse()
        return answer.status, answer.read().decode(errors="replace")
    finally:
        speaking.close()


def tricks() -> Iterator[tuple[str, dict[str, str]]]:
    """Every way that was thought of to be taken for the API, for allauth's pages, or for a health check."""
    for page in STAFF_PAGES:
        for name in PREFIX_HEADERS:
            for prefix in ("/api", "/api/", "/api/v1", "/account", "/account/"):
                yield prefix.rstrip("/") + page, {name: prefix}
                yield page, {name: prefix}
        for name in PATH_HEADERS:
            for outside in ("/api/v1/customers", "/account/login/", "/healthz", "/api/v1/docs/"):
                yield outside, {name: page}
                yield page, {name: outside}
        for target in (
            f"/{page}",
            f"//api/..{page}",
            f"/api/..{page}",
            f"/api/%2e%2e{page}",
            f"/api%2f..{page}",
            f"/account/..%2f{page.lstrip('/')}",
            f"/account//{page.lstrip('/')}",
            f"/api/v1/docs/..;{page}",
            page.replace("/staff", "/%73taff"),
            page.replace("/staff", "/staff%2f"),
            f"http://localhost{page}",
            f"http://localhost/api/v1/docs/..{page}",
            f"{page}?/api/",
            f"{page};/api/",
            f"{page}#/api/",
        ):
            yield target, {}


@pytest.mark.long
def test_no_header_and_no_spelling_of_the_path_opens_a_page_of_staff(world: World, socket_path: str) -> None:
    token = {"Authorization": f"Bearer {world.north.token}"}
    opened = []
    for target, headers in tricks():
        for method, body in (("GET", None), ("POST", NEW_OWNER)):
            form = {"Content-Type": "application/x-www-form-urlencoded"} if body else {}
            status, page = ask(socket_path, method, target, token | headers | form, body)
            if status >= 500 or "Northmere Hosting" in page:
                opened.append((method, target, headers, status))
    assert opened == []
    with tenancy.access_context(world.north.system):
        assert not Invitation.objects.filter(email="thief@x.example").exists()


def test_a_token_opens_the_api_through_the_web_server(world: World, socket_path: str) -> None:
    status, body = ask(socket_path, "GET", "/api/v1/customers", {"Authorization": f"Bearer {world.north.token}"})
    assert (status, world.north.clients[0].customer.code in body) == (200, True)
