from collections.abc import Iterator

import pytest

from app.commands.command import Command
from app.domain.errors import InvalidInput, NoHigherTier, TicketAlreadyAssigned, TierNotHigher
from tests.commands.samples import SAMPLES
from tests.commands.world import RAISED

SPECIFIC = {TicketAlreadyAssigned, NoHigherTier, TierNotHigher}
"""Each command's own file covers these of its refusals; test_shared_refusals.py covers all others."""


@pytest.fixture(autouse=True, scope="module")
def _every_refusal_is_raised(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail unless the tests of a file make its commands raise all refusals that the file covers."""
    RAISED.clear()
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
    if _is_selected_whole(request):
        missing = _covered_by(request.module.__name__.rpartition(".test_")[2]) - RAISED
        assert not missing, "not raised by any test of this file: " + ", ".join(
            f"{refusal.__name__} by {command.__name__}" for command, refusal in missing
        )


def _covered_by(file: str) -> set[tuple[type, type]]:
    return {
        (type(sample.command), refusal)
        for sample in SAMPLES
        for refusal in sample.refusals
        if file == (sample.action if refusal in SPECIFIC else "shared_refusals")
    }


def _is_selected_whole(request: pytest.FixtureRequest) -> bool:
    selected = {item.originalname for item in request.session.items if item.module is request.module}
    return selected >= {name for name in vars(request.module) if name.startswith("test_")}
