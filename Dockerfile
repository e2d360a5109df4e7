# Two images: `server` (the replica of a region, and the command line), and `shop` (the demo app that is its client).
#
#   docker build -t sojourn .                    the server
#   docker build -t sojourn-shop --target shop .
ARG NODE_IMAGE=node:22-bookworm-slim

# The manifests alone: the libraries are fetched anew only when one of these changes.
FROM ${NODE_IMAGE} AS manifests
WORKDIR /build
COPY package.json package-lock.json ./
COPY packages packages
COPY demo demo
RUN find packages demo -type f ! -name package.json -delete

# What both are built of.
FROM ${NODE_IMAGE} AS build
WORKDIR /build
ENV npm_config_update_notifier=false npm_config_fund=false npm_config_audit=false
COPY --from=manifests /build ./
RUN npm ci
COPY tsconfig.base.json ./
COPY packages packages
COPY demo demo
RUN npx tsc -b packages/cli demo

# What the server needs to run, and nothing else: its own libraries, without LevelDB for other systems.
FROM build AS server-files
RUN npm ci --omit=dev --workspace @sojourn/cli --include-workspace-root=false \
 && mkdir /app && cp -r package.json node_modules /app/ \
 && for name in core wire net store replica identity server cli; do \
      mkdir -p /app/packages/$name && cp -r packages/$name/package.json packages/$name/dist /app/packages/$name/; \
    done \
 && cp -r packages/cli/bin /app/packages/cli/
COPY deploy/docker /app/deploy/docker
RUN sh /app/deploy/docker/trim.sh /app

FROM build AS shop-files
RUN npm ci --omit=dev --workspace @sojourn/demo --include-workspace-root=false \
 && mkdir /app && cp -r package.json node_modules /app/ \
 && for name in core wire net store replica express identity client; do \
      mkdir -p /app/packages/$name && cp -r packages/$name/package.json packages/$name/dist /app/packages/$name/; \
    done \
 && mkdir /app/demo && cp -r demo/package.json demo/dist /app/demo/
COPY deploy/docker /app/deploy/docker
RUN sh /app/deploy/docker/trim.sh /app

FROM ${NODE_IMAGE} AS shop
ENV NODE_ENV=production SHOP_HOST=0.0.0.0 SHOP_PORT=3000 HEALTH_URL=http://127.0.0.1:3000/healthz
COPY --from=shop-files /app /app
WORKDIR /app
USER node
EXPOSE 3000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["node", "/app/deploy/docker/health.mjs"]
ENTRYPOINT ["node", "/app/demo/dist/remote.js"]

# Last, so that it is what `docker build .` makes.
FROM ${NODE_IMAGE} AS server
ENV NODE_ENV=production SOJOURN_DATA=/var/lib/sojourn SOJOURN_ADMIN_HOST=0.0.0.0 SOJOURN_ADMIN_PORT=7402
COPY --from=server-files /app /app
RUN ln -s /app/packages/cli/bin/sojourn.js /usr/local/bin/sojourn \
 && install -d -o node -g node -m 700 /var/lib/sojourn
WORKDIR /var/lib/sojourn
USER node
VOLUME /var/lib/sojourn
# Peers, clients, admin.
EXPOSE 7400 7401 7402
# Whether it lives, not whether it is ready: who is killed while it catches up never gets there.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["node", "/app/deploy/docker/health.mjs"]
ENTRYPOINT ["sojourn"]
CMD ["serve"]
