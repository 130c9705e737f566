"""python -m devkit.servers [--temporary | --data-dir DIR] -- COMMAND …"""

# ruff: noqa: S603  (running what the caller names is the purpose)

import argparse
import os
import signal
import subprocess
import sys
from types import FrameType

from devkit.servers import processes
from devkit.servers.errors import EmbeddedError
from devkit.servers.starter import PROJECT, Supervisor, supervised

TROUBLE, CANNOT_RUN, NOT_FOUND = 2, 126, 127  # the last two as shells have them
LEFT_BEHIND_GRACE_SECONDS = 3.0


class Command:
    """The command, and what reaches it of the signals that reach us: each exactly once."""

    def __init__(self) -> None:
        # At a terminal the command stays in our process group: Ctrl-C, Ctrl-Z and reading work as without us. Anywhere
        # else it gets a group of its own, so that all it started can be ended with it.
        self.is_group = not _in_foreground_of_terminal()
        self.process: subprocess.Popen[bytes] | None = None
        self.stopped_by: int | None = None

    def listen(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) != signal.SIG_IGN:  # nohup, or a script's background job
                signal.signal(number, self._received)

    def run(self, words: list[str], environment: dict[str, str], supervisor: Supervisor) -> int:
        self.process = subprocess.Popen(words, env=environment, process_group=0 if self.is_group else None)
        supervisor.tell_command(self._target(self.process))
        if self.stopped_by is not None:
            self._pass_on(self.stopped_by)
        status = self.process.wait()
        if self.is_group:
            processes.end(-self.process.pid, (signal.SIGTERM, LEFT_BEHIND_GRACE_SECONDS))
        supervisor.tell_command(None)
        return status if status >= 0 else 128 - status

    def _target(self, process: subprocess.Popen[bytes]) -> int:
        return -process.pid if self.is_group else process.pid

    def _received(self, number: int, frame: FrameType | None) -> None:
        self.stopped_by = self.stopped_by or number
        # The terminal sends SIGINT and SIGHUP to the whole group; a second SIGINT would cut tidying up short.
        if self.is_group or number == signal.SIGTERM:
            self._pass_on(number)

    def _pass_on(self, number: int) -> None:
        if self.process is not None and self.process.returncode is None:
            processes.send(self._target(self.process), number)


def main(arguments: list[str]) -> int:
    options = _parsed(arguments)
    words: list[str] = options.command
    command = Command()
    command.listen()
    try:
        with supervised(_data_dir(options), interrupted=lambda: command.stopped_by is not None) as supervisor:
            if command.stopped_by is not None:
                return 128 + command.stopped_by
            return command.run(words, _environment(supervisor.addresses), supervisor)
    except EmbeddedError as error:
        return _complain(str(error), TROUBLE)
    except FileNotFoundError:
        return _complain(f"There is no command {words[0]}: see how it is spelled, and PATH.", NOT_FOUND)
    except OSError as error:
        return _complain(f"{words[0]} cannot be run ({error.strerror}): see its permissions.", CANNOT_RUN)


def _parsed(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m devkit.servers",
        usage="%(prog)s [--temporary | --data-dir DIR] -- COMMAND ...",
        description="Runs COMMAND with a PostgreSQL and a Valkey server of its own, unless DATABASE_URL and REDIS_URL "
        "are set.",
    )
    place = parser.add_mutually_exclusive_group()
    place.add_argument("--temporary", action="store_true", help="in a temporary folder that is removed at the end")
    place.add_argument("--data-dir", metavar="DIR", help="default: PORTAL_DATA_DIR, else .data in the project")
    parser.add_argument("command", nargs="+", help="what to run, after two dashes")
    return parser.parse_args(arguments)


def _data_dir(options: argparse.Namespace) -> str | None:
    if options.temporary:
        return None
    return options.data_dir or os.environ.get("PORTAL_DATA_DIR") or str(PROJECT / ".data")


def _environment(addresses: dict[str, str]) -> dict[str, str]:
    # Empty: it is in a file, and the variable that names the file is passed on.
    return os.environ | {name: address for name, address in addresses.items() if address}


def _in_foreground_of_terminal() -> bool:
    try:
        return os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()
    except (OSError, ValueError, AttributeError):
        return False


def _complain(sentence: str, status: int) -> int:
    sys.stderr.write(f"embedded servers: {sentence}\n")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
