"""The type Equipment."""

from __future__ import annotations

from strawberry import ID

from app.domain import model
from app.graphql.types.declarations import field, type_for


@type_for(model.Equipment, "A piece of medical equipment.")
class Equipment:
    id: ID = field("Id of the equipment.")
    name: str = field("Name of the equipment.")
    serial_number: str | None = field("The manufacturer's serial number; null if unknown.")
    manufacturer: str | None = field("Name of the manufacturer; null if unknown.")
    model: str | None = field("Name of the model; null if unknown.")
    category: str | None = field("Category, for example MRI; null if unknown.")
