"""A person at a browser, through the proxy: forms, cookies, a second factor; and a program with a token."""

from __future__ import annotations

import html
import re
import time
from secrets import token_hex
from typing import Any

import requests
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from requests.adapters import HTTPAdapter
from urllib3.poolmanager import PoolManager

from devkit.drills.host import Host
from devkit.drills.steps import DrillFailed

STEP_SECONDS = 30


class FromAddress(HTTPAdapter):
    """Connects from one address of the loopback, so that the log can be asked for it."""

    def __init__(self, address: str) -> None:
        self.address = address
        super().__init__()

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **rest: Any) -> None:
        self.poolmanager = PoolManager(
            num_pools=connections, maxsize=maxsize, block=block, source_address=(self.address, 0), **rest
        )


class Visitor:
    def __init__(self, host: Host, *, address: str = "127.0.0.9") -> None:
        self.base = host.address
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.verify = str(host.certificates.authority)
        self.session.mount("https://", FromAddress(address))
        # What a visitor writes here must not be believed.
        self.session.headers["X-Forwarded-For"] = "203.0.113.66"
        self.used_step = 0

    def open(self, address: str) -> requests.Response:
        return _good(self.session.get(self._whole(address), timeout=120))

    def send(self, page: requests.Response, **fields: str) -> requests.Response:
        """The form of a page that has these fields, with what it holds hidden."""
        forms = re.findall(r"<form[^>]*method=\"post\".*?</form>", page.text, re.DOTALL | re.IGNORECASE)
        form = next(text for text in forms if all(f'name="{name}"' in text for name in fields))
        hidden = dict(re.findall(r"<input type=\"hidden\"\s+name=\"([^\"]+)\"\s+value=\"([^\"]*)\"", form))
        target = re.match(r"<form[^>]*action=\"([^\"]+)\"", form)
        answer = self.session.post(
            self._whole(html.unescape(target[1])) if target else page.url,
            data={name: html.unescape(value) for name, value in hidden.items()} | fields,
            headers={"Referer": page.url},
            timeout=120,
        )
        return _good(answer)

    def code(self, secret: str) -> str:
        """A code that was not used yet, of a step that is not about to end."""
        while (step := int(time.time()) // STEP_SECONDS) <= self.used_step:
            time.sleep(0.2)
        self.used_step = step
        return str(format_hotp_value(hotp_value(secret, step)))

    def _whole(self, address: str) -> str:
        return address if address.startswith("https://") else f"{self.base}{address}"


def _good(answer: requests.Response) -> requests.Response:
    if answer.status_code >= 400 or "field__error" in answer.text:
        text = re.sub(r"<[^>]+>|\s+", " ", answer.text)
        raise DrillFailed(f"{answer.request.method} {answer.url} was answered with {answer.status_code}: {text[:600]}")
    return answer


class Api:
    def __init__(self, host: Host, token: str) -> None:
        self.base = f"{host.address}/api/v1"
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.verify = str(host.certificates.authority)
        self.session.headers["Authorization"] = f"Bearer {token}"

    def get(self, path: str) -> Any:
        return self._called("GET", path).json()

    def post(self, path: str, **body: Any) -> Any:
        return self._called("POST", path, json=body).json()

    def content(self, address: str) -> bytes:
        return self._called("GET", address).content

    def _called(self, method: str, path: str, **rest: Any) -> requests.Response:
        address = path if path.startswith("https://") else self.base + path
        headers = {"Idempotency-Key": token_hex(16)} if method == "POST" else {}
        answer = self.session.request(method, address, timeout=120, headers=headers, **rest)
        if answer.status_code >= 400:
            raise DrillFailed(f"{method} {path} was answered with {answer.status_code}: {answer.text[:600]}")
        return answer
