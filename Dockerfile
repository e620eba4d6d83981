# syntax=docker/dockerfile:1
# Parlor as an image: Node, the sources and their production dependencies, and nobody's rights. Needs to write only to /data (the
# embedded database, and the socket for the operator's commands) and /tmp.
#
#   docker build -t parlor .
#   docker run -p 8080:8080 -v parlor-data:/data --read-only --tmpfs /tmp parlor
ARG NODE_IMAGE=node:24-bookworm-slim

FROM ${NODE_IMAGE} AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY packages/cli/package.json packages/cli/
COPY packages/client/package.json packages/client/
COPY packages/contract/package.json packages/contract/
COPY packages/server/package.json packages/server/
RUN --mount=type=cache,target=/root/.npm npm ci --omit=dev --no-audit --no-fund
# What only compilers and debuggers read is a third of it.
RUN find node_modules packages -type f \( -name '*.map' -o -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' \) -delete

FROM ${NODE_IMAGE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Parlor" \
      org.opencontainers.image.description="A self-hosted real-time chat backend: one contract on gRPC, REST and WebSocket" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
ENV NODE_ENV=production \
    PARLOR_DATA_DIR=/data \
    HOME=/tmp \
    PATH=/app/node_modules/.bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
WORKDIR /app
COPY --from=dependencies /app ./
COPY LICENSE ./
COPY packages packages
RUN ln -s ../../packages/cli/src/parlor.ts node_modules/.bin/parlor && mkdir /data && chown 10001:10001 /data
USER 10001:10001
VOLUME /data
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --start-interval=1s --retries=3 CMD ["parlor", "health"]
ENTRYPOINT ["parlor"]
CMD ["serve"]
