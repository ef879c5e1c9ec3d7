"""A container engine of the test's own: dockerd on a socket in a temporary folder, with a base image made from Debian packages.

The base carries the very name the Dockerfile asks for, so that the Dockerfile is built as it stands where nothing can be pulled.
How this machine reaches a package index (pip's configuration, its certificates) lives in that base image and nowhere else.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.parts import CACHE, need, need_root

BASE = "python:3.11-slim-bookworm"
STARTS_WITHIN = 30.0
AS_IN_THE_BASE = 'ln -s python3 "$1/usr/bin/python"'
CERTIFICATES = ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")


class Engine:
    """A running dockerd. `run` gives stdout and raises CalledProcessError with stderr in its notes."""

    def __init__(self, socket: Path) -> None:
        self.environment = {**os.environ, "DOCKER_HOST": f"unix://{socket}", "DOCKER_BUILDKIT": "0"}

    def run(self, *arguments: str, within: float = 60.0) -> str:
        """`docker ARGUMENTS`; `within` is in seconds."""
        done = self.call(*arguments, within=within)
        if done.returncode:
            error = subprocess.CalledProcessError(done.returncode, ["docker", *arguments])
            error.add_note(done.stdout[-2000:] + done.stderr[-4000:])
            raise error
        return done.stdout.strip()

    def call(self, *arguments: str, within: float = 60.0) -> subprocess.CompletedProcess[str]:
        """As `run`, whatever the exit code."""
        command = [str(need("docker")), *arguments]
        return subprocess.run(command, env=self.environment, timeout=within, capture_output=True, text=True, check=False)

    def answers(self) -> bool:
        """Is it up?"""
        return self.call("version").returncode == 0


@contextmanager
def engine(folder: Path) -> Iterator[Engine]:
    """Start dockerd with everything it keeps under `folder`, without touching the host's network; stop it by its pid."""
    need_root()
    socket, log = folder / "docker.sock", folder / "dockerd.log"
    command = [str(need("dockerd")), "-H", f"unix://{socket}", "-p", f"{folder}/pid", "--data-root", f"{folder}/data"]
    command += ["--exec-root", f"{folder}/exec", "--iptables=false", "--ip6tables=false", "--bridge=none"]
    with log.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=out) as dockerd:
        try:
            own, deadline = Engine(socket), time.monotonic() + STARTS_WITHIN
            while not own.answers():
                assert dockerd.poll() is None, log.read_text()[-2000:]
                assert time.monotonic() < deadline, f"dockerd does not answer: {log.read_text()[-2000:]}"
                time.sleep(0.2)
            yield own
        finally:
            dockerd.terminate()
            dockerd.wait(30)
            # dockerd leaves its host namespace mounted; the folder could not be removed.
            subprocess.run([need("umount"), folder / "exec" / "netns" / "default"], check=False, capture_output=True)
    shutil.rmtree(folder / "data", ignore_errors=True)


def debian_with_python() -> Path:
    """A tar of a minimal Debian with Python, made once a machine and kept outside the repository."""
    tar = CACHE / "python3-bookworm.tar"
    if not tar.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        partial = tar.with_suffix(".partial.tar")
        command = [str(need("mmdebstrap")), "--quiet", "--variant=minbase", "--include=python3,python3-venv,ca-certificates"]
        subprocess.run([*command, f"--customize-hook={AS_IN_THE_BASE}", "bookworm", str(partial)], check=True, timeout=240)
        partial.rename(tar)
    return tar


def stand_in_base(docker: Engine, folder: Path) -> None:
    """Give the engine an image named BASE that can reach the package index this machine uses."""
    path = "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    docker.run("import", "-c", path, str(debian_with_python()), "bare", within=120)
    context = folder / "base"
    context.mkdir()
    certificates = next((os.environ[name] for name in CERTIFICATES if os.environ.get(name)), "/etc/ssl/certs/ca-certificates.crt")
    shutil.copy(certificates, context / "host.crt")
    (context / "pip.conf").write_text("\n".join(["[global]", "cert = /etc/ssl/certs/host.crt", *_reach()]) + "\n")
    (context / "Dockerfile").write_text("FROM bare\nCOPY host.crt /etc/ssl/certs/host.crt\nCOPY pip.conf /etc/pip.conf\n")
    docker.run("build", "-t", BASE, str(context), within=120)


def _reach() -> list[str]:
    """The lines of this machine's pip configuration that say which remote index to use."""
    told = subprocess.run([need("python"), "-m", "pip", "config", "list"], capture_output=True, text=True, check=True, timeout=60)
    lines = []
    for line in told.stdout.splitlines():
        name, _, value = line.partition("=")
        option = name.rpartition(".")[2].replace("_", "-")
        if option in {"index-url", "trusted-host", "proxy"}:
            lines.append(f"{option} = {value.strip(chr(39))}")
    return lines
