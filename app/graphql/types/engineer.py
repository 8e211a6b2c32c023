"""The types Engineer, EngineerSuggestion and Viewer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

from strawberry import Parent

from app.domain import model
from app.graphql.arguments import described
from app.graphql.context import Context, Info
from app.graphql.load_functions import EngineerPage, EngineerTotal
from app.graphql.pagination import DEFAULT_PAGE, After, First, Page, PageRequest, parse_datetime
from app.graphql.types.batch_resolvers import gather_results, load_each, load_engineers
from app.graphql.types.declarations import batched_field, field, resolver_field, type_for
from app.queries.engineers import Suggestion


@type_for(model.Engineer)
class Engineer:
    @batched_field(
        int, "Number of active assignments. Other engineers count only those of their own tickets."
    )
    async def active_assignments(engineers: Sequence[model.Engineer], context: Context) -> list[Any]:
        counts = await gather_results(
            load_each(context.loaders.active_assignments, (engineer.id for engineer in engineers))
        )
        return [
            0 if count is None else count if isinstance(count, Exception) else count.assignments
            for count in counts
        ]

    @resolver_field(
        "Assignments of the engineer, newest first. Other engineers see only those of their own tickets."
    )
    async def assignments(
        root: Parent[model.Engineer],
        info: Info,
        status: Annotated[
            list[model.AssignmentStatus] | None,
            described("Only assignments with one of these statuses; all by default."),
        ] = None,
        first: First = DEFAULT_PAGE,
        after: After = None,
    ) -> Page[model.Assignment]:
        statuses = None if status is None else tuple(status)
        page = PageRequest.parse(first, after, parse_datetime, UUID)
        loaders = info.context.loaders
        rows = await loaders.engineer_page.load(EngineerPage(root.id, statuses, page.key, page.limit))

        async def count() -> int:
            total = await loaders.engineer_total.load(EngineerTotal(root.id, statuses))
            return total[0].assignments if total else 0

        return Page(page, rows, key=lambda a: (a.assigned_at, a.id), count=count)


@type_for(Suggestion)
class EngineerSuggestion:
    engineer: Engineer = field("The candidate.")
    matching_skills: list[str] = field(
        "The candidate's skills that match the category, model or manufacturer of the equipment."
    )
    same_region: bool = field(
        "Whether the candidate works in the customer's region. That is the region of the engineer who was"
        " assigned first to the customer's newest ticket."
    )
    active_assignments: int = field("Number of the candidate's active assignments.")


@type_for(model.Actor)
class Viewer:
    subject: str = field("Subject of the user's token.")
    role: model.Role = field("Role, which decides what the user may read and change.")

    engineer = batched_field(model.Engineer | None, "The user's engineer record; null if there is none.")(
        load_engineers
    )
