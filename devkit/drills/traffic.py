"""Those who go on asking while something is replaced: a program with a token, and people who open the sign-in page."""

from __future__ import annotations

from threading import Event, Thread
from types import TracebackType
from typing import Self

import requests

from devkit.drills.host import Host

PAUSE_SECONDS = 0.15  # under the limit of one token


class Traffic:
    def __init__(self, host: Host, token: str) -> None:
        self.host, self.token = host, token
        self.asked = 0
        self.failed: list[str] = []
        self._over = Event()
        self._threads = [Thread(target=self._ask, args=(path,)) for path in ("/api/v1/customers/", "/account/login/")]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, path: str) -> None:
        with requests.Session() as session:
            session.trust_env = False
            session.verify = str(self.host.certificates.authority)
            session.headers["Authorization"] = f"Bearer {self.token}"
            while not self._over.wait(PAUSE_SECONDS):
                self.asked += 1
                try:
                    answer = session.get(f"{self.host.address}{path}", timeout=120)
                except requests.RequestException as error:
                    self.failed.append(f"{path}: {type(error).__name__}")
                else:
                    if answer.status_code != 200:
                        self.failed.append(f"{path}: {answer.status_code}")
