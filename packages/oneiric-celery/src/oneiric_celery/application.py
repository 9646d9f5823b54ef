"""The Celery application of an adapter: it builds the messages, and on RabbitMQ sends them."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

from celery import Celery

if TYPE_CHECKING:
    from oneiric_celery.settings import CelerySettings
    from oneiric_celery.urls import Server

_ATTEMPT = 1.0
"""Seconds that one attempt to connect or to be answered may take, where `timeout` isn't less: the deadline is our own."""


def application(settings: CelerySettings, broker: Server) -> Celery:
    """A Celery application for a broker, which no other code finds as the current or the default one."""
    app = Celery("oneiric", set_as_current=False, autofinalize=False)
    attempt = min(_ATTEMPT, settings.timeout)
    app.conf.update(
        broker_url=broker.celery_url,
        broker_connection_timeout=attempt,
        broker_connection_retry=False,
        broker_connection_retry_on_startup=False,
        broker_heartbeat=0,
        broker_use_ssl=tls_options(settings, broker),
        result_backend=None,
        task_default_queue=settings.queue,
        task_default_delivery_mode="persistent",
        task_queue_max_priority=settings.queue_max_priority,
        task_serializer="json",
        accept_content=["json"],
        result_accept_content=["json"],
        # Without both of these a publish waits for minutes for a broker that is gone: the retries are the caller's.
        broker_transport_options=_transport_options(settings, attempt),
        task_publish_retry_policy={"max_retries": 0},
        task_publish_retry=False,
        enable_utc=True,
        timezone="UTC",
    )
    _ = app.amqp.router, app.amqp.queues, app.amqp.create_task_message  # made now, and not by the first submit
    return app


def _transport_options(settings: CelerySettings, attempt: float) -> dict[str, Any]:
    if not settings.broker.is_redis:
        return {"confirm_publish": True, "max_retries": 0, "read_timeout": attempt, "write_timeout": attempt}
    return {"socket_timeout": attempt, "socket_connect_timeout": attempt, "max_retries": 0}


def tls_options(settings: CelerySettings, server: Server) -> dict[str, Any] | bool:
    """How Celery is to speak TLS with a server; False where it isn't to."""
    if not server.tls:
        return False
    required = {"ssl_cert_reqs": ssl.CERT_REQUIRED, "ssl_ca_certs": settings.tls_ca_file}
    if server.is_redis:
        return required
    return {
        "cert_reqs": ssl.CERT_REQUIRED,
        "ca_certs": settings.tls_ca_file,
        "server_hostname": server.host,
    }
