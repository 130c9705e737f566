"""What an act is refused with: one sentence for whoever asked, and a code that programs can rely on."""

from __future__ import annotations

from collections.abc import Mapping


class Refused(Exception):
    """Nothing was done, and str() says why and what to do. After Django's ValidationError.

    `message` is one sentence with places such as %(account)s for its `params`, so that it can be translated. `code` is
    `<noun>.<what>` and never changes: doors answer by it and the API shows it. Both are written out where they are
    used, since a test collects them from the source (tests/nets/test_refusals.py). One that nobody raises says why not.
    """

    def __init__(self, message: str, code: str, params: Mapping[str, object] | None = None) -> None:
        super().__init__(message, code, params)
        self.message, self.code, self.params = message, code, params or {}

    def __str__(self) -> str:
        return self.message % self.params if self.params else self.message


class TooSoon(Refused):
    """It may be asked for again when so many `seconds` have passed: always among the params."""

    @property
    def seconds(self) -> int:
        return int(str(self.params["seconds"]))
