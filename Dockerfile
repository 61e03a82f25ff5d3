# The base is yours to choose: any image with Python 3.11 or newer and pip, by digest where you pin.
ARG BASE_IMAGE=python:3.13-slim

# Stage 1: the wheel, built by the locked build backend. A lock names all that is needed, so that pip
# looks for nothing else (--no-deps).
FROM ${BASE_IMAGE} AS build
WORKDIR /build
COPY requirements/build.txt requirements/
RUN --mount=type=cache,target=/root/.cache/pip \
    python -m pip install --no-deps --require-hashes --requirement requirements/build.txt
COPY pyproject.toml README.md LICENSE CHANGELOG.md ./
COPY backfill/ backfill/
RUN python -m pip wheel --no-deps --no-build-isolation --no-index --wheel-dir /dist .

# Stage 2: what runs. REQUIREMENTS=sandbox adds what `backfill sandbox` and `backfill demo` need.
FROM ${BASE_IMAGE}
ARG REQUIREMENTS=runtime
COPY requirements/${REQUIREMENTS}.txt /opt/backfill/requirements.txt
COPY --from=build /dist/ /opt/backfill/
RUN --mount=type=cache,target=/root/.cache/pip \
    python -m pip install --no-deps --require-hashes --requirement /opt/backfill/requirements.txt \
    && python -m pip install --no-deps --no-index /opt/backfill/*.whl \
    && mkdir --mode=0700 /run-dir \
    && chown 10001:10001 /run-dir

# The root may be read-only: all that is written lies in the run directory, temporary files too.
ENV HOME=/run-dir \
    TMPDIR=/run-dir \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
VOLUME /run-dir
WORKDIR /run-dir
USER 10001:10001

# SIGTERM drains: copies in flight end, the journal is closed, and the same command resumes.
STOPSIGNAL SIGTERM
ENTRYPOINT ["backfill"]
CMD ["--help"]
