"""What the compose file tells of the portal's own services: their commands and what is in their environment."""

import re
from collections.abc import Mapping
from typing import Any

import yaml

from devkit.drills.steps import PROJECT

VALUE = re.compile(r"(?<!\$)\$\{(\w+)(?::([?-])([^}]*))?\}")


class Compose:
    def __init__(self, env_file: Mapping[str, str]) -> None:
        self.env_file = env_file
        read: dict[str, Any] = yaml.safe_load((PROJECT / "docker-compose.yml").read_text())
        self.services: dict[str, dict[str, Any]] = read["services"]

    def environment(self, service: str) -> dict[str, str]:
        return {name: self._filled_in(value) for name, value in self.services[service]["environment"].items()}

    def command(self, service: str) -> list[str]:
        return [self._filled_in(word) for word in self.services[service].get("command", [])]

    def _filled_in(self, text: object) -> str:
        def value(found: re.Match[str]) -> str:
            return self.env_file[found[1]] if found[2] == "?" else self.env_file.get(found[1], found[3] or "")

        return VALUE.sub(value, str(text))


def names_of_env_file() -> list[str]:
    lines = (PROJECT / ".env.example").read_text().splitlines()
    return [line.removesuffix("=") for line in lines if line.endswith("=") and not line.startswith("#")]
