"""The types AuditRecord and AuditFilter."""

from __future__ import annotations

from datetime import datetime

import strawberry
from strawberry import ID

from app.domain import values
from app.domain.events import EventType
from app.graphql.arguments import optional, period
from app.graphql.types.declarations import field, type_for
from app.graphql.types.ticket_event import TicketEventInterface
from app.queries import events


@type_for(events.AuditRecord)
class AuditRecord:
    event: TicketEventInterface = field("What happened.")


@strawberry.input(description="Conditions on events. All given conditions must match.")
class AuditFilter:
    from_: datetime = strawberry.field(name="from", description="Start of the period, inclusive.")
    to: datetime = field("End of the period, exclusive; at most 366 days after `from`.")
    actor: str | None = field("Only events that this subject caused.")
    ticket_id: ID | None = field("Only events of this ticket.")
    engineer_id: ID | None = field("Only events of this engineer's assignments.")
    types: list[EventType] | None = field("Only events of these types.")

    def validated(self) -> events.AuditFilter:
        """Raises BadUserInput."""
        return events.AuditFilter(
            period(self.from_, self.to),
            actor=optional(values.exact_text, "actor", self.actor),
            ticket_id=optional(values.ticket_id, "ticketId", self.ticket_id),
            engineer_id=optional(values.engineer_id, "engineerId", self.engineer_id),
            types=None if self.types is None else tuple(self.types),
        )
