"""Operations documents and deployment examples match settings, metrics, paths and timeouts."""

import json
import re
from dataclasses import fields
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from app.config import Settings
from app.db import sql
from app.graphql.transport.websocket import DRAIN_TIMEOUT_S
from app.observability.metrics import OLD_NAMES, Metrics
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
EXTERNAL = re.compile(r"OTEL_(SERVICE_NAME|EXPORTER_OTLP_HEADERS|TRACES_SAMPLER)|POSTGRES_\w+|PYTHON\w+")
SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "info": ("_info",)}


def families():
    return [
        family for family in Metrics()._registry.collect() if family.name.startswith(("baton_", "process_"))
    ]


def series_names() -> set[str]:
    return {family.name + end for family in families() for end in SUFFIXES.get(family.type, ("",))}


def queried_in(text: str) -> set[str]:
    return set(re.findall(r"\b(?:baton|process)_[a-z_]+[a-z](?=[{\[ \"`])", text))


def test_every_setting_is_documented_with_its_default():
    rows = re.findall(r"^\| `([A-Z_]+)` \| (?:`(.*?)`)? ?\| (.*) \|$", OPERATIONS, re.MULTILINE)
    assert {name: (default, description) for name, default, description in rows} == {
        name: (shown(f.default), f.metadata["description"]) for name, f in SETTINGS.items()
    }


def shown(default: object) -> str:
    if default in ("", ()):
        return ""
    return str(int(default) if isinstance(default, bool) else default)


def test_every_metric_is_documented_with_its_type_and_labels():
    rows = re.findall(r"^\| `(baton_\w+)` \| (\w+) \| ([\w, ]*?) ?\| (.*) \|$", OPERATIONS, re.MULTILINE)
    ends = {"counter": "_total", "info": "_info"}
    assert [(name, kind, description) for name, kind, _, description in rows] == [
        (f.name + ends.get(f.type, ""), f.type, f.documentation)
        for f in families()
        if f.name.startswith("baton_")
    ]
    labels = {name: set(filter(None, listed.split(", "))) for name, _, listed, _ in rows}
    assert {name: names for name, names in labels.items() if names} == label_names() | {
        "baton_build_info": {"version", "python"}
    }


def label_names() -> dict[str, set[str]]:
    labels = {}
    for metric in set(Metrics()._registry._collector_to_names):
        if getattr(metric, "_labelnames", ()) and metric._type != "info":
            end = "_total" if metric._type == "counter" else ""
            labels[metric._name + end] = set(metric._labelnames)
    return labels


@pytest.mark.parametrize("text", [GRAFANA, OPERATIONS.split("## Alerts")[1]], ids=["dashboard", "alerts"])
def test_queried_metrics_exist(text):
    queried = queried_in(text)
    assert len(queried) > 5
    assert queried - series_names() - {family.name for family in families()} == set()


def test_the_dashboard_shows_every_metric():
    queries = [t["expr"] for panel in json.loads(GRAFANA)["panels"] for t in panel["targets"]]
    queried = queried_in(" ".join(queries))
    assert {family.name for family in families() if family.name.startswith("baton_")} == {
        re.sub(r"_(total|bucket|sum|count|info)$", "", name) for name in queried if name.startswith("baton_")
    }
    for query in queries:
        assert query.count("(") == query.count(")"), query


def test_the_dashboard_groups_by_existing_labels():
    for labels, series in re.findall(r"sum by \(([\w, ]+)\) \((?:rate\()?(baton_\w+)\{", GRAFANA):
        metric = re.sub(r"_(bucket|sum|count)$", "", series)
        assert set(labels.split(", ")) - {"le", "instance"} <= label_names().get(metric, set()), metric


def test_named_statements_exist():
    names = set(re.findall(r"`(tickets\.\w+)`", OPERATIONS))
    assert names == {query.name for query in sql.LOADED if query.name.startswith("tickets.lock")}


@pytest.mark.parametrize("text", [KUBERNETES, COMPOSE, DOCKERFILE], ids=["kubernetes", "compose", "image"])
def test_settings_of_the_examples_exist(text):
    names = set(re.findall(r"^\s*(?:ENV )?([A-Z]+(?:_[A-Z]+)+)[:=]", text, re.MULTILINE))
    assert names
    assert {name for name in names - SETTINGS.keys() if not EXTERNAL.fullmatch(name)} == set()


def test_documented_variables_exist():
    names = set(re.findall(r"`([A-Z]+(?:_[A-Z]+)+)`", OPERATIONS))
    assert {name for name in names - SETTINGS.keys() if not EXTERNAL.fullmatch(name)} == set()


def test_the_kubernetes_example_sets_what_production_requires():
    for name in ("DATABASE_URL", "ALLOWED_HOSTS", "AUTH_JWKS_URL", "AUTH_ISSUER", "AUTH_AUDIENCE"):
        assert f"  {name}: " in KUBERNETES


def test_probes_use_existing_paths(route_paths):
    probes = dict(re.findall(r"(\w+)Probe:\s+httpGet: \{path: (/\w+),", KUBERNETES))
    assert probes == {"startup": "/livez", "readiness": "/readyz", "liveness": "/livez"}
    assert set(probes.values()) <= route_paths
    assert "8000/livez" in DOCKERFILE


@pytest.fixture
def route_paths(shared_url) -> set[str]:
    return {route.path for route in make_app(shared_url).routes}


def test_the_grace_period_covers_the_shutdown():
    [grace_s] = re.findall(r"terminationGracePeriodSeconds: (\d+)", KUBERNETES)
    longest_s = SETTINGS["SHUTDOWN_DRAIN_S"].default + DRAIN_TIMEOUT_S + MAX_RESPONSE_S
    assert int(grace_s) > longest_s
    assert int(re.findall(r"stop_grace_period: (\d+)s", COMPOSE)[0]) > longest_s


def test_the_startup_probe_covers_the_wait_for_the_database():
    [(period_s, attempts)] = re.findall(
        r"startupProbe:.*?periodSeconds: (\d+).*?failureThreshold: (\d+)", KUBERNETES, re.DOTALL
    )
    assert int(period_s) * int(attempts) > SETTINGS["DATABASE_WAIT_S"].default


def test_the_image_and_the_pods_use_the_same_user():
    [uid] = re.findall(r"^USER (\d+)$", DOCKERFILE, re.MULTILINE)
    assert set(re.findall(r"runAsUser: (\d+)", KUBERNETES)) == {uid}


def test_the_compose_example_has_no_default_password():
    passwords = re.findall(r"\$\{\w*PASSWORD\w*([^}]*)\}", COMPOSE)
    assert len(passwords) == 2
    assert all(rest.startswith(":?") for rest in passwords)
    assert "127.0.0.1:8000:8000" in COMPOSE


def test_images_are_pinned():
    images = re.findall(r"^\s*(?:ARG BASE=|image: )(\S+)$", DOCKERFILE + COMPOSE, re.MULTILINE)
    assert len(images) == 2
    assert all(re.search(r":\d+\.\d+", image) for image in images), images


def test_renamed_metrics_are_documented_and_exported_under_both_names():
    documented = dict(re.findall(r"^\| `(baton_\w+)` \| `(baton_\w+)` \|", OPERATIONS, re.MULTILINE))
    assert documented == {old.decode(): new.decode() for new, old in OLD_NAMES.items()}
    metrics = Metrics()
    metrics.replica_reads("served").inc()
    text = metrics.text().decode()
    for old, new in documented.items():
        lines = re.findall(rf"^.*\b{new}(?![a-z]).*$", text, re.MULTILINE)
        assert re.findall(rf"^.*\b{old}(?![a-z]).*$", text, re.MULTILINE) == [
            x.replace(new, old) for x in lines
        ]
        assert len(lines) > 2


def test_metric_names_follow_the_prometheus_conventions():
    text = Metrics().text().decode()
    for family in text_string_to_metric_families(text):
        if family.name.startswith("baton_"):
            assert family.type == "counter" or not family.name.endswith("_total")
            assert not re.search(r"_(ms|milliseconds|minutes)$", family.name)
