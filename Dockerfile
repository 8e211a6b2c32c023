# The exact tag; to pin its bytes as well, add the digest that `docker buildx imagetools inspect <tag>` prints:
#   docker build --build-arg BASE=python:3.13.9-slim-bookworm@sha256:<digest> .
ARG BASE=python:3.13.9-slim-bookworm

FROM ${BASE} AS build

WORKDIR /src
COPY pyproject.toml hatch_build.py README.md schema.graphql ./
COPY admin-ui admin-ui
COPY sql sql
COPY app app
# With what traces need: whoever wants them only has to say where they go.
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
# /livez: a container is not mended by a restart when it is the database that is away.
HEALTHCHECK --interval=10s --timeout=3s --start-period=90s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/livez', timeout=2)"]
CMD ["python", "-m", "app", "serve", "--host", "0.0.0.0", "--port", "8000"]
