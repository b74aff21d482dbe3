"""`wharfinger serve`: API and dashboard."""

import click

from service.cli.group import Invocation
from service.cli.options import settings_of
from service.outputs.configuration import configured
from service.serving import serve


@click.command("serve")
@click.option("--host", metavar="ADDRESS", help="Address to listen on; else the setting, 127.0.0.1.")
@click.option("--port", type=click.IntRange(0, 65535), metavar="N", help="Port; else the setting, 8080.")
@click.option("--workers", type=click.IntRange(1, 64), metavar="N", help="Web worker processes; else the setting.")
@click.pass_obj
def command(invocation: Invocation, host: str | None, port: int | None, workers: int | None) -> None:
    """Serve the API and the dashboard.

    Beyond loopback it listens only if there are keys, or an identity provider. Newly promoted models are taken up
    without a restart, and messages to outputs are delivered. Ctrl-C or TERM ends it.
    """
    settings = settings_of(invocation)
    configured(settings.outputs)  # a mistake is one line here, and a trace in each worker later
    serve(
        settings,
        settings.listen_host if host is None else host,
        settings.listen_port if port is None else port,
        workers or settings.web_workers,
    )
