# No step depends on a platform: it is made once, for all.
FROM scratch AS certificates
ADD certs.tar /etc/ssl/
FROM scratch
COPY --from=certificates /etc/ssl /etc/ssl
COPY --from=busybox:musl /bin/busybox /bin/
COPY a b* /data/
VOLUME /data
