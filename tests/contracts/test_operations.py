"""What the operator's documents and examples say of settings, metrics, paths and times is so."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from app.config import Settings
from app.db import sql
from app.graphql.transport.websocket import DRAIN_TIMEOUT_S
from app.observability.metrics import Metrics
from app.server.server import MAX_RESPONSE_S
from tests.apps import make_app

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "docs" / "deploy"
OPERATIONS = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
GRAFANA = (DEPLOY / "grafana.json").read_text(encoding="utf-8")
KUBERNETES = (DEPLOY / "kubernetes.yaml").read_text(encoding="utf-8")
COMPOSE = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
SETTINGS = {f.name.upper(): f for f in fields(Settings)}
NOT_OURS = re.compile(r"OTEL_(SERVICE_NAME|EXPORTER_OTLP_HEADERS|TRACES_SAMPLER)|POSTGRES_\w+|PYTHON\w+")
SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "info": ("_info",)}


def families():
    return [
        family for family in Metrics()._registry.collect() if family.name.startswith(("baton_", "process_"))
    ]


def names() -> set[str]:
    """As a query asks for them."""
    return {family.name + end for family in families() for end in SUFFIXES.get(family.type, ("",))}


def asked_for(text: str) -> set[str]:
    return set(re.findall(r"\b(?:baton|process)_[a-z_]+[a-z](?=[{\[ \"`])", text))


def test_every_setting_is_told_with_its_default():
    told = re.findall(r"^\| `([A-Z_]+)` \| (?:`(.*?)`)? ?\| (.*) \|$", OPERATIONS, re.MULTILINE)
    assert {name: (default, said) for name, default, said in told} == {
        name: (shown(f.default), f.metadata["description"]) for name, f in SETTINGS.items()
    }


def shown(default: object) -> str:
    if default in ("", ()):
        return ""
    return str(int(default) if isinstance(default, bool) else default)


def test_every_metric_is_told_with_its_kind_and_labels():
    told = re.findall(r"^\| `(baton_\w+)` \| (\w+) \| ([\w, ]*?) ?\| (.*) \|$", OPERATIONS, re.MULTILINE)
    ends = {"counter": "_total", "info": "_info"}
    assert [(name, kind, said) for name, kind, _, said in told] == [
        (f.name + ends.get(f.type, ""), f.type, f.documentation)
        for f in families()
        if f.name.startswith("baton_")
    ]
    labels = {name: set(filter(None, given.split(", "))) for name, _, given, _ in told}
    assert {name: given for name, given in labels.items() if given} == labelled() | {
        "baton_build_info": {"version", "python"}
    }


def labelled() -> dict[str, set[str]]:
    found = {}
    for metric in set(Metrics()._registry._collector_to_names):
        if getattr(metric, "_labelnames", ()) and metric._type != "info":
            end = "_total" if metric._type == "counter" else ""
            found[metric._name + end] = set(metric._labelnames)
    return found


@pytest.mark.parametrize("text", [GRAFANA, OPERATIONS.split("## Alerts")[1]], ids=["dashboard", "alerts"])
def test_what_is_asked_for_is_measured(text):
    asked = asked_for(text)
    assert len(asked) > 5
    assert asked - names() - {family.name for family in families()} == set()


def test_the_dashboard_shows_every_metric():
    queries = [t["expr"] for panel in json.loads(GRAFANA)["panels"] for t in panel["targets"]]
    shown = asked_for(" ".join(queries))
    assert {family.name for family in families() if family.name.startswith("baton_")} == {
        re.sub(r"_(total|bucket|sum|count|info)$", "", name) for name in shown if name.startswith("baton_")
    }
    for query in queries:
        assert query.count("(") == query.count(")"), query


def test_the_dashboards_labels_are_those_of_the_metrics():
    for name, label in re.findall(r"sum by \(([\w, ]+)\) \((?:rate\()?(baton_\w+)\{", GRAFANA):
        metric = re.sub(r"_(bucket|sum|count)$", "", label)
        assert set(name.split(", ")) - {"le", "instance"} <= labelled().get(metric, set()), metric


def test_statements_that_are_named_are_there():
    named = set(re.findall(r"`(tickets\.\w+)`", OPERATIONS))
    assert named == {query.name for query in sql.LOADED if query.name.startswith("tickets.lock")}


@pytest.mark.parametrize("text", [KUBERNETES, COMPOSE, DOCKERFILE], ids=["kubernetes", "compose", "image"])
def test_settings_of_the_examples_are_ours(text):
    set_there = set(re.findall(r"^\s*(?:ENV )?([A-Z]+(?:_[A-Z]+)+)[:=]", text, re.MULTILINE))
    assert set_there
    assert {name for name in set_there - SETTINGS.keys() if not NOT_OURS.fullmatch(name)} == set()


def test_names_in_capitals_are_settings():
    told = set(re.findall(r"`([A-Z]+(?:_[A-Z]+)+)`", OPERATIONS))
    assert {name for name in told - SETTINGS.keys() if not NOT_OURS.fullmatch(name)} == set()


def test_the_example_has_what_production_needs():
    for needed in ("DATABASE_URL", "ALLOWED_HOSTS", "AUTH_JWKS_URL", "AUTH_ISSUER", "AUTH_AUDIENCE"):
        assert f"  {needed}: " in KUBERNETES


def test_probes_ask_at_paths_that_answer(client_paths):
    probes = dict(re.findall(r"(\w+)Probe:\s+httpGet: \{path: (/\w+),", KUBERNETES))
    assert probes == {"startup": "/livez", "readiness": "/readyz", "liveness": "/livez"}
    assert set(probes.values()) <= client_paths
    assert "8000/livez" in DOCKERFILE


@pytest.fixture
def client_paths(shared_url) -> set[str]:
    return {route.path for route in make_app(shared_url).routes}


def test_a_server_has_the_time_to_end():
    [grace_s] = re.findall(r"terminationGracePeriodSeconds: (\d+)", KUBERNETES)
    longest_s = SETTINGS["SHUTDOWN_DRAIN_S"].default + DRAIN_TIMEOUT_S + MAX_RESPONSE_S
    assert int(grace_s) > longest_s
    assert int(re.findall(r"stop_grace_period: (\d+)s", COMPOSE)[0]) > longest_s


def test_a_server_has_the_time_to_start():
    [(period, times)] = re.findall(
        r"startupProbe:.*?periodSeconds: (\d+).*?failureThreshold: (\d+)", KUBERNETES, re.DOTALL
    )
    assert int(period) * int(times) > SETTINGS["DATABASE_WAIT_S"].default


def test_the_image_runs_as_the_user_that_the_pods_ask_for():
    [uid] = re.findall(r"^USER (\d+)$", DOCKERFILE, re.MULTILINE)
    assert set(re.findall(r"runAsUser: (\d+)", KUBERNETES)) == {uid}


def test_images_are_pinned():
    images = re.findall(r"^\s*(?:ARG BASE=|image: )(\S+)$", DOCKERFILE + COMPOSE, re.MULTILINE)
    assert len(images) == 2
    assert all(re.search(r":\d+\.\d+", image) for image in images), images


def test_metrics_follow_the_conventions():
    text = Metrics().text().decode()
    for family in text_string_to_metric_families(text):
        if family.name.startswith("baton_"):
            assert family.type == "counter" or not family.name.endswith("_total")
            assert not re.search(r"_(ms|milliseconds|minutes)$", family.name)
