"""The types of the figures of Statistics."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from app.domain import model
from app.graphql.fields import batched_field
from app.graphql.types.batch_resolvers import load_engineers
from app.graphql.types.declarations import field, type_for
from app.graphql.types.engineer import Engineer
from app.queries import statistics


@type_for(statistics.EscalationCount, "Number of tickets with a certain number of escalations.")
class EscalationCount:
    escalations: int = field("Number of escalations per ticket, 0 or more.")
    tickets: int = field("Number of tickets that were escalated so many times.")


@type_for(
    statistics.TicketFigures, "Tickets that were reported in the period, and their escalations until now."
)
class TicketFigures:
    tickets: int = field("Number of tickets.")
    escalated: int = field("Number of tickets that were escalated at least once.")
    escalated_share: Decimal | None = field("Escalated share, 0 to 1, four decimals; null without tickets.")
    average_escalations: Decimal | None = field(
        "Escalations per ticket, four decimals; null without tickets."
    )
    by_escalations: list[EscalationCount] = field("Tickets by number of escalations, fewest first.")


@type_for(statistics.EscalationPath, "Escalations in the period from one tier to another.")
class EscalationPath:
    from_tier: int = field("Support tier that escalated, 1 to 5.")
    to_tier: int | None = field("Next support tier, 1 to 5; null if an old record does not have it.")
    manual: int = field("Number of escalations made by a person.")
    automatic: int = field("Number of escalations made by a rule.")


@type_for(statistics.EngineerWork, "Work of one engineer in the period.")
class EngineerWork:
    assignments: int = field("Number of assignments made in the period.")
    accepted: int = field("Number of those assignments that the engineer has accepted by now.")
    mean_seconds_to_accept: Decimal | None = field(
        "Average seconds from assignment to acceptance, with three decimals; null if there are none. Old"
        " records are excluded."
    )
    escalated_to_manually: int = field("Escalations to the engineer by a person in the period.")
    escalated_to_automatically: int = field("Escalations to the engineer by a rule in the period.")
    completed: int = field("Number of assignments completed in the period, with any outcome.")
    failed: int = field("Number of assignments that failed in the period.")
    rejected: int = field("Number of assignments that the engineer rejected in the period.")
    escalated_from_manually: int = field("Escalations from the engineer by a person in the period.")
    escalated_from_automatically: int = field("Escalations from the engineer by a rule in the period.")
    reassigned: int = field("Number of assignments reassigned to another engineer in the period.")
    cancelled: int = field("Number of assignments cancelled in the period.")
    time_spent_hours: Decimal = field("Hours of assignments that ended in the period, with two decimals.")

    engineer = batched_field(Engineer, "The engineer with these figures.")(load_engineers)


@type_for(statistics.Durations, "Distribution of a duration, in seconds.")
class Durations:
    counted: int = field("Number of durations.")
    left_out: int = field("Number of old records without reliable times; excluded from the other figures.")
    mean_seconds: Decimal | None = field("Average in seconds, three decimals; null if `counted` is 0.")
    p50_seconds: Decimal | None = field("Median in seconds, three decimals; null if `counted` is 0.")
    p95_seconds: Decimal | None = field("95th percentile in seconds, three decimals; null if `counted` is 0.")


@type_for(statistics.OutcomeCount, "Number of assignments that ended with a certain outcome.")
class OutcomeCount:
    status: model.AssignmentStatus = field("Final status of the assignments.")
    completion_status: model.CompletionStatus | None = field(
        "Outcome of the work; null if there was none, or an old record does not have it."
    )
    assignments: int = field("Number of assignments.")


@type_for(statistics.ReasonCount, "Number of assignments that were rejected for a certain reason.")
class ReasonCount:
    reason: str | None = field("The reason as it was entered; null if an old record has none.")
    assignments: int = field("Number of assignments.")


@type_for(statistics.TierTime, "Hours of one support tier.")
class TierTime:
    tier: int = field("Support tier, 1 OEM to 5 Hospital.")
    assignments: int = field("Number of assignments that ended in the period.")
    time_spent_hours: Decimal = field("Hours of those assignments, with two decimals.")


@type_for(statistics.TimeSpent, "Hours of one customer or equipment model.")
class TimeSpent:
    name: str | None = field("Name of the customer or model; null for assignments without one.")
    assignments: int = field("Number of assignments that ended in the period.")
    time_spent_hours: Decimal = field("Hours of those assignments, with two decimals.")


@type_for(statistics.SeriesPart, "Figures of one day, week or month.")
class SeriesPart:
    start: date = field("First day of the interval. The period may cut the first and the last interval.")
    tickets: int = field("Number of tickets reported.")
    assignments: int = field("Number of assignments made.")
    escalations: int = field("Number of escalations.")
    completed: int = field("Number of assignments completed.")
    time_spent_hours: Decimal = field("Hours of assignments that ended, with two decimals.")
