"""Parses the documents: fenced blocks, headings, links and inline code."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Block:
    """A fenced block; `section` is the heading of level 2 above it."""

    page: "Page"
    line: int
    section: str
    language: str
    text: str

    @property
    def location(self) -> str:
        return f"{self.page.name}:{self.line}"


@dataclass(frozen=True)
class Page:
    path: Path

    @property
    def name(self) -> str:
        return str(self.path.relative_to(ROOT))

    @cached_property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def _tokens(self) -> list[Token]:
        return MarkdownIt("commonmark").enable("table").parse(self.text)

    @cached_property
    def blocks(self) -> list[Block]:
        blocks, section = [], ""
        for number, token in enumerate(self._tokens):
            if token.type == "heading_open" and token.tag == "h2":
                section = self._tokens[number + 1].content
            elif token.type == "fence" and token.map is not None:
                blocks.append(Block(self, token.map[0] + 1, section, token.info.strip(), token.content))
        return blocks

    @cached_property
    def anchors(self) -> set[str]:
        """Anchors of the headings as Git hosts generate them; no page has two equal headings."""
        pairs = zip(self._tokens, self._tokens[1:], strict=False)
        titles = [inline.content for token, inline in pairs if token.type == "heading_open"]
        return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}

    @cached_property
    def links(self) -> list[str]:
        attributes = {"link_open": "href", "image": "src"}
        links = [
            str(token.attrs[attributes[token.type]])
            for token in self._inline_tokens()
            if token.type in attributes
        ]
        return links + re.findall(r'<(?:img|a) [^>]*?(?:src|href)="([^"]+)"', self.text)

    @cached_property
    def inline_code(self) -> list[str]:
        return [token.content for token in self._inline_tokens() if token.type == "code_inline"]

    def _inline_tokens(self) -> Iterator[Token]:
        for token in self._tokens:
            yield from token.children or ()


PAGES = [
    Page(path) for path in (ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(ROOT.glob("docs/**/*.md")))
]


def blocks_in(language: str) -> list[Block]:
    return [block for page in PAGES for block in page.blocks if block.language == language]
