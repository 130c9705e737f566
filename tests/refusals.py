"""Refusals in tests: told apart by their codes, since sentences may be put better (tests/golden/sentences.txt)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from customers.errors import Refused


@contextmanager
def refused(code: str) -> Iterator[pytest.ExceptionInfo[Refused]]:
    with pytest.raises(Refused) as raised:
        yield raised
    assert raised.value.code == code, raised.value
