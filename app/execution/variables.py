"""Variables of an operation that is known: those that are what they should be are taken as they come."""

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

Plain: TypeAlias = "tuple[GraphQLVariableSignature, type]"
"""A variable, and the class whose values become themselves."""

_MOST_ERRORS = 50
"""As graphql-core has it."""
_TAKEN_AS_THEY_COME: dict[Any, type] = {GraphQLID: str, GraphQLString: str, GraphQLBoolean: bool}


class Variables:
    def __init__(self, schema: GraphQLSchema, operation: OperationDefinitionNode) -> None:
        self._schema = schema
        self._definitions = operation.variable_definitions or ()
        plain = [self._plain(get_variable_signature(schema, node)) for node in self._definitions]
        self._all_plain = None if None in plain else [each for each in plain if each]

    def _plain(self, signature: GraphQLVariableSignature | GraphQLError) -> Plain | None:
        if isinstance(signature, GraphQLError):
            return None
        type_ = signature.type
        kind = _TAKEN_AS_THEY_COME.get(type_.of_type if is_non_null_type(type_) else type_)
        return None if kind is None else (signature, kind)

    def coerced(self, given: dict[str, Any]) -> VariableValues | list[GraphQLError]:
        """As graphql-core coerces them, or says why it cannot."""
        if self._all_plain is not None:
            sources, coerced = {}, {}
            for signature, kind in self._all_plain:
                name = signature.name
                value = given.get(name, Undefined)
                if type(value) is not kind:
                    break
                sources[name] = VariableValueSource(signature, value)
                coerced[name] = value
            else:
                return VariableValues(sources, coerced)
        return get_variable_values(self._schema, self._definitions, given, _MOST_ERRORS)
