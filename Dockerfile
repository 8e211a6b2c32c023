FROM python:3.13-slim-bookworm AS build

WORKDIR /src
COPY pyproject.toml hatch_build.py README.md schema.graphql ./
COPY admin-ui admin-ui
COPY sql sql
COPY app app
RUN pip wheel --no-cache-dir --wheel-dir /wheels .

FROM python:3.13-slim-bookworm

WORKDIR /srv
RUN --mount=type=bind,from=build,source=/wheels,target=/wheels \
    pip install --no-cache-dir --no-index /wheels/*.whl \
    && useradd --system --uid 10001 --no-create-home baton

USER 10001
ENV APP_ENV=production
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/livez', timeout=2)"]
CMD ["python", "-m", "app", "serve", "--host", "0.0.0.0", "--port", "8000"]
