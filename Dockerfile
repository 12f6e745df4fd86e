# docker build -t gatehouse . && docker run -p 127.0.0.1:8080:8080 -v gatehouse:/data \
#   -e GATEHOUSE_BASE_URL=https://portal.example.org -e GATEHOUSE_TRUSTED_PROXY=172.17.0.1 gatehouse
# The proxy that serves https reaches the container from the address of Docker's bridge.
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags "-s -w" -o /gatehouse . && mkdir -m 0700 /data

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /gatehouse /gatehouse
COPY --from=build --chown=65532:65532 /data /data
USER 65532:65532
VOLUME /data
ENV GATEHOUSE_DATA=/data GATEHOUSE_LISTEN=:8080
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=10s --start-period=20s CMD ["/gatehouse", "health"]
ENTRYPOINT ["/gatehouse"]
CMD ["serve"]
