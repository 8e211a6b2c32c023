"""Introspection: the schema does not change, so each selection of it is computed once, and kept as JSON."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import orjson
from graphql import (
    ExecutionResult,
    Executor,
    OperationDefinitionNode,
    OperationType,
    SchemaMetaFieldDef,
    SelectionSetNode,
    TypeMetaFieldDef,
)

from app.execution.plan import Completer, FieldResolver

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.execution.plan import Execution, Field, Layer, LazyPaths

ROOT_FIELDS = (SchemaMetaFieldDef, TypeMetaFieldDef)
_BYTES_PER_FIELD = 2000
"""The memory of a planned field, in which that of a result is counted."""


class IntrospectionResolver(FieldResolver):
    """Keeps its last result. Other tasks run meanwhile: graphql-core computes it in a thread."""

    is_async = True
    requires_request_context = True

    def __init__(self) -> None:
        self._key: bytes | None = None
        self._result: orjson.Fragment | None = None
        self._counted = 0

    def start(self, execution: Execution, _: Layer, field: Field) -> list[Any]:
        return [self._resolve(execution, field)]

    async def _resolve(self, execution: Execution, field: Field) -> orjson.Fragment | None:
        """None for a type that the schema does not have."""
        executor = execution.executor
        key = orjson.dumps(executor.variable_values.coerced, default=repr)
        if key != self._key:
            encoded = await asyncio.to_thread(_execute, executor, field)
            self._key, self._result = key, None if encoded == b"null" else orjson.Fragment(encoded)
            fields = len(encoded) // _BYTES_PER_FIELD
            growth = max(0, fields - self._counted)
            executor.plans.add_fields(executor, growth)  # type: ignore[attr-defined] # of this package
            self._counted = max(fields, self._counted)
        return self._result


def _execute(executor: Executor[Any], field: Field) -> bytes:
    selection = SelectionSetNode(selections=tuple(field.nodes))
    result = Executor(
        executor.schema,
        executor.fragment_definitions,
        executor.fragments,
        None,
        None,
        OperationDefinitionNode(operation=OperationType.QUERY, selection_set=selection),
        executor.variable_values,
        executor.field_resolver,
        executor.type_resolver,
        executor.subscribe_field_resolver,
    ).execute_operation()
    assert isinstance(result, ExecutionResult)  # noqa: S101 - nothing is awaited
    if result.errors:
        raise result.errors[0]
    return orjson.dumps((result.data or {})[field.key])


class EncodedCompleter(Completer):
    """Passes values on that are encoded already."""

    def complete_sync(
        self, _execution: Execution, _values: Sequence[Any], _paths: LazyPaths
    ) -> Sequence[Any] | None:
        return None

    async def complete(self, execution: Execution, values: Sequence[Any], paths: LazyPaths) -> Sequence[Any]:
        return await self._settle_values(execution, values, paths)
