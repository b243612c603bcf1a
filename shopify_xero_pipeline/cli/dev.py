"""`make up`: the Dagster UI with automation on, and a sandbox beside it where no credentials are given.

Only starting, watching and stopping the processes belongs here. They are those of `dagster dev` (one server of our
code, the daemon, the webserver), except that the webserver stands behind our guard, which `dagster dev` has no place
for.
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
    """A process to start; the next one waits until it is ready."""

    command: Sequence[str]
    is_ready: Callable[[], bool] = lambda: True


def run_processes(port: int, sandbox_port: int) -> int:
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
    if alone:
        address = f"http://127.0.0.1:{sandbox_port}"
        environ |= {"SHOPIFY_BASE_URL": address, "XERO_BASE_URL": address}
        click.echo(f"no credentials given: a sandbox stands in for both sides on {address}")
    with dagster_instance():
        environ["DAGSTER_HOME"] = os.environ["DAGSTER_HOME"]
    _limit_pool(environ)
    click.echo(f"Dagster UI on http://127.0.0.1:{port} (end with Ctrl-C)")
    lines = settings.log_format or ("text" if sys.stderr.isatty() else "json")
    # A short path: a socket's name may have about 100 characters.
    with tempfile.TemporaryDirectory(prefix="code-") as folder:
        steps = [*([ManagedProcess(_sandbox(sandbox_port))] if alone else []), *_dagster(Path(folder), port, lines)]
        return _watch(steps, environ)


def _dagster(folder: Path, port: int, lines: str) -> list[ManagedProcess]:
    """Return Dagster's processes: a server of our code, which the other two share, the webserver and the daemon."""
    socket, workspace = folder / "code", folder / "workspace.yaml"
    server = {"socket": str(socket), "location_name": LOCATION}
    workspace.write_text(yaml.safe_dump({"load_from": [{"grpc_server": server}]}))
    log = ["--log-format", "json"] if lines == "json" else []
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
    """Set the pool's limit before the daemon starts: on a fresh instance the default does not reach the first runs."""
    command = _python("dagster", "instance", "concurrency", "set", "xero", "1")
    subprocess.run(command, env=environ, check=True, stdout=subprocess.DEVNULL)  # noqa: S603


def _start(command: Sequence[str], environ: Mapping[str, str]) -> Process:
    """Start a process in a group of its own: Ctrl-C reaches us alone, and we end the processes in their order."""
    return subprocess.Popen(command, env=environ, preexec_fn=_listen_to_signals, process_group=0)  # noqa: S603


def _listen_to_signals() -> None:
    """A shell may start us with SIGINT ignored; Dagster would inherit that and could only be killed."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _watch(steps: Iterable[ManagedProcess], environ: Mapping[str, str]) -> int:
    for number in (signal.SIGTERM, signal.SIGHUP):  # a terminal that is closed sends the latter
        signal.signal(number, lambda *_: sys.exit(0))
    processes: list[Process] = []
    try:
        for step in steps:
            processes.append(_start(step.command, environ))
            while not step.is_ready() and _all_live(processes):
                time.sleep(0.1)
            if not _all_live(processes):
                break
        while _all_live(processes):
            time.sleep(0.5)
        return next(process.returncode for process in processes if process.poll() is not None)
    except KeyboardInterrupt:
        return 0
    finally:
        _stop(processes)


def _all_live(processes: Iterable[Process]) -> bool:
    return all(process.poll() is None for process in processes)


def _stop(processes: Sequence[Process]) -> None:
    """End the processes, the last one first, as it uses those before it; by force after half a minute."""
    for process in reversed(processes):
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
