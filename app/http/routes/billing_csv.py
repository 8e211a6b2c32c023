"""GET /billing.csv: the billing export, read from one snapshot and streamed."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import structlog
from starlette.requests import Request

from app.db.errors import Unavailable
from app.domain.errors import InvalidInput
from app.domain.policy import ReadPermission, can_read
from app.http.errors import error_response
from app.http.lifespan_state import lifespan_state
from app.jobs import billing_export
from app.queries import billing

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from starlette.types import Receive, Scope, Send

    from app.db.pool import Database
    from app.jobs.billing_export import BillingExport
    from app.queries.billing import BillingFilter

log = structlog.get_logger()

MAX_CONCURRENT = 2
"""Downloads per server; each keeps a connection of the pool for as long as its client reads."""
MAX_DOWNLOAD_S = 120.0
_RETRY_AFTER_S = 5
_PARAMETERS = ("from", "to", "customer", "ticketId", "separator")
# Without it, Excel does not read the file as UTF-8.
_BYTE_ORDER_MARK = "\ufeff"


class DownloadRefused(Exception):
    """Takes the arguments of error_response."""

    def __init__(self, *args: Any, **extensions: Any) -> None:  # noqa: ANN401 - see above
        self.response = error_response(*args, **extensions)


class DownloadAborted(Exception):
    """Raised out of the application to drop the connection, so that no client takes the file for complete."""


class BillingCsv:
    """An ASGI application."""

    def __init__(self, currency: str, *, max_download_s: float = MAX_DOWNLOAD_S) -> None:
        self._currency = currency
        self._max_download_s = max_download_s
        self._downloads = asyncio.Semaphore(MAX_CONCURRENT)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            export = _parse_request(request)
            if self._downloads.locked():
                message = f"{MAX_CONCURRENT} downloads are in progress already."
                raise _retry_later(429, "RATE_LIMITED", message, wait_s=_RETRY_AFTER_S)
            async with self._downloads:
                database = lifespan_state(scope)["database"]
                await self._run_while_connected(receive, self._send(database, export, send))
        except DownloadRefused as refused:
            await refused.response(scope, receive, send)

    async def _run_while_connected(self, receive: Receive, sending: Coroutine[None, None, None]) -> None:
        """Run `sending` until it ends, the client disconnects, or the time is up (DownloadAborted)."""
        work = asyncio.ensure_future(sending)
        disconnect = asyncio.ensure_future(_wait_for_disconnect(receive))
        try:
            await asyncio.wait(
                (work, disconnect), timeout=self._max_download_s, return_when=asyncio.FIRST_COMPLETED
            )
            if not work.done() and not disconnect.done():
                log.warning("download_aborted", after_s=self._max_download_s)
                raise DownloadAborted
        finally:
            disconnect.cancel()
            work.cancel()
            await asyncio.wait((work, disconnect))
        if not work.cancelled():
            work.result()

    async def _send(self, db: Database, export: BillingExport, send: Send) -> None:
        has_started = False
        try:
            async with (
                db.transaction(snapshot=True) as tx,
                aclosing(
                    billing_export.csv_chunks(
                        billing.every_line(tx, export.filter), self._currency, export.separator
                    )
                ) as chunks,
            ):
                async for chunk in chunks:
                    if not has_started:
                        await send(_response_start(export.filter))
                        await send(_body_chunk(_BYTE_ORDER_MARK))
                        has_started = True
                    await send(_body_chunk(chunk))
        except Unavailable as error:
            log.warning("database_unavailable", cause=repr(error.__cause__))
            if has_started:
                raise DownloadAborted from None
            message = "The service cannot reach its database, or it was too slow."
            raise _retry_later(503, "UNAVAILABLE", message, wait_s=1) from None
        await send({"type": "http.response.body", "body": b""})


def _parse_request(request: Request) -> BillingExport:
    """Raises DownloadRefused."""
    if request.method != "GET":
        raise DownloadRefused(
            405, "METHOD_NOT_ALLOWED", "This path allows only the method GET.", {"Allow": "GET"}
        )
    if not request.user.is_authenticated:
        message = "Sign in: send a bearer token in the Authorization header."
        raise DownloadRefused(401, "UNAUTHENTICATED", message, {"WWW-Authenticate": "Bearer"})
    if not can_read(request.user.actor, ReadPermission.BILLABLE_TIME):
        raise DownloadRefused(403, "FORBIDDEN", "Your role may not read bills; ask a dispatcher.")
    try:
        return billing_export.parse_export(*_parameters(request))
    except InvalidInput as error:
        raise DownloadRefused(400, "BAD_USER_INPUT", error.message, field=error.field) from None


def _parameters(request: Request) -> tuple[str, str, str | None, str | None, str | None]:
    """Refuse unknown parameters: a misspelt filter would bill too much. Raises InvalidInput."""
    items = request.query_params.multi_items()
    for name, _ in items:
        if name not in _PARAMETERS:
            raise InvalidInput(name, f"is none of {', '.join(_PARAMETERS)}")
    values = dict(items)
    if len(values) < len(items):
        raise InvalidInput("query", "must contain each parameter once")
    return (
        values.get("from", ""),
        values.get("to", ""),
        values.get("customer"),
        values.get("ticketId"),
        values.get("separator"),
    )


def _retry_later(status: int, code: str, message: str, *, wait_s: int) -> DownloadRefused:
    return DownloadRefused(
        status,
        code,
        f"{message} Try again in {wait_s} s.",
        {"Retry-After": str(wait_s)},
        retryAfterSeconds=wait_s,
    )


def _response_start(billing_filter: BillingFilter) -> dict[str, object]:
    period = billing_filter.period
    name = f"billing_{period.start:%Y-%m-%d}_{period.until:%Y-%m-%d}.csv"
    return {
        "type": "http.response.start",
        "status": 200,
        "headers": [
            (b"content-type", b"text/csv; charset=utf-8; header=present"),
            (b"content-disposition", f'attachment; filename="{name}"'.encode()),
        ],
    }


def _body_chunk(text: str) -> dict[str, object]:
    return {"type": "http.response.body", "body": text.encode(), "more_body": True}


async def _wait_for_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
