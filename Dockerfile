FROM node:24-slim
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --no-audit --no-fund
COPY . .
RUN mkdir -p data && chown node data
USER node
ENV HOST=0.0.0.0
EXPOSE 3000
CMD ["node", "scripts/up.ts"]
