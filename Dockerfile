# One image for web, worker, beat and migrate; none of the development groups are in it.
ARG PYTHON_IMAGE=python:3.13-slim
FROM ${PYTHON_IMAGE} AS build
ENV UV_PYTHON_DOWNLOADS=never UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1
WORKDIR /app
COPY requirements-uv.txt ./
RUN pip install --no-cache-dir --require-hashes -r requirements-uv.txt
COPY pyproject.toml uv.lock ./
RUN uv sync --frozen --no-default-groups

FROM ${PYTHON_IMAGE}
RUN useradd --system --uid 10001 --create-home portal
WORKDIR /app
COPY --from=build /app/.venv /app/.venv
COPY manage.py ./
COPY customers customers
COPY mining mining
COPY billing billing
COPY portal portal
COPY templates templates
ENV PATH=/app/.venv/bin:$PATH PYTHONUNBUFFERED=1 PORTAL_DATA_DIR=/var/lib/portal DJANGO_SETTINGS_MODULE=portal.settings
# Files with hashed names are made here, with settings that open nothing and are not in the image.
RUN env PORTAL_MODE=production SECRET_KEY=$(python -c "import secrets; print(secrets.token_urlsafe(64))") \
    DATABASE_URL=postgresql://build@/build REDIS_URL=redis://localhost ALLOWED_HOSTS=build PORTAL_URL=https://build \
    EMAIL_URL=console:// DEFAULT_FROM_EMAIL=build@build $(python -c "from customers.sealing import new_key_pair; print('POOL_SEALING_PUBLIC_KEYS=b:' + new_key_pair()[1])") \
    python manage.py collectstatic --noinput --verbosity 0 \
    && mkdir -p /var/lib/portal && chown portal:portal /var/lib/portal
USER portal
EXPOSE 8000
CMD ["gunicorn", "-c", "python:portal.gunicorn", "portal.wsgi"]
