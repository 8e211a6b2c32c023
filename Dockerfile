# To pin the content as well as the tag, add the digest that `docker buildx imagetools inspect <tag>` prints:
#   docker build --build-arg BASE=python:3.13.9-slim-bookworm@sha256:<digest> .
ARG BASE=python:3.13.9-slim-bookworm

FROM ${BASE} AS build

WORKDIR /src
COPY pyproject.toml hatch_build.py README.md schema.graphql ./
COPY admin-ui admin-ui
COPY sql sql
COPY app app
# Includes the tracing extra, so that OTEL_EXPORTER_OTLP_ENDPOINT is enough to enable traces.
RUN pip wheel --no-cache-dir --wheel-dir /wheels '.[otel]'

FROM ${BASE}

ENV APP_ENV=production \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
WORKDIR /srv
RUN --mount=type=bind,from=build,source=/wheels,target=/wheels \
    pip install --no-cache-dir --no-index /wheels/*.whl \
    && useradd --system --uid 10001 --no-create-home baton \
    && python -m app schema > /dev/null

USER 10001
EXPOSE 8000
# /livez, not /readyz: restarting a container does not help while the database is down.
HEALTHCHECK --interval=10s --timeout=3s --start-period=90s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/livez', timeout=2)"]
CMD ["python", "-m", "app", "serve", "--host", "0.0.0.0", "--port", "8000"]
