# One image, three roles by command: code location, webserver, daemon. No credential is built in.
FROM python:3.11-slim AS build
WORKDIR /app
COPY pyproject.toml uv.lock README.md LICENSE ./
COPY shopify_xero_pipeline ./shopify_xero_pipeline
RUN python3 -m venv /app/.venv \
 && /app/.venv/bin/python -m pip install --quiet --no-cache-dir uv==0.13.8 \
 && /app/.venv/bin/uv sync --system-certs --quiet --frozen --no-dev --no-editable --no-cache \
 && /app/.venv/bin/python -m pip uninstall --quiet --yes uv

FROM python:3.11-slim
RUN useradd --uid 10001 --create-home --shell /usr/sbin/nologin books
WORKDIR /app
COPY --from=build /app/.venv /app/.venv
COPY workspace.yaml dagster.yaml books.yaml ./
ENV PATH=/app/.venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    DAGSTER_HOME=/app/.local/dagster
RUN mkdir -p /app/.local/dagster && cp dagster.yaml /app/.local/dagster/ && chown -R books:books /app/.local && chmod 700 /app/.local
USER books
VOLUME /app/.local
EXPOSE 4266 3000
# Webserver: shopify-xero webserver -h 0.0.0.0 -p 3000 -w workspace.yaml --log-format json (never publish it without a proxy that signs
#            people in; DAGSTER_URL or DAGSTER_HOSTS names the hosts under which people and health checks ask it)
# Daemon:    sh -c "dagster instance concurrency set xero 1 && exec dagster-daemon run -w workspace.yaml --log-format json"
CMD ["dagster", "code-server", "start", "-h", "0.0.0.0", "-p", "4266", "-m", "shopify_xero_pipeline.definitions", "--log-format", "json"]
