"""A drill tells each step in one line, and ends at the first that fails."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
DEPLOY = PROJECT / "docs" / "deploy"


class DrillFailed(Exception):
    """One sentence: what did not hold."""


class MachineLacks(Exception):
    """What a drill needs and this machine has not: nothing is said of the portal by it."""


def say(text: str) -> None:
    print(text, flush=True)


def run(
    words: Sequence[str | Path],
    environment: Mapping[str, str],
    *,
    feed: bytes | None = None,
    folder: Path = PROJECT,
    seconds: float = 600,
) -> bytes:
    """What the program printed; a status other than 0 ends the drill with its last words."""
    try:
        done = subprocess.run(  # noqa: S603 - the drill's own words
            words,
            env=dict(environment),
            cwd=folder,
            input=feed or b"",
            capture_output=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        raise DrillFailed(f"{' '.join(map(str, words[:4]))} took over {seconds:.0f} s.") from late
    if done.returncode:
        said = (done.stderr or done.stdout).decode(errors="replace").strip()
        raise DrillFailed(f"{' '.join(map(str, words[:4]))} ended with {done.returncode}:\n{said[-2000:]}")
    return done.stdout
