#!/bin/sh
# Prints the lines of .env that name the images by digest. Needs Docker and its registry; run it again for newer ones:
#   sh docs/deploy/pin-images.sh >> .env
set -eu
pin() {
  docker pull --quiet "$2" >/dev/null
  echo "$1=$(docker image inspect --format '{{index .RepoDigests 0}}' "$2")"
}
pin POSTGRES_IMAGE postgres:18
pin VALKEY_IMAGE valkey/valkey:9
pin PYTHON_IMAGE python:3.13-slim
