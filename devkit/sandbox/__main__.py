"""`python -m devkit.sandbox`: runs a WhitePool on this machine."""

import argparse
import os
import socket
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NoReturn

from .fields import BadInput, earliest_to_latest, parse_moment
from .rules import DEFAULT_LIMIT_CALLS, RateLimit
from .sandbox import Opening, Sandbox
from .server import bind, serve
from .worlds import WORLDS

PROGRAM = "python -m devkit.sandbox"


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """One sentence instead of a page of usage."""
        self.exit(2, f"sandbox: {message} (see --help)\n")


def parser(program: str = PROGRAM) -> Parser:
    worlds = "; ".join(f"{name}: {plan.summary}" for name, plan in WORLDS.items())
    options = Parser(
        prog=program,
        description="A faithful WhitePool over HTTP, for development and tests.",
        epilog=f"Worlds: {worlds}.",
    )
    options.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    options.add_argument("--port", type=_port, default=8600, help="0 takes any free port (default: %(default)s)")
    options.add_argument("--world", choices=sorted(WORLDS), default="demo", help="see below (default: %(default)s)")
    options.add_argument("--seed", type=_natural, default=1, help="same seed, same world (default: %(default)s)")
    options.add_argument("--now", metavar="ISO", help="where the data clock starts (default: the real time)")
    options.add_argument(
        "--history-days",
        type=_natural,
        metavar="N",
        help="days already mined at the start (default: as the world says)",
    )
    options.add_argument(
        "--state",
        type=Path,
        metavar="FILE",
        help="keep accounts, edits and the clock here; when the file exists, it decides the world",
    )
    options.add_argument(
        "--limit-calls",
        type=_positive,
        default=DEFAULT_LIMIT_CALLS,
        metavar="N",
        help="calls per 10 s, endpoint and client address (default: %(default)s)",
    )
    options.add_argument("--end-with-parent", action="store_true", help="end when the starting process is gone")
    return options


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > 65_535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port from 0 to 65535")
    return int(text)


def _natural(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 to 999999999")
    return int(text)


def _positive(text: str) -> int:
    if _natural(text) == 0:
        raise argparse.ArgumentTypeError("'0' calls would answer nobody; 1 is the least")
    return int(text)


def main(arguments: Sequence[str] | None = None, *, program: str = PROGRAM) -> int:
    parent = os.getppid()
    options = parser(program).parse_args(arguments)
    try:
        opening = Opening(
            world=options.world,
            seed=options.seed,
            now=earliest_to_latest(parse_moment(options.now, "--now")) if options.now else None,
            history_days=options.history_days,
        )
        sandbox = Sandbox(opening, state_path=options.state, limit=RateLimit(options.limit_calls))
        listener = bind(options.host, options.port)
    except BadInput as wrong:
        return _complain(str(wrong))
    except OSError as wrong:
        # Only the state file is written by now. Named as it was given: what fails is its draft beside it.
        return _complain(f"the state file {options.state} cannot be written: {wrong.strerror or wrong}")
    parent_to_watch = parent if options.end_with_parent else None
    serve(sandbox, listener, parent=parent_to_watch, ready=partial(announce, listener))
    return 0


def _complain(sentence: str) -> int:
    print(f"sandbox: {sentence}", file=sys.stderr)  # noqa: T201  this is a command's own voice
    return 2


def announce(listener: socket.socket) -> None:
    host, port = listener.getsockname()[:2]
    shown_host = f"[{host}]" if ":" in host else host
    print(f"sandbox listening on http://{shown_host}:{port}", flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
