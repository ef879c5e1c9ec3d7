# Two stages: one that installs exactly what is locked, one that holds only the result, an unprivileged user and no package index.
FROM python:3.11-slim-bookworm AS builder
ENV PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
RUN python -m venv /opt/seawall && python -m venv /opt/build
COPY requirements/run.txt requirements/build.txt requirements/
RUN /opt/seawall/bin/python -m pip install --require-hashes -r requirements/run.txt \
    && /opt/build/bin/python -m pip install --require-hashes -r requirements/build.txt
COPY pyproject.toml README.md LICENSE ./
COPY detectors detectors
COPY alerts alerts
COPY monitor monitor
RUN /opt/build/bin/python -m hatchling build -t wheel -d /wheel \
    && /opt/seawall/bin/python -m pip install --no-index --no-deps /wheel/*.whl

FROM python:3.11-slim-bookworm
# The journal is the one thing written; everything else may be mounted read-only (docker run --read-only).
RUN groupadd --gid 10001 seawall \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/seawall --shell /usr/sbin/nologin seawall \
    && install -d -o seawall -g seawall -m 0700 /var/lib/seawall
COPY --from=builder /opt/seawall /opt/seawall
ENV PATH=/opt/seawall/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
WORKDIR /var/lib/seawall
USER 10001:10001
VOLUME ["/var/lib/seawall"]
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=6s --start-period=30s --retries=3 CMD ["seawall", "health"]
ENTRYPOINT ["seawall"]
CMD ["run", "-c", "/etc/seawall/seawall.yaml"]
