# Images of the four services, one target each: docker build --target ingest .
#
# BIN_SOURCE says where the binaries come from: `build` compiles them here, `prebuilt` takes those of the folder dist/bin, which
# `./dev images` fills from what cargo has built on this machine (Debian 12, or older).
ARG BIN_SOURCE=build

FROM rust:1-bookworm AS build
RUN apt-get update \
    && apt-get install --yes --no-install-recommends nodejs npm \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
# The api embeds the dashboard.
RUN cd services/api/dashboard && npm ci --no-audit --no-fund && npm run build
RUN cargo build --profile dist --locked --bin tocsin-ingest --bin tocsin-worker --bin tocsin-notifier --bin tocsin-api \
    && mkdir /bins \
    && for service in ingest worker notifier api; do \
           install --strip --mode 755 "target/dist/tocsin-$service" /bins/; \
       done

FROM scratch AS prebuilt
COPY dist/bin /bins

# hadolint ignore=DL3006
FROM ${BIN_SOURCE} AS bins

FROM debian:bookworm-slim AS runtime
# Certificate authorities, for what is sent to chat and what is fetched from AWS.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --system --gid 10001 tocsin \
    && useradd --system --uid 10001 --gid tocsin --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin tocsin
COPY --chmod=755 compose/images/answers-200 /usr/local/bin/answers-200
USER 10001:10001
# A container's own loopback is closed to everybody else, so services listen on all of its addresses.
ENV TOCSIN_LISTEN=0.0.0.0:8080
EXPOSE 8080
# Beyond TOCSIN_DRAIN_DELAY and TOCSIN_SHUTDOWN_TIMEOUT whoever stops a container should wait: 30 s at most, so 35 s.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=2s --start-period=20s --retries=3 CMD ["answers-200", "8080", "/health"]

FROM runtime AS ingest
COPY --from=bins /bins/tocsin-ingest /usr/local/bin/
ENTRYPOINT ["tocsin-ingest"]

FROM runtime AS worker
COPY --from=bins /bins/tocsin-worker /usr/local/bin/
ENTRYPOINT ["tocsin-worker"]

FROM runtime AS notifier
COPY --from=bins /bins/tocsin-notifier /usr/local/bin/
ENTRYPOINT ["tocsin-notifier"]

FROM runtime AS api
COPY --from=bins /bins/tocsin-api /usr/local/bin/
ENTRYPOINT ["tocsin-api"]
