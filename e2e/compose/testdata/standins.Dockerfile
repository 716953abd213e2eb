# What stands in for the images of deploy/compose.yaml that come from public registries: the same software as Debian and Go
# modules bring it, behind the same commands, paths, variables and ports.
ARG DEBIAN_IMAGE=docker.io/library/debian:bookworm-slim

FROM scratch AS programs

FROM ${DEBIAN_IMAGE} AS postgres
# Debian's package would make a cluster of its own.
RUN apt-get update \
    && mkdir -p /etc/postgresql-common && echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf \
    && apt-get install --yes --no-install-recommends postgresql \
    && rm -rf /var/lib/apt/lists/* \
    && ln -s /usr/lib/postgresql/*/bin/* /usr/local/bin/ \
    && install --directory --owner=postgres --mode=0700 /var/lib/postgresql/data
COPY --chmod=755 postgres.sh /usr/local/bin/docker-entrypoint.sh
USER postgres
ENTRYPOINT ["docker-entrypoint.sh"]

FROM ${DEBIAN_IMAGE} AS temporal
RUN apt-get update \
    && apt-get install --yes --no-install-recommends netcat-openbsd socat \
    && rm -rf /var/lib/apt/lists/*
COPY --from=programs slipway-temporal /usr/local/bin/
COPY --chmod=755 temporal.sh /etc/temporal/entrypoint.sh

FROM ${DEBIAN_IMAGE} AS registry
RUN apt-get update && apt-get install --yes --no-install-recommends wget && rm -rf /var/lib/apt/lists/*
COPY --from=programs registry /usr/local/bin/
ENTRYPOINT ["registry"]

FROM ${DEBIAN_IMAGE} AS buildkitd
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates containernetworking-plugins iproute2 iptables runc socat \
    && rm -rf /var/lib/apt/lists/*
COPY --from=programs buildkitd /usr/local/bin/buildkitd.real
COPY --chmod=755 buildkitd.sh /usr/local/bin/buildkitd
COPY --chmod=755 buildctl.sh /usr/local/bin/buildctl
ENTRYPOINT ["buildkitd"]
