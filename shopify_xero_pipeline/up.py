"""`make up`: the Dagster UI with automation on, and a sandbox beside it where no credentials are given.

Only starting, watching and stopping the processes belongs here.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from shopify_xero_pipeline.runs import dagster_instance
from shopify_xero_pipeline.settings import LOCAL, Settings, SettingsError, check_yaml


def run(port: int, sandbox_port: int) -> int:
    """Run until interrupted, or until one of the processes ends; return its exit code.

    Raises:
        SettingsError: some credentials are given and others are missing.
    """
    settings = Settings.from_environment(os.environ, automation="on")
    alone = not settings.any_given
    if not alone and settings.missing():
        raise SettingsError(" ".join(settings.missing()))
    workspace = Path("workspace.yaml")
    if workspace.is_file():
        check_yaml(workspace)
    environ = {**os.environ, "AUTOMATION": "on" if settings.automation else "off"}
    dev = [sys.executable, "-m", "dagster", "dev", "-h", "127.0.0.1", "-p", str(port), "-w", "workspace.yaml"]
    lines = settings.log_format or ("text" if sys.stderr.isatty() else "json")
    commands = [[*dev, *(["--log-format", "json"] if lines == "json" else [])]]
    if alone:
        address = f"http://127.0.0.1:{sandbox_port}"
        environ |= {"SHOPIFY_BASE_URL": address, "XERO_BASE_URL": address}
        commands.insert(0, _sandbox(sandbox_port))
        click.echo(f"no credentials given: a sandbox stands in for both sides on {address}")
    with dagster_instance():
        environ["DAGSTER_HOME"] = os.environ["DAGSTER_HOME"]
    _limit_pool(environ)
    click.echo(f"Dagster UI on http://127.0.0.1:{port} (end with Ctrl-C)")
    return _watch([_start(command, environ) for command in commands])


def _sandbox(port: int) -> list[str]:
    state = LOCAL / "sandbox" / "xero.json"
    return [sys.executable, "-m", "shopify_xero_pipeline.cli", "sandbox", "--port", str(port), "--state", str(state)]


def _limit_pool(environ: Mapping[str, str]) -> None:
    """Set the pool's limit before the daemon starts: on a fresh instance the default does not reach the first runs."""
    command = [sys.executable, "-m", "dagster", "instance", "concurrency", "set", "xero", "1"]
    subprocess.run(command, env=environ, check=True, stdout=subprocess.DEVNULL)  # noqa: S603


def _start(command: Sequence[str], environ: Mapping[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, env=environ, preexec_fn=_listen_to_signals)  # noqa: S603


def _listen_to_signals() -> None:
    """A shell may start us with SIGINT ignored; Dagster would inherit that and could only be killed."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _watch(processes: Sequence[subprocess.Popen[bytes]]) -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        while all(process.poll() is None for process in processes):
            time.sleep(0.5)
        return next(process.returncode for process in processes if process.poll() is not None)
    except KeyboardInterrupt:
        return 0
    finally:
        for process in processes:
            process.send_signal(signal.SIGTERM)
        for process in processes:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(timeout=30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
