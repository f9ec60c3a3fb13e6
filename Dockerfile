# One image for coordinator, worker and page. Two stages: what builds the packages does not stay in it.
FROM python:3.12-slim AS build
WORKDIR /build
RUN python -m venv /opt/stage2fuzz
ENV PATH=/opt/stage2fuzz/bin:$PATH
# Every package in the version, and by the SHA-256, that the lock names.
COPY deploy/requirements.lock ./
RUN pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements.lock
COPY pyproject.toml README.md ./
COPY LICENSES LICENSES
COPY stage2fuzz stage2fuzz
COPY worker worker
COPY coordinator coordinator
COPY fuzz_targets fuzz_targets
COPY corpus corpus
RUN pip install --no-cache-dir --disable-pip-version-check --no-deps . && pip check

FROM python:3.12-slim
# gcc and libc6-dev compile a mounted kernel tree; nothing else of the system is needed.
RUN apt-get update \
    && apt-get install -y --no-install-recommends gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*
RUN useradd --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin stage2fuzz \
    && install -d -m 1777 /scratch
COPY --from=build /opt/stage2fuzz /opt/stage2fuzz
ENV PATH=/opt/stage2fuzz/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    STAGE2FUZZ_WORK=/scratch
USER 10001:10001
CMD ["stage2fuzz", "--help"]
