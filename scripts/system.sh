#!/bin/sh
# Installs what the system lacks (Python's venv, a Chromium for the browser tests), as root or by sudo; else names the command.
set -e
has() { command -v "$1" >/dev/null 2>&1; }
missing=""
python3 -c 'import ensurepip, venv' 2>/dev/null || missing="python3-venv"
if ! has chromium-headless-shell; then  # without windows and half as heavy; a whole Chromium does too
  if [ "$(id -u)" = 0 ] && has apt-get || ! { has chromium || has chromium-browser || has google-chrome; }; then
    missing="$missing chromium-headless-shell"
  fi
fi
[ -z "$missing" ] && exit 0
if [ "$(id -u)" = 0 ]; then as=""; elif has sudo; then as="sudo"; else as="no"; fi
if [ "$as" = no ] || ! has apt-get; then
  echo "Please install first: $missing   (apt-get install $missing; chromium where there is no chromium-headless-shell)"
  case "$missing" in *venv*) exit 1 ;; *) exit 0 ;; esac
fi
echo "[0/3] installing $missing"
install() { $as apt-get install -y -qq "$1" >/dev/null 2>&1; }
$as apt-get update -qq
case "$missing" in *venv*) install python3-venv || exit 1 ;; esac
case "$missing" in
  *chromium*)
    install chromium-headless-shell || has chromium || has chromium-browser || has google-chrome || install chromium ||
      echo "Chromium could not be installed: the browser tests will say so."
    ;;
esac
