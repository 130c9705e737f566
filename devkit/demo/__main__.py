"""python -m devkit.demo [--once | --run 'COMMAND …'], with the servers up (the Makefile starts them)."""

from __future__ import annotations

import argparse
import logging
import os
import shlex
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from devkit.demo import environment
from devkit.demo.calendar import ended_months
from devkit.demo.children import ChildFailed, Children, children, free_port


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m devkit.demo")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--once", action="store_true", help="do the main job once, print what came of it, and end")
    what.add_argument("--run", metavar="COMMAND", help="run a manage.py command in the demo's environment")
    options = parser.parse_args(arguments)
    for number in (signal.SIGINT, signal.SIGTERM):  # SIGINT too: a shell starts background jobs with it ignored
        signal.signal(number, _interrupt)
    kept = environment.prepare()
    try:
        if options.run is not None:
            return _run(_words(options.run))
        port = free_port(environment.given_port())
        with environment.only_demo(), children(environment.data_dir() / "logs") as started:
            return _demo(started, kept, port, once=options.once)
    except environment.CannotStart as error:
        sys.stderr.write(f"demo: {error}\n")
        return 2
    except ChildFailed as error:
        sys.stderr.write(f"demo: {error}\n")
        return 1
    except KeyboardInterrupt:
        print("\nStopped. The data is kept for the next start.")
        return 0


def _words(command: str) -> list[str]:
    try:
        words = shlex.split(command)
    except ValueError:
        raise environment.CannotStart(f"CMD has a quote or a backslash without its other half: {command}") from None
    if not words:
        raise environment.CannotStart('Say what to run, such as: make run CMD="provider list"')
    return words


def _run(words: list[str]) -> int:
    """A manage.py command against the demo's pool: the one that runs, else one for as long as the command takes."""
    with children(environment.data_dir() / "logs" / "run") as started:
        running = environment.running_pool()
        if running is None:
            _start_sandbox(started, datetime.now(UTC))
            running = _pool_address(started)
        os.environ.setdefault("WHITEPOOL_BASE_URL", running)
        os.environ.setdefault("PORTAL_URL", environment.portal_address())
        return subprocess.run([sys.executable, "manage.py", *words], cwd=environment.PROJECT, check=False).returncode  # noqa: S603 - the user's own command


def _pool_address(started: Children) -> str:
    return started.wait_for("sandbox", "sandbox listening on", seconds=30).split()[-1]


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _demo(started: Children, kept: dict[str, str], port: int, *, once: bool) -> int:
    begun = time.monotonic()
    _start_sandbox(started, datetime.now(UTC))
    os.environ["WHITEPOOL_BASE_URL"] = _pool_address(started)
    environment.runs_at("sandbox", os.environ["WHITEPOOL_BASE_URL"])
    os.environ["PORTAL_URL"] = environment.local_address(port)

    import django

    django.setup()
    _log_to(started.log("demo"))
    from django.core.management import call_command

    from devkit.demo import proof, story

    call_command("migrate", verbosity=0)
    started.start(
        "worker", "-m", "celery", "-A", "portal", "worker", "--concurrency", "2", "--without-gossip", "--without-mingle"
    )
    if not once:
        environment.runs_at("portal", os.environ["PORTAL_URL"])
        started.start("beat", "-m", "celery", "-A", "portal", "beat")
        _start_web(started, port)
    tell = story.Story(started, sandbox_url=os.environ["WHITEPOOL_BASE_URL"], password=kept["password"])
    tell.play(now=datetime.now(UTC))
    wrong = proof.show(tell)
    if once:
        return 1 if wrong else 0
    started.wait_for("web", "Listening at", seconds=30)
    _print_logins(tell, seconds=time.monotonic() - begun)
    return _stay(started)


def _start_sandbox(started: Children, now: datetime) -> None:
    """The pool as it was when the demo's provider began; its clock moves on once the customers are there."""
    began, _ = ended_months(now.date())
    clock = ("--now", f"{began.isoformat()}T00:00:00+00:00", "--history-days", "0")
    state = ("--state", str(environment.data_dir() / "sandbox.json"))
    started.start("sandbox", "-m", "devkit.sandbox", "--port", "0", "--seed", "7", *clock, *state)


def _start_web(started: Children, port: int) -> None:
    gunicorn = ("-m", "gunicorn", "-c", "python:portal.gunicorn", "--workers", "1")
    # Without private keys: the web process can seal and not open.
    started.start("web", *gunicorn, "--bind", f"127.0.0.1:{port}", "portal.wsgi", POOL_SEALING_PRIVATE_KEYS="")


def _log_to(path: Path) -> None:
    """The screen is for people: what this process logs goes beside the logs of the others."""
    stream = path.open("w", encoding="utf-8")
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.setStream(stream)


def _print_logins(tell: object, *, seconds: float) -> None:
    from devkit.demo.story import Story

    assert isinstance(tell, Story)
    logins = [str(login) for login in tell.logins()]  # before the rest: it may wait for a fresh code
    print(f"\nThe portal runs (ready after {seconds:.0f} s): {os.environ['PORTAL_URL']}/")
    for login in logins:
        print(f"  {login}")
    print(f"Its pool is the sandbox at {os.environ['WHITEPOOL_BASE_URL']} (docs/sandbox.md).")
    print("Ctrl-C stops everything; the data is kept for the next start.", flush=True)


def _stay(started: Children) -> int:
    while True:
        started.check()
        time.sleep(1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
