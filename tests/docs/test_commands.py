"""Every command that the documents show runs, or stands below with why it is not run here."""

from __future__ import annotations

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
from tests.docs.markdown import PAGES, ROOT, blocks_of

NOT_RUN = {
    "make run": "it serves until it is stopped; tests/e2e starts the same",
    "make test": "that is us",
    "make check": "it takes minutes; CI runs it",
    "make fix": "it writes into the checkout",
    "make bench": "it takes a quarter of an hour",
}
"""By their first two words; each target of make is looked for in the Makefile all the same."""

_DATABASE = re.compile(r"postgresql://…(/\w+)?")
_SHELLS = [(page, list(blocks)) for page, blocks in groupby(blocks_of("sh"), key=lambda block: block.page)]
_SETTING = re.compile(r"[A-Z_]+=\S.*")


def begun(line: str) -> str:
    return " ".join(line.split()[:2])


def script_of(blocks) -> str:
    """All blocks of a page as one script, without what is not run. Settings of .env files are no commands."""
    lines = []
    for block in blocks:
        told = block.text.splitlines()
        if all(_SETTING.fullmatch(line) for line in told):
            continue
        lines.append(f"echo '== {block.place}' >&2")
        lines += [line for line in told if begun(line) not in NOT_RUN]
    return "\n".join(lines)


@pytest.mark.parametrize(("page", "blocks"), _SHELLS, ids=lambda value: getattr(value, "name", ""))
async def test_commands_run(page, blocks, served, operator, seeded, reader, tmp_path):
    script = await reader.filled_in(script_of(blocks), blocks[-1])
    script = script.replace("http://127.0.0.1:8000", served.origin).replace(".venv/bin/python", "python")
    async with new_database(operator, seeded) as database:
        settings = environment(database)
        settings["PATH"] = f"{find_binaries()}:{settings['PATH']}"
        done = await asyncio.to_thread(
            subprocess.run,
            ["/bin/sh", "-eux", "-c", _DATABASE.sub(partial(named, database), script)],
            cwd=tmp_path,
            env=settings,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"errors"' not in done.stdout, done.stdout


def named(database: str, said: re.Match[str]) -> str:
    """The URL of the database that is meant, quoted for a shell; the page's own where none is named."""
    return shlex.quote(urlsplit(database)._replace(path=said[1] or urlsplit(database).path).geturl())


def test_what_is_not_run_is_shown_somewhere():
    shown = {begun(line) for block in blocks_of("sh") for line in block.text.splitlines()}
    assert NOT_RUN.keys() <= shown


def commands_of_ours():
    """What is shown, in blocks or in sentences."""
    lines = [line for block in blocks_of("sh") for line in block.text.replace("\\\n", " ").splitlines()]
    for said in lines + [code for page in PAGES for code in page.code]:
        yield from re.findall(r"(?:python -m|make|npm --prefix admin-ui run)\s+[^|;)#&>]+", said)


def test_commands_that_are_named_are_there():
    scripts = json.loads((ROOT / "admin-ui" / "package.json").read_text(encoding="utf-8"))["scripts"]
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for said in commands_of_ours():
        match said.split():
            case ["make", target, *_]:
                assert target in targets, said
            case ["npm", "--prefix", "admin-ui", "run", script, *_]:
                assert script in scripts, said
            case ["python", "-m", "app", *words]:
                assert problem(commands, words) is None, said
            case ["python", "-m", module, *_]:
                assert find_spec(module), said


def problem(group: click.Group, words: list[str]) -> str | None:
    """Why click would not understand the words; options' values and arguments are not looked at."""
    command: click.Command = group
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        if words[0] not in command.commands:
            return words[0]
        command, words = command.commands[words[0]], words[1:]
    known = {option for parameter in command.params for option in parameter.opts}
    return next((word for word in words if word.startswith("--") and word not in known), None)


def test_a_command_that_is_not_there_is_noticed():
    assert problem(commands, ["migrate", "up", "--to", "6"]) is None
    assert problem(commands, ["migrate", "sideways"]) == "sideways"
    assert problem(commands, ["token", "--roles", "admin"]) == "--roles"
