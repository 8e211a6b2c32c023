"""Runs many commands of the command line, each in a process of its own, with one import of the application.

Standard input has one JSON object on each line: `arguments` and `environment`. For each, standard output gets
one line: code, out, err.
"""

import json
import os
import signal
import sys
import tempfile
import traceback

import app.asgi  # noqa: F401 - commands import it when they need it
from app import cli

_TIMEOUT_S = 60


def _run(arguments: list[str], environment: dict[str, str], out: int, err: int) -> None:
    """In the child process; never returns."""
    code = 1
    try:
        signal.alarm(_TIMEOUT_S)  # a server that starts after all does not end by itself
        os.dup2(out, 1)
        os.dup2(err, 2)
        os.environ.clear()
        os.environ.update(environment)
        sys.argv[1:] = arguments
        try:
            cli.main()
            code = 0
        except SystemExit as exit_:
            if isinstance(exit_.code, str):
                sys.stderr.write(exit_.code + "\n")
            code = exit_.code if isinstance(exit_.code, int) else int(bool(exit_.code))
        except BaseException:  # noqa: BLE001 - as the interpreter prints it
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


def main() -> None:
    for line in sys.stdin:
        request = json.loads(line)
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            pid = os.fork()
            if pid == 0:
                _run(request["arguments"], request["environment"], out.fileno(), err.fileno())
            code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            texts = [(file.seek(0), file.read().decode())[1] for file in (out, err)]
        sys.stdout.write(json.dumps([code, *texts]) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
