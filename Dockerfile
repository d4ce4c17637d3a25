# Two stages: a wheel and its dependencies are built with tools, and run without them, as nobody in particular.
# tests/cluster/test_wheel.py does the same without Docker, and runs a flow with it.
FROM python:3.12-slim AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE constraints.txt ./
COPY jobflow ./jobflow
RUN python -m venv /opt/jobflow \
    && /opt/jobflow/bin/pip install --no-cache-dir -c constraints.txt "."

FROM python:3.12-slim
COPY --from=build /opt/jobflow /opt/jobflow
# 65532 is the "nonroot" of distroless images; nothing is written outside TMPDIR, so the root may be read-only.
USER 65532:65532
ENV PATH=/opt/jobflow/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
ENTRYPOINT ["jobflow"]
CMD ["controller", "--log-format", "json"]
