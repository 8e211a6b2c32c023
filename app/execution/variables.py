"""Coerces the variables of an operation: values that need no coercion are used as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from graphql import (
    GraphQLBoolean,
    GraphQLError,
    GraphQLID,
    GraphQLString,
    Undefined,
    get_variable_values,
    is_non_null_type,
)
from graphql.execution.get_variable_signature import GraphQLVariableSignature, get_variable_signature
from graphql.execution.values import VariableValues, VariableValueSource

if TYPE_CHECKING:
    from graphql import GraphQLSchema, OperationDefinitionNode

SimpleVariable: TypeAlias = "tuple[GraphQLVariableSignature, type]"
"""A variable, and the class of the values that need no coercion."""

_MAX_ERRORS = 50
"""As in graphql-core."""
_UNCOERCED: dict[Any, type] = {GraphQLID: str, GraphQLString: str, GraphQLBoolean: bool}


class VariableCoercer:
    def __init__(self, schema: GraphQLSchema, operation: OperationDefinitionNode) -> None:
        self._schema = schema
        self._definitions = operation.variable_definitions or ()
        simple = [_simple_variable(get_variable_signature(schema, node)) for node in self._definitions]
        self._simple = None if None in simple else [variable for variable in simple if variable]

    def coerce(self, values: dict[str, Any]) -> VariableValues | list[GraphQLError]:
        """Coerce like graphql-core, or return its errors."""
        if self._simple is not None:
            sources, coerced = {}, {}
            for signature, class_ in self._simple:
                name = signature.name
                value = values.get(name, Undefined)
                if type(value) is not class_:
                    break
                sources[name] = VariableValueSource(signature, value)
                coerced[name] = value
            else:
                return VariableValues(sources, coerced)
        return get_variable_values(self._schema, self._definitions, values, _MAX_ERRORS)


def _simple_variable(signature: GraphQLVariableSignature | GraphQLError) -> SimpleVariable | None:
    """Return None if values of the variable need coercion."""
    if isinstance(signature, GraphQLError):
        return None
    type_ = signature.type
    class_ = _UNCOERCED.get(type_.of_type if is_non_null_type(type_) else type_)
    return None if class_ is None else (signature, class_)
