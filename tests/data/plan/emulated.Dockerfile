# Everything runs on the platform that it is for.
FROM base AS deps
ENV LANG=C.UTF-8
RUN apt-get update && \
    apt-get install -y thing
FROM deps
ARG VERSION=1.0
SHELL ["/bin/bash", "-ec"]
WORKDIR /srv
ADD site.tar /srv
COPY --from=dir-config app.conf /etc/
RUN ["configure", "--version", "$VERSION"]
USER www:www
WORKDIR data
CMD serve
