#!/usr/bin/env bash
# Makes bench/peers/.venv (not under version control) with the pinned peers. PyTorch's package for Linux on PyPI is the
# one with GPU libraries, some gigabytes; a smaller build for CPUs, where one is at hand, can be named: TORCH=… install.sh
set -euo pipefail
cd "$(dirname "$0")"
python="${PYTHON:-python3}"
[ -d .venv ] || "$python" -m venv .venv
if [ -n "${TORCH:-}" ]; then
  .venv/bin/pip install "$TORCH"
  grep -v '^torch==' requirements.txt | .venv/bin/pip install -r /dev/stdin
else
  .venv/bin/pip install -r requirements.txt
fi
.venv/bin/python -c 'import torch; print("torch", torch.__version__)'
.venv/bin/python -c 'import keras; print("keras", keras.__version__)' 2>/dev/null
