# One image a service: docker build --build-arg SERVICE=governor --build-arg PORT=8044 .
# permitctl has one, too: docker build --build-arg FOLDER=cli --build-arg SERVICE=permitctl .
# The image does not see .git: --build-arg COMMIT="$(git rev-parse --short=12 HEAD)" is what /healthz and --version tell.
# Node runs the TypeScript as it is: an image is Node, the service's part of the workspace, and its production
# dependencies.
# A tag and no digest: digests are a registry's, and none was at hand when this was written. Where images are made for
# real orders, pin it: docker buildx imagetools inspect node:24-bookworm-slim, --build-arg NODE_IMAGE=…
ARG NODE_IMAGE=node:24-bookworm-slim
FROM ${NODE_IMAGE} AS build
WORKDIR /workspace
# Before SERVICE is known, so that all images share it, and it is done again only when the lockfile changes.
COPY pnpm-lock.yaml pnpm-workspace.yaml ./
RUN npx -y pnpm@12.21.0 --config.optional=false fetch --prod --store-dir /store
COPY . .
ARG SERVICE
ARG COMMIT=unknown
RUN node ops/install/closure.mjs "$SERVICE" /app \
  && cd /app \
  && npx -y pnpm@12.21.0 install --offline --frozen-lockfile --prod --no-optional --store-dir /store \
    --filter-prod "@quantum/$SERVICE..." \
  && printf '{"commit":"%s"}\n' "$COMMIT" > build.json

FROM ${NODE_IMAGE}
ARG FOLDER=services
ARG SERVICE
ARG PORT
ENV NODE_ENV=production HTTP_HOST=0.0.0.0 HEALTH_PORT=${PORT}
COPY --from=build /app /app
WORKDIR /app/${FOLDER}/${SERVICE}
# A new volume takes its owner from here.
RUN install --directory --owner=node --group=node --mode=0700 /state
# The files are root's: a service cannot change its own code.
USER node
STOPSIGNAL SIGTERM
# A busy machine takes seconds to start the Node that asks.
HEALTHCHECK --interval=5s --timeout=10s --start-period=30s --retries=3 CMD ["node", "-e", \
  "fetch('http://127.0.0.1:' + process.env.HEALTH_PORT + '/readyz').then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
# Node itself is process 1 and gets the signals: no shell between.
CMD ["node", "src/main.ts"]
