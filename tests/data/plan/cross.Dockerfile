# A program is compiled on the build machine, for each platform.
ARG TOOL=tool:1
FROM --platform=$BUILDPLATFORM $TOOL AS build
RUN install-compilers
WORKDIR /src
COPY . .
ARG TARGETOS TARGETARCH
RUN make OS=$TARGETOS ARCH=$TARGETARCH

FROM base AS unused
RUN never

FROM base
LABEL org.opencontainers.image.title="cross"
COPY --from=build --chown=5:6 --chmod=0755 /src/app /usr/bin/
USER 5
ENTRYPOINT ["/usr/bin/app"]
