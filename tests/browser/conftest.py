"""Runs the product in a browser. Pages must not log errors, violate their policy or contact other hosts."""

import json
import os
import shutil
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import (
    Browser,
    BrowserContext,
    CDPSession,
    ConsoleMessage,
    Error,
    Page,
    Request,
    WebError,
    async_playwright,
    expect,
)

from app.db.pool import open_database
from app.demo import load
from app.domain.model import EngineerId, Role
from tests.apps import TOKENS, make_app
from tests.browser.scene import Scene, new_scene
from tests.databases import new_database
from tests.factories import Factories
from tests.serving import serving

TICKETS = 60
TIMEOUT_MS = 20_000
_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_OPTIONS = [
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
]


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    """The installed browser, or the one from `playwright install chromium`."""
    executable = next(filter(None, map(shutil.which, _BROWSERS)), None)
    # Chromium's sandbox does not run as root, the only user of many containers.
    root_options = ["--no-sandbox"] if os.geteuid() == 0 else []
    expect.set_options(timeout=TIMEOUT_MS)
    async with async_playwright() as playwright:
        try:
            browser = await playwright.chromium.launch(
                executable_path=executable, args=[*_OPTIONS, *root_options]
            )
        except Error as error:
            message = "No browser found. Install chromium, or run: playwright install chromium"
            if os.environ.get("CI"):
                pytest.fail(f"{message}\n{error}")
            pytest.skip(message)
        yield browser
        await browser.close()


@dataclass(frozen=True, slots=True)
class Product:
    """A served application and the factories of its database."""

    url: str
    make: Factories

    async def sign_in(
        self, page: Page, role: Role, engineer_id: EngineerId | None = None, *, at: str = "/"
    ) -> None:
        """Open the page `at` with a session, without the sign-in page."""
        token = TOKENS.sign(role, engineer_id, ttl_s=600)
        session = {"accessToken": token, "expiresAt": None, "refreshToken": None, "idToken": None}
        await page.goto(f"{self.url}/ui-config.json")
        await page.evaluate(
            "session => sessionStorage.setItem('baton.session', session)", json.dumps(session)
        )
        await page.goto(self.url + at)


@pytest.fixture(scope="session")
async def product(server: str, template: str) -> AsyncIterator[Product]:
    """The application in development mode, with demo data in its own database."""
    async with new_database(server, template) as url, open_database(url, pool_size=2) as db:
        await load.seed(db, tickets=TICKETS)
        async with serving(make_app(url, database_pool_size=5)) as served:
            yield Product(f"http://127.0.0.1:{served.port}", Factories(db))


@pytest.fixture
async def scene(product: Product) -> Scene:
    return await new_scene(product.make)


@pytest.fixture
def allowed_hosts(product: Product) -> set[str]:
    """The hosts that the pages may contact."""
    return {urlsplit(product.url).netloc}


@dataclass(slots=True)
class BrowserErrors:
    """The errors of all pages of a test.

    A test calls `allow` before it causes an error: the browser may report it later than the page shows it.
    """

    messages: list[str] = field(default_factory=list, init=False)
    _allowed: tuple[str, ...] = field(default=(), init=False)

    def allow(self, *parts: str) -> None:
        """Accept messages that contain one of these parts."""
        self._allowed = parts

    def unexpected(self) -> list[str]:
        return [message for message in self.messages if not any(part in message for part in self._allowed)]


@pytest.fixture
def browser_errors() -> BrowserErrors:
    return BrowserErrors()


@pytest.fixture(scope="session")
async def _shared_context(browser: Browser) -> AsyncIterator[BrowserContext]:
    """With a warm cache: otherwise each test would compile the scripts of the pages again."""
    context = await browser.new_context()
    context.set_default_timeout(TIMEOUT_MS)
    yield context
    await context.close()


@pytest.fixture(scope="session")
async def _storage(_shared_context: BrowserContext) -> CDPSession:
    return await _shared_context.new_cdp_session(await _shared_context.new_page())


@pytest.fixture
async def context(
    _shared_context: BrowserContext,
    _storage: CDPSession,
    allowed_hosts: set[str],
    browser_errors: BrowserErrors,
) -> AsyncIterator[BrowserContext]:
    """A browser context without stored data. The test fails if a page has an unexpected error."""

    def on_console(message: ConsoleMessage) -> None:
        if message.type == "error":
            browser_errors.messages.append(message.text)

    def on_request(request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme in ("http", "https", "ws", "wss") and address.netloc not in allowed_hosts:
            browser_errors.messages.append(f"Request to another host: {request.url}")

    def on_exception(error: WebError) -> None:
        browser_errors.messages.append(str(error.error))

    context = _shared_context
    listeners = {"console": on_console, "weberror": on_exception, "request": on_request}
    for event, listener in listeners.items():
        context.on(event, listener)
    yield context
    for event, listener in listeners.items():
        context.remove_listener(event, listener)
    await _reset(context)
    for origin in [f"{scheme}://{host}" for scheme in ("http", "https") for host in allowed_hosts]:
        data = {"origin": origin, "storageTypes": "local_storage,indexeddb"}
        await _storage.send("Storage.clearDataForOrigin", data)
    assert browser_errors.unexpected() == []


async def _reset(context: BrowserContext) -> None:
    for page in context.pages[1:]:
        await page.close()
    await context.unroute_all(behavior="ignoreErrors")
    await context.set_offline(offline=False)
    await context.clear_cookies()


@pytest.fixture
async def page(context: BrowserContext) -> Page:
    return await context.new_page()


async def press(page: Page, *keys: str) -> None:
    for key in keys:
        await page.keyboard.press(key)


async def expect_live(page: Page) -> None:
    await expect(page.get_by_text("Live", exact=True)).to_be_visible()


async def assign_next(page: Page, key: str, reason: str, *, engineer: str | None = None) -> None:
    """Submit the form of the key's action, by default with the suggested engineer."""
    await page.keyboard.press(key)
    if engineer:
        await page.get_by_role("radio", name=engineer).check()
    await expect(page.get_by_role("radio", checked=True)).to_have_count(1)
    await page.get_by_role("dialog").get_by_label("Reason").fill(reason)
    await page.keyboard.press("Control+Enter")


async def assert_fits(page: Page, width: int) -> None:
    """Assert that the page does not scroll horizontally."""
    assert await page.evaluate("document.documentElement.scrollWidth") <= width, page.url


async def assert_accessible(page: Page, *, disabled_rules: Sequence[str] = ()) -> None:
    """Run axe in both colour schemes."""
    rules = {rule: {"enabled": False} for rule in disabled_rules}
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme=scheme)
        result = await Axe().run(page, options={"resultTypes": ["violations"], "rules": rules})
        assert result.violations_count == 0, f"{scheme}: {result.generate_report()}"
