# The local chain of the compose file: the release of anvil that package.json pins for the tests.
FROM node:22-bookworm-slim
RUN npm install --global --ignore-scripts --no-audit --no-fund @foundry-rs/anvil-linux-amd64@1.7.1 \
    && ln -s "$(npm root --global)/@foundry-rs/anvil-linux-amd64/bin/anvil" /usr/local/bin/anvil
USER 1000:1000
EXPOSE 8545
ENTRYPOINT ["anvil"]
CMD ["--host", "0.0.0.0"]
