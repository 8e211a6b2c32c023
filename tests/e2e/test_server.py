"""The product started with `dev`, and a ticket from assignment to resolution, with several clients."""

import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from gql import Client, gql
from gql.transport.httpx import HTTPXTransport
from graphql import (
    FieldNode,
    NameNode,
    OperationDefinitionNode,
    SelectionSetNode,
    Visitor,
    parse,
    print_ast,
    visit,
)

from tests.apps import environment
from tests.databases import free_port
from tests.polling import wait_until
from tests.processes import CHECKOUT, running_app

Ask = Callable[..., Any]

PATIENCE_S = 20


@dataclass
class Running:
    home: Path
    port: int
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def token(self, *options: str) -> str:
        command = [sys.executable, "-m", "app", "token", *options]
        return subprocess.check_output(
            command, cwd=CHECKOUT, env=environment(DATA_DIR=str(self.home)), text=True
        ).strip()


@contextmanager
def started(home: Path) -> Iterator[Running]:
    port = free_port()
    env = environment(DATA_DIR=str(home))
    with running_app("dev", "--tickets", "40", port=port, env=env, output=home / "output") as process:
        yield Running(home, port, process)


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="baton-e2e-"))
    folder.chmod(0o755)  # as root, the database runs as another user
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def running(home: Path) -> Iterator[Running]:
    with started(home) as running:
        yield running


@pytest.fixture(scope="module")
def dispatcher(running: Running) -> str:
    return running.token("--role", "dispatcher")


# Clients


def plain_client(running: Running, token: str) -> Ask:
    def ask(query: str, **variables: Any) -> Any:
        answer = httpx.post(
            f"{running.url}/graphql",
            json={"query": query, "variables": variables},
            headers={"Authorization": f"Bearer {token}"},
        ).json()
        assert "errors" not in answer, answer
        return answer["data"]

    return ask


def gql_client(running: Running, token: str) -> Ask:
    transport = HTTPXTransport(f"{running.url}/graphql", headers={"Authorization": f"Bearer {token}"})
    client = Client(transport=transport, fetch_schema_from_transport=True)

    def ask(query: str, **variables: Any) -> Any:
        request = gql(query)
        request.variable_values = variables
        return client.execute(request)

    return ask


def apollo_client(running: Running, token: str) -> Ask:
    """Sends operationName, selects __typename everywhere, and prefers the newer media type."""

    def ask(query: str, **variables: Any) -> Any:
        document = visit(parse(query), WithTypenames())
        response = httpx.post(
            f"{running.url}/graphql",
            json={
                "operationName": document.definitions[0].name.value,
                "variables": variables,
                "extensions": {"clientLibrary": {"name": "@apollo/client", "version": "4.0.0"}},
                "query": print_ast(document),
            },
            headers={
                "Authorization": f"Bearer {token}",
                "Accept": "application/graphql-response+json,application/json;q=0.9",
            },
        )
        assert response.headers["Content-Type"].startswith("application/")
        assert response.status_code == 200
        answer = response.json()
        assert "errors" not in answer, answer
        return without_typenames(answer["data"])

    return ask


class WithTypenames(Visitor):
    def leave_selection_set(self, node: Any, _key: Any, parent: Any, *_: Any) -> Any:
        if isinstance(parent, OperationDefinitionNode):
            return None
        typename = FieldNode(name=NameNode(value="__typename"))
        return SelectionSetNode(selections=(*node.selections, typename))


def without_typenames(data: Any) -> Any:
    if isinstance(data, list):
        return [without_typenames(item) for item in data]
    if not isinstance(data, dict):
        return data
    return {name: without_typenames(value) for name, value in data.items() if name != "__typename"}


# A ticket from assignment to resolution


FIND = """query Find {
    tickets(first: 1, filter: { unassigned: true }) { nodes { id assignmentHistory { id } } }
    engineers(first: 100) { nodes { id isActive } }
}"""


def mutation(name: str, selection: str) -> str:
    return f"""mutation M($input: {name[0].upper()}{name[1:]}Input!) {{ {name}(input: $input) {{
        ... on Assignment {{ {selection} }} ... on Refusal {{ message }} }} }}"""


ASSIGN = mutation("assignTicket", "id assignmentSequence assignmentTier")
ESCALATE = mutation("escalateTicket", "id assignmentSequence assignmentTier")
ACCEPT = mutation("acceptAssignment", "status")
START = mutation("startAssignment", "status")
COMPLETE = mutation("completeAssignment", "status ticket { status }")
RATE = mutation("rateAssignment", "customerRating")
HISTORY = """query History($id: ID!) {
    ticket(id: $id) {
        status currentAssignment { id } escalationCount
        assignmentHistory {
            assignmentSequence assignmentTier status completionStatus escalationReason timeSpentHours
            assignedBy customerRating engineer { id } partsUsed { partName cost } }
    }
}"""


@pytest.mark.parametrize("client", [plain_client, gql_client, apollo_client])
def test_a_ticket_is_escalated_twice_and_resolved(running, dispatcher, client):
    dispatch = client(running, dispatcher)
    lists = dispatch(FIND)
    [ticket] = lists["tickets"]["nodes"]
    before = len(ticket["assignmentHistory"])
    engineers = [e["id"] for e in lists["engineers"]["nodes"] if e["isActive"]][:3]

    first = dispatch(ASSIGN, input={"ticketId": ticket["id"], "engineerId": engineers[0]})["assignTicket"]
    assert first | {"id": ""} == {"id": "", "assignmentSequence": before + 1, "assignmentTier": 1}
    for tier in (2, 3):
        command = {
            "ticketId": ticket["id"],
            "nextEngineerId": engineers[tier - 1],
            "reason": f"needs tier {tier}",
        }
        last = dispatch(ESCALATE, input=command)["escalateTicket"]
        assert (last["assignmentSequence"], last["assignmentTier"]) == (before + tier, tier)

    work = client(running, running.token("--role", "engineer", "--engineer", engineers[2]))
    done = {
        "assignmentId": last["id"],
        "completionStatus": "SUCCESS",
        "timeSpentHours": "2.5",
        "partsUsed": [{"partNumber": "P-1", "partName": "Coil", "quantity": 1, "cost": "19.9"}],
    }
    refused = work(ACCEPT, input={"assignmentId": first["id"]})["acceptAssignment"]
    assert refused == {"message": f"There is no assignment {first['id']}."}
    own = {"assignmentId": last["id"]}
    assert work(ACCEPT, input=own)["acceptAssignment"] == {"status": "ACCEPTED"}
    assert work(START, input=own)["startAssignment"] == {"status": "IN_PROGRESS"}
    assert work(COMPLETE, input=done)["completeAssignment"] == {
        "status": "COMPLETED",
        "ticket": {"status": "RESOLVED"},
    }
    rating = own | {"rating": 5, "feedback": "Quick"}
    assert dispatch(RATE, input=rating)["rateAssignment"] == {"customerRating": 5}

    after = dispatch(HISTORY, id=ticket["id"])["ticket"]
    assert (after["status"], after["currentAssignment"]) == ("RESOLVED", None)
    assert after["escalationCount"] >= 2
    defaults = {"customerRating": None, "timeSpentHours": None, "partsUsed": []}
    defaults |= {"assignedBy": "dispatcher@development"}
    escalated = {"status": "ESCALATED", "completionStatus": "ESCALATED"}
    assert after["assignmentHistory"][before:] == [
        defaults
        | escalated
        | {
            "assignmentSequence": before + tier,
            "assignmentTier": tier,
            "escalationReason": f"needs tier {tier + 1}",
            "engineer": {"id": engineers[tier - 1]},
        }
        for tier in (1, 2)
    ] + [
        defaults
        | {
            "assignmentSequence": before + 3,
            "assignmentTier": 3,
            "status": "COMPLETED",
            "completionStatus": "SUCCESS",
            "escalationReason": None,
            "timeSpentHours": "2.50",
            "customerRating": 5,
            "engineer": {"id": engineers[2]},
            "partsUsed": [{"partName": "Coil", "cost": "19.90"}],
        }
    ]


def test_health_and_pages_are_served(running):
    with httpx.Client(base_url=running.url) as client:
        assert client.get("/livez").text == "ok\n"
        assert client.get("/readyz").json() == {"ready": True, "reason": None}
        assert "<title>" in client.get("/").text
        assert client.get("/nothing").status_code == 404


def test_the_printed_curl_command_works(running):
    output = (running.home / "output").read_text()
    command = output[output.index("curl") : output.index("Press Ctrl-C")]
    answer = subprocess.check_output(["/bin/sh", "-c", command], text=True)
    assert '"ticketNumber"' in answer
    assert '"errors"' not in answer


def test_invalid_http_is_400_and_no_server_header_is_sent(running):
    with socket.create_connection(("127.0.0.1", running.port)) as connection:
        connection.sendall(b"GET /livez HTTP/1.1\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(4096), b""))
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b'"code":"BAD_USER_INPUT"' in answer
    assert "Server" not in httpx.get(f"{running.url}/livez").headers


def processes_of(home: Path) -> list[str]:
    lines = subprocess.check_output(["/bin/ps", "axww", "-o", "pid,args"], text=True).splitlines()
    return [line for line in lines if str(home) in line]


def test_the_banner_comes_when_the_server_serves(running):
    output = (running.home / "output").read_text()
    assert output.index(f"['{running.url}']") < output.index("Baton is running.")
    [token_command] = re.findall(r"from: (.*)", output)
    command = f"cd {CHECKOUT}; {token_command}"
    token = subprocess.check_output(
        ["/bin/sh", "-c", command], env=environment(DATA_DIR=str(running.home)), text=True
    )
    assert token.count(".") == 2


@pytest.mark.parametrize("command", ["dev", "serve"])
def test_a_taken_port_is_one_sentence(running, fresh_url, command, tmp_path):
    settings = environment(DATABASE_URL=fresh_url, DATA_DIR=str(tmp_path))
    arguments = [sys.executable, "-m", "app", command, "--port", str(running.port)]
    done = subprocess.run(
        arguments, cwd=CHECKOUT, env=settings, capture_output=True, text=True, check=False, timeout=180
    )
    assert done.returncode == 1
    assert f"such as --port {running.port + 1}" in done.stderr
    assert done.stderr.count("\n") == 1
    assert "Baton is running" not in done.stdout


# Last, because it stops the shared server.
def test_a_restart_leaves_no_process_and_keeps_the_data(running, dispatcher):
    query = "query All { tickets(first: 100) { totalCount nodes { id status assignmentHistory { id } } } }"
    before = plain_client(running, dispatcher)(query)
    assert before["tickets"]["totalCount"] == 40
    assert processes_of(running.home)
    running.process.send_signal(signal.SIGTERM)
    running.process.wait(PATIENCE_S)
    wait_until(lambda: not processes_of(running.home), "processes are left")
    with started(running.home) as restarted:
        assert plain_client(restarted, dispatcher)(query) == before
