"""BatchLoader: the contract of aiodataloader's DataLoader, and batches that several loaders share."""

import asyncio
import gc
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from aiodataloader import DataLoader

from app.batch_scheduler import BatchScheduler
from app.db.errors import Unavailable
from app.db.pool import open_database
from app.domain.model import EngineerId, TicketId
from app.graphql.batching.loader import MAX_KEYS, BatchKey, BatchLoader
from app.graphql.loaders import Loaders
from tests.polling import until


class FakeDatabase:
    def __init__(self) -> None:
        self.metrics = SimpleNamespace(loader_keys=lambda _: SimpleNamespace(observe=lambda _: None))

    def connection(self, *, heavy: bool) -> Any:  # noqa: ARG002 - as Database
        return asyncio.timeout(None)  # any async context manager


@pytest.fixture
def read_keys() -> list[list[str]]:
    """The keys of each statement."""
    return []


@pytest.fixture
def new_loader(read_keys) -> Callable[..., BatchLoader[str, str]]:
    """Creates loaders that read the key in upper case; keys that start with "bad" cannot be converted."""
    database: Any = FakeDatabase()
    scheduler: Any = BatchScheduler()

    async def read(_: Any, keys: list[str]) -> dict[str, str]:
        read_keys.append(keys)
        if "fail" in keys:
            raise RuntimeError("fail")
        return {key: key.upper() for key in keys if key != "absent"}

    def to_value(key: str, row: str | None) -> str:
        if key.startswith("bad"):
            raise ValueError(key)
        return str(row)

    def create(**options: Any) -> BatchLoader[str, str]:
        return BatchLoader(
            scheduler, lambda: (BatchKey("test", database, None, frozenset()), read), to_value, **options
        )

    return create


def test_every_public_method_of_dataloader_has_a_test_below():
    tested = {"load", "load_many", "clear", "clear_all", "prime"}
    hooks = {"do_resolve_reject"}  # where `load` joins a batch
    public = {name for name, value in vars(DataLoader).items() if callable(value) and name[0] != "_"}
    assert public == tested | hooks
    assert tested & vars(BatchLoader).keys() == {"prime"}


async def test_load_returns_one_future_per_key(new_loader, read_keys):
    loader = new_loader()
    first, second = loader.load("a"), loader.load("a")
    assert first is second
    assert await first == "A"
    assert loader.load("a") is first
    assert read_keys == [["a"]]
    with pytest.raises(TypeError, match="must be called with a value"):
        loader.load(None)  # type: ignore[arg-type]


async def test_load_many_awaits_the_values_in_order(new_loader, read_keys):
    loader = new_loader()
    assert await loader.load_many(["a", "b", "a"]) == ["A", "B", "A"]
    assert await loader.load_many([]) == []
    assert await loader.load_many(["b", "absent"]) == ["B", "None"]
    assert read_keys == [["a", "b"], ["absent"]]
    with pytest.raises(ValueError, match="bad"):
        await loader.load_many(["a", "bad"])


async def test_clear_forgets_one_key(new_loader, read_keys):
    loader = new_loader()
    await loader.load_many(["a", "b"])
    assert loader.clear("a") is loader
    assert await loader.load_many(["a", "b"]) == ["A", "B"]
    assert read_keys == [["a", "b"], ["a"]]


async def test_clear_all_forgets_every_key(new_loader, read_keys):
    loader = new_loader()
    await loader.load_many(["a", "b"])
    loader.prime("c", "primed")
    assert loader.clear_all() is loader
    assert await loader.load_column(["a", "b", "c"]) == ["A", "B", "C"]
    assert read_keys == [["a", "b"], ["a", "b", "c"]]


async def test_prime_sets_only_keys_that_are_not_cached(new_loader, read_keys):
    loader = new_loader()
    assert loader.prime("a", "first").prime("a", "second") is loader
    assert await loader.load("a") == "first"
    assert loader.load_column(["a"]) == ["first"]
    pending = loader.load("b")
    loader.prime("b", "primed")
    assert await pending == "B"
    loader.prime("c", ValueError("primed"))  # type: ignore[arg-type] # a failure, as DataLoader allows
    with pytest.raises(ValueError, match="primed"):
        await loader.load("c")
    assert read_keys == [["b"]]


async def test_batch_load_fn_returns_a_value_or_exception_per_key(new_loader):
    first, bad = await new_loader().batch_load_fn(["a", "bad"])
    assert first == "A"
    assert isinstance(bad, ValueError)


async def test_failures_are_not_cached(new_loader, read_keys):
    loader = new_loader()
    for key in ("bad", "fail"):
        for _ in range(2):
            with pytest.raises((ValueError, RuntimeError), match=key):
                await loader.load(key)
    assert read_keys == [["bad"]] * 2 + [["fail"]] * 2


async def test_a_failure_that_nobody_awaits_is_not_reported(new_loader, read_keys):
    """The field of such a future was dropped with a parent that had failed before."""
    loop, reported = asyncio.get_running_loop(), []
    loop.set_exception_handler(lambda _, context: reported.append(context["message"]))
    try:
        loader = new_loader()
        loader.load("fail")
        loader.load_column(["bad", "fail"])
        await until(lambda: len(read_keys) == 1)
        loader.clear_all()
        del loader
        await asyncio.sleep(0)
        gc.collect()
    finally:
        loop.set_exception_handler(None)
    assert reported == []


async def test_a_column_has_a_value_or_exception_per_key(new_loader, read_keys):
    loader = new_loader()
    first, absent, none, bad, again = await loader.load_column(["a", "absent", None, "bad", "a"])
    assert (first, absent, none, again) == ("A", "None", None, "A")
    assert isinstance(bad, ValueError)
    assert loader.load_column(["absent", None, "a"]) == ["None", None, "A"]
    assert read_keys == [["a", "absent", "bad"]]
    with pytest.raises(RuntimeError):
        await loader.load_column(["fail"])


async def test_a_column_waits_for_keys_that_another_batch_reads(new_loader, read_keys):
    loader = new_loader()
    pending = loader.load("a")
    column = loader.load_column(["a", "b", None])
    assert column[0] is pending
    assert [await column[0], await column[1], column[2]] == ["A", "B", None]
    assert read_keys == [["a", "b"]]


async def test_loaders_share_statements_but_not_values(new_loader, read_keys):
    one, other = new_loader(), new_loader()
    one.prime("b", "primed")
    assert await asyncio.gather(one.load_many(["a", "b"]), other.load_many(["a", "b"])) == [
        ["A", "primed"],
        ["A", "B"],
    ]
    assert read_keys == [["a", "b"]]


async def test_an_isolated_loader_reads_each_key_with_its_own_statement(new_loader, read_keys):
    loader = new_loader(isolated=True)
    assert await asyncio.gather(*loader.load_column(["a", "b"])) == ["A", "B"]
    assert read_keys == [["a"], ["b"]]


async def test_a_closed_loader_cancels_what_is_loaded(new_loader, read_keys):
    loader = new_loader()
    pending = loader.load("a")
    loader.close()
    assert loader.load("b").cancelled()
    assert loader.load_column(["c", "d"]).cancelled()
    for _ in range(10):
        await asyncio.sleep(0)
    assert not pending.done()
    assert read_keys == []


# With a database


async def test_a_key_that_cannot_be_read_fails_only_its_own_operation(make, shared_url):
    assignment = await make.assigned()
    async with open_database(shared_url, pool_size=2) as db:
        scheduler: Any = BatchScheduler()
        one, other = (Loaders(db, scheduler, frozenset(), None) for _ in range(2))
        futures = [one.ticket.load(assignment.ticket_id), other.ticket.load(TicketId("\0"))]
        ticket, error = await asyncio.gather(*futures, return_exceptions=True)
        assert ticket.id == assignment.ticket_id
        assert isinstance(error, Exception)
        assert not isinstance(error, Unavailable)
        assert other.ticket.load(TicketId("\0")) is not futures[1]
        one.close()
        other.close()


async def test_callers_with_different_visibility_share_no_statement(make, shared_url):
    assignment = await make.assigned()
    async with open_database(shared_url, pool_size=2) as db:
        scheduler: Any = BatchScheduler()
        unlimited = Loaders(db, scheduler, frozenset(), None)
        limited = Loaders(db, scheduler, frozenset(), EngineerId(uuid4()))
        visible, hidden = await asyncio.gather(
            unlimited.ticket.load(assignment.ticket_id), limited.ticket.load(assignment.ticket_id)
        )
        assert visible.id == assignment.ticket_id
        assert hidden is None


async def test_many_keys_are_read_by_several_statements(statements, shared_url):
    async with open_database(shared_url, pool_size=3) as db:
        loaders = Loaders(db, BatchScheduler(), frozenset(), None)
        futures = [loaders.ticket.load(TicketId(f"T-{n}")) for n in range(2 * MAX_KEYS + 1)]
        assert set(await asyncio.gather(*futures)) == {None}
        assert statements.count("tickets.tickets_by_ids") == 3


async def test_shared_loaders_stay_open_until_the_last_user_closes_them(make, shared_url):
    assignment = await make.assigned()
    async with open_database(shared_url, pool_size=1) as db:
        loaders = Loaders(db, BatchScheduler(), frozenset(), None)
        assert loaders.share() is loaders
        loaders.close()
        assert (await loaders.ticket.load(assignment.ticket_id)).id == assignment.ticket_id
        loaders.close()
        assert loaders.ticket.load(TicketId("T-1")).cancelled()
