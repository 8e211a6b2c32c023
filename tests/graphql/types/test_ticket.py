"""A ticket with its history, and what is computed from it."""

from decimal import Decimal

from app.domain.model import PartUsed


async def test_a_ticket_with_all_fields_of_its_history(ask, make, world):
    equipment = {"name": "MRI scanner", "manufacturer": "Acme", "model": "M1", "category": "MRI"}
    ticket = await make.ticket(
        id="2ZkVqF0nT9kQ1n5eCq1f0a3bXyZ",
        ticket_number="SR-7",
        equipment_id=await make.equipment(**equipment),
        customer_name="St. Mary",
        issue_category="Imaging",
        issue_description="Stripes",
        priority="high",
    )
    first = await make.assigned(ticket=ticket)
    await world.complete(
        await world.escalate(first, name="Bo Berg"),
        "1.5",
        diagnosis="worn coil",
        actions_taken="coil replaced",
        parts_used=(PartUsed("P-1", "Coil", 2, Decimal("19.9")),),
        notes="look again in May",
    )
    data = await ask(
        """query ($id: ID!) { ticket(id: $id) {
            id ticketNumber status priority customerName issueCategory issueDescription
            equipment { name manufacturer model category serialNumber }
            currentAssignment { id }
            assignmentHistory {
                assignmentSequence assignmentTier assignmentTierName assignmentType status isCurrent
                assignedBy assignmentReason escalationReason completionStatus timeSpentHours diagnosis
                actionsTaken notes
                engineer { name } equipment { name } ticket { ticketNumber }
                partsUsed { partNumber partName quantity cost }
            }
            escalationCount totalTimeSpentHours
            timeByEngineer { engineer { name } timeSpentHours assignments }
        } }""",
        id=ticket,
    )
    common = {"equipment": {"name": "MRI scanner"}, "ticket": {"ticketNumber": "SR-7"}, "isCurrent": False}
    common |= {"assignedBy": "dispatcher@test"}
    report = {"diagnosis": "worn coil", "actionsTaken": "coil replaced", "notes": "look again in May"}
    part = {"partNumber": "P-1", "partName": "Coil", "quantity": 2, "cost": "19.90"}
    assert data["ticket"] == {
        "id": ticket,
        "ticketNumber": "SR-7",
        "status": "RESOLVED",
        "priority": "HIGH",
        "customerName": "St. Mary",
        "issueCategory": "Imaging",
        "issueDescription": "Stripes",
        "equipment": equipment | {"serialNumber": None},
        "currentAssignment": None,
        "assignmentHistory": [
            common
            | {"assignmentSequence": 1, "assignmentTier": 1, "assignmentTierName": "OEM"}
            | {"assignmentType": "MANUAL", "status": "ESCALATED", "assignmentReason": None}
            | {"escalationReason": "x", "completionStatus": "ESCALATED", "timeSpentHours": None}
            | dict.fromkeys(report)
            | {"engineer": {"name": "Ana Lima"}, "partsUsed": []},
            common
            | {"assignmentSequence": 2, "assignmentTier": 2, "assignmentTierName": "Dealer"}
            | {"assignmentType": "ESCALATION", "status": "COMPLETED", "assignmentReason": "x"}
            | {"escalationReason": None, "completionStatus": "SUCCESS", "timeSpentHours": "1.50"}
            | report
            | {"engineer": {"name": "Bo Berg"}, "partsUsed": [part]},
        ],
        "escalationCount": 1,
        "totalTimeSpentHours": "1.50",
        "timeByEngineer": [
            {"engineer": {"name": "Ana Lima"}, "timeSpentHours": "0.00", "assignments": 1},
            {"engineer": {"name": "Bo Berg"}, "timeSpentHours": "1.50", "assignments": 1},
        ],
    }


async def test_a_ticket_without_assignments_has_empty_sums(ask, make):
    data = await ask(
        """query ($id: ID!) { ticket(id: $id) {
            status equipment { id } currentAssignment { id } assignmentHistory { id }
            escalationCount totalTimeSpentHours timeByEngineer { assignments }
        } }""",
        id=await make.ticket(),
    )
    assert data["ticket"] == {
        "status": "NEW",
        "equipment": None,
        "currentAssignment": None,
        "assignmentHistory": [],
        "escalationCount": 0,
        "totalTimeSpentHours": "0.00",
        "timeByEngineer": [],
    }


async def test_hours_by_engineer_are_ordered_by_first_assignment(ask, make):
    ana, bo = await make.engineer("Ana Lima"), await make.engineer("Bo Berg")
    ticket = await make.ticket()
    for sequence, (engineer, hours) in enumerate(
        [(bo, "0.75"), (ana, "2"), (bo, "999.99"), (ana, None)], start=1
    ):
        await make.legacy_assignment(
            ticket_id=ticket,
            engineer_id=engineer,
            assignment_sequence=sequence,
            status="completed",
            time_spent_hours=hours,
        )
    data = await ask(
        """query ($id: ID!) { ticket(id: $id) {
            totalTimeSpentHours timeByEngineer { engineer { name } timeSpentHours assignments }
        } }""",
        id=ticket,
    )
    assert data["ticket"] == {
        "totalTimeSpentHours": "1002.74",
        "timeByEngineer": [
            {"engineer": {"name": "Bo Berg"}, "timeSpentHours": "1000.74", "assignments": 2},
            {"engineer": {"name": "Ana Lima"}, "timeSpentHours": "2.00", "assignments": 2},
        ],
    }
