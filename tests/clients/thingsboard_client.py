"""Device code as it is written for ThingsBoard: only host, port and token are the hub's.

A line of JSON in is one thing to do, a line of JSON out is one thing that happened."""

import json
import logging
import sys
import threading

from tb_device_mqtt import TBDeviceMqttClient, TBPublishInfo

PATIENCE_S = 30
saying = threading.Lock()


def say(event, **what):
    with saying:
        print(json.dumps({"event": event, **what}), flush=True)


class Warnings(logging.Handler):
    """What the client would warn its user of."""

    def emit(self, record):
        say("warned", text=record.getMessage())


class Driver:
    def connect(self, do):
        client = self.client = TBDeviceMqttClient(do["host"], do["port"], do["token"])
        client.set_server_side_rpc_request_handler(self.on_rpc)
        client.connect(keepalive=30)
        # A callback given to connect() is set after its loop has started, and so may miss a quick CONNACK.
        for _ in range(PATIENCE_S * 20):
            if client.is_connected():
                return say("connected")
            threading.Event().wait(0.05)
        say("failed", error="not connected")

    def on_rpc(self, request, body):
        say("rpc", request=request, body=body)
        self.client.send_rpc_reply(request, {"done": body["method"], "params": body.get("params")})

    def limits(self, do):
        """Whether it has got and understood what it asks the server for when it connects."""
        for _ in range(PATIENCE_S * 20):
            if self.client.rate_limits_received:
                return say("limits", payload_max=self.client.max_payload_size)
            threading.Event().wait(0.05)
        say("failed", error="no session limits")

    def telemetry(self, do):
        self.told(self.client.send_telemetry(do["values"]))

    def attributes(self, do):
        self.told(self.client.send_attributes(do["values"]))

    def told(self, info):
        results = info.get()
        results = results if isinstance(results, list) else [results]
        say("sent", ok=all(result == TBPublishInfo.TB_ERR_SUCCESS for result in results))

    def request(self, do):
        def answered(answer, error):
            say("attributes", answer=answer, error=str(error) if error else None)

        self.client.request_attributes(do.get("client"), do.get("shared"), answered)

    def listen(self, do):
        self.client.subscribe_to_attribute(do["name"], lambda changed, error: say("changed", values=changed))
        say("listening")

    def call(self, do):
        def answered(number, answer, error):
            say("answer", answer=answer)

        self.client.send_rpc_call(do["method"], do.get("params", {}), answered)

    def claim(self, do):
        self.told(self.client.claim(do["secret"], do["duration_ms"]))

    def disconnect(self, do):
        self.client.disconnect()
        self.client.stop()
        say("disconnected")


def main():
    logger = logging.getLogger("tb_connection")
    logger.addHandler(Warnings(logging.WARNING))
    logger.propagate = False
    driver = Driver()
    for line in sys.stdin:
        do = json.loads(line)
        try:
            getattr(driver, do["do"])(do)
        except Exception as error:  # the test decides what an error means
            say("failed", error=f"{type(error).__name__}: {error}")


main()
