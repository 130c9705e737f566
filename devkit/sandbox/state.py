"""The state file: which world, how far the data clock was moved, and every act since. Written whole or not at all."""

import json
import os
from pathlib import Path
from typing import Any

from .fields import BadInput

VERSION = 1


def load(path: Path) -> dict[str, Any] | None:
    """None when there is no file yet."""
    try:
        value = json.loads(path.read_text())
    except FileNotFoundError:
        return None
    except OSError as reason:
        raise BadInput(f"the state file {path} cannot be read: {reason.strerror or reason}") from None
    except ValueError:
        value = None
    if not isinstance(value, dict) or value.get("version") != VERSION:
        raise BadInput(f"the state file {path} is not one of this sandbox; move it away to start afresh")
    return value


def save(path: Path, state: dict[str, Any]) -> None:
    draft = path.with_name(f"{path.name}.{os.getpid()}.draft")
    # 0600 from the start: the file names accounts and edited keys.
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump({"version": VERSION} | state, file)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
