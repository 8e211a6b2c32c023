"""Coercion of an operation's variables, prepared once per document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphql import (
    GraphQLBoolean,
    GraphQLError,
    GraphQLID,
    GraphQLString,
    Undefined,
    coerce_input_value,
    get_variable_values,
    is_non_null_type,
)
from graphql.execution.get_variable_signature import GraphQLVariableSignature, get_variable_signature
from graphql.execution.values import VariableValues, VariableValueSource

if TYPE_CHECKING:
    from graphql import GraphQLSchema, OperationDefinitionNode

_MAX_ERRORS = 50
"""As graphql-core's `Executor.build`."""
_UNCHANGED: dict[Any, type] = {GraphQLID: str, GraphQLString: str, GraphQLBoolean: bool}
"""The Python type that a scalar accepts without conversion."""


class VariableCoercer:
    """Coerces like graphql-core, which reads the types of the variables from the document each time.

    What is invalid, or has a default, is left to graphql-core.
    """

    def __init__(self, schema: GraphQLSchema, operation: OperationDefinitionNode) -> None:
        self._schema = schema
        self._definitions = operation.variable_definitions or ()
        self._signatures: list[tuple[GraphQLVariableSignature, type | None]] = []
        self._is_valid = True
        for definition in self._definitions:
            signature = get_variable_signature(schema, definition)
            if isinstance(signature, GraphQLError):
                self._is_valid = False
            else:
                self._signatures.append((signature, _accepted_type(signature)))

    def coerce(self, values: dict[str, Any]) -> VariableValues | list[GraphQLError]:
        """Return the coerced values, or the errors."""
        coerced = self._coerce(values) if self._is_valid else None
        if coerced is None:
            return get_variable_values(self._schema, self._definitions, values, _MAX_ERRORS)
        return coerced

    def _coerce(self, values: dict[str, Any]) -> VariableValues | None:
        sources, coerced = {}, {}
        for signature, accepted in self._signatures:
            name = signature.name
            if name not in values:
                return None
            value = values[name]
            sources[name] = VariableValueSource(signature, value)
            if type(value) is not accepted:
                try:
                    value = coerce_input_value(value, signature.type)
                except RecursionError:
                    return None
                if value is Undefined:
                    return None
            coerced[name] = value
        return VariableValues(sources, coerced)


def _accepted_type(signature: GraphQLVariableSignature) -> type | None:
    type_ = signature.type
    return _UNCHANGED.get(type_.of_type if is_non_null_type(type_) else type_)
