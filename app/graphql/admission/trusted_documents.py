"""Trusted documents: the operations of our own clients, named by the SHA-256 of their text."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from graphql import GraphQLError

from app.graphql.errors import DocumentNotTrusted, UnknownDocument
from app.http.routes import pages

MANIFESTS = Path(__file__).with_name("trusted")
"""Of our own clients: a JSON file each, as graphql-codegen writes it."""

_PREFIX = "sha256:"


class ManifestError(Exception):
    """The file is no manifest, or names a document by something other than the SHA-256 of its text."""


def read_manifest(path: Path) -> dict[str, str]:
    """Documents by name, `sha256:` left out. Raises ManifestError."""
    try:
        given = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise ManifestError(f"{path} cannot be read ({error})") from None
    if not isinstance(given, dict) or not all(isinstance(text, str) for text in given.values()):
        raise ManifestError(f"{path} is not an object of documents by their hash")
    found = {}
    for name, text in given.items():
        found[_bare(name)] = text
        if _bare(name) != name_of(text):
            raise ManifestError(f"{path} has a document by another name than its hash: {name}")
    return found


def own_documents() -> dict[str, str]:
    """Of the pages only where they are built: they say what they ask as they are made."""
    paths = [*MANIFESTS.glob("*.json"), *pages.BUILT.glob("documents.json")]
    return {name: text for path in paths for name, text in read_manifest(path).items()}


def name_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class TrustedDocuments:
    texts: Mapping[str, str] = field(default_factory=own_documents)
    only: bool = False
    """Whether nothing else is run, except for roles that the policy lets explore."""

    def text(self, query: str | None, extensions: Mapping[str, Any] | None, *, free: bool) -> str | None:
        """The document that is asked for, by its text or by its name; None when neither is given.

        `free` is who may ask what they like. Raises NotTrusted, UnknownDocument, GraphQLError.
        """
        name = _named_in(extensions)
        restricted = self.only and not free
        if not query:
            if name is None:
                return None
            if name not in self.texts:
                raise DocumentNotTrusted if restricted else UnknownDocument
            return self.texts[name]
        if name is None and not restricted:
            return query
        actual = name_of(query)
        if restricted and actual not in self.texts:
            raise DocumentNotTrusted
        if name not in (None, actual):
            raise GraphQLError("The query is another document than the one named beside it.")
        return query


def _named_in(extensions: Mapping[str, Any] | None) -> str | None:
    """As Apollo Client says it; request.py says a documentId in the same way."""
    persisted = (extensions or {}).get("persistedQuery")
    if persisted is None:
        return None
    name = persisted.get("sha256Hash") if isinstance(persisted, dict) else None
    if not isinstance(name, str):
        raise GraphQLError("extensions.persistedQuery must have a sha256Hash.")
    return _bare(name)


def _bare(name: str) -> str:
    return name.removeprefix(_PREFIX)
