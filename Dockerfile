# The command as one file, in an image without Node.js and without a shell.
#
#     docker build --build-arg SOURCE_COMMIT="$(git rev-parse HEAD)" -t registry.example.com/credstash .
#     docker run --rm registry.example.com/credstash --version
#
# RELEASING.md says how to look the digests up. dependabot keeps them new.

# It builds for both architectures, and runs on the one that builds.
FROM --platform=$BUILDPLATFORM node:24-slim@sha256:a9f5f7c91a432850b2a8a7797adf5eadb6c733ceed61167806cee7ea7fbc29df AS build
ARG TARGETARCH
ARG SOURCE_COMMIT
WORKDIR /src
COPY . .
RUN npm ci --ignore-scripts && npm run build:standalone "linux-$TARGETARCH"

# The C library, certificates, and a user without rights.
FROM gcr.io/distroless/cc-debian13:nonroot@sha256:e792ab3d241a468a4fd7519ddbbebe66b49b5f365771716ea688ad40b6c6f1c2
LABEL org.opencontainers.image.title=credstash
LABEL org.opencontainers.image.source=https://github.com/your--organization/credstash
LABEL org.opencontainers.image.licenses=Apache-2.0
COPY --from=build /src/LICENSE /src/THIRD-PARTY-NOTICES /usr/share/doc/credstash/
COPY --from=build /src/dist/release/credstash-linux-* /usr/local/bin/credstash
# As a number, so that Kubernetes can see that it is not root.
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/credstash"]
CMD ["--help"]
