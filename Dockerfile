# The front end and the wheel are built in the first stage; the second one holds Python and what the service needs.
FROM python:3.11-slim-bookworm AS build
WORKDIR /build
COPY . .
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:3.11-slim-bookworm
RUN apt-get update \
 && apt-get install -y --no-install-recommends libgomp1 \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 10001 --create-home labelwise \
 && install -d -o labelwise -g labelwise -m 0700 /data
COPY constraints.txt /tmp/constraints.txt
COPY --from=build /wheels /wheels
RUN wheel=$(ls /wheels/labelwise-*.whl) \
 && pip install --no-cache-dir -c /tmp/constraints.txt "labelwise[server,onnx,buckets] @ file://$wheel" \
 && rm -rf /wheels /tmp/constraints.txt
USER labelwise
WORKDIR /data
ENV LABELWISE_DATA=/data \
    LABELWISE_HOST=0.0.0.0 \
    PYTHONUNBUFFERED=1
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
STOPSIGNAL SIGTERM
CMD ["labelwise", "serve"]
