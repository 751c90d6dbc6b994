# Two images from one file:
#
#   docker build --target forecaster --build-arg VERSION=v1.2.3 -t kedastral-forecaster:v1.2.3 .
#   docker build --target scaler     --build-arg VERSION=v1.2.3 -t kedastral-scaler:v1.2.3 .
#   docker build --target sbom       --output type=local,dest=out .     # CycloneDX, one file a binary
#
# An image holds one static binary, the CA certificates and the time zones; no shell, no
# package manager, no writable file. scripts/image proves the same contents without an engine.
ARG GO_VERSION=1.26.8

# The build runs on the builder's own platform and crosses over: no emulation.
FROM --platform=$BUILDPLATFORM golang:${GO_VERSION}-bookworm AS source
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY scripts/build scripts/build
COPY shared shared
COPY forecaster forecaster
COPY scaler scaler

FROM source AS build
ARG TARGETOS
ARG TARGETARCH
ARG VERSION=unknown
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    GOOS=$TARGETOS GOARCH=$TARGETARCH VERSION=$VERSION scripts/build /out

# Read from the binaries themselves: what is linked in, and nothing else.
FROM build AS components
ARG VERSION=unknown
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    mkdir /sbom \
    && for name in forecaster scaler; do \
         go run github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0 \
           bin -json -licenses -noserial -version "$VERSION" -output "/sbom/$name.cdx.json" "/out/$name" || exit 1; \
       done

FROM scratch AS sbom
COPY --from=components /sbom/ /

# What both images share. The zones are the toolchain's own, so they move with it.
FROM scratch AS base
COPY --from=source /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=source /usr/local/go/lib/time/zoneinfo.zip /usr/share/zoneinfo.zip
ENV ZONEINFO=/usr/share/zoneinfo.zip
USER 65532:65532

FROM base AS forecaster
ARG VERSION=unknown
LABEL org.opencontainers.image.title="kedastral-forecaster" \
      org.opencontainers.image.source="https://github.com/kedastral/kedastral" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}"
COPY --from=build /out/forecaster /forecaster
EXPOSE 8081
ENTRYPOINT ["/forecaster"]

FROM base AS scaler
ARG VERSION=unknown
LABEL org.opencontainers.image.title="kedastral-scaler" \
      org.opencontainers.image.source="https://github.com/kedastral/kedastral" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}"
COPY --from=build /out/scaler /scaler
EXPOSE 50051 8082
ENTRYPOINT ["/scaler"]
