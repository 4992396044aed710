# The NATS server of the module's version, for machines that can pull no image.
FROM scratch
COPY nats-server /
EXPOSE 4222 6222
ENTRYPOINT ["/nats-server"]
