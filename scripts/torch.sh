#!/bin/sh
# Installs Debian's PyTorch for the test of examples/torch_model.py: 151 MB to load, 652 MB on the disk, about a minute.
/usr/bin/python3 -c 'import torch, httpx' 2>/dev/null && exit 0
if [ "$(id -u)" = 0 ]; then as=""; elif command -v sudo >/dev/null 2>&1; then as="sudo"; else as="no"; fi
if [ "$as" = no ] || ! command -v apt-get >/dev/null 2>&1; then
  echo "PyTorch is not installed: its example is not tested   (apt-get install python3-torch python3-httpx)"
  exit 0
fi
echo "[+] installing PyTorch for its example's test (about a minute)"
$as apt-get update -qq
$as apt-get install -y -qq --no-install-recommends python3-torch python3-httpx >/dev/null || echo "PyTorch could not be installed: its example is not tested."
