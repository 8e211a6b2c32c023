"""Refusals that are the same for all commands, or for all that assign an engineer."""

import asyncio

import pytest

from app.commands.update_ticket import UpdateTicket, update_ticket
from app.domain.errors import (
    AssignmentNotFound,
    EngineerInactive,
    EngineerNotFound,
    Forbidden,
    IdempotencyKeyReused,
    InvalidInput,
    NoCurrentAssignment,
    SameEngineer,
    StaleSequence,
    StaleVersion,
    TicketChangeRejected,
    TicketNotFound,
    TicketNotOpen,
    TransitionNotAllowed,
)
from app.domain.lifecycle import Action
from app.domain.model import AssignmentStatus, TicketId, TicketPriority
from app.queries import assignments, tickets
from tests.commands.samples import ENGINEERS_MAY, SAMPLES, with_values
from tests.commands.test_lifecycle import ACTIVE, ALLOWED_FROM
from tests.commands.world import NOBODY, NOTHING
from tests.databases import until_waiting
from tests.factories import ADMIN, AUDITOR, as_engineer


def samples(condition=lambda _: True):
    """Parametrize a test with the samples that meet a condition."""
    return pytest.mark.parametrize("sample", [s for s in SAMPLES if condition(s)], ids=lambda s: s.action)


every_command = samples()
commands_that_assign = samples(lambda s: s.command.target_engineer_id and hasattr(s.command, "ticket_id"))
commands_with_a_sequence = samples(lambda s: hasattr(s.command, "expected_sequence"))
commands_with_a_version = samples(lambda s: hasattr(s.command, "expected_version"))
commands_on_tickets = samples(lambda s: s.action is not Action.SET_HOURLY_RATE)
commands_that_hand_over = samples(lambda s: s.action in (Action.ESCALATE, Action.REASSIGN))


@pytest.fixture
def refused(world):
    """Run a command that must be refused and change nothing. Returns the refusal."""

    async def run(refusal, sample, command, actor=ADMIN, key=None):
        before = await world.count_changes()
        with pytest.raises(refusal) as raised:
            await world.run(sample.decide, command, actor, key)
        assert await world.count_changes() == before
        return raised.value

    return run


@every_command
async def test_auditor_is_forbidden(sample, make, world, refused):
    command, _ = await sample.prepare(make, world)
    refusal = await refused(Forbidden, sample, command, AUDITOR)
    assert refusal.action is sample.action


@pytest.mark.parametrize("holder", ["another server", "a command of the own engineer"])
@samples(lambda s: s.action in ENGINEERS_MAY and s.command.target_assignment_id)
async def test_assignment_of_another_engineer_is_refused_without_a_lock(sample, make, world, refused, holder):
    """While the ticket is locked, like an assignment that does not exist."""
    command, engineer_id = await sample.prepare(make, world)
    other = as_engineer(await make.engineer())
    async with world.db.transaction() as tx:
        [assignment] = await assignments.by_ids(tx, [command.assignment_id])
        await tickets.lock(tx, assignment.ticket_id)
        if holder == "another server":
            own = None
        else:
            own = asyncio.create_task(world.run(sample.decide, command, as_engineer(engineer_id)))
            await until_waiting(tx)
        for assignment_id in (command.assignment_id, NOTHING):
            other_command = with_values(command, {"assignment_id": assignment_id})
            await refused(AssignmentNotFound, sample, other_command, other)
    if own is not None:
        assert (await own).id == assignment.id


@every_command
async def test_missing_target_is_not_found(sample, make, world, refused):
    command, engineer_id = await sample.prepare(make, world)
    targets = {
        "ticket_id": (TicketId("TICKET-0"), TicketNotFound),
        "assignment_id": (NOTHING, AssignmentNotFound),
        "engineer_id": (NOBODY, EngineerNotFound),
        "follow_up_of_id": (TicketId("TICKET-0"), TicketNotFound),
    }
    field = next(field for field in targets if hasattr(command, field))
    missing, refusal = targets[field]
    raised = await refused(refusal, sample, with_values(command, {field: missing}))
    assert getattr(raised, "ticket_id" if refusal is TicketNotFound else field) == missing
    if sample.action in ENGINEERS_MAY:
        raised = await refused(
            refusal, sample, with_values(command, {field: missing}), as_engineer(engineer_id)
        )
        assert str(raised) == f"There is no {field.removesuffix('_id')} {missing}."


@every_command
def test_malformed_id_is_refused(sample):
    malformed = {
        "ticket_id": ("", "ticketId must have 1 to 64 characters"),
        "assignment_id": (f"{{{NOTHING}}}", "assignmentId must be a UUID"),
        "engineer_id": ("x", "engineerId must be a UUID"),
        "next_engineer_id": ("x", "nextEngineerId must be a UUID"),
        "follow_up_of_id": ("", "followUpOfId must have 1 to 64 characters"),
    }
    for field, (value, message) in malformed.items():
        if hasattr(sample.command, field):
            with pytest.raises(InvalidInput, match=message):
                with_values(sample.command, {field: value})


@pytest.mark.parametrize(
    ("sample", "status"),
    [(s, at) for s in SAMPLES for at in AssignmentStatus if at not in ALLOWED_FROM.get(s.action, {at})],
    ids=lambda value: getattr(value, "action", value),
)
async def test_status_of_the_assignment_must_allow_the_action(sample, make, db, refused, status):
    ids = {"ticket_id": await make.ticket(), "engineer_id": await make.engineer()}
    row_id = await make.legacy_assignment(**ids, status=status)
    async with db.connection() as conn:
        [assignment] = await assignments.by_ids(conn, [row_id])
    refusal = await refused(TransitionNotAllowed, sample, sample.on(assignment))
    assert str(refusal) == f"Cannot {sample.action} an assignment that is {status}."
    assert refusal.assignment == assignment
    assert refusal.current_assignment == (assignment if status in ACTIVE else None)


@every_command
async def test_used_key_with_other_input_is_refused(sample, make, world, refused):
    command, _ = await sample.prepare(make, world)
    other = next(s for s in SAMPLES if s.action is Action.ACCEPT)
    await world.run(other.decide, (await other.prepare(make, world)).command, ADMIN, key="k")
    refusal = await refused(IdempotencyKeyReused, sample, command, key="k")
    assert refusal.idempotency_key == "k"


@commands_with_a_version
async def test_stale_version_is_refused(sample, make, world, refused):
    command, _ = await sample.prepare(make, world)
    ticket_id = command.ticket_id
    version = (await world.details(ticket_id)).version
    if sample.action in (Action.CLOSE_TICKET, Action.REOPEN_TICKET):
        values = {"contact_name": "Di"}
    else:
        values = {"contact_name": "Di", "priority": TicketPriority.LOW}
    for changes in ({"customer_name": "x"}, values):
        changing = UpdateTicket(ticket_id=ticket_id, **changes)
        await world.run(update_ticket, changing)
    refusal = await refused(StaleVersion, sample, with_values(command, {"expected_version": version}))
    assert refusal.current_version == version + 2
    assert refusal.ticket == await world.ticket(ticket_id)
    assert set(refusal.changed_fields) == {"customer_name", *values}
    current = with_values(command, {"expected_version": refusal.current_version})
    await world.run(sample.decide, current)


@commands_with_a_sequence
async def test_stale_sequence_is_refused(sample, make, world, refused):
    command, _ = await sample.prepare(make, world)
    history = await world.history(command.ticket_id)
    refusal = await refused(
        StaleSequence, sample, with_values(command, {"expected_sequence": len(history) + 1})
    )
    assert refusal.current_sequence == len(history)
    assert [refusal.current_assignment] == (history or [None])


@commands_that_assign
async def test_engineer_to_assign_must_exist_and_be_active(sample, make, world, refused):
    command, _ = await sample.prepare(make, world)
    inactive = await make.engineer(is_active=False)
    field = "next_engineer_id" if hasattr(command, "next_engineer_id") else "engineer_id"
    for engineer_id, refusal in ((inactive, EngineerInactive), (NOBODY, EngineerNotFound)):
        raised = await refused(refusal, sample, with_values(command, {field: engineer_id}))
        assert raised.engineer_id == engineer_id


@pytest.mark.parametrize("status", ["resolved", "closed", "cancelled"])
@commands_that_assign
async def test_ticket_must_be_open(sample, make, world, refused, status):
    command, _ = await sample.prepare(make, world)
    async with world.db.connection() as conn:
        await conn.execute("UPDATE service_tickets SET status = $2 WHERE id = $1", command.ticket_id, status)
    refusal = await refused(TicketNotOpen, sample, command)
    assert (refusal.ticket_id, refusal.status) == (command.ticket_id, status)
    assert (await world.ticket(command.ticket_id)).status == status


@pytest.mark.parametrize(
    ("rule", "undo", "reason"),
    [
        (
            "ALTER TABLE service_tickets ADD CONSTRAINT frozen CHECK (id = '') NOT VALID",
            "ALTER TABLE service_tickets DROP CONSTRAINT frozen",
            'violates check constraint "frozen"',
        ),
        (
            """CREATE FUNCTION stop() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
                RAISE EXCEPTION 'Ticket % is frozen.', NEW.id; END$$;
            CREATE TRIGGER stop BEFORE INSERT OR UPDATE ON service_tickets
            FOR EACH ROW EXECUTE FUNCTION stop()""",
            "DROP TRIGGER stop ON service_tickets; DROP FUNCTION stop()",
            "is frozen",
        ),
        (
            """CREATE FUNCTION stop() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
                RAISE foreign_key_violation USING TABLE = 'service_tickets', MESSAGE = 'late'; END$$;
            CREATE CONSTRAINT TRIGGER stop AFTER INSERT OR UPDATE ON service_tickets
            INITIALLY DEFERRED
            FOR EACH ROW EXECUTE FUNCTION stop()""",
            "DROP TRIGGER stop ON service_tickets; DROP FUNCTION stop()",
            "late",
        ),
    ],
    ids=["constraint", "trigger", "deferred trigger"],
)
@commands_on_tickets
async def test_rejection_by_a_rule_of_the_tickets_table_is_named(
    sample, make, world, refused, rule, undo, reason
):
    command, _ = await sample.prepare(make, world)
    async with world.db.connection() as conn:
        await conn.execute(rule)
        try:
            refusal = await refused(TicketChangeRejected, sample, command)
        finally:
            await conn.execute(undo)
    assert reason in refusal.reason


@commands_that_hand_over
async def test_handover_needs_a_current_assignment(sample, make, world, refused):
    command, _ = await sample.prepare(make, world)
    ticket_id = await make.ticket()
    refusal = await refused(NoCurrentAssignment, sample, with_values(command, {"ticket_id": ticket_id}))
    assert refusal.ticket_id == ticket_id


@commands_that_hand_over
async def test_handover_needs_another_engineer(sample, make, world, refused):
    command, engineer_id = await sample.prepare(make, world)
    field = "next_engineer_id" if hasattr(command, "next_engineer_id") else "engineer_id"
    [current] = await world.history(command.ticket_id)
    refusal = await refused(SameEngineer, sample, with_values(command, {field: engineer_id}))
    assert refusal.current_assignment == current
