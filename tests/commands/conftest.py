import json
from collections.abc import Iterator

import pytest

from app.commands.command import Command
from app.domain.errors import (
    AlreadyInUse,
    EquipmentNotFound,
    InvalidInput,
    NoHigherTier,
    ReopenWindowOver,
    TicketAlreadyAssigned,
    TicketTransitionNotAllowed,
    TierNotHigher,
)
from tests.commands.samples import SAMPLES
from tests.commands.world import RAISED

SPECIFIC = {
    AlreadyInUse,
    EquipmentNotFound,
    NoHigherTier,
    ReopenWindowOver,
    TicketAlreadyAssigned,
    TicketTransitionNotAllowed,
    TierNotHigher,
}
"""Each command's own file covers these of its refusals; test_shared_refusals.py covers all others."""


EXECUTED: set[str] = set()
"""The ids of the executed tests of the current module."""


@pytest.fixture(autouse=True)
def _executed(request: pytest.FixtureRequest) -> None:
    EXECUTED.add(request.node.nodeid)


@pytest.fixture(autouse=True, scope="module")
def _every_refusal_is_raised(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """Fail unless the tests of a file make its commands raise all refusals that the file covers.

    Several workers may execute a file: each writes down its part, and the last one checks all.
    """
    RAISED.clear()
    EXECUTED.clear()
    validate = Command.__post_init__

    def recording(command: Command) -> None:
        try:
            validate(command)
        except InvalidInput:
            RAISED.add((type(command), InvalidInput))
            raise

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Command, "__post_init__", recording)
        yield
    module = request.module
    selected = [item for item in request.session.items if item.module is module]  # type: ignore[attr-defined] # of functions
    if not {item.originalname for item in selected} >= {n for n in vars(module) if n.startswith("test_")}:  # type: ignore[attr-defined] # as above
        return
    file = module.__name__.rpartition(".test_")[2]
    raised = {f"{refusal.__name__} by {command.__name__}" for command, refusal in RAISED}
    executed = len(EXECUTED)
    if executed < len(selected):
        parts = tmp_path_factory.getbasetemp().parent / f"raised-{file}.jsonl"
        with parts.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps([executed, sorted(raised)]) + "\n")
        of_workers = [json.loads(line) for line in parts.read_text(encoding="utf-8").splitlines()]
        executed = sum(count for count, _ in of_workers)
        raised = {name for _, names in of_workers for name in names}
    if executed >= len(selected):
        missing = _covered_by(file) - raised
        assert not missing, f"not raised by any test of this file: {', '.join(sorted(missing))}"


def _covered_by(file: str) -> set[str]:
    return {
        f"{refusal.__name__} by {type(sample.command).__name__}"
        for sample in SAMPLES
        for refusal in sample.refusals
        if file == (sample.action if refusal in SPECIFIC else "shared_refusals")
    }
