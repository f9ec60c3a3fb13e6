"""Base images for a machine that can pull none: made with debootstrap, under the same names.

They hold what our Dockerfile and compose file ask of the official ones (the program, its user, its
folder, its entry point), so that those files are tried as they are. Versions may differ; the
check prints which they are.
"""

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

SUITE: Final = "trixie"
BASE: Final = "stage2fuzz-debian:local"
BUNDLE: Final = Path("/etc/ssl/certs/ca-certificates.crt")
INSTALL: Final = "RUN apt-get update && apt-get install -y --no-install-recommends"
ENTRY: Final = r"""#!/bin/sh
set -e
PATH="$(ls -d /usr/lib/postgresql/*/bin):$PATH"
export PATH
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  mkdir -p "$PGDATA"
  umask 077
  printf %s "$POSTGRES_PASSWORD" > /tmp/password
  initdb -D "$PGDATA" -U "$POSTGRES_USER" --pwfile=/tmp/password --auth=scram-sha-256 -E UTF8
  rm /tmp/password
  echo "host all all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
  pg_ctl -D "$PGDATA" -w -o "-c listen_addresses='' -k /tmp" start
  PGPASSWORD="$POSTGRES_PASSWORD" createdb -h /tmp -U "$POSTGRES_USER" "$POSTGRES_DB"
  pg_ctl -D "$PGDATA" -w stop
fi
exec postgres -D "$PGDATA" -c listen_addresses='*' -k /tmp
"""
IMAGES: Final = {
    "python:3.12-slim": f"""FROM {BASE}
ENV SSL_CERT_FILE=/usr/local/share/bundle.crt PIP_CERT=/usr/local/share/bundle.crt
{INSTALL} python3 python3-venv ca-certificates && ln -s /usr/bin/python3 /usr/local/bin/python
""",
    "redis:7": f"""FROM {BASE}
{INSTALL} redis-server redis-tools && install -d -o redis -g redis /data
VOLUME /data
WORKDIR /data
CMD ["redis-server"]
""",
    "postgres:16": f"""FROM {BASE}
{INSTALL} postgresql && install -d -o postgres -g postgres /var/lib/postgresql/data
ENV PATH=/usr/lib/postgresql/17/bin:$PATH
COPY entry /usr/local/bin/docker-entrypoint.sh
RUN chmod 755 /usr/local/bin/docker-entrypoint.sh
VOLUME /var/lib/postgresql/data
USER postgres
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["postgres"]
""",
}


def present(image: str) -> bool:
    """Whether the engine has an image of this name."""
    command = ["docker", "image", "inspect", image]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def make() -> list[str]:
    """Make the images that are missing and can't be pulled; their names."""
    missing = [name for name in IMAGES if not present(name) and not pulled(name)]
    if missing and not present(BASE):
        _debian()
    for name in missing:
        with tempfile.TemporaryDirectory() as context:
            (Path(context) / "Dockerfile").write_text(IMAGES[name])
            (Path(context) / "entry").write_text(ENTRY)
            command = ["docker", "build", "--quiet", "--network=host", "-t", name, context]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return missing


def pulled(image: str) -> bool:
    """Whether the official image could be had."""
    command = ["docker", "pull", "--quiet", image]
    return subprocess.run(command, capture_output=True, check=False, timeout=300).returncode == 0


def _debian() -> None:
    """The root file system of a small Debian, from the mirror that this machine uses itself."""
    folder = Path(tempfile.mkdtemp(prefix="stage2fuzz-debian-"))
    try:
        command = ["debootstrap", "--variant=minbase", SUITE, str(folder), _mirror()]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        shutil.copy(BUNDLE, folder / "usr/local/share/bundle.crt")
        with subprocess.Popen(["tar", "-C", folder, "-c", "."], stdout=subprocess.PIPE) as tar:
            command = ["docker", "import", "-", BASE]
            subprocess.run(command, stdin=tar.stdout, check=True, stdout=subprocess.DEVNULL)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _mirror() -> str:
    """The first mirror that this machine's own apt uses; what is switched off is none."""
    command = ["apt-get", "indextargets", "--format", "$(SITE)", "Created-By: Packages"]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    for site in told.splitlines():
        if "security" not in site:
            return site
    raise RuntimeError("no Debian mirror is set up on this machine")
