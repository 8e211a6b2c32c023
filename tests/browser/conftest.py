"""The whole product in a real browser. No page may log an error, break its own policy or ask another host."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import (
    BrowserContext,
    ConsoleMessage,
    Error,
    Page,
    Request,
    async_playwright,
    expect,
)

from app.db.pool import open_database
from app.demo import load
from app.http.auth.tokens import DevelopmentTokens
from tests.apps import make_app
from tests.databases import new_database
from tests.factories import Factories
from tests.serving import serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from playwright.async_api import Browser

    from app.domain.model import EngineerId, Role

TOKENS = DevelopmentTokens("a secret of thirty-two characters")
TICKETS = 60
PATIENCE_MS = 20_000
_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_QUIET = (
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
)


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    """The machine's own, else the one that `playwright install chromium` fetched."""
    found = next(filter(None, map(shutil.which, _BROWSERS)), None)
    # Chromium's sandbox refuses to be root's; a container often has nobody else.
    as_root = ["--no-sandbox"] if os.geteuid() == 0 else []
    expect.set_options(timeout=PATIENCE_MS)
    async with async_playwright() as playwright:
        try:
            browser = await playwright.chromium.launch(executable_path=found, args=[*_QUIET, *as_root])
        except Error as error:
            said = "There is no browser: install your system's chromium, or: playwright install chromium"
            if os.environ.get("CI"):
                pytest.fail(f"{said}\n{error}")
            pytest.skip(said)
        yield browser
        await browser.close()


@dataclass(frozen=True, slots=True)
class Product:
    """As development runs it, with demo data in a database of its own."""

    url: str
    make: Factories

    async def sign_in(
        self, page: Page, role: Role, engineer_id: EngineerId | None = None, *, at: str = "/"
    ) -> None:
        """Open the page at `at` as somebody, without the sign-in page."""
        token = TOKENS.sign(role, engineer_id, ttl_s=600)
        session = {"accessToken": token, "expiresAt": None, "refreshToken": None, "idToken": None}
        await page.goto(f"{self.url}/ui-config.json")
        await page.evaluate("kept => sessionStorage.setItem('baton.session', kept)", json.dumps(session))
        await page.goto(self.url + at)


@pytest.fixture(scope="session")
async def product(server: str, template: str) -> AsyncIterator[Product]:
    async with new_database(server, template) as url, open_database(url, pool_size=2) as db:
        await load.seed(db, tickets=TICKETS)
        async with serving(make_app(url, database_pool_size=5)) as served:
            yield Product(f"http://127.0.0.1:{served.port}", Factories(db))


@pytest.fixture
def hosts(product: Product) -> set[str]:
    """Whom the pages may speak to."""
    return {urlsplit(product.url).netloc}


@dataclass(slots=True)
class Problems:
    """What went wrong in the browser. A test that makes it go wrong says beforehand how.

    Beforehand, since the browser tells of it later than the page shows it.
    """

    heard: list[str] = field(default_factory=list, init=False)
    _expected: tuple[str, ...] = field(default=(), init=False)

    def expect(self, *words: str) -> None:
        self._expected = words

    def unexpected(self) -> list[str]:
        return [problem for problem in self.heard if not any(word in problem for word in self._expected)]


@pytest.fixture
def problems() -> Problems:
    return Problems()


@pytest.fixture
async def context(browser: Browser, hosts: set[str], problems: Problems) -> AsyncIterator[BrowserContext]:
    """A browser of the test's own. Every page of it is watched."""

    def hear(message: ConsoleMessage) -> None:
        if message.type == "error":
            problems.heard.append(message.text)

    def see(request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme in ("http", "https", "ws", "wss") and address.netloc not in hosts:
            problems.heard.append(f"asked {request.url}")

    context = await browser.new_context()
    context.set_default_timeout(PATIENCE_MS)
    context.on("console", hear)
    context.on("weberror", lambda error: problems.heard.append(str(error.error)))
    context.on("request", see)
    yield context
    await context.close()
    assert problems.unexpected() == []


@pytest.fixture
async def page(context: BrowserContext) -> Page:
    return await context.new_page()


async def assert_accessible(page: Page, *, but: Sequence[str] = ()) -> None:
    """In both colour schemes; `but` names the rules of axe that are not asked."""
    rules = {"rules": {rule: {"enabled": False} for rule in but}}
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme=scheme)
        result = await Axe().run(page, options=rules)
        assert result.violations_count == 0, f"{scheme}: {result.generate_report()}"
