"""Trusted documents: the operations of our own clients, identified by the SHA-256 of their text."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from graphql import GraphQLError

from app.graphql.errors import DocumentNotTrusted, PersistedQueriesNotSupported, UnknownDocument
from app.http.routes import pages

MANIFESTS = Path(__file__).with_name("trusted")
"""Manifests of our own clients: JSON files as graphql-codegen writes them."""

_PREFIX = "sha256:"


class ManifestError(Exception):
    """The file is not a manifest, or an id in it is not the SHA-256 of its document."""


def read_manifest(path: Path) -> dict[str, str]:
    """Return the documents by id, without the prefix `sha256:`. Raises ManifestError."""
    try:
        manifest = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise ManifestError(f"{path} cannot be read ({error})") from None
    if not isinstance(manifest, dict) or not all(isinstance(text, str) for text in manifest.values()):
        raise ManifestError(f"{path} is not an object of documents by their hash")
    for name, text in manifest.items():
        if name.removeprefix(_PREFIX) != hash_of(text):
            raise ManifestError(f"{path} has a document by another name than its hash: {name}")
    return {name.removeprefix(_PREFIX): text for name, text in manifest.items()}


def own_documents() -> dict[str, str]:
    """Return the documents of our own clients by hash. Those of the pages exist once the pages are built."""
    paths = [*MANIFESTS.glob("*.json"), *pages.BUILT.glob("documents.json")]
    return {name: text for path in paths for name, text in read_manifest(path).items()}


def hash_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class TrustedDocuments:
    texts: Mapping[str, str] = field(default_factory=own_documents)
    """By hash."""
    only: bool = False
    """Whether other documents are rejected, except from roles that may run any document."""

    def text(self, query: str | None, extensions: Mapping[str, Any], *, can_run_any: bool) -> str:
        """Return the text of the requested document. Raises GraphQLError if it may not be run."""
        document_hash = _requested_hash(extensions)
        is_restricted = self.only and not can_run_any
        if not query:
            if document_hash is None:
                raise GraphQLError("The request has neither a query nor a documentId.")
            if document_hash not in self.texts:
                raise DocumentNotTrusted if is_restricted else _unknown(extensions)
            return self.texts[document_hash]
        if document_hash is None and not is_restricted:
            return query
        query_hash = hash_of(query)
        if is_restricted and query_hash not in self.texts:
            raise DocumentNotTrusted
        if document_hash not in (None, query_hash):
            raise GraphQLError("The hash in the request is not the SHA-256 of its query.")
        return query


def _unknown(extensions: Mapping[str, Any]) -> type[GraphQLError]:
    """Return the error for the client's protocol. Automatic persisted queries have a version; ids have none.

    With "not found", Apollo Client and urql would send the hash of each query in vain, each time.
    """
    return PersistedQueriesNotSupported if "version" in extensions["persistedQuery"] else UnknownDocument


def _requested_hash(extensions: Mapping[str, Any]) -> str | None:
    """Read the hash where Apollo Client puts it; the transport puts a documentId there, too."""
    persisted = extensions.get("persistedQuery")
    if persisted is None:
        return None
    document_hash = persisted.get("sha256Hash") if isinstance(persisted, dict) else None
    if not isinstance(document_hash, str):
        raise GraphQLError("extensions.persistedQuery must have a sha256Hash.")
    return document_hash.removeprefix(_PREFIX)
