"""Every command in the documents is executed, or is listed here with the reason why not."""

import asyncio
import json
import re
import shlex
import subprocess
from functools import partial
from importlib.util import find_spec
from itertools import groupby
from urllib.parse import urlsplit

import click
import pytest

from app.cli import commands
from app.demo.embedded_postgres import find_binaries
from tests.databases import new_database
from tests.docs.conftest import environment
from tests.docs.markdown import PAGES, ROOT, blocks_in

NOT_EXECUTED = {
    "make run": "serves until it is stopped; tests/e2e starts the same",
    "make test": "runs these tests",
    "make check": "takes minutes; CI runs it",
    "make fix": "writes to the working tree",
    "make bench": "takes 15 minutes",
}
"""By the first two words. Targets of make must still exist in the Makefile."""

_DATABASE = re.compile(r"postgresql://…(/\w+)?")
_BLOCKS_BY_PAGE = [
    (page, list(blocks))
    for page, blocks in groupby(blocks_in("sh"), key=lambda b: b.page)
    if page.name != "docs/operations.md"  # by test_set_up.py, on a server of its own
]
_SETTING = re.compile(r"[A-Z_]+=\S.*")


def first_words(line: str) -> str:
    return " ".join(line.split()[:2])


def script(blocks) -> str:
    """All blocks of a page as one script, without settings of .env files and commands of NOT_EXECUTED."""
    lines = []
    for block in blocks:
        block_lines = block.text.splitlines()
        if all(_SETTING.fullmatch(line) for line in block_lines):
            continue
        lines.append(f"echo '== {block.location}' >&2")
        lines += [line for line in block_lines if first_words(line) not in NOT_EXECUTED]
    return "\n".join(lines)


@pytest.mark.parametrize(("page", "blocks"), _BLOCKS_BY_PAGE, ids=lambda value: getattr(value, "name", ""))
async def test_commands_succeed(page, blocks, origin, operator, seeded, values, tmp_path):
    text = await values.fill(script(blocks), blocks[-1])
    text = text.replace("http://127.0.0.1:8000", origin).replace(".venv/bin/python", "python")
    async with new_database(operator, seeded) as database:
        settings = environment(database)
        settings["PATH"] = f"{find_binaries()}:{settings['PATH']}"
        result = await asyncio.to_thread(
            subprocess.run,
            ["/bin/sh", "-eux", "-c", _DATABASE.sub(partial(quoted_url, database), text)],
            cwd=tmp_path,
            env=settings,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    assert result.returncode == 0, result.stdout + result.stderr
    assert '"errors"' not in result.stdout, result.stdout


def quoted_url(database: str, match: re.Match[str]) -> str:
    """The URL of the named database, or of the page's own, quoted for a shell."""
    return shlex.quote(urlsplit(database)._replace(path=match[1] or urlsplit(database).path).geturl())


def test_commands_that_are_not_executed_are_documented():
    documented = {first_words(line) for block in blocks_in("sh") for line in block.text.splitlines()}
    assert NOT_EXECUTED.keys() <= documented


def documented_commands():
    """Commands in blocks and in inline code."""
    lines = [line for block in blocks_in("sh") for line in block.text.replace("\\\n", " ").splitlines()]
    for text in lines + [code for page in PAGES for code in page.inline_code]:
        yield from re.findall(r"(?:python -m|make|npm --prefix admin-ui run)\s+[^|;)#&>]+", text)


def test_documented_commands_exist():
    scripts = json.loads((ROOT / "admin-ui" / "package.json").read_text(encoding="utf-8"))["scripts"]
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for command in documented_commands():
        match command.split():
            case ["make", target, *_]:
                assert target in targets, command
            case ["npm", "--prefix", "admin-ui", "run", name, *_]:
                assert name in scripts, command
            case ["python", "-m", "app", *words]:
                assert unknown_word(commands, words) is None, command
            case ["python", "-m", module, *_]:
                assert find_spec(module), command


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_can_be_pasted(page):
    assert re.findall(r"(?<!\.venv/bin/)python -m app.*", page.text) == []


def unknown_word(group: click.Group, words: list[str]) -> str | None:
    """The first subcommand or option that click does not know. Values and arguments are not checked."""
    command: click.Command = group
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        subcommand = command.get_command(click.Context(command), words[0])
        if subcommand is None:
            return words[0]
        command, words = subcommand, words[1:]
    known = {option for parameter in command.params for option in parameter.opts}
    return next((word for word in words if word.startswith("--") and word not in known), None)


def test_unknown_commands_and_options_are_detected():
    assert unknown_word(commands, ["migrate", "up", "--to", "6"]) is None
    assert unknown_word(commands, ["migrate", "sideways"]) == "sideways"
    assert unknown_word(commands, ["token", "--roles", "admin"]) == "--roles"
