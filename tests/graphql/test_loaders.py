"""The number of statements that an operation executes."""

from collections import Counter

import pytest

FIFTY_TICKETS = "{ tickets(first: 50) { nodes { id %s } } }"
HISTORY = ["assignments.history_of_tickets", "tickets.newest_tickets"]


def take(statements: list[str]) -> list[str]:
    """Return the statements executed since the last call, without those of the driver."""
    names = sorted(name for name in statements if name != "other")
    statements.clear()
    return names


@pytest.mark.parametrize(
    ("selection", "more"),
    [
        ("currentAssignment { id } assignmentHistory { id }", []),
        ("currentAssignment { engineer { name } } assignmentHistory { id }", ["engineers.engineers_by_ids"]),
        (
            """currentAssignment { engineer { name } equipment { name } } equipment { name }
            assignmentHistory { engineer { name } } timeByEngineer { engineer { name } }
            escalationCount totalTimeSpentHours""",
            # Current assignments may be known before the histories, so each path may load for itself.
            3 * ["engineers.engineers_by_ids", "equipment.equipment_by_ids"],
        ),
    ],
    ids=["history", "engineers", "all relations"],
)
async def test_fifty_tickets_take_one_statement_per_relation(
    statements, ask_own, make, world, selection, more
):
    for n in range(50):
        assignment = await make.assigned(ticket=await make.ticket(equipment_id=await make.equipment()))
        if n % 2:
            await world.escalate(assignment)
    take(statements)
    data = await ask_own(FIFTY_TICKETS % selection)
    assert len(data["tickets"]["nodes"]) == 50
    executed = take(statements)
    assert set(executed) == {*HISTORY, *more}
    assert Counter(executed) <= Counter(HISTORY + more)


async def test_relations_that_are_not_selected_are_not_read(statements, ask_own, make):
    await make.assigned()
    take(statements)
    await ask_own("{ tickets { nodes { id status } } }")
    assert take(statements) == ["tickets.newest_tickets"]
    await ask_own("{ tickets { nodes { id } totalCount } }")
    counted = ["begin", "commit", "server.plan_for_values", "tickets.count_tickets"]
    assert take(statements) == [*counted, "tickets.newest_tickets"]


async def test_many_engineers_take_one_statement_per_relation(statements, ask_own, make):
    for _ in range(20):
        await make.assigned()
    take(statements)
    data = await ask_own(
        """{ engineers { nodes { activeAssignments
            all: assignments { nodes { ticket { id } } totalCount }
            open: assignments(status: [ASSIGNED], first: 1) { nodes { id } pageInfo { hasNextPage } }
        } } }"""
    )
    assert len(data["engineers"]["nodes"]) == 20
    assert take(statements) == [
        "assignments.count_active_of_engineers",
        "assignments.count_of_engineers",
        "assignments.newest_of_engineers",
        "assignments.newest_of_engineers",
        "engineers.engineers_by_name",
        "tickets.tickets_by_ids",
    ]
