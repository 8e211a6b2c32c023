"""Hides the names of the schema that a client has not sent, in errors of clients that may not explore it."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from graphql import specified_scalar_types

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from graphql import GraphQLSchema

    from app.graphql.admission.operation import Operation

# graphql-core writes a name after a quote, or inside quotes as in 'Query.ticket(id:)', '[ID!]' or '@skip'.
# Text without such a mark is prose: `type` and `name` are names of the schema, too.
_NAME = re.compile(r"(?<=['\"\[(.@])\w+")
_WORD = re.compile(r"\w+")
_HIDDEN = "…"


class SchemaNames:
    def __init__(self, schema: GraphQLSchema) -> None:
        self._names = frozenset(_names(schema))

    def hider(self, operation: Operation) -> Callable[[str], str]:
        """Return a function that hides the names in a message that the operation does not contain."""

        @cache  # most errors name nothing
        def hidden_names() -> frozenset[str]:
            request, document = operation.request, operation.document
            text = request.query if document is None else document.text
            return self._names.difference(
                _WORD.findall(f"{text} {request.operation_name} {_text(request.variables)}")
            )

        def hide(message: str) -> str:
            return _NAME.sub(lambda name: _HIDDEN if name[0] in hidden_names() else name[0], message)

        return hide


def _text(variables: object) -> str:
    try:
        return repr(variables)
    except RecursionError:
        return ""  # so their names are hidden, too


def _names(schema: GraphQLSchema) -> Iterator[str]:
    """The names of the schema, without those that every schema has."""
    standard = {*specified_scalar_types, "Query", "Mutation", "Subscription"}
    for type_name, type_ in schema.type_map.items():
        if type_name.startswith("__"):
            continue
        if type_name not in standard:
            yield type_name
        for name, member in {**getattr(type_, "fields", {}), **getattr(type_, "values", {})}.items():
            yield name
            yield from getattr(member, "args", {})
