"""The `splashsand` command: publish an event, or follow those of a sandcastle."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from typing import TYPE_CHECKING, Any

from oneiric import AdapterManager, OneiricError
from oneiric.adapters.messaging import MessageAdapter

from splashsand.events import SplashSandEvents

if TYPE_CHECKING:
    from oneiric.adapters.messaging import Message


def main() -> None:
    """Do what the arguments say, over the instance of `oneiric.yaml` that they name."""
    arguments = _parser().parse_args()
    try:
        asyncio.run(_run(arguments))
    except OneiricError as error:
        sys.exit(f"Error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


async def _run(arguments: argparse.Namespace) -> None:
    async with AdapterManager.from_config(arguments.config) as adapters, adapters.until_signalled():
        events = SplashSandEvents(await adapters.get(arguments.instance, MessageAdapter))
        if arguments.command == "publish":
            print(await events.publish_deployment_event(arguments.sandcastle, arguments.event, arguments.data))
        else:
            await events.subscribe_to_events(arguments.sandcastle, _show, subscriber=arguments.subscriber)


async def _show(message: Message) -> None:
    """Print an event, as a line of JSON; once that is done, it counts as handled."""
    print(json.dumps({"id": message.id, **message, "delivery": message.delivery_count}), flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="splashsand", description="Deployment events.", allow_abbrev=False)
    parser.add_argument("--config", metavar="FILE", help="the config file (default: as for `oneiric`)")
    parser.add_argument("--instance", default="events", help="the instance of a message bus (default: %(default)s)")
    commands = parser.add_subparsers(dest="command", required=True)
    publish = commands.add_parser("publish", help="publish an event")
    publish.add_argument("sandcastle")
    publish.add_argument("event")
    publish.add_argument("--data", type=_object, default={}, metavar="JSON", help="a JSON object that goes with it")
    follow = commands.add_parser("follow", help="print the events of a sandcastle, a line of JSON each")
    follow.add_argument("sandcastle", help="its name, or * for all where the bus has patterns")
    follow.add_argument("--subscriber", metavar="NAME", help="who follows, on a bus that keeps what is published")
    return parser


def _object(text: str) -> dict[str, Any]:
    value = json.loads(text)
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError("not a JSON object")
    return value


if __name__ == "__main__":
    main()
