"""The type Viewer."""

from __future__ import annotations

from app.domain import model
from app.graphql.types.batch_resolvers import load_engineers
from app.graphql.types.declarations import batched_field, field, type_for


@type_for(model.Actor)
class Viewer:
    subject: str = field("Subject of the user's token.")
    role: model.Role = field("Role, which decides what the user may read and change.")

    engineer = batched_field(model.Engineer | None, "The user's engineer record; null if there is none.")(
        load_engineers
    )
