"""One statement for what several operations ask at the same moment.

What a loader keeps is its operation's own. What it asks of the database need not be: the keys that loaders of
all operations want at once travel together, so that many operations are few statements.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, TypeVar, cast

from aiodataloader import DataLoader

from app.db.errors import Unavailable
from app.graphql.batching.scheduler import Ways

if TYPE_CHECKING:
    from app.db.connections import Connection
    from app.db.pool import Database
    from app.db.replicas import Reading
    from app.domain.model import EngineerId

K = TypeVar("K")
V = TypeVar("V")

MAX_KEYS = 1000
"""With so many, a statement takes no more."""

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


class _Wish(NamedTuple):
    """Keys of one loader, and who waits for what it tells of them: of all, or of the one that is `alone`."""

    loader: Gathered[Any, Any]
    keys: Sequence[Any]
    answer: asyncio.Future[Any]
    alone: bool

    def grant(self, found: Mapping[Any, Any]) -> None:
        told = [self.loader.tell(key, found) for key in self.keys]
        if self.alone and isinstance(told[0], Exception):
            self.refuse(told[0])
        elif not self.answer.done():
            self.answer.set_result(told[0] if self.alone else told)

    def refuse(self, error: Exception) -> None:
        if self.alone:
            self.loader.clear(self.keys[0])  # what failed is not remembered
        if not self.answer.done():
            self.answer.set_exception(error)


class _Statement:
    def __init__(self, source: Source, read: Read) -> None:
        self._source = source
        self._read = read
        self._keys: dict[Any, None] = {}
        self._wishes: list[_Wish] = []
        self._loaders: set[Gathered[Any, Any]] = set()
        self._task: asyncio.Task[None] | None = None

    @property
    def is_full(self) -> bool:
        return len(self._keys) >= MAX_KEYS

    @property
    def takes_more(self) -> bool:
        return self._task is None and not self.is_full

    def add(self, wish: _Wish) -> None:
        self._loaders.add(wish.loader)
        self._wishes.append(wish)
        self._keys.update(dict.fromkeys(wish.loader.unknown(wish.keys)))

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
        source.db.metrics.loader_keys(source.name).observe(len(self._keys))
        found: Mapping[Any, Any] | Exception
        try:
            async with source.db.connection() as conn:
                found = await self._read(conn, list(self._keys))
        except Exception as error:  # noqa: BLE001 - of the fields that wait for it
            found = error
        if isinstance(found, Exception) and len(self._loaders) > 1 and not isinstance(found, Unavailable):
            self._begin_apart()
        else:
            self._tell(found)
        # A loader and its statements refer to each other.
        self._wishes.clear()
        self._loaders.clear()

    def _tell(self, found: Mapping[Any, Any] | Exception) -> None:
        for wish in self._wishes:
            if wish.loader not in self._loaders:
                continue
            wish.loader.no_longer_waits_for(wish)
            if isinstance(found, Exception):
                wish.refuse(found)
            else:
                wish.grant(found)

    def _begin_apart(self) -> None:
        """One of the operations asks for what cannot be read; it shall be alone in that."""
        for loader in self._loaders:
            alone = _Statement(self._source, self._read)
            for wish in self._wishes:
                if wish.loader is loader:
                    alone.add(wish)
            loader.waits_for(alone)
            alone.begin()


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
        self._cache = {}
        self._known: dict[K | None, V | None] = {None: None}
        self._gathering = gathering
        self._asks = asks
        self._asked: tuple[Source, Read] | None = None
        self._told = told
        self._apart = apart
        self._statements: list[_Statement] = []
        self._wishes: list[_Wish] = []
        """That are under way."""
        self._ended = False

    def load(self, key: K) -> asyncio.Future[V]:
        """As the library's, where keys stand for themselves and everything is remembered."""
        future = self._cache.get(key)
        if future is None:
            future = self._cache[key] = self.loop.create_future()
            if key in self._known:
                future.set_result(cast("V", self._known[key]))
            else:
                self.do_resolve_reject(key, future)
        return future

    def do_resolve_reject(self, key: K, future: asyncio.Future[V]) -> None:
        self._wish(_Wish(self, (key,), future, alone=True))

    def each(self, keys: Sequence[K | None]) -> list[Any] | Awaitable[list[Any]]:
        """What there is for each of the keys, or its exception; at once where all of it is known.

        One future waits for all of them. None stands for a key that is None.
        """
        missing = self.unknown(keys)
        if not missing:
            return [self._known[key] for key in keys]
        for wish in self._wishes:
            if not missing.keys().isdisjoint(wish.keys):
                return self._each_after(wish, keys)
        if len(missing) > MAX_KEYS or self._apart:
            return [self.load(key) if key in missing else self._known[key] for key in keys]
        answer: asyncio.Future[list[Any]] = self.loop.create_future()
        self._wish(_Wish(self, keys, answer, alone=False))
        return answer

    async def _each_after(self, wish: _Wish, keys: Sequence[K | None]) -> list[Any]:
        """For who asks for the same a little later."""
        await asyncio.wait([wish.answer])  # which does not end it where this is cut short
        if error := wish.answer.exception():
            raise error
        found = self.each(keys)
        return found if isinstance(found, list) else await found

    def clear(self, key: K) -> Gathered[K, V]:
        self._cache.pop(key, None)
        self._known.pop(key, None)
        return self

    def prime(self, key: K, value: V) -> Gathered[K, V]:
        self._known.setdefault(key, value)
        return self

    def unknown(self, keys: Sequence[K | None]) -> dict[K, None]:
        return {key: None for key in keys if key not in self._known}  # type: ignore[misc] # None is known

    def _wish(self, wish: _Wish) -> None:
        if self._ended:
            wish.answer.cancel()
            return
        if self._asked is None:
            self._asked = self._asks()
        statement = self._statements[-1] if self._statements else None
        if statement is None or not statement.takes_more or self._apart:
            source, read = self._asked
            if self._apart:
                source = source._replace(part=wish.keys[0])
            statement = self._gathering.statement(source, read)
            self.waits_for(statement)
        statement.add(wish)
        self._wishes.append(wish)

    def waits_for(self, statement: _Statement) -> None:
        self._statements.append(statement)

    def no_longer_waits_for(self, wish: _Wish) -> None:
        self._wishes.remove(wish)

    def tell(self, key: K, found: Mapping[K, Any]) -> V | Exception | None:
        """From now on it is known, unless it fails."""
        if key not in self._known:
            try:
                self._known[key] = self._told(key, found.get(key))
            except Exception as error:  # noqa: BLE001 - of the field that waits for it
                return error
        return self._known[key]

    def end(self) -> None:
        """Wait for nothing any longer."""
        self._ended = True
        for statement in self._statements:
            statement.leave(self)
        self._statements.clear()
        self._wishes.clear()
