#!/bin/sh
# Installs what the system lacks (Python's venv, Chromium for the browser tests), as root or by sudo; else names the command.
set -e
missing=""
python3 -c 'import ensurepip, venv' 2>/dev/null || missing="$missing python3-venv"
command -v chromium >/dev/null 2>&1 || command -v chromium-browser >/dev/null 2>&1 || command -v google-chrome >/dev/null 2>&1 || missing="$missing chromium"
[ -z "$missing" ] && exit 0
if [ "$(id -u)" = 0 ]; then as=""; elif command -v sudo >/dev/null 2>&1; then as="sudo"; else as="no"; fi
if [ "$as" = no ] || ! command -v apt-get >/dev/null 2>&1; then
  echo "Please install first:$missing   (apt-get install$missing)"
  case "$missing" in *venv*) exit 1 ;; *) exit 0 ;; esac
fi
echo "[0/3] installing$missing"
$as apt-get update -qq
$as apt-get install -y -qq $missing >/dev/null || case "$missing" in *venv*) exit 1 ;; *) echo "Chromium could not be installed: the browser tests will say so." ;; esac
