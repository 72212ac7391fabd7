# One image a service: docker build --build-arg SERVICE=governor .
# Node runs the TypeScript as it is, so an image is the workspace with the production dependencies of one service.
FROM node:24-bookworm-slim

ARG SERVICE
ENV NODE_ENV=production
WORKDIR /app

# Manifests first: dependencies are installed anew only when they change. `pnpm-workspace.yaml` would install again
# before each script (verifyDepsBeforeRun); images run node directly.
COPY package.json pnpm-lock.yaml pnpm-workspace.yaml ./
COPY lua/package.json lua/
COPY packages packages
COPY services services
RUN npx -y pnpm@12 install --frozen-lockfile --prod --no-optional --filter "@quantum/${SERVICE}..." && rm -rf /root/.npm
COPY lua lua

ENV SERVICE=${SERVICE} HTTP_HOST=0.0.0.0
USER node
STOPSIGNAL SIGTERM
# exec: signals reach Node.
CMD ["sh", "-c", "exec node services/$SERVICE/src/main.ts"]
