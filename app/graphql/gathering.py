"""One statement for what several operations ask at the same moment.

What a loader keeps is its operation's own. What it asks of the database need not be: the keys that loaders of
all operations want at once travel together, so that many operations are few statements.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, TypeVar

from aiodataloader import DataLoader

from app.db.pool import Unavailable
from app.graphql.ways import Ways

if TYPE_CHECKING:
    from app.db.pool import Connection, Database
    from app.db.standbys import Reading
    from app.domain.model import EngineerId

K = TypeVar("K")
V = TypeVar("V")

MAX_KEYS = 1000
"""In one statement."""

Read: TypeAlias = "Callable[[Connection, list[Any]], Awaitable[Mapping[Any, Any]]]"
"""What is found of these keys, by key."""


class Source(NamedTuple):
    """What is read: equal ones are read together. Their `Read` must be the same, too."""

    name: str
    db: Database | Reading
    only_of: EngineerId | None
    leave_out: frozenset[str]
    part: Hashable = None


class Gathering:
    """Of one server process."""

    def __init__(self) -> None:
        self._ways: Ways[_Statement] = Ways()

    def statement(self, source: Source, read: Read) -> _Statement:
        """The one that takes keys now."""
        return self._ways.open(source, lambda: _Statement(source, read))


class _Statement:
    def __init__(self, source: Source, read: Read) -> None:
        self._source = source
        self._read = read
        self._wanted: dict[Any, list[tuple[Gathered[Any, Any], asyncio.Future[Any]]]] = {}
        self._loaders: set[Gathered[Any, Any]] = set()
        self._task: asyncio.Task[None] | None = None

    @property
    def is_full(self) -> bool:
        return len(self._wanted) >= MAX_KEYS

    @property
    def takes_more(self) -> bool:
        return self._task is None and len(self._wanted) < MAX_KEYS

    def want(self, key: Any, loader: Gathered[Any, Any], future: asyncio.Future[Any]) -> None:  # noqa: ANN401
        self._loaders.add(loader)
        self._wanted.setdefault(key, []).append((loader, future))

    def begin(self) -> asyncio.Task[None] | None:
        """None where nobody waits for it any longer."""
        if self._loaders:
            # Nobody's own: the operation that came first may end before the others are served.
            self._task = asyncio.create_task(self._run())
        return self._task

    def leave(self, loader: Gathered[Any, Any]) -> None:
        """Where nobody else waits, the statement is cut short on the server, too."""
        self._loaders.discard(loader)
        if not self._loaders and self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        source = self._source
        keys = list(self._wanted)
        source.db.metrics.loader_keys(source.name).observe(len(keys))
        try:
            async with source.db.connection() as conn:
                found = await self._read(conn, keys)
        except Exception as error:  # noqa: BLE001 - of the fields that wait for it
            if len(self._loaders) > 1 and not isinstance(error, Unavailable):
                self._begin_apart()
            else:
                self._fail(error)
        else:
            for key, waiting in self._wanted.items():
                value = found.get(key)
                for loader, future in waiting:
                    loader.tell(key, value, future)
        # A loader and its statements refer to each other.
        self._wanted.clear()
        self._loaders.clear()

    def _begin_apart(self) -> None:
        """One of the operations asks for what cannot be read; it shall be alone in that."""
        for loader in self._loaders:
            alone = _Statement(self._source, self._read)
            for key, waiting in self._wanted.items():
                for other, future in waiting:
                    if other is loader:
                        alone.want(key, loader, future)
            loader.waits_for(alone)
            alone.begin()

    def _fail(self, error: Exception) -> None:
        for key, waiting in self._wanted.items():
            for loader, future in waiting:
                loader.clear(key)
                if not future.done():
                    future.set_exception(error)


def _itself(key: K) -> K:
    return key


class Gathered(DataLoader[K, V]):
    """A loader of one operation whose keys are read together with those of others.

    `asks` says of what and how, once a key is asked for that was not told before. `told` makes of a key, and
    of what was found of it or None, what the loader answers. `apart` reads each key with a statement of its
    own, which is still one for all who ask for that key.
    """

    def __init__(
        self,
        gathering: Gathering,
        asks: Callable[[], tuple[Source, Read]],
        told: Callable[[K, Any], V],
        *,
        apart: bool = False,
    ) -> None:
        # The library's looks first whether it was given a coroutine function: longer than all the rest.
        self.loop = asyncio.get_running_loop()
        self.get_cache_key = _itself
        self._cache = {}
        self._gathering = gathering
        self._asks = asks
        self._asked: tuple[Source, Read] | None = None
        self._told = told
        self._apart = apart
        self._statements: list[_Statement] = []
        self._ended = False

    def load(self, key: K) -> asyncio.Future[V]:
        """As the library's, where keys stand for themselves and everything is remembered."""
        future = self._cache.get(key)
        if future is None:
            future = self._cache[key] = self.loop.create_future()
            self.do_resolve_reject(key, future)
        return future

    def do_resolve_reject(self, key: K, future: asyncio.Future[V]) -> None:
        if self._ended:
            future.cancel()
            return
        if self._asked is None:
            self._asked = self._asks()
        statement = self._statements[-1] if self._statements else None
        if statement is None or not statement.takes_more or self._apart:
            source, read = self._asked
            statement = self._gathering.statement(source._replace(part=key) if self._apart else source, read)
            self.waits_for(statement)
        statement.want(key, self, future)

    def waits_for(self, statement: _Statement) -> None:
        self._statements.append(statement)

    def tell(self, key: K, found: Any, future: asyncio.Future[V]) -> None:  # noqa: ANN401 - of `Read`
        if self._ended or future.done():
            return
        try:
            future.set_result(self._told(key, found))
        except Exception as error:  # noqa: BLE001 - of the field that waits for it
            future.set_exception(error)

    def end(self) -> None:
        """Wait for nothing any longer."""
        self._ended = True
        for statement in self._statements:
            statement.leave(self)
        self._statements.clear()
