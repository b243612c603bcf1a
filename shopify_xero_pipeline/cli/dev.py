"""`make up`: the Dagster UI with automation on, and a sandbox if no credentials are set.

This module only starts, watches and stops processes. They are the processes of `dagster dev` (a code server, the
daemon, the webserver), except that the webserver is behind the guard, which `dagster dev` does not support.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import click
import yaml

from shopify_xero_pipeline.cli.job_runner import dagster_instance
from shopify_xero_pipeline.settings import LOCAL_FOLDER, Settings, SettingsError, check_yaml

CODE_SERVER_PORT, LOCATION = "shopify_xero_pipeline.definitions", "shopify_xero_pipeline"
Process = subprocess.Popen[bytes]


class ManagedProcess(NamedTuple):
    """A process to start; the next one starts when it is ready."""

    command: Sequence[str]
    is_ready: Callable[[], bool] = lambda: True


def run_processes(port: int, sandbox_port: int) -> int:
    """Run the processes until an interrupt or until one of them ends; return its exit code.

    Raises:
        SettingsError: only a part of the credentials is set.
    """
    settings = Settings.from_environment(os.environ, automation="on")
    with_sandbox = not settings.has_any_credential
    if not with_sandbox and settings.missing():
        raise SettingsError(" ".join(settings.missing()))
    workspace = Path("workspace.yaml")
    if workspace.is_file():
        check_yaml(workspace)
    environ = {**os.environ, "AUTOMATION": "on" if settings.automation else "off"}
    if with_sandbox:
        address = f"http://127.0.0.1:{sandbox_port}"
        environ |= {"SHOPIFY_BASE_URL": address, "XERO_BASE_URL": address}
        click.echo(f"no credentials are set: a sandbox replaces both sides on {address}")
        click.echo(f"for commands in another terminal: export SHOPIFY_BASE_URL={address} XERO_BASE_URL={address}")
    with dagster_instance():
        environ["DAGSTER_HOME"] = os.environ["DAGSTER_HOME"]
    _limit_pool(environ)
    click.echo(f"Dagster UI on http://127.0.0.1:{port} (end with Ctrl-C)")
    log_format = settings.log_format or ("text" if sys.stderr.isatty() else "json")
    # A short path, because the name of a socket has at most about 100 characters.
    with tempfile.TemporaryDirectory(prefix="code-") as folder:
        sandbox = [ManagedProcess(_sandbox(sandbox_port))] if with_sandbox else []
        return _run_all([*sandbox, *_dagster(Path(folder), port, log_format)], environ)


def _dagster(folder: Path, port: int, log_format: str) -> list[ManagedProcess]:
    """Return Dagster's processes: a code server, the webserver and the daemon, both of which use the code server."""
    socket, workspace = folder / "code", folder / "workspace.yaml"
    server = {"socket": str(socket), "location_name": LOCATION}
    workspace.write_text(yaml.safe_dump({"load_from": [{"grpc_server": server}]}))
    log = ["--log-format", "json"] if log_format == "json" else []
    code = ["dagster", "code-server", "start", "-s", str(socket), "-m", CODE_SERVER_PORT, *log]
    address = ["-h", "127.0.0.1", "-p", str(port)]
    return [
        ManagedProcess(_python(*code), socket.exists),
        ManagedProcess(_python("shopify_xero_pipeline.cli", "webserver", *address, "-w", str(workspace), *log)),
        ManagedProcess([str(Path(sys.executable).with_name("dagster-daemon")), "run", "-w", str(workspace), *log]),
    ]


def _sandbox(port: int) -> list[str]:
    state = LOCAL_FOLDER / "sandbox" / "xero.json"
    return _python("shopify_xero_pipeline.cli", "sandbox", "--port", str(port), "--state", str(state))


def _python(module: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", module, *arguments]


def _limit_pool(environ: Mapping[str, str]) -> None:
    """Set the pool's limit before the daemon starts; in a new instance the default does not apply to the first runs."""
    command = _python("dagster", "instance", "concurrency", "set", "xero", "1")
    subprocess.run(command, env=environ, check=True, stdout=subprocess.DEVNULL)  # noqa: S603


def _start(command: Sequence[str], environ: Mapping[str, str]) -> Process:
    """Start a process in its own group, so that Ctrl-C reaches only this process, which ends the others in order."""
    return subprocess.Popen(command, env=environ, preexec_fn=_restore_signals, process_group=0)  # noqa: S603


def _restore_signals() -> None:
    """Restore the handlers: a shell may ignore SIGINT, and Dagster would inherit that and could only be killed."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _run_all(steps: Iterable[ManagedProcess], environ: Mapping[str, str]) -> int:
    for number in (signal.SIGTERM, signal.SIGHUP):  # a closing terminal sends SIGHUP
        signal.signal(number, lambda *_: sys.exit(0))
    processes: list[Process] = []
    try:
        for step in steps:
            processes.append(_start(step.command, environ))
            while not step.is_ready() and _are_all_alive(processes):
                time.sleep(0.1)
            if not _are_all_alive(processes):
                break
        while _are_all_alive(processes):
            time.sleep(0.5)
        return next(process.returncode for process in processes if process.poll() is not None)
    except KeyboardInterrupt:
        return 0
    finally:
        _stop(processes)


def _are_all_alive(processes: Iterable[Process]) -> bool:
    return all(process.poll() is None for process in processes)


def _stop(processes: Sequence[Process]) -> None:
    """End the processes in reverse order, because each uses the earlier ones; kill one that takes over 30 seconds."""
    for process in reversed(processes):
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
