"""Strategies for schemas, data and operations of any shape, to compare executors."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from graphql import (
    GraphQLArgument,
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLField,
    GraphQLFloat,
    GraphQLID,
    GraphQLInt,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLString,
    GraphQLUnionType,
)
from hypothesis import strategies as st

from app.execution.field_resolvers import BATCH_RESOLVER
from app.execution.waiting import attempt

OBJECTS = ("A", "B", "C")
LEAVES = {
    GraphQLString: st.text('aé"\n', max_size=3) | st.sampled_from([1, True, 2.5, {}]),
    GraphQLInt: st.integers(-5, 5) | st.sampled_from([2**31, -(2**31) - 1, "7", "x", True, 1.0, 1.5]),
    GraphQLFloat: st.floats(allow_nan=True) | st.sampled_from([3, "2.5", "x"]),
    GraphQLBoolean: st.booleans() | st.sampled_from([0, 1.5, "yes"]),
    GraphQLID: st.text("ab", max_size=3) | st.sampled_from([3, 2.5, True, {}]),
    GraphQLEnumType("Colour", {"RED": 1, "GREEN": 2}): st.sampled_from([1, 2, 1, 2, 3]),
}
SOURCES = ("plain", "awaited", "batch")
MAX_DEPTH = 4


@dataclass(frozen=True, slots=True)
class Shape:
    """One field of an object type: its named type, its wrapping types, and where its values come from."""

    of: Any
    wrapping: str
    """`!` and `[`, innermost first."""
    source: str

    def type(self, named: dict[str, Any]) -> Any:
        type_ = named.get(self.of, self.of) if isinstance(self.of, str) else self.of
        for sign in self.wrapping:
            type_ = GraphQLNonNull(type_) if sign == "!" else GraphQLList(type_)
        return type_


class Failure(Exception):
    """Stands in data for a value that fails to resolve."""


_wrappings = st.sampled_from(["", "!", "[", "[!", "![", "![!", "[[", "![![!"])
_leaves = st.sampled_from([*LEAVES])


@st.composite
def shapes(draw: st.DrawFn, sources: Sequence[str]) -> dict[str, dict[str, Shape]]:
    """Fields by type and name. The interface fields `x` and `y` are the same in all types."""
    ofs = _leaves | st.sampled_from([*OBJECTS, "Named", "Any"])
    shape = st.builds(Shape, ofs, _wrappings, st.sampled_from(sources))
    common = {"x": draw(st.builds(Shape, _leaves, _wrappings, st.sampled_from(sources))), "y": draw(shape)}
    own = st.dictionaries(st.sampled_from(["p", "q", "r"]), shape, max_size=3)
    return {name: common | draw(own) for name in OBJECTS}


def schema_of(shapes: dict[str, dict[str, Shape]], *, by_type_of: bool) -> GraphQLSchema:
    """Objects are dictionaries with their type name; with `by_type_of`, `is_type_of` tells the type."""
    named: dict[str, Any] = {}

    def fields(name: str) -> dict[str, GraphQLField]:
        return {key: _field(key, shape, named) for key, shape in shapes[name].items()}

    def is_type_of(name: str) -> Callable[[Any, Any], bool] | None:
        return (lambda value, _: isinstance(value, dict) and value.get("is") == name) if by_type_of else None

    def resolve_type(value: Any, *_: object) -> Any:
        return value["is"]

    resolve = None if by_type_of else resolve_type
    named["Named"] = GraphQLInterfaceType(
        "Named",
        lambda: {key: GraphQLField(shapes["A"][key].type(named)) for key in ("x", "y")},
        resolve_type=resolve,
    )
    for name in OBJECTS:
        named[name] = GraphQLObjectType(
            name, lambda name=name: fields(name), interfaces=[named["Named"]], is_type_of=is_type_of(name)
        )
    named["Any"] = GraphQLUnionType("Any", [named[name] for name in OBJECTS], resolve_type=resolve)
    query, mutation = (GraphQLObjectType(root, lambda: fields("A")) for root in ("Query", "Mutation"))
    return GraphQLSchema(query=query, mutation=mutation, types=list(named.values()))


def _field(key: str, shape: Shape, named: dict[str, Any]) -> GraphQLField:
    def value(source: dict[str, Any], **arguments: Any) -> Any:
        result = source.get(key)
        if isinstance(result, Failure):
            raise result
        return None if arguments.get("hide") else result

    async def awaited(source: dict[str, Any], _: Any, **arguments: Any) -> Any:
        await asyncio.sleep(0)
        return value(source, **arguments)

    async def batch(sources: list[dict[str, Any]], _: Any) -> list[Any]:
        await asyncio.sleep(0)
        return [attempt(value, source) for source in sources]

    if shape.source == "batch":
        return GraphQLField(
            shape.type(named), resolve=lambda source, _: value(source), extensions={BATCH_RESOLVER: batch}
        )
    return GraphQLField(
        shape.type(named),
        args={"hide": GraphQLArgument(GraphQLBoolean, default_value=False)},
        resolve=awaited
        if shape.source == "awaited"
        else lambda source, _, **arguments: value(source, **arguments),
    )


@st.composite
def objects(draw: st.DrawFn, shapes: dict[str, dict[str, Shape]], name: str, depth: int = 0) -> Any:
    """Objects, mostly of the type `name`, with nulls and failures, nested up to MAX_DEPTH."""
    data: dict[str, Any] = {"is": draw(st.sampled_from([name] * 12 + ["B", "nothing", None]))}
    for key, shape in shapes[name].items():
        data[key] = draw(_value(shapes, shape.of, shape.wrapping, depth))
    return data


@st.composite
def _value(draw: st.DrawFn, shapes: dict[str, dict[str, Shape]], of: Any, wrapping: str, depth: int) -> Any:
    outcome = draw(st.integers(0, 24))
    if outcome < 3:
        return (None, Failure(f"at {depth}"), 5)[outcome]
    if "[" in wrapping:
        inner = wrapping[: wrapping.rindex("[")]
        return [draw(_value(shapes, of, inner, depth)) for _ in range(draw(st.integers(0, 3)))]
    if not isinstance(of, str):
        return draw(LEAVES[of])
    if depth >= MAX_DEPTH:
        return None
    return draw(objects(shapes, draw(st.sampled_from(OBJECTS)) if of in ("Named", "Any") else of, depth + 1))


@st.composite
def selections(draw: st.DrawFn, shapes: dict[str, dict[str, Shape]], name: str, depth: int = 0) -> str:
    """A selection set of a type, an interface or a union: fields, aliases, fragments, conditions."""
    fields = (
        [] if name == "Any" else sorted(shapes["A"].keys() & {"x", "y"} if name == "Named" else shapes[name])
    )
    parts = []
    for _ in range(draw(st.integers(1, 4))):
        condition = draw(
            st.sampled_from(["", "", "", "@skip(if: $yes)", "@include(if: $yes)", "@skip(if: $no)"])
        )
        choice = draw(st.integers(0, 9))
        if choice == 0 or (choice > 2 and not fields):
            parts.append(f"{draw(st.sampled_from(['', 'kind: ']))}__typename {condition}")
        elif choice == 1 and depth < MAX_DEPTH:
            type_condition = draw(st.sampled_from([name, *OBJECTS, "Named"]))
            parts.append(
                f"... on {type_condition} {condition} {draw(selections(shapes, type_condition, depth + 1))}"
            )
        elif choice == 2:
            parts.append(f"...F {condition}")
        elif fields:
            key = draw(st.sampled_from(fields))
            shape = (shapes["A"] if name == "Named" else shapes[name])[key]
            hide = (
                draw(st.sampled_from(["", "", "(hide: $yes)", "(hide: $no)"]))
                if shape.source != "batch"
                else ""
            )
            subselection = ""
            if isinstance(shape.of, str):
                subselection = (
                    draw(selections(shapes, shape.of, depth + 1)) if depth < MAX_DEPTH else "{ __typename }"
                )
            alias = draw(st.sampled_from(["", "", f"{key}{depth}: "]))
            parts.append(f"{alias}{key}{hide} {condition} {subselection}")
    return "{ " + " ".join([*parts, "__typename"]) + " }"


@st.composite
def cases(
    draw: st.DrawFn, sources: Sequence[str] = SOURCES
) -> tuple[GraphQLSchema, str, Any, dict[str, Any]]:
    """A schema, a document, data and variables. The document need not be valid: fields may conflict."""
    data = draw(shapes(sources))
    schema = schema_of(data, by_type_of=draw(st.booleans()))
    kind = draw(st.sampled_from(["query", "query", "mutation"]))
    document = (
        f"{kind} ($yes: Boolean!, $no: Boolean = false)"
        f" {draw(selections(data, 'A')).replace('on A ', f'on {kind.capitalize()} ')}"
        f" fragment F on {draw(st.sampled_from([*OBJECTS, 'Named']))} {{ x __typename }}"
    )
    return schema, document, draw(objects(data, "A")), {"yes": draw(st.booleans())}
