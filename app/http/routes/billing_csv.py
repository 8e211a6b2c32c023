"""GET /billing.csv: the lines of a bill, all of one moment, sent as fast as they are read."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, contextmanager
from typing import TYPE_CHECKING

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse

from app.db.errors import Unavailable
from app.domain.errors import InvalidInput
from app.domain.policy import ReadPermission, can_read
from app.http.errors import errors_body
from app.http.lifespan_state import lifespan_state
from app.jobs import billing_export
from app.queries import billing

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator

    from starlette.types import Receive, Scope, Send

    from app.db.pool import Database
    from app.queries.billing import BillingFilter

log = structlog.get_logger()

AT_ONCE = 2
"""Downloads of one server; each holds a connection of the pool for as long as its client reads."""
LONGEST_S = 120.0
_RETRY_AFTER_S = 5
_PARAMETERS = ("from", "to", "customer", "ticketId")
# Without it, Excel takes UTF-8 for something else.
_BYTE_ORDER_MARK = "\ufeff"


class Refused(Exception):
    def __init__(
        self, status: int, code: str, message: str, headers: dict[str, str] | None = None, **more: object
    ) -> None:
        super().__init__(message)
        self.response = JSONResponse(errors_body(code, message, **more), status_code=status, headers=headers)


class CutShort(Exception):
    """The file cannot be finished. Raised to drop the connection, so that nobody takes it for whole."""


class BillingCsv:
    """An ASGI application."""

    def __init__(self, currency: str, *, longest_s: float = LONGEST_S) -> None:
        self._currency = currency
        self._longest_s = longest_s
        self._under_way = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            wanted = _wanted(request)
            with self._one_more():
                await self._while_read(receive, self._send(lifespan_state(scope)["database"], wanted, send))
        except Refused as refused:
            await refused.response(scope, receive, send)

    @contextmanager
    def _one_more(self) -> Iterator[None]:
        if self._under_way >= AT_ONCE:
            raise _later(
                429, "RATE_LIMITED", f"{AT_ONCE} downloads are under way already.", wait_s=_RETRY_AFTER_S
            )
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1

    async def _while_read(self, receive: Receive, sending: Coroutine[None, None, None]) -> None:
        """Do it, until the client leaves; and not for ever, although it reads now and then."""
        work = asyncio.ensure_future(sending)
        leaving = asyncio.ensure_future(_left(receive))
        try:
            await asyncio.wait((work, leaving), timeout=self._longest_s, return_when=asyncio.FIRST_COMPLETED)
            if not work.done() and not leaving.done():
                log.warning("download_cut_short", after_s=self._longest_s)
                raise CutShort
        finally:
            leaving.cancel()
            work.cancel()
            await asyncio.wait((work, leaving))
        if not work.cancelled():
            work.result()

    async def _send(self, db: Database, wanted: BillingFilter, send: Send) -> None:
        begun = False
        try:
            async with (
                db.transaction(snapshot=True) as tx,
                aclosing(billing_export.csv_chunks(billing.every_line(tx, wanted), self._currency)) as pieces,
            ):
                async for piece in pieces:
                    if not begun:
                        await send(_start(wanted))
                        await send(_part(_BYTE_ORDER_MARK))
                        begun = True
                    await send(_part(piece))
        except Unavailable as error:
            log.warning("database_unavailable", cause=repr(error.__cause__))
            if begun:
                raise CutShort from None
            message = "The service cannot reach its database, or it was too slow."
            raise _later(503, "UNAVAILABLE", message, wait_s=1) from None
        await send({"type": "http.response.body", "body": b""})


def _wanted(request: Request) -> BillingFilter:
    """Raises Refused."""
    if request.method != "GET":
        raise Refused(405, "METHOD_NOT_ALLOWED", "This path is asked by GET.", {"Allow": "GET"})
    if not request.user.is_authenticated:
        message = "Sign in: send a bearer token in the Authorization header."
        raise Refused(401, "UNAUTHENTICATED", message, {"WWW-Authenticate": "Bearer"})
    if not can_read(request.user.actor, ReadPermission.BILLABLE_TIME):
        raise Refused(403, "FORBIDDEN", "Your role may not read bills; ask a dispatcher.")
    try:
        return billing_export.parse_filter(*_parameters(request))
    except InvalidInput as refused:
        raise Refused(400, "BAD_USER_INPUT", refused.message, field=refused.field) from None


def _parameters(request: Request) -> tuple[str, str, str | None, str | None]:
    """What nobody knows is refused: a filter that is misspelt would bill too much. Raises InvalidInput."""
    given = request.query_params.multi_items()
    for name, _ in given:
        if name not in _PARAMETERS:
            raise InvalidInput(name, f"is none of {', '.join(_PARAMETERS)}")
    found = dict(given)
    if len(found) < len(given):
        raise InvalidInput("query", "must say each parameter once")
    return found.get("from", ""), found.get("to", ""), found.get("customer"), found.get("ticketId")


def _later(status: int, code: str, message: str, *, wait_s: int) -> Refused:
    return Refused(
        status,
        code,
        f"{message} Try again in {wait_s} s.",
        {"Retry-After": str(wait_s)},
        retryAfterSeconds=wait_s,
    )


def _start(wanted: BillingFilter) -> dict[str, object]:
    name = f"billing_{wanted.period.start:%Y-%m-%d}_{wanted.period.until:%Y-%m-%d}.csv"
    return {
        "type": "http.response.start",
        "status": 200,
        "headers": [
            (b"content-type", b"text/csv; charset=utf-8; header=present"),
            (b"content-disposition", f'attachment; filename="{name}"'.encode()),
        ],
    }


def _part(text: str) -> dict[str, object]:
    return {"type": "http.response.body", "body": text.encode(), "more_body": True}


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
